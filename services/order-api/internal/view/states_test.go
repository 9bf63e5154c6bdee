package view_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// placings is a store that notes which orders it is to add as placed.
type placings struct {
	view.Store
	ids []order.ID
}

func (s *placings) Apply(ctx context.Context, b view.Batch) error {
	for _, c := range b.Changes {
		if p, ok := c.(view.Placed); ok {
			s.ids = append(s.ids, p.ID)
		}
	}
	return s.Store.Apply(ctx, b)
}

// TestARebuildReadsStatesFirstAndAddsAsPlacedOnlyOrdersWithoutOne has a batch of states before those of most orders.
func TestARebuildReadsStatesFirstAndAddsAsPlacedOnlyOrdersWithoutOne(t *testing.T) {
	t.Parallel()
	for name, blocked := range map[string]bool{"all can be read": false, "orders.status is blocked": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			const n = 10
			for i := range n + 1 {
				b.put(t, b.Topics.Orders, wire.Order(placed(i)))
			}
			b.put(t, b.Topics.Status, wire.Claim{Worker: "v"}.Record())
			var states []*kgo.Record
			state := func(i int) {
				states = append(states, wire.State(b.at(placed(i), int64(i), order.Working, order.Confirmed), 0))
			}
			for range 6_000 {
				state(0)
			}
			for i := range n {
				state(i)
			}
			if blocked {
				state(0)
				states[len(states)-1].Value = []byte(`{"schema":99}`)
			}
			b.put(t, b.Topics.Status, states...)
			cfg := b.config(t)
			store := &placings{Store: cfg.Store}
			cfg.Store = store
			v, stop := b.startWith(t, cfg)
			for i := range n {
				if got := get(t, v, placed(i).ID).Status; got != order.Confirmed {
					t.Errorf("order %d: got %q, want %q", i, got, order.Confirmed)
				}
			}
			get(t, v, placed(n).ID)
			must(t, stop())
			if diff := cmp.Diff([]order.ID{placed(n).ID}, slices.Compact(store.ids)); diff != "" {
				t.Errorf("added as placed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAStoreThatCannotTellWhatItKnowsIsNotNeeded has a rebuild decode each order.
func TestAStoreThatCannotTellWhatItKnowsIsNotNeeded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, b.Topics.Orders, wire.Order(placed(1)))
	cfg := b.config(t)
	cfg.Store = forgetful{cfg.Store}
	v, _ := b.startWith(t, cfg)
	get(t, v, placed(1).ID)
}

type forgetful struct{ view.Store }

func (forgetful) Known(context.Context, []order.ID) (map[order.ID]bool, error) {
	return nil, errors.New("cannot be read")
}
