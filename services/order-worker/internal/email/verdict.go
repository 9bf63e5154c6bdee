package email

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"example.com/orders/shared/failure"
)

// Answers that concern us, not this mail (RFC 5321, 4.2.2; RFC 4954, 6).
var serverWide = []int{
	421, // the server is going away
	530, // authentication is required
	535, // our credentials are wrong
}

// verdict decides what the end of a mail means for its order. A nil error is success.
func (c *connection) verdict(ctx context.Context, m *gomail.Msg, err error) error {
	if err == nil || m.IsDelivered() {
		return nil // whatever went wrong after the server took the mail over
	}
	failed, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		return err
	}
	code, said := failed.ErrorCode(), words(m, failed)
	if code != 0 {
		return answered(code, failed.Reason, said)
	}
	if c.fullySent(failed) && !cancelled(ctx) {
		return failure.New(failure.Transient, failure.Uncertain, said)
	}
	// Asked once: a lease that has run out may be back the next moment.
	if cause := cmp.Or(context.Cause(ctx), c.socket.refused); cause != nil {
		return cause
	}
	switch {
	case hungUp(err):
		return failure.New(failure.Down, failure.MailAway, said)
	case contentBegun(failed):
		// Without the end of its content no server takes a mail (RFC 5321, 4.1.1.4). It is an attempt of this order all the
		// same: were it Down, a mail on which the server always hangs up would be sent for ever.
		return failure.New(failure.Transient, failure.MailAway, said)
	}
	return said // go-mail refused the mail before it said a word to the server
}

// answered is the verdict when the server has refused.
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

// fullySent reports whether the mail was sent to its last byte: nobody but the server knows then what became of it. go-mail
// does not tell whether the last write succeeded, but its buffer does, which fails for ever after a write that failed.
func (c *connection) fullySent(err *gomail.SendError) bool {
	return err.Reason == gomail.ErrSMTPDataClose && c.smtp.Text.W.Flush() == nil
}

// cancelled reports whether ctx was cancelled. Its Err also tells of a lease that may come back: this worker may be the one that
// tries again then, and must know what it does not know.
func cancelled(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// away is the verdict when there is no connection.
func away(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return failure.New(failure.Down, failure.MailAway, fmt.Errorf("connecting to the mail server: %w", err))
}

// contentBegun reports whether the server had asked for the mail's content.
func contentBegun(err *gomail.SendError) bool {
	return err.Reason == gomail.ErrWriteContent || err.Reason == gomail.ErrSMTPDataClose
}

// hungUp reports whether the server went away before any of the mail's content was sent.
func hungUp(err error) bool {
	failed, ok := errors.AsType[*gomail.SendError](err)
	if !ok || failed.ErrorCode() != 0 && failed.ErrorCode() != 421 {
		return false
	}
	switch failed.Reason {
	case gomail.ErrConnCheck, gomail.ErrSMTPMailFrom, gomail.ErrSMTPRcptTo, gomail.ErrSMTPData:
		return true
	}
	return false
}

// reusable reports whether both sides still agree on where the conversation is: after success, and after a refusal that
// go-mail followed with RSET or that ended DATA.
func reusable(err error) bool {
	if err == nil {
		return true
	}
	failed, ok := errors.AsType[*gomail.SendError](err)
	if !ok || failed.ErrorCode() == 0 || failed.ErrorCode() == 421 {
		return false
	}
	switch failed.Reason {
	case gomail.ErrSMTPMailFrom, gomail.ErrSMTPRcptTo, gomail.ErrSMTPDataClose:
		return true
	}
	return false
}

// words is what the server said, without the customer's address and the Message-ID: the text is kept in letters and logs,
// and grouped by.
func words(m *gomail.Msg, err *gomail.SendError) error {
	text, _, _ := strings.Cut(err.Error(), ", affected ")
	for _, to := range m.GetTo() {
		text = regexp.MustCompile("(?i)"+regexp.QuoteMeta(to.Address)).ReplaceAllLiteralString(text, "the recipient")
	}
	return errors.New(text)
}
