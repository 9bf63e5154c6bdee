//go:build synctests

package group

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/partition"
	"example.com/orders/shared/kafka"
)

func TestAnOrderInFlightIsNoticedButNotWhileKafkaIsAway(t *testing.T) {
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
		expect := func(inFlight time.Duration) {
			t.Helper()
			want := []partition.Status{
				{Number: 0, State: partition.Running},
				{Number: 1, State: partition.Running, InFlight: 1, Oldest: inFlight},
				{Number: 2, State: partition.Running},
			}
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

func TestABlockedPartitionIsShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.fill(t, m.Topics.Orders, 1, 3)
		m.joinFor(t, 5*time.Second, m.work)
		m.fill(t, m.Topics.Orders, 1, 3)
		m.erase(t, m.Topics.Orders, 1, 5)
		c, _ := m.member(t, m.work)
		time.Sleep(5 * time.Second)
		got := c.Partitions()
		if len(got) != 3 || got[0].Blocked != nil || got[1].Blocked == nil || got[1].Blocked.Error() != "lost: offsets 3 to 4 of orders/1" {
			t.Errorf("got %v, want partition 1 blocked, and why", got)
		}
		if got := m.blocked(t); !slices.Equal(got, []int32{1}) {
			t.Errorf("got %v marked as blocked by its commits, want partition 1", got)
		}
	})
}

// blocked are the partitions of orders that the commits of the group say nothing is begun of.
func (m *team) blocked(t *testing.T) (numbers []int32) {
	t.Helper()
	found, err := kadm.NewClient(m.Client).FetchOffsetsForTopics(t.Context(), m.cfg.Group, m.Topics.Orders)
	if err != nil {
		t.Fatal(err)
	}
	found.Each(func(o kadm.OffsetResponse) {
		if slices.Contains(strings.Fields(o.Metadata), kafka.Blocked) {
			numbers = append(numbers, o.Partition)
		}
	})
	return numbers
}

// TestABlockedPartitionIsMarkedUntilItIsWorkedOn has a record that only a newer version can handle.
func TestABlockedPartitionIsMarkedUntilItIsWorkedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		_, stop := m.member(t, func(context.Context, *ledger.Ledger, *kgo.Record, <-chan struct{}) error { return errors.New("newer") })
		m.fill(t, m.Topics.Orders, 2, 1)
		time.Sleep(5 * time.Second)
		if got := m.blocked(t); !slices.Equal(got, []int32{2}) {
			t.Errorf("got %v marked as blocked, want partition 2", got)
		}
		stop()
		m.member(t, m.work)
		time.Sleep(5 * time.Second)
		if got := m.blocked(t); got != nil {
			t.Errorf("got %v marked as blocked when all is done, want none", got)
		}
	})
}
