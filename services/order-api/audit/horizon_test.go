package audit_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// TestOrdersBelowTheHorizonAreJudgedByTheirState deletes orders, two of them not begun.
func TestOrdersBelowTheHorizonAreJudgedByTheirState(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		produce(t, k, func(c *clerk) {
			c.confirm(c.place(nil))
			c.fail(c.place(nil))
			c.place(nil) // its loss was accepted: it is below the committed offset
			c.commit(c.topics.Orders, 3)
			c.place(nil)
			c.write(c.place(nil), order.Working)
			c.place(nil)
			c.confirm(c.place(nil))
		})
		var upTo kadm.Offsets
		upTo.AddOffset(k.Topics.Orders, 1, 6, -1)
		if _, err := kadm.NewClient(k.Client).DeleteRecords(t.Context(), upTo); err != nil {
			t.Fatal(err)
		}
		got := run(t, k)
		if diff := cmp.Diff([]string{"stuck 1-4 ", "passed-over 1-3 "}, named(got.Faults)); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
		if want := (audit.Tally{Accepted: 5, Confirmed: 1, Dead: 1, Lost: 3}); got.Older != want || got.Untraced != 1 {
			t.Errorf("older: got %+v, %d untraced; want %+v and 1", got.Older, got.Untraced, want)
		}
		if want := (audit.Tally{Accepted: 1, Confirmed: 1}); got.Orders != want {
			t.Errorf("got %+v, want %+v", got.Orders, want)
		}
		addsUp(t, got)
	})
}

func TestAllFaultsAreCountedAndTheFirstAreNamed(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	produce(t, k, func(c *clerk) {
		for range 150 {
			c.place(nil)
		}
		c.commitAll()
	})
	got := run(t, k)
	if len(got.Faults) != 1 || got.Faults[0].Count != 150 || len(got.Faults[0].Where) != 20 || got.Faults[0].Where[19].Offset != 19 {
		t.Errorf("got faults %+v, want 150 of one kind, the first 20 named", got.Faults)
	}
}

func TestAuditRefusesWrongTopicsAndNewerRecords(t *testing.T) {
	t.Parallel()
	t.Run("without a topic", func(t *testing.T) {
		t.Parallel()
		k := kafkatest.Start(t)
		if _, err := kadm.NewClient(k.Client).DeleteTopics(t.Context(), k.Topics.DLQ); err != nil {
			t.Fatal(err)
		}
		_, err1 := audit.Run(t.Context(), k.Config(), k.Topics, group)
		_, err2 := audit.Gaps(t.Context(), k.Config(), k.Topics)
		for _, err := range []error{err1, err2} {
			if !errors.Is(err, kafka.ErrTopics) {
				t.Errorf("got %v, want ErrTopics", err)
			}
		}
	})
	t.Run("of what a newer version wrote", func(t *testing.T) {
		t.Parallel()
		k := kafkatest.Start(t)
		produce(t, k, func(c *clerk) {
			at := len(c.acts)
			c.confirm(c.place(nil))
			r := c.acts[at+4].record
			r.Value = append([]byte(`{"schema":9,`), r.Value[len(`{"schema":1,`):]...)
		})
		if _, err := audit.Run(t.Context(), k.Config(), k.Topics, group); !errors.Is(err, wire.ErrNewer) {
			t.Errorf("got %v, want ErrNewer", err)
		}
	})
}
