//go:build synctests

package group

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafkatest"
)

func TestPartitionsWithALeaderAreWorkedOnDespiteOneWithout(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, topic string }{
		{"in all topics", ""}, {"of the orders", "orders"}, {"of the states", "orders.status"}, {"of the replays", "orders.replay"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := gather(t)
				for partition := range int32(kafkatest.Partitions) {
					m.fill(t, m.Topics.Orders, partition, 1)
				}
				back := m.Leaderless(row.topic, 1)
				m.join(t, m.work)
				time.Sleep(10 * time.Second)
				if diff := cmp.Diff([]string{"orders/0@0", "orders/2@0"}, m.worked()); diff != "" {
					t.Errorf("without a leader of partition 1 (-want +got):\n%s", diff)
				}
				back()
				time.Sleep(20 * time.Second)
				if diff := cmp.Diff([]string{"orders/0@0", "orders/1@0", "orders/2@0"}, m.worked()); diff != "" {
					t.Errorf("with its leader back (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestWhatAnAssignmentAsksGrowsWithItsPartitions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const partitions = 60
		m := gatherOn(t, kafkatest.StartWide(t, partitions))
		var asked atomic.Int64
		m.Cluster.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
			m.Cluster.KeepControl()
			for _, topic := range r.(*kmsg.ListOffsetsRequest).Topics {
				asked.Add(int64(len(topic.Partitions)))
			}
			return nil, nil, false
		})
		c, _ := m.member(t, m.work)
		time.Sleep(9 * time.Second) // until the ends are observed for the first time
		synctest.Wait()
		if got := len(c.scheduler.Numbers()); got != partitions {
			t.Fatalf("got %d partitions, want %d", got, partitions)
		}
		// Start and end of six topics, with room for one more question.
		if n := asked.Load(); n > 13*partitions {
			t.Errorf("asked for %d offsets of %d partitions, want at most 13 each", n, partitions)
		}
	})
}

func TestAnotherKindOfConsumerIsRefusedByTheGroup(t *testing.T) {
	t.Parallel()
	for _, balancer := range foreign() {
		t.Run(balancer.ProtocolName(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := gather(t)
				c, _ := m.member(t, m.work)
				time.Sleep(5 * time.Second)
				m.console(t, balancer)
				time.Sleep(20 * time.Second)
				synctest.Wait()
				numbers := c.scheduler.Numbers()
				slices.Sort(numbers)
				if diff := cmp.Diff([]int32{0, 1, 2}, numbers); diff != "" {
					t.Errorf("owned with another kind of consumer (-want +got):\n%s", diff)
				}
			})
		})
	}
}
