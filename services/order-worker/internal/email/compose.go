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

// compose composes the mail. Every attempt with the same templates gives the same bytes.
func (s *Step) compose(w *order.Work) (*gomail.Msg, error) {
	to, err := netmail.ParseAddress(w.Order.Customer.Email)
	if err != nil {
		// The error omits the address: error texts are stored in dead letters and logs.
		err := errors.New("the customer's e-mail is not an address")
		return nil, failure.New(failure.Permanent, failure.RecipientRefused, err)
	}
	// net/mail writes a backslash in an encoded word, where RFC 2047, section 5, forbids it.
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
	if s.reply != nil {
		m.ReplyToMailAddress(s.reply)
	}
	m.Subject(unencoded(mail.subject))
	m.SetMessageIDWithValue(p.Email.MessageID)
	m.SetDateWithValue(p.Email.Date)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: prevents automatic replies
	m.SetGenHeader("List-Id", "<confirmations."+s.domain+">")
	m.SetGenHeader("Content-Language", e.String())
	inner, outer := boundaries(p.Email.MessageID, mail)
	m.SetBoundary(outer)
	alternative := gomail.ContentType("multipart/alternative;\r\n boundary=" + inner)
	m.SetBodyWriter(alternative, mail.alternatives(inner), gomail.WithPartEncoding(gomail.NoEncoding))
	pdf := bytes.NewReader(w.Document)
	m.AttachReadSeeker(p.Invoice.Number+".pdf", pdf, gomail.WithFileContentType("application/pdf"))
	return m, nil
}

// unencoded breaks up "=?", which mail clients would decode as an encoded word, including line
// breaks in it: ASCII text is sent unencoded.
func unencoded(text string) string { return strings.ReplaceAll(text, "=?", "= ?") }

// boundaries derives the MIME boundaries from the mail, so that every attempt has the same. They
// depend on the text, so that a customer cannot write the boundary into it.
func boundaries(messageID string, mail rendered) (inner, outer string) {
	sum := sha256.New()
	for _, part := range []string{messageID, mail.subject, mail.text, mail.html} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	name := fmt.Sprintf("%.20x", sum.Sum(nil))
	return name + "-words", name + "-files"
}

// alternatives writes text and HTML as multipart/alternative. go-mail would use a random boundary,
// or that of the outer part.
func (mail rendered) alternatives(boundary string) func(io.Writer) (int64, error) {
	return func(to io.Writer) (int64, error) {
		var body bytes.Buffer
		parts := multipart.NewWriter(&body)
		if err := parts.SetBoundary(boundary); err != nil {
			return 0, err
		}
		// The preferred part is last (RFC 2046, 5.1.4).
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
