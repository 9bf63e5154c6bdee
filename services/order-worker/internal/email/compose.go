package email

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	netmail "net/mail"
	"strconv"
	"strings"
	texttemplate "text/template"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

//go:embed templates
var templates embed.FS

// parseTemplates panics when a template does not parse: they are part of the program.
func parseTemplates() (*texttemplate.Template, *htmltemplate.Template) {
	funcs := map[string]any{"line": line, "percent": percent}
	return texttemplate.Must(texttemplate.New("mail.txt").Funcs(funcs).ParseFS(templates, "templates/mail.txt")),
		htmltemplate.Must(htmltemplate.New("mail.html").Funcs(funcs).ParseFS(templates, "templates/mail.html"))
}

// compose writes the mail. Only its MIME boundaries differ from attempt to attempt.
func (s *Step) compose(w *order.State) (*gomail.Msg, error) {
	to, err := netmail.ParseAddress(w.Order.Customer.Email)
	if err != nil {
		// Without the address: the text of an error is kept where no personal data belongs.
		return nil, failure.New(failure.Permanent, failure.RecipientRefused, errors.New("the customer's e-mail is not an address"))
	}
	to.Name = line(w.Order.Customer.Name)
	text, html, err := s.body(w)
	if err != nil {
		return nil, err
	}

	number := w.Progress.Invoice.Number
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(&s.from)
	m.ToMailAddress(to)
	m.Subject("Your order and invoice " + number)
	m.SetMessageIDWithValue(w.Progress.Email.MessageID)
	m.SetDateWithValue(w.Progress.Email.Date)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no vacation notes, please
	m.SetBodyString(gomail.TypeTextPlain, text)
	m.AddAlternativeString(gomail.TypeTextHTML, html)
	m.AttachReadSeeker(number+".pdf", bytes.NewReader(w.Document), gomail.WithFileContentType("application/pdf"))
	return m, nil
}

// body writes the same facts twice, for people who read text and for those who read HTML.
func (s *Step) body(w *order.State) (text, html string, err error) {
	data := struct {
		*order.State
		Seller string
	}{w, s.signature()}
	var t, h strings.Builder
	if err := s.text.Execute(&t, data); err != nil {
		return "", "", fmt.Errorf("writing the text: %w", err)
	}
	if err := s.html.Execute(&h, data); err != nil {
		return "", "", fmt.Errorf("writing the HTML: %w", err)
	}
	return t.String(), h.String(), nil
}

// signature is the seller's name, or the address where there is none.
func (s *Step) signature() string {
	if s.from.Name != "" {
		return s.from.Name
	}
	return s.from.Address
}

// line makes one line of a text: orders that were edited or came around the API may hold what Validate forbids.
func line(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, text)
}

// percent writes hundredths of a percent: 1900 is "19 %", 550 is "5.5 %".
func percent(hundredths int) string {
	return strconv.FormatFloat(float64(hundredths)/100, 'f', -1, 64) + " %"
}
