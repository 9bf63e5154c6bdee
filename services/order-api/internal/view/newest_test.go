package view_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// TestARebuildKnowsWhatAViewKnowsThatReadEachRecordByItself has states that one batch may leave out,
// and some that it may not.
func TestARebuildKnowsWhatAViewKnowsThatReadEachRecordByItself(t *testing.T) {
	t.Parallel()
	for name, undecodable := range map[string]bool{"all can be read": false, "one cannot be read": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rebuildLike(t, undecodable)
		})
	}
}

func rebuildLike(t *testing.T, undecodable bool) {
	t.Helper()
	b := setup(t)
	live, stop := b.start(t)
	var owner int64
	put := func(records ...*kgo.Record) {
		for _, r := range records {
			b.put(t, b.Topics.Status, r)
			if wire.Type(r) == wire.TypeClaim {
				owner = r.Offset
			}
			watched(t, live, "ord_009", func() { b.put(t, b.Topics.Status, wire.State(b.at(placed(9), 9, order.Working), owner)) })
		}
	}
	state := func(o order.Order, offset, owner int64, through ...order.Status) *kgo.Record {
		return wire.State(b.at(o, offset, through...), owner)
	}
	for n := range 6 {
		b.put(t, b.Topics.Orders, wire.Order(placed(n)))
	}
	again := placed(5)
	again.Note = "another order with the same ID"
	b.put(t, b.Topics.Orders, wire.Order(again))
	put(wire.Claim{Worker: "v", At: time.Now()}.Record())
	put(state(placed(0), 0, 0, order.Working), state(placed(0), 0, 0, order.Working, order.Mailing), state(placed(0), 0, 0, order.Working, order.Mailing, order.Confirmed))
	put(state(placed(1), 1, 0, order.Working))
	if undecodable {
		r := state(placed(1), 1, 0, order.Working, order.Mailing)
		r.Value = []byte("no state")
		put(r)
	}
	put(state(placed(2), 2, 0, order.Working), &kgo.Record{Key: []byte("ord_002")})
	dead := b.at(placed(3), 3, order.Working, order.Dead) // its dead letter is gone
	dead.DeadLetter = &order.DeadLetter{ID: "1-3", Partition: 1, Offset: 7, Step: order.StepShipping, Reason: "no-route"}
	put(wire.State(dead, 0), state(placed(3), 3, 0, order.Working, order.Dead, order.Working))
	put(state(placed(4), 4, 0, order.Working), wire.Claim{Worker: "w", At: time.Now()}.Record(), state(placed(4), 4, 0, order.Working, order.Confirmed))

	known := func(v *view.View) (all []any) {
		for n := range 6 {
			s, err := v.Order(t.Context(), placed(n).ID)
			s.Order.Source = nil
			all = append(all, s, errors.Is(err, view.ErrUnknown))
		}
		l, err := v.DeadLetter(t.Context(), "1-3")
		must(t, err)
		return append(all, l, v.Health().Stale)
	}
	want := known(live)
	must(t, stop())
	b.path += "-again"
	rebuilt, _ := b.start(t)
	if diff := cmp.Diff(want, known(rebuilt)); diff != "" {
		t.Errorf("(-each by itself +rebuilt):\n%s", diff)
	}
	if got := []order.Status{get(t, rebuilt, "ord_000").Status, get(t, rebuilt, "ord_001").Status, get(t, rebuilt, "ord_004").Status}; !cmp.Equal(got, []order.Status{order.Confirmed, order.Working, order.Working}) {
		t.Errorf("got %q, want the newest state that counts of each", got)
	}
}
