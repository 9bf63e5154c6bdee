package email

import (
	"errors"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// transmit sends a mail on a connection of go-mail, and returns nil when the server has accepted it, or
// a *sendError. It does what SendWithSMTPClient does, which writes the content byte by byte. It sends no
// NOOP before a mail and no RSET after it, which would cost a round trip each: a closed connection is
// detected at MAIL FROM, and the end of DATA resets the server anyway (RFC 5321, 4.1.1.4).
func transmit(c *smtp.Client, m *mail, timeout time.Duration) error {
	if err := c.UpdateDeadline(timeout); err != nil {
		return failed(gomail.ErrConnCheck, err)
	}
	if err := begin(c, m); err != nil {
		return err
	}
	if _, err := c.Text.W.Write(m.content.Bytes()); err != nil {
		return failed(gomail.ErrWriteContent, err)
	}
	// The dot is a write of its own: the socket checks again whether the mail may be finished.
	err := c.Text.PrintfLine("\r\n.")
	if err == nil {
		_, _, err = c.Text.ReadResponse(250)
	}
	if err != nil {
		return failed(gomail.ErrSMTPDataClose, err)
	}
	return nil
}

// begin sends the commands before the content. A server that offers PIPELINING gets them in one write, which saves two
// round trips (RFC 2920).
func begin(c *smtp.Client, m *mail) error {
	pipelining, _ := c.Extension("PIPELINING")
	from, to := envelope(m.from), envelope(m.to)
	if !pipelining || strings.ContainsAny(from+to, "\r\n") { // go-mail refuses these
		return inTurn(c, from, to)
	}
	parameters := ""
	for _, of := range [][2]string{{"8BITMIME", " BODY=8BITMIME"}, {"SMTPUTF8", " SMTPUTF8"}} {
		if offered, _ := c.Extension(of[0]); offered {
			parameters += of[1]
		}
	}
	if err := c.Text.PrintfLine("MAIL FROM:%s%s\r\nRCPT TO:%s\r\nDATA", from, parameters, to); err != nil {
		return failed(gomail.ErrSMTPMailFrom, err)
	}
	return answers(c)
}

// answers reads the answers to the commands before the content. The first error counts, but all are read.
func answers(c *smtp.Client) error {
	var first *sendError
	for _, command := range []struct {
		at   gomail.SendErrReason
		code int
	}{{gomail.ErrSMTPMailFrom, 250}, {gomail.ErrSMTPRcptTo, 25}, {gomail.ErrSMTPData, 354}} {
		_, _, err := c.Text.ReadResponse(command.code)
		if err == nil && first != nil && command.at == gomail.ErrSMTPData {
			// The server waits for the content of a mail that it has refused.
			_ = c.Close()
			return first
		}
		if err != nil && first == nil {
			first = failed(command.at, err)
		}
		if first != nil && (first.code == 0 || first.code == 421) { // the connection has ended
			return first
		}
	}
	if first == nil {
		return nil
	}
	return reset(c, first)
}

// inTurn sends the commands before the content, and waits for each answer. It does not use c.Data, whose
// writer would end the content a second time.
func inTurn(c *smtp.Client, from, to string) error {
	if err := c.Mail(from); err != nil {
		return reset(c, failed(gomail.ErrSMTPMailFrom, err))
	}
	if err := c.Rcpt(to); err != nil {
		return reset(c, failed(gomail.ErrSMTPRcptTo, err))
	}
	err := c.Text.PrintfLine("DATA")
	if err == nil {
		_, _, err = c.Text.ReadResponse(354)
	}
	if err != nil {
		return failed(gomail.ErrSMTPData, err)
	}
	return nil
}

// envelope returns an address as commands have it: in angle brackets, with quotes if its local part needs
// them (RFC 5321, 4.1.2).
func envelope(address string) string { return (&netmail.Address{Address: address}).String() }

// reset resets the server after an error answer, for the next mail. If that fails, the next mail
// notices it.
func reset(c *smtp.Client, e *sendError) error {
	if e.code != 0 && e.at != gomail.ErrSMTPData {
		_ = c.Reset()
	}
	return e
}

// sendError is the error of a mail that the server did not accept, or of which that is unknown.
type sendError struct {
	at   gomail.SendErrReason // what failed
	code int                  // of the error answer of the server, or 0
	err  error
}

func (e *sendError) Error() string { return e.at.String() + ": " + e.err.Error() }

func failed(at gomail.SendErrReason, err error) *sendError {
	e := &sendError{at: at, err: err}
	if answer, ok := errors.AsType[*textproto.Error](err); ok && answer.Code >= 400 {
		e.code = answer.Code
	}
	return e
}
