package view

import (
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/order"
)

// DeadLetterState is what has become of a dead letter. It follows from the order's status.
type DeadLetterState string

// The states of a dead letter.
const (
	// Open waits for an operator.
	Open DeadLetterState = "open"
	// Lost is Open, but its topic has deleted the record: a replay needs the order's state.
	Lost DeadLetterState = "lost"
	// Replayed is one that an operator has replayed, and whose order is being worked on.
	Replayed DeadLetterState = "replayed"
	// Closed is one whose order has ended otherwise since, or was erased.
	Closed DeadLetterState = "closed"
)

// DeadLetter is the newest dead letter of an origin. Without Key, Value, Headers and Progress: those
// stay in the topic.
type DeadLetter struct {
	dlq.DeadLetter
	Partition   int32        // of the record in the dead-letter topic, which may be a copy in another one than its origin
	Offset      int64        // in that partition
	Order       order.ID     // or empty: a record that is no order has no other trace than its dead letter
	OrderStatus order.Status // empty without an order
	OrderRev    int64        // 0 without an order
	OrderAt     int64        // offset of the order's newest state in orders.status; 0 while there is none
	State       DeadLetterState
}

// Of reports whether a record with a key can be what failed: the key is that of the dead letter's
// order. A record that was too large for its dead letter has no key there, and one that is no order
// has any.
func (l *DeadLetter) Of(key []byte) bool {
	return l.Order == "" || len(key) == 0 || string(key) == string(l.Order)
}
