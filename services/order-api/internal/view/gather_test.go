//go:build synctests

package view_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// counting counts the batches that are stored.
type counting struct {
	view.Store
	batches atomic.Int64
}

func (c *counting) Apply(ctx context.Context, b view.Batch) error {
	c.batches.Add(1)
	return c.Store.Apply(ctx, b)
}

// TestRecordsGatherUnderLoadUnlessSomebodyWaits places 500 orders a second, and then 4,000 a second.
func TestRecordsGatherUnderLoadUnlessSomebodyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		cfg := b.config(t)
		store := &counting{Store: cfg.Store}
		cfg.Store = store
		v, _ := b.startWith(t, cfg)
		n := 0
		place := func(orders int) {
			var records []*kgo.Record
			for range orders {
				n++
				records = append(records, wire.Order(placed(n)))
			}
			b.put(t, b.Topics.Orders, records...)
			time.Sleep(2 * time.Millisecond)
		}
		for range 100 {
			place(1)
		}
		if got := store.batches.Swap(0); got < 90 {
			t.Errorf("100 orders at low load were stored in %d batches, want nearly a batch for each", got)
		}
		for range 150 {
			place(8)
		}
		if got := store.batches.Load(); got > 60 {
			t.Errorf("1,200 orders under load were stored in %d batches, want about 20 and then 10 a second", got)
		}
		place(8)
		began, last := time.Now(), placed(n).ID
		must(t, v.Applied(t.Context(), 1, int64(n-1)))
		if took := time.Since(began); took > 20*time.Millisecond {
			t.Errorf("Applied took %s, want it not to wait until 100 ms are over", took)
		}
		get(t, v, last)
		place(8)
		began, last = time.Now(), placed(n).ID
		changes, stop := v.Watch(last)
		defer stop()
		must(t, v.AwaitKnown(t.Context(), changes, nil, func() error { _, err := v.Order(t.Context(), last); return err }))
		if took := time.Since(began); took > 20*time.Millisecond {
			t.Errorf("AwaitKnown took %s, want it not to wait until 100 ms are over", took)
		}
		place(8)
		time.Sleep(120 * time.Millisecond)
		for i := range n {
			if s := get(t, v, placed(i+1).ID); s.Status != order.Accepted {
				t.Fatalf("order %d: got %+v, want it accepted", i+1, s)
			}
		}
	})
}
