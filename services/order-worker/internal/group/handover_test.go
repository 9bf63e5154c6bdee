//go:build synctests

package group

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/kafkatest"
)

// busy is a team whose first record of partition 1 takes 25 s; all others take no time. It says who worked when.
type busy struct {
	*team
	mu     sync.Mutex
	ended  map[string]time.Duration
	began  time.Time
	slowly int // how many workers are at work on the slow record
	twice  bool
}

func (b *busy) handle(ctx context.Context, _ *ledger.Ledger, r *kgo.Record, _ <-chan struct{}) error {
	b.mu.Lock()
	slow := r.Topic == b.Topics.Orders && r.Partition == 1 && r.Offset == 0
	if slow {
		b.slowly++
		b.twice = b.twice || b.slowly > 1
		b.mu.Unlock()
		select {
		case <-time.After(25 * time.Second):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		b.mu.Lock()
		b.slowly--
	}
	defer b.mu.Unlock()
	b.ended[name(r)] = time.Since(b.began)
	return nil
}

// late are the records that ended later than a time, and how many ended at all.
func (b *busy) late(limit time.Duration) (late []string, all int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for r, at := range b.ended {
		if at > limit {
			late = append(late, r)
		}
	}
	slices.Sort(late)
	return late, len(b.ended)
}

// A rolling update: one worker ends, or joins, while another has a mail that takes long.
func TestIdlePartitionsAreHandedOverWhileOneIsBusy(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		do   func(t *testing.T, b *busy, stop []func())
	}{
		{"a worker stops", func(_ *testing.T, _ *busy, stop []func()) { go stop[0]() }},
		{"another joins", func(t *testing.T, b *busy, _ []func()) { t.Helper(); b.join(t, b.handle) }},
		{"one joins and one stops", func(t *testing.T, b *busy, stop []func()) {
			t.Helper()
			go stop[0]()
			time.Sleep(2 * time.Second)
			b.join(t, b.handle)
		}},
		{"all are replaced", func(t *testing.T, b *busy, stop []func()) {
			t.Helper()
			go stop[0]()
			go stop[1]()
			b.join(t, b.handle)
			b.join(t, b.handle)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &busy{team: gather(t), ended: map[string]time.Duration{}}
				b.cfg.Drain = 35 * time.Second
				stop := []func(){b.join(t, b.handle)}
				time.Sleep(5 * time.Second)
				b.fill(t, b.Topics.Orders, 1, 1)
				time.Sleep(time.Second)
				b.began = time.Now()
				stop = append(stop, b.join(t, b.handle))
				time.Sleep(3 * time.Second)
				row.do(t, b, stop)
				time.Sleep(time.Second)
				for number := range int32(kafkatest.Partitions) {
					if number != 1 {
						b.fill(t, b.Topics.Orders, number, 3)
					}
				}
				time.Sleep(time.Minute)
				b.fill(t, b.Topics.Orders, 1, 1)
				time.Sleep(10 * time.Second)
				late, all := b.late(12 * time.Second)
				if diff := cmp.Diff([]string{"orders/1@0", "orders/1@1"}, late); diff != "" || all != 8 {
					t.Errorf("%d ended, late were (-want +got):\n%s", all, diff)
				}
				if b.twice {
					t.Error("two at work on one record at once")
				}
			})
		})
	}
}
