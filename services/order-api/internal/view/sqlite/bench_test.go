package sqlite_test

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/sqlite"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
)

// BenchmarkStore measures batches of placed orders and of their new states, in CPU time for each order, and
// questions about one order.
func BenchmarkStore(b *testing.B) {
	s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "view.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Reset(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	const batch = 1000
	placed, changed := 0, 0
	b.Run("placed", func(b *testing.B) {
		before := used()
		for b.Loop() {
			apply(b, s, placed, batch, func(r view.Row) view.Change { return view.Placed{Row: r} })
			placed += batch
		}
		b.ReportMetric(float64((used()-before).Nanoseconds())/float64(b.N*batch), "CPU-ns/order")
	})
	b.Run("changed", func(b *testing.B) {
		before := used()
		for b.Loop() {
			apply(b, s, changed%placed, batch, func(r view.Row) view.Change {
				r.Status, r.Begun, r.Rev = order.Confirmed, true, 1
				return view.Changed{Row: r}
			})
			changed += batch
		}
		b.ReportMetric(float64((used()-before).Nanoseconds())/float64(b.N*batch), "CPU-ns/order")
	})
	b.Run("order", func(b *testing.B) {
		ctx, cancel := context.WithCancel(b.Context()) // as the context of a request can be
		defer cancel()
		before := used()
		for b.Loop() {
			if row, err := s.Order(ctx, "ord_7"); err != nil || row == nil {
				b.Fatal(row, err)
			}
		}
		b.ReportMetric(float64((used()-before).Nanoseconds())/float64(b.N), "CPU-ns/order")
	})
	b.Run("refunds", func(b *testing.B) {
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		before := used()
		for b.Loop() {
			if _, err := s.Refunds(ctx, "ord_7"); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64((used()-before).Nanoseconds())/float64(b.N), "CPU-ns/order")
	})
	b.Run("list by status", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Orders(b.Context(), view.Filter{Status: order.Confirmed, Limit: 1}, nil, view.Cursor{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// used is the CPU time of the process: other programs on the machine do not change it much.
func used() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // never fails for the process itself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// apply applies changes of n orders, whose values are as large as those of sample orders.
func apply(b *testing.B, s *sqlite.Store, from, n int, change func(view.Row) view.Change) {
	batch := view.Batch{Positions: map[kafka.Partition]view.Position{{Topic: "orders"}: {Next: int64(from)}}}
	for i := from; i < from+n; i++ {
		batch.Changes = append(batch.Changes, change(view.Row{
			ID: order.ID(fmt.Sprint("ord_", i)), Offset: int64(i), PlacedAt: time.UnixMilli(int64(i)), Status: order.Accepted, Value: make([]byte, 700),
			Words: []string{"zoë", "łukasiewicz", fmt.Sprintf("customer-%d", i), "example", "com"},
		}))
	}
	if err := s.Apply(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
}
