// Package failure says what an error means for the order that met it. The class is decided once, where the knowledge
// is (a step marks its error), and read once (package pipeline): nobody matches on text.
package failure

import (
	"errors"
	"slices"
)

// Class is what happens to an order after a failure.
type Class int

// The classes. Transient is the class of an error that nobody marked.
const (
	Transient Class = iota // this attempt failed: try again, then a letter
	Permanent              // this order can never succeed here: a letter now
	Down                   // the dependency is away for everyone: wait until it is back, no attempt counted
)

var classes = [...]string{Transient: "transient", Permanent: "permanent", Down: "down"}

// String is the class as it stands in a letter.
func (c Class) String() string { return classes[c] }

// ParseClass reads what String wrote; anything else is Transient.
func ParseClass(text string) Class {
	return Class(max(0, slices.Index(classes[:], text)))
}

// Reason is a code that groups failures of one cause. The list is closed: operators filter and count by it.
type Reason string

// Every reason.
const (
	Internal         Reason = "internal"          // nobody marked the error
	Undecodable      Reason = "undecodable"       // the record is no order
	WrongPartition   Reason = "wrong-partition"   // the record is not in the partition of its key
	Duplicate        Reason = "duplicate"         // a later record of an order; only on void records
	Cancelled        Reason = "cancelled"         // the customer has called the order off; only on void records
	NoRoute          Reason = "no-route"          // the rate card does not ship there
	TooHeavy         Reason = "too-heavy"         // the rate card does not ship that much, or things that large
	RecipientRefused Reason = "recipient-refused" // the mail server refuses the address for good
	MailRejected     Reason = "mail-rejected"     // the mail server refuses the mail for good
	MailBusy         Reason = "mail-busy"         // the mail server asks to try again
	Uncertain        Reason = "uncertain"         // the mail may have gone out: its answer was lost
	MailAway         Reason = "mail-away"         // the mail server cannot be reached
	TooLarge         Reason = "too-large"         // a record about the order is larger than its topic allows
	InvoiceGone      Reason = "invoice-gone"      // the issued invoice is not in its topic any more
	RenderRefused    Reason = "render-refused"    // the invoice cannot be rendered
)

// Error is an error with its class and reason.
type Error struct {
	Class  Class
	Reason Reason
	Err    error
}

// Error is the text of the error within: class and reason travel beside it.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the error within.
func (e *Error) Unwrap() error { return e.Err }

// New marks an error with its class and reason.
func New(c Class, r Reason, err error) error { return &Error{c, r, err} }

// Of returns the class and the reason of an error: those of the outermost mark, else Transient and Internal.
func Of(err error) (Class, Reason) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class, e.Reason
	}
	return Transient, Internal
}
