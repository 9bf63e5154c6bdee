//go:build synctests

package view_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/wire"
)

// gate is a store that counts changes, and calls a function before each batch.
type gate struct {
	view.Store
	before  func(ctx context.Context) error
	changes int
}

func (g *gate) Apply(ctx context.Context, b view.Batch) error {
	if err := g.before(ctx); err != nil {
		return err
	}
	g.changes += len(b.Changes)
	return g.Store.Apply(ctx, b)
}

func TestARebuildThatIsStoppedContinuesWhereItWasAndShowsItsProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupOn(t, kafkatest.Start(t))
		put := func(from, to int) {
			for n := from; n < to; n++ {
				b.put(t, b.Topics.Orders, wire.Order(placed(n)))
			}
		}
		put(0, 10)
		cfg := b.config(t)
		log, batches := make(lines, 1000), 0
		cfg.Log = slog.New(slog.NewTextHandler(log, nil))
		cfg.Store = &gate{Store: cfg.Store, before: func(ctx context.Context) error {
			if batches++; batches == 1 {
				put(10, 40)
				time.Sleep(5 * time.Second) // it is measured that there are more
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		v, stop := b.run(t, cfg)
		kafkatest.Pass(13 * time.Second)
		if got := v.Health().Progress; got != "10 of 40 records, 25 %, 30 s to go" {
			t.Errorf("got progress %q, want 10 of 40 records, which took 10 s", got)
		}
		log.wait(t, `"the read model catches up with Kafka" records=0`)
		log.wait(t, `"the read model is catching up with Kafka" records=10 total=40 rate=1 left=30s topics="orders 10 of 40, `)
		_ = stop()

		b.put(t, b.Topics.Orders, wire.Order(placed(40)))
		cfg = b.config(t)
		cfg.Log = slog.New(slog.NewTextHandler(log, nil))
		rest := &gate{Store: cfg.Store, before: func(context.Context) error { time.Sleep(3 * time.Second); return nil }}
		cfg.Store = rest
		v, stop = b.run(t, cfg)
		kafkatest.Pass(2 * time.Second)
		if got := v.Health().Progress; !strings.HasPrefix(got, "10 of 41 records, 24 %") {
			t.Errorf("started again: got progress %q, want 10 of 41 records", got)
		}
		must(t, v.Fresh(t.Context()))
		kafkatest.Pass(2 * time.Second)
		get(t, v, "ord_040")
		get(t, v, "ord_000")
		if got := v.Health().Progress; rest.changes != 31 || got != "" {
			t.Errorf("got %d orders applied again, and progress %q; want the other 31, and none", rest.changes, got)
		}
		log.wait(t, `"the read model has caught up with Kafka" records=31`)
		must(t, stop())
	})
}
