package view

import (
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/order"
)

// DeadLetterState is what has become of a dead letter. It follows from the order's status.
type DeadLetterState string

// The states of a dead letter.
const (
	Open     DeadLetterState = "open"     // it waits for an operator
	Lost     DeadLetterState = "lost"     // as Open, but its topic has deleted the record: a replay needs the order's state
	Replayed DeadLetterState = "replayed" // an operator has replayed it, and the order is being worked on
	Closed   DeadLetterState = "closed"   // its order has ended otherwise since, or was erased
)

// DeadLetter is the newest dead letter of an origin.
type DeadLetter struct {
	dlq.DeadLetter              // without Key, Value, Headers and Progress: those stay in the topic
	Partition      int32        // in the dead-letter topic: of the record itself, which may be a copy elsewhere than its origin
	Offset         int64        // in that partition
	Order          order.ID     // or empty: a record that is no order has no other trace than its dead letter
	OrderStatus    order.Status // empty without an order
	OrderRev       int64        // 0 without an order
	OrderAt        int64        // offset of the order's newest state in orders.status; 0 while there is none
	State          DeadLetterState
}

// Of reports whether a record with a key can be what failed: the key is that of the dead letter's
// order. A record that was too large for its dead letter has no key there, and one that is no order
// has any.
func (l *DeadLetter) Of(key []byte) bool {
	return l.Order == "" || len(key) == 0 || string(key) == string(l.Order)
}
