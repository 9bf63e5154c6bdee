//go:build synctests

package consumer

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
)

func TestAnOrderInHandIsNoticedButNotWhileKafkaIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		c, _ := m.member(t, func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error {
			if r.Partition == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return m.work(ctx, l, r, stopping)
		})
		if got := c.Partitions(); got != nil {
			t.Errorf("before it runs: got %v, want none", got)
		}
		expect := func(inHand time.Duration) {
			t.Helper()
			want := []Partition{{Number: 0}, {Number: 1, Orders: 1, Oldest: inHand}, {Number: 2}}
			if diff := cmp.Diff(want, c.Partitions(), cmp.Transformer("seconds", time.Duration.Seconds), cmpopts.EquateApprox(0, 4)); diff != "" {
				t.Errorf("partitions (-want +got):\n%s", diff)
			}
		}
		time.Sleep(5 * time.Second)
		m.fill(t, m.Topics.Orders, 0, 1)
		m.fill(t, m.Topics.Orders, 1, 1)
		time.Sleep(10 * time.Second)
		expect(10 * time.Second)
		back := m.Away()
		time.Sleep(time.Hour)
		if got := c.Partitions(); len(got) != 0 {
			t.Errorf("while Kafka is away: got %v, want none owned", got)
		}
		back()
		time.Sleep(20 * time.Second)
		expect(18 * time.Second) // it was begun again
		time.Sleep(10 * time.Minute)
		expect(10*time.Minute + 18*time.Second)
	})
}

func TestAHeldPartitionIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.fill(t, m.Topics.Orders, 1, 3)
		stop := m.join(t, m.work)
		time.Sleep(5 * time.Second)
		stop()
		m.fill(t, m.Topics.Orders, 1, 3)
		m.erase(t, m.Topics.Orders, 1, 5)
		c, _ := m.member(t, m.work)
		time.Sleep(5 * time.Second)
		got := c.Partitions()
		if len(got) != 3 || got[0].Held != nil || got[1].Held == nil || got[1].Held.Error() != "lost: offsets 3 to 4 of orders/1" {
			t.Errorf("got %v, want partition 1 held, and why", got)
		}
	})
}
