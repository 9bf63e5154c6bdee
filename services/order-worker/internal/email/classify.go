package email

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	gomail "github.com/wneessen/go-mail"

	"example.com/orders/shared/failure"
)

// Answers that concern the sender and not the mail (RFC 5321, 4.2.2; RFC 4954, 6).
var serverWide = []int{
	421, // the server is closing the connection
	530, // authentication or STARTTLS is required
	534, // a stronger mechanism is required
	535, // our credentials are wrong
	538, // the mechanism requires encryption
}

// classify returns what the error of a mail means for its order. Nil is success.
func (c *connection) classify(ctx context.Context, m *mail, err error) error {
	failed, ok := errors.AsType[*sendError](err)
	if !ok {
		return err
	}
	said := words(m, failed)
	if failed.code != 0 {
		return answered(failed.code, failed.at, said)
	}
	if c.fullySent(failed) && !cancelled(ctx) {
		return failure.New(failure.Transient, failure.Uncertain, said)
	}
	// Read once: an expired lease may be renewed at any moment.
	if cause := cmp.Or(context.Cause(ctx), c.socket.refused); cause != nil {
		return cause
	}
	switch {
	case hungUp(err):
		return failure.New(failure.Down, failure.MailAway, said)
	case contentBegun(failed):
		// A server does not accept a mail without the end of its content (RFC 5321, 4.1.1.4). This
		// counts as an attempt of the order: if it were Down, a mail on which the server always
		// closes the connection would be retried forever.
		return failure.New(failure.Transient, failure.MailAway, said)
	}
	return said // go-mail refused the mail before it sent anything
}

// answered classifies an error answer of the server.
func answered(code int, at gomail.SendErrReason, said error) error {
	switch {
	case slices.Contains(serverWide, code):
		return failure.New(failure.Down, failure.MailAway, said)
	case code >= 500 && at == gomail.ErrSMTPRcptTo:
		return failure.New(failure.Permanent, failure.RecipientRefused, said)
	case code >= 500:
		return failure.New(failure.Permanent, failure.MailRejected, said)
	}
	return failure.New(failure.Transient, failure.MailBusy, said)
}

// fullySent reports whether the whole mail was sent, so that its outcome is unknown. go-mail hides
// whether its last write succeeded, but its buffer fails forever after a failed write.
func (c *connection) fullySent(err *sendError) bool {
	return err.at == gomail.ErrSMTPDataClose && c.smtp.Text.W.Flush() == nil
}

// cancelled reports whether ctx was cancelled for good. Its Err also reports an expired lease,
// which may be renewed: then this worker may make the next attempt, and the mail must count as
// uncertain.
func cancelled(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// away classifies a failed connection attempt.
func away(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return failure.New(failure.Down, failure.MailAway, fmt.Errorf("connecting to the mail server: %w", err))
}

// contentBegun reports whether the server was ready for the content of the mail.
func contentBegun(err *sendError) bool {
	return err.at == gomail.ErrWriteContent || err.at == gomail.ErrSMTPDataClose
}

// hungUp reports whether the connection failed before any content of the mail was sent.
func hungUp(err error) bool {
	failed, ok := errors.AsType[*sendError](err)
	if !ok || failed.code != 0 && failed.code != 421 {
		return false
	}
	switch failed.at {
	case gomail.ErrConnCheck, gomail.ErrSMTPMailFrom, gomail.ErrSMTPRcptTo, gomail.ErrSMTPData:
		return true
	}
	return false
}

// reusable reports whether the connection can send another mail: after success, and after a refusal
// that ended DATA or that RSET followed.
func reusable(err error) bool {
	if err == nil {
		return true
	}
	failed, ok := errors.AsType[*sendError](err)
	if !ok || failed.code == 0 || failed.code == 421 {
		return false
	}
	switch failed.at {
	case gomail.ErrSMTPMailFrom, gomail.ErrSMTPRcptTo, gomail.ErrSMTPDataClose:
		return true
	}
	return false
}

// words returns the answer of the server without the customer's address: dead letters and logs hold the
// text, and dead letters are grouped by it.
func words(m *mail, err *sendError) error {
	address := regexp.MustCompile("(?i)" + regexp.QuoteMeta(m.to))
	return errors.New(address.ReplaceAllLiteralString(err.Error(), "the recipient"))
}
