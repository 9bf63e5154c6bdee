package audit_test

import (
	"errors"
	"testing"
	"time"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func TestUnreadableBatchIsAFaultUntilItIsSkipped(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	produce(t, k, clean)
	k.ProduceBad(t, k.Topics.Orders, 1, 3, 0)
	const from = 7 // clean ends there
	report := run(t, k)
	if len(report.Blocked) != 1 || report.Blocked[0].Topic != k.Topics.Orders || report.Blocked[0].From != from || report.OK() {
		t.Fatalf("got %+v, OK %t, want the batch, and not OK", report.Blocked, report.OK())
	}
	if report.Orders.Confirmed != 2 || len(report.Faults) > 0 {
		t.Errorf("got %+v, %v, want all that can be read to be judged", report.Orders, report.Faults)
	}
	layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
	if err != nil {
		t.Fatal(err)
	}
	_, err = kafka.NewReader(k.Client, k.Topics.DLQ).Probe(t.Context(), k.Topics.Orders, 1, from)
	bad, ok := errors.AsType[*kafka.UnreadableError](err)
	if !ok {
		t.Fatal(err)
	}
	void := wire.VoidNumber{Origin: order.Origin{Incarnation: layout.Incarnation, Partition: 1, Offset: from}, To: from + 2 + 1, Reason: "unreadable", At: time.Now()}.Record()
	void.Topic, void.Partition = k.Topics.Invoices, 1
	skip := bad.Skip(time.Now())
	skip.Topic = k.Topics.DLQ
	k.Produce(t, void, skip)
	report = run(t, k)
	if !report.OK() || len(report.Skipped) != 1 || report.Orders.Undecodable != 1+3 {
		t.Errorf("got OK %t, faults %v, unread %v, skipped %v, %d undecodable; want it OK, one skipped, and three more undecodable",
			report.OK(), report.Faults, report.Blocked, report.Skipped, report.Orders.Undecodable)
	}
	numbers, err := audit.Gaps(t.Context(), k.Config(), k.Topics)
	if err != nil {
		t.Fatal(err)
	}
	gaps := numbers.Partitions[1].Gaps
	if last := gaps[len(gaps)-1]; last != (audit.Gap{First: from, Last: from + 2, Reason: "unreadable"}) {
		t.Errorf("got %+v, want the three numbers explained", last)
	}
}
