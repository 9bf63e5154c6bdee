//go:build synctests

package group

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
)

func TestParkedOrdersAreWorkedOnWhenTheyAreDueAndCommitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		var mu sync.Mutex
		took := map[string]time.Duration{}
		stop := m.join(t, func(_ context.Context, _ *ledger.Ledger, r *kgo.Record, _ <-chan struct{}) error {
			mu.Lock()
			defer mu.Unlock()
			took[name(r)] = time.Since(r.Timestamp).Truncate(time.Second)
			return nil
		})
		time.Sleep(5 * time.Second)
		m.fill(t, m.Topics.Retry10s, 1, 2)
		m.fill(t, m.Topics.Retry2m, 1, 1)
		m.fill(t, m.Topics.Waiting, 2, 1)
		time.Sleep(3 * time.Minute)
		stop()
		want := map[string]time.Duration{
			"orders.retry.10s/1@0": 10 * time.Second, "orders.retry.10s/1@1": 10 * time.Second,
			"orders.retry.2m/1@0": 2 * time.Minute, "orders.waiting/2@0": 0,
		}
		if diff := cmp.Diff(want, took); diff != "" {
			t.Errorf("worked on after (-want +got):\n%s", diff)
		}
		committed := map[string]map[int32]int64{m.Topics.Retry10s: {1: 2}, m.Topics.Retry2m: {1: 1}, m.Topics.Waiting: {2: 1}}
		if diff := cmp.Diff(committed, m.Committed(t, "team")); diff != "" {
			t.Errorf("committed (-want +got):\n%s", diff)
		}
	})
}

// An outage has left 10,000 orders in one partition.
func TestAnOutagesBacklogIsNotKeptInMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 10_000
		m := gather(t)
		var records []*kgo.Record
		for i := range n {
			records = append(records, &kgo.Record{Topic: m.Topics.Waiting, Partition: 1, Key: fmt.Append(nil, i), Value: make([]byte, 1000)})
		}
		m.Produce(t, records...)
		var open atomic.Bool
		var mu sync.Mutex
		var begun []int64
		c, stop := m.member(t, func(_ context.Context, _ *ledger.Ledger, r *kgo.Record, _ <-chan struct{}) error {
			mu.Lock()
			defer mu.Unlock()
			begun = append(begun, r.Offset)
			return nil
		}, func(c *Config) {
			c.Room = func() (int, time.Duration) {
				if open.Load() {
					return 4, 0
				}
				return 0, time.Second
			}
		})
		for range 60 { // while it waits, and asks for room again and again
			time.Sleep(time.Second)
			if records, bytes := c.scheduler.Buffered(m.Topics.Waiting, 1); bytes > 64<<10 || records > 65 {
				t.Fatalf("got %d bytes buffered in %d records, want at most %d bytes", bytes, records, 64<<10)
			}
		}
		open.Store(true)
		for at := int64(0); at < n; at = m.committed(t, m.Topics.Waiting, 1) {
			time.Sleep(time.Second)
		}
		stop()
		slices.Sort(begun)
		if len(begun) != n || len(slices.Compact(begun)) != n {
			t.Errorf("got %d worked on, want all %d, each once", len(begun), n)
		}
	})
}
