package email

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/textproto"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

// compose writes the mail: the same bytes on every attempt, as long as the templates are the same.
func (s *Step) compose(w *order.State) (*gomail.Msg, error) {
	to, err := netmail.ParseAddress(w.Order.Customer.Email)
	if err != nil {
		// Without the address: the text of an error is kept where no personal data belongs.
		return nil, failure.New(failure.Permanent, failure.RecipientRefused, errors.New("the customer's e-mail is not an address"))
	}
	// net/mail leaves a backslash in an encoded word, where none may stand (RFC 2047, 5).
	to.Name = strings.ReplaceAll(unencoded(line(w.Order.Customer.Name)), `\`, "/")
	e := s.templateSets[kind{locale.Of(w.Progress.Invoice.Language), w.Order.Refund != nil}]
	mail, err := e.write(s.content(w, e.Language))
	if err != nil {
		return nil, err
	}

	p := &w.Progress
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(&s.from)
	m.ToMailAddress(to)
	m.Subject(unencoded(mail.subject))
	m.SetMessageIDWithValue(p.Email.MessageID)
	m.SetDateWithValue(p.Email.Date)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no vacation notes, please
	m.SetGenHeader("List-Id", "<confirmations."+s.domain+">")
	m.SetGenHeader("Content-Language", e.String())
	inner, outer := boundaries(p.Email.MessageID, mail)
	m.SetBoundary(outer)
	m.SetBodyWriter(gomail.ContentType("multipart/alternative;\r\n boundary="+inner), mail.alternatives(inner), gomail.WithPartEncoding(gomail.NoEncoding))
	m.AttachReadSeeker(p.Invoice.Number+".pdf", bytes.NewReader(w.Document), gomail.WithFileContentType("application/pdf"))
	return m, nil
}

// unencoded breaks what readers would take for an encoded word and decode, line breaks included: text that is ASCII already is
// sent as it is.
func unencoded(text string) string { return strings.ReplaceAll(text, "=?", "= ?") }

// boundaries are of the mail's own making, where others draw them at random. The text is part of them, so that nobody can
// order something whose name is the boundary of its own mail.
func boundaries(messageID string, mail rendered) (inner, outer string) {
	sum := sha256.New()
	for _, part := range []string{messageID, mail.subject, mail.text, mail.html} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	name := fmt.Sprintf("%.20x", sum.Sum(nil))
	return name + "-words", name + "-files"
}

// alternatives writes text and HTML as the parts of one. go-mail would do it, but with a boundary drawn at random, or with
// that of the part around it.
func (mail rendered) alternatives(boundary string) func(io.Writer) (int64, error) {
	return func(to io.Writer) (int64, error) {
		var body bytes.Buffer
		parts := multipart.NewWriter(&body)
		if err := parts.SetBoundary(boundary); err != nil {
			return 0, err
		}
		// What a reader should like best is last (RFC 2046, 5.1.4).
		for _, part := range [][2]string{{"text/plain", mail.text}, {"text/html", mail.html}} {
			w, err := parts.CreatePart(textproto.MIMEHeader{
				"Content-Type": {part[0] + "; charset=UTF-8"}, "Content-Transfer-Encoding": {"quoted-printable"},
			})
			if err != nil {
				return 0, err
			}
			encoded := quotedprintable.NewWriter(w)
			if _, err := io.WriteString(encoded, part[1]); err != nil {
				return 0, err
			}
			if err := encoded.Close(); err != nil {
				return 0, err
			}
		}
		if err := parts.Close(); err != nil {
			return 0, err
		}
		return body.WriteTo(to)
	}
}
