package view_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// TestTheStateOfADeadLetterFollowsTheLifecycle compares what the read model makes of each status with
// the table of statuses: a dead letter is closed when its order has ended for good, and replayed
// while workers go on with its order.
func TestTheStateOfADeadLetterFollowsTheLifecycle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want, got := map[order.Status]view.DeadLetterState{}, map[order.Status]view.DeadLetterState{}
	statuses := map[order.ID]order.Status{}
	for n, status := range order.Statuses() {
		switch {
		case status == order.Accepted, status == order.Dead:
			want[status] = view.Open
		case status.Final():
			want[status] = view.Closed
		default:
			want[status] = view.Replayed
		}
		o := placed(n)
		statuses[o.ID] = status
		r := wire.Order(o)
		b.put(t, b.Topics.Orders, r)
		b.put(t, b.Topics.DLQ, records(deadLetter(r.Offset, o, failure.NoRoute, 1))...)
		b.put(t, b.Topics.Status, wire.State(b.at(o, r.Offset, order.Dead, status), 0))
	}
	v, _ := b.start(t)
	all, _, err := v.DeadLetters(t.Context(), view.DeadLetterFilter{Limit: 100})
	must(t, err)
	for _, l := range all {
		got[statuses[l.Order]] = l.State
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states by status (-want +got):\n%s", diff)
	}
}
