// Package failure classifies errors by what they mean for an order. The step that fails marks its
// error with a class and a reason; package pipeline reads them. Error texts are never compared.
package failure

import (
	"errors"
	"slices"
)

// Class determines what happens to an order after a failure.
type Class int

// The classes. Transient is the class of an unmarked error.
const (
	Transient Class = iota // this attempt failed: retry, then dead-letter the order
	Permanent              // a retry cannot succeed: dead-letter the order at once
	Down                   // a dependency is down: wait until it is back; the attempt does not count
)

var classes = [...]string{Transient: "transient", Permanent: "permanent", Down: "down"}

// String is the class as written in dead letters.
func (c Class) String() string { return classes[c] }

// ParseClass parses the result of String. Any other text is Transient.
func ParseClass(text string) Class {
	return Class(max(0, slices.Index(classes[:], text)))
}

// Reason is the code of a cause of failure. The list is closed: operators filter and count by it.
type Reason string

// Every reason.
const (
	Internal         Reason = "internal"          // unmarked error
	Undecodable      Reason = "undecodable"       // the record cannot be decoded as an order
	WrongPartition   Reason = "wrong-partition"   // the record is not in the partition of its key
	Duplicate        Reason = "duplicate"         // another record of the order came first; only in void records
	Cancelled        Reason = "cancelled"         // the order was cancelled; only in void records
	NoRoute          Reason = "no-route"          // the rate card does not serve the address
	TooHeavy         Reason = "too-heavy"         // too heavy or too large for the carriers of the rate card
	RecipientRefused Reason = "recipient-refused" // the mail server permanently refuses the recipient
	MailRejected     Reason = "mail-rejected"     // the mail server permanently refuses the mail
	MailBusy         Reason = "mail-busy"         // the mail server answers with a temporary error
	Uncertain        Reason = "uncertain"         // outcome of the mail unknown: the server's answer was lost
	MailAway         Reason = "mail-away"         // the mail server cannot be reached
	TooLarge         Reason = "too-large"         // a record about the order is larger than its topic allows
	InvoiceGone      Reason = "invoice-gone"      // the issued invoice is no longer in its topic
	RenderRefused    Reason = "render-refused"    // the invoice cannot be rendered
)

// Error is an error with its class and reason.
type Error struct {
	Class  Class
	Reason Reason
	Err    error
}

// Error is the text of the wrapped error, without class and reason.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// New marks an error with its class and reason.
func New(c Class, r Reason, err error) error { return &Error{c, r, err} }

// Of returns class and reason of the outermost mark of an error. Without a mark they are Transient
// and Internal.
func Of(err error) (Class, Reason) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class, e.Reason
	}
	return Transient, Internal
}
