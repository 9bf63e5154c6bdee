package audit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafkatest"
)

// TestDeletedRecordsAreReported deletes all dead letters and invoices of a partition with every
// kind of order that has one.
func TestDeletedRecordsAreReported(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		produce(t, k, func(c *clerk) {
			p := c.confirm(c.place(nil))
			c.confirm(c.refund(p))
			c.fail(c.place(nil))
			junk := c.poison("")
			c.deadLetter(junk)
			c.void(junk, failure.Undecodable)
			c.void(c.place(p), failure.Duplicate)
		}, (*clerk).commitAll)
		before := run(t, k)
		if !before.OK() || before.DeadLettersGone != 0 {
			t.Fatalf("before: got faults %v, %d dead letters gone; want none", before.Faults, before.DeadLettersGone)
		}
		deleteAll(t, k, k.Topics.DLQ)
		report := run(t, k)
		if diff := cmp.Diff(before.Orders, report.Orders); diff != "" || !report.OK() || report.DeadLettersGone != 2 {
			t.Errorf("without dead letters: got faults %v, %d dead letters gone; want none, and 2 (-want +got):\n%s", report.Faults, report.DeadLettersGone, diff)
		}
		deleteAll(t, k, k.Topics.Invoices)
		report = run(t, k)
		if diff := cmp.Diff([]string{"invoice-gone 1-0 ord_1_1", "invoice-gone 1-1 ord_1_1-refund-1"}, named(report.Faults)); diff != "" || report.DeadLettersGone != 2 {
			t.Errorf("without invoices (-want +got):\n%s", diff)
		}
		addsUp(t, report)
	})
}

func below(topic string, offset int64) kadm.Offsets {
	var offsets kadm.Offsets
	offsets.AddOffset(topic, 1, offset, -1)
	return offsets
}

// deleteAll deletes the records of partition 1 of a topic.
func deleteAll(t *testing.T, k *kafkatest.Kafka, topic string) {
	t.Helper()
	if _, err := kadm.NewClient(k.Client).DeleteRecords(t.Context(), below(topic, -1)); err != nil {
		t.Fatal(err)
	}
}
