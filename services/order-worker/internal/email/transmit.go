package email

import (
	"errors"
	netmail "net/mail"
	"net/textproto"
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
	if err := c.Mail(envelope(m.from)); err != nil {
		return refused(c, gomail.ErrSMTPMailFrom, err)
	}
	if err := c.Rcpt(envelope(m.to)); err != nil {
		return refused(c, gomail.ErrSMTPRcptTo, err)
	}
	end, err := c.Data()
	if err != nil {
		return failed(gomail.ErrSMTPData, err)
	}
	if _, err := c.Text.W.Write(m.content.Bytes()); err != nil {
		return failed(gomail.ErrWriteContent, err)
	}
	if err := end.Close(); err != nil { // ends the last line
		return failed(gomail.ErrSMTPDataClose, err)
	}
	return nil
}

// envelope returns an address as commands have it: in angle brackets, with quotes if its local part needs
// them (RFC 5321, 4.1.2).
func envelope(address string) string { return (&netmail.Address{Address: address}).String() }

// refused resets the server after an error answer, for the next mail. If that fails, the next mail
// notices it.
func refused(c *smtp.Client, at gomail.SendErrReason, err error) error {
	e := failed(at, err)
	if e.code != 0 {
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
