package pipeline

import (
	"context"
	"fmt"
	"time"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// source is the kind of topic that a record came from.
type source int

const (
	fromOrders source = iota // a client placed the order
	fromReplay               // an operator replays its dead letter
	fromParked               // it was retrying or waiting
)

// attempt is one attempt at the order of a record.
type attempt struct {
	from    source
	pending wire.Parked  // the record, and what is known of earlier attempts: what the next record holds
	placed  *order.Order // of a replay: the order in the topic orders, if there is one; or nil
	work    *order.State
	replay  int   // number of the replay that the attempt belongs to, or 0
	stateAt int64 // of a replay: offset of the state that its operator saw, 0 or ledger.Unseen
	dry     bool  // a dry run
	tries   int   // with this record, the current one included
	// stopping is closed when a wait must end, because the partition is to be released.
	stopping <-chan struct{}
	// ofAnother: the replay that continues is that of another request with the same number.
	ofAnother bool
	todo      todo
	answer    string // of the todo answer: the reason of the change
	why       error  // of the todos refuse, ignore and, for an edit, answer

	orphan order.Status   // intent of a former owner that recorded no outcome; or empty
	intent order.Status   // the last intent that this attempt or a former owner wrote
	reason failure.Reason // why the next intent is written again; or empty
	adopt  bool           // a former owner announced an invoice and may have stored it
	step   order.Step     // that failed last
	failed time.Time      // first failure of this attempt
	last   lastFailure    // how the attempt ended, if it failed
}

// todo is what is to be done with a record.
type todo int

const (
	steps     todo = iota // take the steps that are left
	nothing               // it is finished
	ignore                // it belongs to no order: log it
	answering             // record in the timeline why a replay has nothing to do
	refuse                // dead-letter the record: it is no order
	void                  // void its number: it repeats the key of another order
)

// change is a change of the order by this attempt.
func (a *attempt) change(to order.Status, step order.Step, reason string) order.Change {
	return order.Change{Status: to, Step: step, Reason: reason, Replay: a.replay, Job: a.pending.Job}
}

// named is an error as it is in the dead letter of its order.
func named(a *attempt, s Step, err error) error {
	return fmt.Errorf("order %s: step %s: %w", a.work.Order.ID, s.Name(), err)
}

// loaded loads the document of an order that has one.
func loaded(ctx context.Context, l *ledger.Ledger, w *order.State) error {
	if i := w.Progress.Invoice; w.Document != nil || i == nil || i.Kept == nil {
		return nil
	}
	return l.Load(ctx, w)
}
