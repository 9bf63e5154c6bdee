package view

import (
	"fmt"
	"time"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// DeadLetterState is what has become of a dead letter. It follows from its order's status and from
// the decisions of operators.
type DeadLetterState string

// The states of a dead letter. Of several that apply the first in DeadLetterStates counts.
const (
	// Closed is one whose order has ended otherwise since, or was erased.
	Closed DeadLetterState = "closed"
	// Replayed is one that an operator has replayed, and whose order is being worked on.
	Replayed DeadLetterState = "replayed"
	// SentOn is one of another program that was replayed: what its consumers do is not known here.
	SentOn DeadLetterState = "sent"
	// Discarded is one that an operator has discarded, and not restored.
	Discarded DeadLetterState = "discarded"
	// Lost is Open or Parked, but its topic has deleted the record: a replay needs the order's state.
	Lost DeadLetterState = "lost"
	// Parked is Open, but was replayed ParkAfter times or more: only an explicit override replays it.
	Parked DeadLetterState = "parked"
	// Open waits for an operator.
	Open DeadLetterState = "open"
)

// ParkAfter is after how many replays a dead letter is parked. One that is Lost is not to be replayed
// without an override after as many, either.
const ParkAfter = 5

// DeadLetterStates returns all states.
func DeadLetterStates() []DeadLetterState {
	return []DeadLetterState{Closed, Replayed, SentOn, Discarded, Lost, Parked, Open}
}

// Unsettled returns the states of the dead letters that an operator has to decide about.
func Unsettled() []DeadLetterState { return []DeadLetterState{Lost, Parked, Open} }

// DeadLetter is the newest dead letter of an origin. Without Key, Value, Headers, Progress and the
// actor of Cause: those stay in the topic.
type DeadLetter struct {
	dlq.DeadLetter
	Foreign     string       // dead-letter topic of another program that it was read from; empty for ours
	Partition   int32        // of the record in the dead-letter topic, which may be a copy in another one than its origin
	Offset      int64        // in that partition
	Order       order.ID     // or empty: a record that is no order has no other trace than its dead letter
	OrderStatus order.Status // empty without an order
	OrderRev    int64        // 0 without an order
	OrderAt     int64        // offset of the order's newest state in orders.status; 0 while there is none
	State       DeadLetterState
	CauseID     string         // of the group of all dead letters with this cause
	Text        string         // the message, normalised by package cause
	Discard     *wire.Decision // the decision to discard it, or nil: there is none, or it was taken back
	Edit        *wire.Decision // the newest edit with its value, or nil
	Notes       int            // how many notes there are about it
}

// ID is the dead letter's name: the place of its origin in the topic orders, "3-124"; of one of
// another program the place of its record, "payments.DLT:2-77".
func (l *DeadLetter) ID() string {
	return deadLetterID(l.Foreign, l.Partition, l.Offset, &l.DeadLetter)
}

func deadLetterID(foreign string, partition int32, offset int64, l *dlq.DeadLetter) string {
	if foreign == "" {
		return l.ID()
	}
	return fmt.Sprintf("%s:%d-%d", foreign, partition, offset)
}

// Of reports whether a record with a key can be what failed: the key is that of the dead letter's
// order. A record that was too large for its dead letter has no key there, and one that is no order
// has any.
func (l *DeadLetter) Of(key []byte) bool {
	return l.Order == "" || len(key) == 0 || string(key) == string(l.Order)
}

// Failure is one failure of a dead letter: each replay that fails again adds one.
type Failure struct {
	Number    int // of the replay that failed, or 0
	At        time.Time
	Step      order.Step
	Class     failure.Class
	Reason    failure.Reason
	Message   string
	Attempts  int // since the order was placed
	Worker    string
	CauseID   string
	Partition int32 // of the record in the dead-letter topic, which has the value that failed
	Offset    int64
	Edit      int // version of the edit that failed, or 0: the original
}

// Group is the dead letters with one cause, of those that a filter selects.
type Group struct {
	ID      string
	Foreign string // dead-letter topic of another program; empty for ours
	Step    order.Step
	Reason  failure.Reason
	Class   failure.Class
	Text    string // the message, normalised by package cause
	Counts  map[DeadLetterState]int
	First   time.Time // when the first of them failed first
	Last    time.Time // when the last of them failed last
	Hours   [24]int   // how many failed last in each hour; the last hour is the present one
	Notes   int       // about the group
	// Assigned is the decision that says who looks into the cause, or nil: no one does.
	Assigned *wire.Decision
	// Replayed is how many replays of dead letters with this cause were begun, and Confirmed how many
	// of those ended with a confirmed order. Both are of all dead letters that ever failed for this
	// cause, whatever the filter.
	Replayed, Confirmed int
}

// Total is how many dead letters the group has.
func (g *Group) Total() (n int) {
	for _, count := range g.Counts {
		n += count
	}
	return n
}
