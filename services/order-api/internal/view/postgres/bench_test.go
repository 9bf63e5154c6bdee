package postgres

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/storetest"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
)

// BenchmarkOrders stores orders, each as it was placed and then with three states, in batches as the view makes them
// while it catches up. It reports what one order costs: CPU time of this process and of the server, bytes of WAL, and
// bytes of tables and indexes; how long a get and lists take; and how many records are stored in a second. ORDERS_BENCH_ORDERS is the number of orders,
// 50,000 without it.
func BenchmarkOrders(b *testing.B) {
	orders := 50_000
	if text := os.Getenv("ORDERS_BENCH_ORDERS"); text != "" {
		n, err := strconv.Atoi(text)
		must(b, err)
		orders = n
	}
	server := storetest.StartPostgres(b)
	for b.Loop() {
		s := open(b, server.Database(b))
		must(b, s.Reset(b.Context(), topics()))
		own, others, log, began := used(), server.Used(b), written(b, s), time.Now()
		next := int64(0)
		for from := 0; from < orders; from += perBatch {
			for rev := range int64(4) {
				next += perBatch
				must(b, s.Apply(b.Context(), states(from, rev, next)))
			}
		}
		per := func(n float64) float64 { return n / float64(orders) }
		b.ReportMetric(per(float64(used()-own)/1e3), "client-µs/order")
		b.ReportMetric(per(float64(server.Used(b)-others)/1e3), "server-µs/order")
		b.ReportMetric(per(float64(written(b, s)-log)), "WAL-B/order")
		b.ReportMetric(4*float64(orders)/time.Since(began).Seconds(), "records/s")
		var size int64
		must(b, s.db.QueryRow(b.Context(), "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN ('orders', 'order_words')").Scan(&size))
		b.ReportMetric(per(float64(size)), "B/order")
		for name, ask := range map[string]func() error{
			"get":  func() error { _, err := s.Order(b.Context(), order.ID(fmt.Sprintf("ord_%026d", orders/2))); return err },
			"list": func() error { _, err := s.Orders(b.Context(), view.Filter{Limit: 51}, nil, view.Cursor{}); return err },
			"status": func() error {
				_, err := s.Orders(b.Context(), view.Filter{Status: order.Confirmed, Limit: 51}, nil, view.Cursor{})
				return err
			},
			"search": func() error {
				_, err := s.Orders(b.Context(), view.Filter{Limit: 51}, []string{"zoë", "customer-7"}, view.Cursor{})
				return err
			},
		} {
			b.ReportMetric(median(b, ask).Seconds()*1e3, name+"-ms")
		}
		must(b, s.Close())
	}
}

// median is how long a question takes, with an idle server.
func median(b *testing.B, ask func() error) time.Duration {
	b.Helper()
	var took []time.Duration
	for range 101 {
		began := time.Now()
		must(b, ask())
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// perBatch is how many orders a batch has.
const perBatch = 1_000

// states are orders from a number on, as they were placed, or a state of each of them.
func states(from int, rev, next int64) view.Batch {
	b := view.Batch{Positions: map[kafka.Partition]view.Position{{Topic: "orders.status"}: {Next: next}}}
	for i := from; i < from+perBatch; i++ {
		row := view.Row{
			ID: order.ID(fmt.Sprintf("ord_%026d", i)), Partition: int32(i % 12), Offset: int64(i), PlacedAt: time.UnixMilli(int64(i)), Status: order.Accepted, Value: make([]byte, 700),
			Words: []string{"zoë", "łukasiewicz", fmt.Sprintf("customer-%d", i), "example", "com"},
		}
		if rev == 0 {
			b.Changes = append(b.Changes, view.Placed{Row: row, Written: row.PlacedAt})
			continue
		}
		row.Status, row.Begun, row.Rev, row.StateAt = []order.Status{"", order.Working, order.Working, order.Confirmed}[rev], true, rev, next
		b.Changes = append(b.Changes, view.Changed{Row: row})
	}
	return b
}

// written is how many bytes the server has written to its WAL.
func written(b *testing.B, s *Store) (n int64) {
	b.Helper()
	must(b, s.db.QueryRow(b.Context(), "SELECT CAST(pg_current_wal_insert_lsn() - '0/0' AS BIGINT)").Scan(&n))
	return n
}

// used is the CPU time of this process.
func used() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // never fails for the process itself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
