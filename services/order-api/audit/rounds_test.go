//go:build synctests

package audit_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafkatest"
)

// eachRound calls do with 1, 2, … before the audit is told what partition 1 has committed, which
// begins a round.
func eachRound(k *kafkatest.Kafka, do func(round int)) {
	asked := 0
	k.Cluster.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		k.Cluster.KeepControl()
		for _, group := range req.(*kmsg.OffsetFetchRequest).Groups {
			if slices.ContainsFunc(group.Topics, func(t kmsg.OffsetFetchRequestGroupTopic) bool { return slices.Contains(t.Partitions, 1) }) {
				asked++
				k.Cluster.SleepControl(func() { do(asked) })
			}
		}
		return nil, nil, false
	})
}

// TestSuspectedFaultIsConfirmedByAnotherRound commits an order whose state appears a moment later,
// as from a broker that loses an acknowledged record and gets it back.
func TestSuspectedFaultIsConfirmedByAnotherRound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		b := newBook(t, k, k.Prefix)
		c := newClerk(b, 1)
		p := c.place(nil)
		c.commitAll()
		b.play(t, k, len(b.acts))
		c.confirm(p)
		eachRound(k, func(round int) {
			if round == 2 {
				b.play(t, k, len(b.acts))
			}
		})
		got := run(t, k)
		if !got.OK() || got.Dismissed != 1 || got.Unsettled != 0 || got.Orders.Confirmed != 1 {
			t.Errorf("got %+v, faults %v; want one suspicion dismissed, and the order confirmed", got, named(got.Faults))
		}
	})
}

// TestRetentionDuringTheAuditIsNoLoss: the log drops what was finished before the commit of it is
// there.
func TestRetentionDuringTheAuditIsNoLoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		b := newBook(t, k, k.Prefix)
		c := newClerk(b, 1)
		c.commit(c.topics.Orders, 0)
		p := c.place(nil)
		b.play(t, k, len(b.acts))
		if err := k.Cluster.DeleteRecords(k.Topics.Orders, 1, 1); err != nil {
			t.Fatal(err)
		}
		c.confirm(p)
		c.commitAll()
		eachRound(k, func(round int) {
			if round == 2 {
				b.play(t, k, len(b.acts))
			}
		})
		if got := run(t, k); !got.OK() || got.Dismissed != 1 || got.Unsettled != 0 || got.Older.Confirmed != 1 {
			t.Errorf("got %+v, faults %v; want one suspicion dismissed, and the order confirmed", got, named(got.Faults))
		}
	})
}

func TestRoundsEndAlthoughSuspectedFaultsChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		b := newBook(t, k, k.Prefix)
		c := newClerk(b, 1)
		rounds := 0
		eachRound(k, func(round int) {
			if round > rounds {
				rounds = round
				c.place(nil)
				c.commitAll()
				b.play(t, k, len(b.acts))
			}
		})
		got := run(t, k)
		if diff := cmp.Diff([]string{"lost 1-0 ord_1_1", "lost 1-1 ord_1_2", "lost 1-2 ord_1_3", "lost 1-3 ord_1_4"}, named(got.Faults)); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
		if got.Unsettled != 1 || rounds != 5 {
			t.Errorf("got %d unsettled in %d rounds, want 1, of the last of 5", got.Unsettled, rounds)
		}
	})
}
