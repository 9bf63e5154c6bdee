package inbox

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits for hostile mails.
const (
	maxDepth = 8
	maxParts = 100
)

// content is a parsed mail. Problem describes what could not be parsed; the other fields have the
// rest.
type content struct {
	MessageID   string
	From        person
	To          []person
	Subject     string
	Text, HTML  string
	Attachments []attachment
	Header      string // as received
	Problem     string // or empty
}

// person is a name and an address, either of which may be empty.
type person struct{ Name, Address string }

// attachment is a part of a mail other than its text and its HTML.
type attachment struct {
	PartID      string // number of the part, from 1
	FileName    string
	ContentType string // without parameters but the charset
	Size        int
	body        []byte
}

// messageID returns the Message-ID without brackets, or "".
func messageID(raw []byte) string {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return ""
	}
	return trimID(m.Header.Get("Message-Id"))
}

// trimID removes the brackets.
func trimID(id string) string {
	return strings.ToValidUTF8(strings.Trim(strings.TrimSpace(id), "<>"), "\uFFFD")
}

// parse parses a mail. If the mail cannot be parsed, Text has its bytes.
func parse(raw []byte) content {
	c := content{To: []person{}, Attachments: []attachment{}} // not nil: the API says [], never null
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		c.Text, c.Problem = plain(raw), err.Error()
		return c
	}
	header, _, _ := bytes.Cut(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	c.Header = plain(header)
	c.MessageID = trimID(m.Header.Get("Message-Id"))
	c.Subject = decoded(m.Header.Get("Subject"))
	c.To = append(c.To, people(m.Header.Get("To"))...)
	if from := people(m.Header.Get("From")); len(from) > 0 {
		c.From = from[0]
	}
	r := reader{c: &c}
	if err := r.part(textproto.MIMEHeader(m.Header), m.Body, 0); err != nil {
		c.Problem = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return c
}

// decoded decodes the encoded words (RFC 2047) of a header. Invalid ones stay as they are.
func decoded(text string) string {
	var words mime.WordDecoder
	if d, err := words.DecodeHeader(text); err == nil {
		text = d
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// people parses an address list. Text without an address becomes a name.
func people(text string) []person {
	if text == "" {
		return nil
	}
	list, err := mail.ParseAddressList(text)
	if err != nil {
		return []person{{Name: decoded(text)}}
	}
	var all []person
	for _, a := range list {
		all = append(all, person{a.Name, a.Address})
	}
	return all
}

// reader walks the parts of a mail and stores them in content.
type reader struct {
	c     *content
	parts int // number of leaves so far, which is the PartID of the last
}

// errTooMany stops the parsing of a mail; any other error stops that of one part.
var errTooMany = errors.New("too many parts")

// part parses a leaf or a multipart. It stores what can be parsed, also if it returns an error.
func (r *reader) part(header textproto.MIMEHeader, body io.Reader, depth int) error {
	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if media == "" {
		media = "text/plain" // RFC 2045, 5.2
		if header.Get("Content-Type") != "" {
			media = "application/octet-stream"
		}
	}
	if strings.HasPrefix(media, "multipart/") && err == nil {
		return r.multipart(body, params["boundary"], depth)
	}
	if r.parts++; r.parts > maxParts {
		return errTooMany
	}
	text, err := io.ReadAll(transferDecoded(header.Get("Content-Transfer-Encoding"), body))
	if err != nil {
		err = fmt.Errorf("part %d: %w", r.parts, err) // text has what was decoded before the error
	}
	r.place(media, params, header, text)
	return err
}

// multipart continues after a part that cannot be decoded. It stops if the structure is broken.
func (r *reader) multipart(body io.Reader, boundary string, depth int) error {
	if boundary == "" || depth == maxDepth {
		return errTooMany
	}
	parts := multipart.NewReader(body, boundary)
	var problems error
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return problems
		}
		if err != nil {
			return errors.Join(problems, err)
		}
		if err := r.part(p.Header, p, depth+1); errors.Is(err, errTooMany) {
			return err
		} else if err != nil {
			problems = errors.Join(problems, err)
		}
	}
}

// place stores a part as text, HTML or attachment.
func (r *reader) place(media string, params map[string]string, header textproto.MIMEHeader, body []byte) {
	disposition, fields, _ := mime.ParseMediaType(header.Get("Content-Disposition"))
	name := fields["filename"]
	if name == "" {
		name = params["name"]
	}
	inline := disposition != "attachment" && name == ""
	switch {
	case inline && media == "text/plain" && r.c.Text == "":
		r.c.Text = text(body, params["charset"])
	case inline && media == "text/html" && r.c.HTML == "":
		r.c.HTML = text(body, params["charset"])
	default:
		kind := media
		if charset := params["charset"]; charset != "" {
			kind = mime.FormatMediaType(media, map[string]string{"charset": charset})
		}
		r.c.Attachments = append(r.c.Attachments, attachment{
			PartID: strconv.Itoa(r.parts), FileName: decoded(name), ContentType: kind, Size: len(body), body: body,
		})
	}
}

// transferDecoded decodes the Content-Transfer-Encoding. multipart.Reader.NextPart would decode
// quoted-printable only, and remove the header.
func transferDecoded(encoding string, body io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	}
	return body
}

// text decodes UTF-8 and ISO 8859-1, which need no table. Invalid bytes become U+FFFD.
func text(body []byte, charset string) string {
	if strings.EqualFold(charset, "iso-8859-1") && !utf8.Valid(body) {
		runes := make([]rune, len(body))
		for i, b := range body {
			runes[i] = rune(b)
		}
		body = []byte(string(runes))
	}
	return plain(body)
}

// plain converts bytes to valid UTF-8 with LF line ends.
func plain(body []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(body), "\uFFFD"), "\r\n", "\n")
}

// snippet is the beginning of the text on one line.
func (c content) snippet() string {
	const most = 120
	runes := []rune(strings.Join(strings.Fields(c.Text[:min(len(c.Text), 4*most)]), " "))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return strings.ToValidUTF8(string(runes), "")
}
