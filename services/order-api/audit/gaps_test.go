package audit_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
)

// withGaps issues 0, 4 and 7: between them are repeats, records that are no orders, and a dead
// order. At 9, 10 and 11 stand refunds, the last of which has no credit note yet; at 12 a cancelled
// one.
func withGaps(c *clerk) {
	first := c.confirm(c.place(nil))
	c.void(c.place(first), failure.Duplicate)
	c.void(c.place(first), failure.Duplicate)
	c.void(c.poison(""), failure.Undecodable)
	c.confirm(c.place(nil))
	c.fail(c.place(nil))
	c.place(nil)
	// Understood by a newer version, the number has its invoice after all.
	last := c.place(nil)
	c.void(last, failure.Undecodable)
	c.confirm(last)
	c.void(last, failure.Undecodable)
	c.place(nil)
	c.confirm(c.refund(first, piece))
	c.void(c.confirm(c.refund(last, piece)), failure.Undecodable)
	c.write(c.refund(last, piece), order.Working)
	cancelled := c.refund(first, piece)
	c.void(cancelled, failure.Cancelled)
	later := *first
	later.Origin.Offset = 99 // placed after the audit has asked where orders ends
	c.void(&later, failure.Duplicate)
}

func TestGapsAreExplainedFromTheInvoicesAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		produce(t, k, withGaps)
		got, err := audit.Gaps(t.Context(), k.Config(), k.Topics)
		if err != nil {
			t.Fatal(err)
		}
		want := audit.Numbers{Incarnation: got.Incarnation, Partitions: []audit.Series{
			{Gaps: []audit.Gap{}},
			{End: 13, Issued: 3, Gaps: []audit.Gap{{1, 2, "duplicate"}, {3, 3, "undecodable"}, {5, 6, ""}, {8, 8, ""}, {9, 10, "credit note"}, {11, 11, ""}, {12, 12, "cancelled"}}},
			{Gaps: []audit.Gap{}},
		}}
		if diff := cmp.Diff(want, got); diff != "" || len(got.Incarnation) != 6 {
			t.Errorf("numbers (-want +got):\n%s", diff)
		}
	})
}

func TestGapsArePrintedAsRanges(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	produce(t, k, withGaps)
	numbers, err := audit.Gaps(t.Context(), k.Config(), k.Topics)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := numbers.Write(&text); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/gaps.txt", strings.ReplaceAll(text.String(), numbers.Incarnation, "7KQ2MX"))
}

// TestNumberOfReasonsIsLimited writes more reasons than a closed list has: those that come late
// have the last one.
func TestNumberOfReasonsIsLimited(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	produce(t, k, func(c *clerk) {
		for i := range 300 {
			c.void(c.poison(""), failure.Reason(strings.Repeat("x", i+1)))
		}
	})
	got, err := audit.Gaps(t.Context(), k.Config(), k.Topics)
	if err != nil {
		t.Fatal(err)
	}
	gaps := got.Partitions[1].Gaps
	if last := gaps[len(gaps)-1]; len(gaps) != 253 || last.First != 252 || last.Last != 299 || len(last.Reason) != 253 {
		t.Errorf("got %d gaps, the last %d to %d; want 253, and the last from 252 to 299", len(gaps), last.First, last.Last)
	}
}
