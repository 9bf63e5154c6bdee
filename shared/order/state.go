package order

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// State is all that is known of an order. A record of orders.status holds it after each change.
type State struct {
	Work
	BodyHash   string
	Status     Status
	Rev        int64       // number of changes so far, 0 as placed
	Timeline   []Change    // oldest first, at most 50
	DeadLetter *DeadLetter // the newest; nil if the order was never dead
	Discarded  bool        // it is dead, and an operator has decided not to replay it; only the read model knows
	Replays    int         // number of replays so far
	Edit       int         // version of the edit that Order is; 0 for the order as placed
	// Unknown holds the fields of a newer version, so that they survive; or nil.
	Unknown map[string]json.RawMessage
}

// Change is one entry of an order's timeline.
type Change struct {
	Rev    int64
	At     time.Time // UTC, milliseconds
	Status Status
	Step   Step   // the step that failed or waits, or empty
	Reason string // a code of package failure, an answer, or empty
	Replay int    // number of the replay that made the change, or 0
	Job    string // ID of the replay job that asked for the replay, or empty
	Worker string // that wrote it: host, process and version; empty: not a worker, or one of an older version
}

// The reasons of changes that answer a request and leave the status as it is.
const (
	AlreadyDone     = "already-done"   // replay refused: the order has ended
	Conflict        = "conflict"       // replay refused: the order has a newer dead letter, or is in progress
	CancelRefused   = "cancel-refused" // cancel refused: the invoice is issued, or the order has ended
	EditRefused     = "edit-refused"   // replay refused: its edit is no order, or changes what must stay
	PaymentReceived = "payment-received"
	PaidBack        = "paid-back"
	PaymentRefused  = "payment-refused" // see Receive
)

// Answers reports whether the change only answers a request.
func (c Change) Answers() bool {
	return slices.Contains([]string{AlreadyDone, Conflict, CancelRefused, EditRefused, PaymentReceived, PaidBack, PaymentRefused}, c.Reason)
}

// DeadLetter points to an order's dead letter in the dead-letter topic.
type DeadLetter struct {
	ID        string // coordinates of the order's origin, "3-124"
	Partition int32
	Offset    int64
	Step      Step
	Reason    string
}

// Begin returns the state of an order that was just placed.
func (o Order) Begin(at Origin) State {
	s := State{
		Work: Work{Order: o, Origin: at}, BodyHash: o.BodyHash(), Status: Accepted,
		Timeline: []Change{{At: o.PlacedAt, Status: Accepted}},
	}
	if p := o.Payment; p != nil && p.Method != ByInvoice {
		s.Payments = []Payment{*p}
	}
	return s
}

// ErrTransition is returned by Record for a change that the lifecycle does not allow. It is a bug of
// the writer.
var ErrTransition = errors.New("status cannot change")

// maxTimeline is how many changes a timeline keeps.
const maxTimeline = 50

// Record appends a change to the timeline and takes over its status and revision. A full timeline
// loses its second entry: the first tells when the order was placed. Record changes nothing and
// returns ErrTransition if the change is not allowed: an answer must repeat the status, and any
// other change must be in the lifecycle table.
func (s *State) Record(c Change) error {
	allowed := s.Status.Allows(c.Status)
	if c.Answers() {
		allowed = c.Status == s.Status
	}
	if !allowed {
		return fmt.Errorf("%w from %q to %q (reason %q)", ErrTransition, s.Status, c.Status, c.Reason)
	}
	s.Status, s.Rev = c.Status, c.Rev
	if len(s.Timeline) >= maxTimeline {
		s.Timeline = append(s.Timeline[:1:1], s.Timeline[2:]...)
	}
	s.Timeline = append(slices.Clip(s.Timeline), c)
	return nil
}
