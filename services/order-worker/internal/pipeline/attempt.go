package pipeline

import (
	"time"

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
	pending wire.Parked // the record, and what is known of earlier attempts: what the next record holds
	work    *order.State
	replay  int   // number of the replay that the attempt belongs to, or 0
	stateAt int64 // of a replay: offset of the state that its operator saw, or 0
	done    bool  // there is nothing to do

	orphan order.Status   // intent of a former owner that recorded no outcome; or empty
	intent order.Status   // the last intent that this attempt or a former owner wrote
	reason failure.Reason // why the next intent is written again; or empty
	adopt  bool           // a former owner announced an invoice and may have stored it
	step   order.Step     // that failed last
	failed time.Time      // first failure of this attempt
	last   lastFailure    // how the attempt ended, if it failed
}
