package order

import (
	"encoding/json"
	"slices"
	"time"
)

// Status is where an order is on its way.
type Status string

// Every status. The last four are final.
const (
	Accepted  Status = "accepted"  // in the topic, not begun
	Working   Status = "working"   // shipping and invoice number are settled
	Mailing   Status = "mailing"   // the invoice is kept and its mail is about to be sent
	Retrying  Status = "retrying"  // the last attempt failed: another one follows by itself
	Waiting   Status = "waiting"   // for a dependency that is down
	Confirmed Status = "confirmed" // mailed
	Dead      Status = "dead"      // a dead letter holds it
	Cancelled Status = "cancelled"
	Discarded Status = "discarded"
)

// lifecycle is the one table of statuses, along an order's way. SQL, HTTP, metrics and docs take them from Statuses, or a test compares
// them.
var lifecycle = []struct {
	status        Status
	final, parked bool
}{
	{status: Accepted},
	{status: Working},
	{status: Mailing},
	{status: Retrying, parked: true},
	{status: Waiting, parked: true},
	{status: Confirmed, final: true},
	{status: Dead, final: true},
	{status: Cancelled, final: true},
	{status: Discarded, final: true},
}

// Statuses returns every status, along an order's way.
func Statuses() []Status {
	all := make([]Status, len(lifecycle))
	for i, row := range lifecycle {
		all[i] = row.status
	}
	return all
}

// Final reports whether the workers are through with the order. A dead order can be replayed.
func (s Status) Final() bool {
	for _, row := range lifecycle {
		if row.status == s {
			return row.final
		}
	}
	return false
}

// Parked reports whether the order waits in a topic of its own until workers take it up again.
func (s Status) Parked() bool {
	for _, row := range lifecycle {
		if row.status == s {
			return row.parked
		}
	}
	return false
}

// State is all there is to know about an order: what orders.status holds after each change.
type State struct {
	Work
	BodyHash   string
	Status     Status
	Rev        int64       // +1 a change, 0 as placed
	Timeline   []Change    // oldest first, at most 50
	DeadLetter *DeadLetter // of an order that is dead, or was; else nil
	Replays    int         // how often it was replayed
	// Unknown holds fields of a newer version, so that they survive; or nil.
	Unknown map[string]json.RawMessage
}

// Change is one entry of an order's timeline.
type Change struct {
	Rev    int64
	At     time.Time // UTC, milliseconds
	Status Status
	Step   Step   // that failed or is waited for, or empty
	Reason string // a code of package failure, or empty
	Replay int    // number of the replay that made the change, or 0
}

// The reasons of changes that change nothing: each answers somebody who asked for something.
const (
	AlreadyDone   = "already-done"   // a replay: the order is finished
	Conflict      = "conflict"       // a replay: the dead letter is not the newest of its order, or the order is on its way again
	CancelRefused = "cancel-refused" // a cancel: the invoice is issued, or the order has ended
)

// Answers reports whether the change only answers somebody. The order stands where it stood.
func (c Change) Answers() bool {
	return c.Reason == AlreadyDone || c.Reason == Conflict || c.Reason == CancelRefused
}

// DeadLetter points at an order's dead letter in the dead-letter topic.
type DeadLetter struct {
	ID        string // coordinates of the order's origin, "3-124"
	Partition int32
	Offset    int64
	Step      Step
	Reason    string
}

// maxTimeline is how many changes a timeline keeps.
const maxTimeline = 50

// Record appends a change to the timeline and takes over its status and revision. When the timeline is full its second entry goes: the first says when the order was placed.
func (s *State) Record(c Change) {
	s.Status, s.Rev = c.Status, c.Rev
	if len(s.Timeline) >= maxTimeline {
		s.Timeline = append(s.Timeline[:1:1], s.Timeline[2:]...)
	}
	s.Timeline = append(slices.Clip(s.Timeline), c)
}

// Begin is the state of an order that was just placed: accepted, nothing begun.
func (o Order) Begin(at Origin) State {
	s := State{Work: Work{Order: o, Origin: at}, BodyHash: o.BodyHash()}
	s.Record(Change{At: o.PlacedAt, Status: Accepted})
	return s
}
