package view_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Orders and orders.status are read side by side, so the record that places an erased order may
// come after its tombstone.
func TestTheViewForgetsAnErasedOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, b.Topics.Orders, wire.Order(placed(1)), wire.Order(placed(2)))
	b.put(t, b.Topics.Status, wire.Claim{Worker: "w", At: time.Now()}.Record(), wire.State(b.at(placed(1), 0, order.Dead), 0))
	b.put(t, b.Topics.DLQ, records(deadLetter(0, placed(1), failure.NoRoute, 1))...)
	v, stop := b.start(t)
	gone := func(v *view.View, when string) {
		t.Helper()
		if s, err := v.Order(t.Context(), "ord_001"); !errors.Is(err, view.ErrUnknown) {
			t.Errorf("%s: got %+v, %v; want the order forgotten", when, s, err)
		}
		if l, err := v.DeadLetter(t.Context(), "1-0"); err != nil || l.State != view.Closed {
			t.Errorf("%s: got a dead letter that is %q, %v; want it closed", when, l.State, err)
		}
		get(t, v, "ord_002")
	}
	changes, unwatch := v.Watch("ord_001")
	erased := &kgo.Record{Key: []byte("ord_001")}
	b.put(t, b.Topics.Status, erased)
	<-changes
	unwatch()
	gone(v, "while it runs")
	must(t, stop())
	v, _ = b.start(t)
	gone(v, "after a restart")
	late := wire.Order(placed(1))
	late.Timestamp = erased.Timestamp.Add(-time.Second) // as when it is read after the tombstone
	watched(t, v, "ord_003", func() { b.put(t, b.Topics.Orders, late, wire.Order(placed(3))) })
	gone(v, "when its record is read again")
	watched(t, v, "ord_001", func() { b.put(t, b.Topics.Orders, wire.Order(placed(1))) }) // its key is repeated: another order
}
