package email

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"slices"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

// mail is a mail as it is sent.
type mail struct {
	from, to string // addresses
	*paper
}

// paper is the memory of a mail, which is used again.
type paper struct {
	words   rendered
	content bytes.Buffer // as it is sent after DATA, without a line break at the end
}

// compose composes the mail. Every attempt with the same templates gives the same bytes. Release the mail
// when it is not used any more.
func (s *Step) compose(w *order.Work) (*mail, error) {
	to, err := netmail.ParseAddress(w.Order.Customer.Email)
	if err != nil {
		// The error omits the address: error texts are stored in dead letters and logs.
		err := errors.New("the customer's e-mail is not an address")
		return nil, failure.New(failure.Permanent, failure.RecipientRefused, err)
	}
	// net/mail writes a backslash in an encoded word, where RFC 2047, section 5, forbids it.
	to.Name = strings.ReplaceAll(unencoded(line(w.Order.Customer.Name)), `\`, "/")
	e := s.templateSets[kind{locale.Of(w.Progress.Invoice.Language), w.Order.Refund != nil}]()
	p, used := s.idle.Get().(*paper)
	if !used {
		p = new(paper)
	}
	m := &mail{s.from.Address, to.Address, p}
	if err := s.write(m, e, w, to); err != nil {
		s.release(m)
		return nil, err
	}
	return m, nil
}

// write writes the words of the mail and its content.
func (s *Step) write(m *mail, e templateSet, w *order.Work, to *netmail.Address) error {
	words, content := &m.words, &m.content
	c := s.content(w, e.Language)
	if err := e.write(&c, words); err != nil {
		return err
	}
	head := s.header(w, to, e.Language, words.subject)
	inner, outer := boundaries(w.Progress.Email.MessageID, words)
	head.SetGenHeader(gomail.HeaderContentType, "multipart/mixed; boundary="+outer)
	content.Reset()
	content.Grow(2048 + 2*(words.text.Len()+words.html.Len()) + len(w.Document)*7/5)
	if _, err := head.WriteTo(content); err != nil {
		return fmt.Errorf("writing the header: %w", err)
	}
	words.write(content, inner, outer)
	double(content)
	attach(content, outer, w.Progress.Invoice.Number+".pdf", w.Document)
	return nil
}

// release gives the memory of a mail to one that is composed later.
func (s *Step) release(m *mail) { s.idle.Put(m.paper) }

// header returns a message of go-mail without body.
func (s *Step) header(w *order.Work, to *netmail.Address, l locale.Language, subject string) *gomail.Msg {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(&s.from)
	m.ToMailAddress(to)
	if s.reply != nil {
		m.ReplyToMailAddress(s.reply)
	}
	m.Subject(unencoded(subject))
	m.SetMessageIDWithValue(w.Progress.Email.MessageID)
	m.SetDateWithValue(w.Progress.Email.Date)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: prevents automatic replies
	m.SetGenHeader("List-Id", "<confirmations."+s.domain+">")
	m.SetGenHeader(gomail.HeaderContentLang, l.String())
	return m
}

// unencoded breaks up "=?", which mail clients would decode as an encoded word, including line
// breaks in it: ASCII text is sent unencoded.
func unencoded(text string) string { return strings.ReplaceAll(text, "=?", "= ?") }

// boundaries derives the MIME boundaries from the mail, so that every attempt has the same. They
// depend on the text, so that a customer cannot write the boundary into it.
func boundaries(messageID string, words *rendered) (inner, outer string) {
	sum := sha256.New()
	for _, part := range [][]byte{[]byte(messageID), []byte(words.subject), words.text.Bytes(), words.html.Bytes()} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	name := fmt.Sprintf("%.20x", sum.Sum(nil))
	return name + "-words", name + "-files"
}

// write begins the body of a mail (RFC 2046, 5.1) with text and HTML, the preferred one last. go-mail would
// take longer, and give them a random boundary.
func (words *rendered) write(to *bytes.Buffer, inner, outer string) {
	fmt.Fprintf(to, "\r\n--%s\r\nContent-Type: multipart/alternative;\r\n boundary=%s\r\n\r\n", outer, inner)
	for _, part := range []struct {
		kind string
		text *bounded
	}{{"text/plain", &words.text}, {"text/html", &words.html}} {
		fmt.Fprintf(to, "--%s\r\nContent-Type: %s; charset=UTF-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", inner, part.kind)
		encoded := quotedprintable.NewWriter(to) // a Buffer returns no error
		_, _ = encoded.Write(part.text.Bytes())
		_ = encoded.Close()
		to.WriteString("\r\n")
	}
	fmt.Fprintf(to, "--%s--\r\n\r\n", inner)
}

// double doubles the dots at the beginning of lines: a line of one dot would end the content (RFC 5321, 4.5.2).
func double(content *bytes.Buffer) {
	if dot := []byte("\n."); bytes.Contains(content.Bytes(), dot) {
		doubled := bytes.ReplaceAll(content.Bytes(), dot, []byte("\n.."))
		content.Reset()
		content.Write(doubled)
	}
}

// attach ends the body with a PDF, and no line break. No line of it begins with a dot.
func attach(to *bytes.Buffer, outer, name string, pdf []byte) {
	fmt.Fprintf(to, "--%s\r\nContent-Type: %s\r\nContent-Disposition: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n", outer,
		mime.FormatMediaType("application/pdf", map[string]string{"name": name}), mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	const line = 57 // bytes on a line of 76 characters (RFC 2045, 6.8)
	for part := range slices.Chunk(pdf, line) {
		to.Write(base64.StdEncoding.AppendEncode(to.AvailableBuffer(), part))
		to.WriteString("\r\n")
	}
	fmt.Fprintf(to, "--%s--", outer)
}
