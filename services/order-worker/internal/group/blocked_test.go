//go:build synctests

package group

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"example.com/orders/services/order-worker/internal/partition"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

// TestAPartitionThatWasAddedBlocksAllAndSaysWhy has the group know of the new partition before anybody asks the brokers.
func TestAPartitionThatWasAddedBlocksAllAndSaysWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		c, stop := m.member(t, m.work)
		m.fill(t, m.Topics.Orders, 1, 3)
		time.Sleep(5 * time.Second)
		if _, err := kadm.NewClient(m.Client).UpdatePartitions(t.Context(), kafkatest.Partitions+1, m.Topics.Orders); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute) // by then the client has asked for the topic's metadata
		m.fill(t, m.Topics.Orders, 1, 2)
		time.Sleep(time.Minute)
		got := c.Partitions()
		if len(got) != kafkatest.Partitions+1 || slices.ContainsFunc(got, func(p partition.Status) bool { return p.State != partition.Blocked }) {
			t.Errorf("got %v, want all %d blocked", got, kafkatest.Partitions+1)
		}
		want := kafka.Repartitioned{Topic: m.Topics.Orders, Was: kafkatest.Partitions, Is: kafkatest.Partitions + 1}
		for _, p := range got {
			if reason, ok := errors.AsType[*kafka.Repartitioned](p.Blocked); !ok || *reason != want {
				t.Errorf("partition %d: got %v, want %v", p.Number, p.Blocked, &want)
			}
		}
		if got := m.worked(); len(got) != 3 {
			t.Errorf("got %v worked on, want the 3 records of before", got)
		}
		stop()
		if got := m.committed(t, m.Topics.Orders, 1); got != 3 {
			t.Errorf("got offset %d committed, want 3", got)
		}
	})
}

func TestTheCauseOfABlockedPartitionIsOneWord(t *testing.T) {
	t.Parallel()
	blocking := func(err error) error { return fmt.Errorf("order ord_1: %w", err) }
	for want, err := range map[string]error{
		"claimed":       &claimed{group: "typo", worker: "another"},
		"lost":          &loss{topic: "orders", number: 1, from: 3, to: 5},
		"repartitioned": &kafka.Repartitioned{Topic: "orders", Was: 3, Is: 4},
		"unreadable":    blocking(&kafka.UnreadableError{Topic: "orders.invoices", Err: errors.New("checksum")}),
		"refused":       blocking(kerr.MessageTooLarge),
		"newer":         blocking(errors.New("schema 99")),
	} {
		if got := cause(err); got != want {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
}
