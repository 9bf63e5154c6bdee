package web

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

// way is an order that one worker has invoiced, and whose mail another one has sent at the second attempt.
func way() order.State {
	const one, two = "vm-1/6527 1.8.1", "vm-2/1114 1.8.1"
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	s := order.Order{ID: "ord_a", PlacedAt: noon}.Begin(order.Origin{Partition: 10, Offset: 18})
	s.Timeline = append(s.Timeline,
		order.Change{Rev: 1, At: at(2500 * time.Millisecond), Status: order.Working, Worker: one},
		order.Change{Rev: 2, At: at(2504 * time.Millisecond), Status: order.Mailing, Worker: one},
		order.Change{Rev: 3, At: at(7 * time.Second), Status: order.Retrying, Step: order.StepEmail, Reason: "mail-busy", Worker: one},
		order.Change{Rev: 4, At: at(17 * time.Second), Status: order.Mailing, Worker: two},
		order.Change{Rev: 5, At: at(17061 * time.Millisecond), Status: order.Confirmed, Worker: two},
		order.Change{Rev: 6, At: at(time.Hour), Status: order.Confirmed, Reason: order.PaymentReceived, Worker: two},
	)
	s.Status = order.Confirmed
	s.Progress.Shipping = &order.Shipping{Zone: "eu", Card: "9d8e808f", Carrier: "Stork Parcel"}
	s.Progress.Invoice = &order.Invoice{Number: "INV-1", Kept: &order.Kept{Offset: 4117, Bytes: 41000}}
	return s
}

func ops(s order.State) (all []string) {
	for _, g := range stagesOf(s) {
		all = append(all, g.Ops)
	}
	return all
}

func TestTheDeskSaysThatTheReadModelIsBehindOrMayBe(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		records int64
		fresh   time.Time
		want    behindWords
	}{
		"up to date":     {0, noon.Add(-2 * time.Second), behindWords{}},
		"a moment late":  {7, noon.Add(-2 * time.Second), behindWords{}},
		"behind":         {7, noon.Add(-40 * time.Second), behindWords{"Catching up:", "the read model is 40s behind Kafka. Newer dead letters are not shown yet."}},
		"never complete": {7, time.Time{}, behindWords{"Catching up:", "the read model lacks 7 records. Newer dead letters are not shown yet."}},
		"not compared":   {0, noon.Add(-40 * time.Second), behindWords{"Not up to date:", "dead letters of the last 40s may not be shown."}},
	} {
		if got := sayBehind(row.records, row.fresh, noon); got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
}

func TestOperatorsSeeWhichWorkerDidAStepAndHowLongItTook(t *testing.T) {
	t.Parallel()
	s := way()
	want := []string{
		"orders 10/18", "zone eu · card 9d8e808f · vm-1/6527 1.8.1 · 2.5\u00a0s after it was placed", "offset 4117 · 41 kB · vm-1/6527 1.8.1 · 4\u00a0ms", "vm-2/1114 1.8.1 · 61\u00a0ms",
	}
	if diff := cmp.Diff(want, ops(s)); diff != "" {
		t.Errorf("confirmed (-want +got):\n%s", diff)
	}
	s.Timeline, s.Status = s.Timeline[:4], order.Retrying
	if got := ops(s)[3]; got != "email · mail-busy · vm-1/6527 1.8.1" {
		t.Errorf("retrying: got %q", got)
	}
	for i := range s.Timeline { // as an older version has written it
		s.Timeline[i].Worker = ""
	}
	if diff := cmp.Diff([]string{"orders 10/18", "zone eu · card 9d8e808f", "offset 4117 · 41 kB", "email · mail-busy"}, ops(s)); diff != "" {
		t.Errorf("without workers (-want +got):\n%s", diff)
	}
}

// TestTheInvoiceIsIssuedAfterTheOrderIsPlaced: its time has whole seconds.
func TestTheInvoiceIsIssuedAfterTheOrderIsPlaced(t *testing.T) {
	t.Parallel()
	placed := time.Date(2026, 3, 1, 12, 0, 0, int(500*time.Millisecond), time.UTC)
	s := order.Order{ID: "ord_a", PlacedAt: placed}.Begin(order.Origin{})
	s.Progress.Invoice = &order.Invoice{Number: "INV-1", IssuedAt: placed.Truncate(time.Second), Kept: &order.Kept{}}
	if all := historyOf(client.DeadLetter{}, &s); len(all) != 2 || all[0].Bold != "Invoice issued:" {
		t.Errorf("got %+v, want the invoice first, as the newest", all)
	}
}
