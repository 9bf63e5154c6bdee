package intake_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// sold is an order of 9 bottles and 5 mugs, with 4.90 for shipping and its invoice.
func sold() order.State {
	o := wanted()
	o.ID, o.PlacedAt = "ord_1", time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	o.Lines = []order.Line{
		{SKU: "BOTTLE-750", Quantity: 9, Name: "Bottle", UnitPrice: order.EUR.Cents(2490)},
		{SKU: "MUG", Quantity: 5, Name: "Mug", UnitPrice: order.EUR.Cents(799)},
	}
	s := o.Begin(order.Origin{Partition: 1})
	s.Progress.Shipping = &order.Shipping{Price: order.EUR.Cents(490)}
	net := o.ItemsTotal().Plus(order.EUR.Cents(490))
	tax := net.Percent(1900)
	s.Progress.Invoice = &order.Invoice{
		Number: "INV-1", IssuedAt: o.PlacedAt, Taxes: []order.Tax{{Category: order.VATStandard, Rate: 1900, Net: net, Tax: tax}},
		Net: net, Tax: tax, Total: net.Plus(tax), Kept: &order.Kept{},
	}
	kafkatest.Force(&s, order.Change{Rev: 1, At: o.PlacedAt, Status: order.Mailing})
	kafkatest.Force(&s, order.Change{Rev: 2, At: o.PlacedAt, Status: order.Confirmed})
	return s
}

// sell appends an order and its state to the topics.
func sell(t *testing.T, k *kafkatest.Kafka, s order.State) {
	t.Helper()
	write(t, k, k.Topics.Orders, wire.Order(s.Order))
	write(t, k, k.Topics.Status, wire.State(s, 0))
}

func write(t *testing.T, k *kafkatest.Kafka, topic string, r *kgo.Record) {
	t.Helper()
	r.Topic, r.Partition = topic, 1
	k.Produce(t, r)
}

// refunds returns the refunds that count, the first record of each number, and the number of
// records.
func refunds(t *testing.T, k *kafkatest.Kafka) (all []order.Order, records int) {
	t.Helper()
	first := map[order.ID]order.Order{}
	for _, o := range placements(t, k) {
		if o.Refund == nil {
			continue
		}
		records++
		if _, taken := first[o.ID]; !taken {
			first[o.ID] = o
		}
	}
	for n := range len(first) {
		o, ok := first[sold().Order.ID.Refund(n+1)]
		if !ok {
			t.Fatalf("got %d refunds, and none of number %d", len(first), n+1)
		}
		all = append(all, o)
	}
	return all, records
}

// adds adds up refunds. The sum must not exceed the invoice; if wholly, it must be equal.
func adds(t *testing.T, all []order.Order, wholly bool) {
	t.Helper()
	s := sold()
	left := map[string]int{}
	for _, l := range s.Order.Lines {
		left[l.SKU] = l.Quantity
	}
	net, tax := s.Progress.Invoice.Net, s.Progress.Invoice.Tax
	for _, r := range all {
		net, tax = net.Plus(r.Refunded().Times(-1)), tax.Plus(r.Refund.Tax.Times(-1))
		for _, l := range r.Lines {
			left[l.SKU] -= l.Quantity
		}
	}
	if min(left["BOTTLE-750"], left["MUG"]) < 0 || min(net.Minor, tax.Minor) < 0 || wholly && max(net.Minor, tax.Minor) > 0 {
		t.Errorf("after %d refunds %v pieces, %s net and %s VAT are left (all refunded: %t)", len(all), left, net, tax, wholly)
	}
}

func bottles(n int) intake.Want {
	return intake.Want{Items: []order.Line{{SKU: "BOTTLE-750", Quantity: n}}}
}

func TestRefundIsOneRecordWithTheRefundedAmounts(t *testing.T) {
	t.Parallel()
	for name, broker := range map[string]func(testing.TB) *kafkatest.Kafka{"memory": kafkatest.Start, "real": kafkatest.Real} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, s := broker(t), sold()
			sell(t, k, s)
			in := start(t, k, 0)
			want := bottles(2)
			want.Reason = "Arrived broken"
			got, err := in.Refund(t.Context(), "ord_1", want, "")
			must(t, err)
			all, records := refunds(t, k)
			if diff := cmp.Diff(all, []order.Order{got.Order}); diff != "" || records != 1 || got.Status != order.Accepted {
				t.Errorf("got %s, %d records (-topic +answer):\n%s", got.Status, records, diff)
			}
			r := got.Order.Refund
			if got.Order.ID != "ord_1-refund-1" || r.Of != "ord_1" || r.Reason != want.Reason || got.Order.Refunded() != order.EUR.Cents(4980) {
				t.Errorf("got %s of %s for %q, %s; want the first refund, of two bottles", got.Order.ID, r.Of, r.Reason, got.Order.Refunded())
			}
			rest, err := in.Refund(t.Context(), "ord_1", intake.Want{}, "")
			must(t, err)
			all, _ = refunds(t, k)
			if rest.Order.ID != "ord_1-refund-2" {
				t.Errorf("got %s, want the second refund", rest.Order.ID)
			}
			adds(t, all, true)
		})
	}
}

func TestKeyPlacesOneRefund(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	sell(t, k, sold())
	another := sold()
	another.Order.ID = "ord_2"
	another.Origin.Offset++
	sell(t, k, another)
	in := start(t, k, 0)
	other := func(change func(*intake.Want)) intake.Want {
		w := bottles(2)
		change(&w)
		return w
	}
	for _, row := range []struct {
		name   string
		of     order.ID
		want   intake.Want
		key    string
		id     order.ID // or empty: the key is reused
		number int      // of records in the end
	}{
		{"first", "ord_1", bottles(2), "k1", "ord_1-refund-1", 1},
		{"repeat", "ord_1", bottles(2), "k1", "ord_1-refund-1", 1},
		{"no key", "ord_1", bottles(2), "", "ord_1-refund-2", 2},
		{"no key again", "ord_1", bottles(2), "", "ord_1-refund-3", 3},
		{"another key", "ord_1", bottles(2), "k2", "ord_1-refund-4", 4},
		{"repeat behind others", "ord_1", bottles(2), "k1", "ord_1-refund-1", 4},
		{"other quantity", "ord_1", bottles(3), "k1", "", 4},
		{"other SKU", "ord_1", other(func(w *intake.Want) { w.Items[0].SKU = "MUG" }), "k1", "", 4},
		{"shipping too", "ord_1", other(func(w *intake.Want) { w.Shipping = true }), "k1", "", 4},
		{"other reason", "ord_1", other(func(w *intake.Want) { w.Reason = "sorry" }), "k1", "", 4},
		{"all that is left", "ord_1", intake.Want{}, "k1", "", 4},
		{"of another order", "ord_2", bottles(3), "k1", "ord_2-refund-1", 5},
		{"all that is left, first", "ord_1", intake.Want{}, "k3", "ord_1-refund-5", 6},
		{"all that is left, repeat", "ord_1", intake.Want{}, "k3", "ord_1-refund-5", 6},
	} {
		got, err := in.Refund(t.Context(), row.of, row.want, row.key)
		if reused, ok := errors.AsType[*intake.KeyReusedError](err); ok != (row.id == "") || ok && reused.Error() != "idempotency key k1 was used for a different refund" {
			t.Errorf("%s: got %v, want KeyReusedError: %t", row.name, err, row.id == "")
		}
		if got := len(placements(t, k)) - 2; got != row.number {
			t.Errorf("%s: got %d records of refunds, want %d", row.name, got, row.number)
		}
		if got.Order.ID != row.id {
			t.Errorf("%s: got %q, %v; want %q", row.name, got.Order.ID, err, row.id)
		}
		if repeats := strings.Contains(row.name, "repeat"); got.Replayed != repeats {
			t.Errorf("%s: got replayed %t, want %t", row.name, got.Replayed, repeats)
		}
	}
}

func TestOrderWithoutInvoiceIsNotRefunded(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	sell(t, k, sold())
	for id, spoil := range map[order.ID]func(*order.State){
		"ord_2": func(s *order.State) { s.Progress.Invoice = nil },
		"ord_3": func(s *order.State) { s.Progress.Invoice.Kept = nil },
	} {
		s := sold()
		s.Order.ID = id
		spoil(&s)
		sell(t, k, s)
	}
	for id, progress := range map[order.ID]order.Progress{"ord_5": {}, "ord_6": {Invoice: &order.Invoice{Number: "INV-1", Announced: 7}}} {
		dead := sold()
		dead.Order.ID, dead.Progress = id, progress
		kafkatest.Force(&dead, order.Change{Rev: dead.Rev + 1, At: dead.Order.PlacedAt, Status: order.Dead})
		sell(t, k, dead)
	}
	in := start(t, k, 0)
	_, err := in.Refund(t.Context(), "ord_1", bottles(1), "")
	must(t, err)
	for id, want := range map[order.ID]error{
		"ord_2": intake.ErrNotInvoiced, "ord_3": intake.ErrNotInvoiced, "ord_5": intake.ErrNotInvoiced, "ord_6": intake.ErrNotInvoiced, "ord_4": view.ErrUnknown, "ord_1-refund-1": intake.ErrRefund,
	} {
		if _, err := in.Refund(t.Context(), id, bottles(1), "k1"); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", id, err, want)
		}
	}
	if _, records := refunds(t, k); records != 1 {
		t.Errorf("got %d records, want the one that could be refunded", records)
	}
}

func TestRefundOfMoreThanIsLeftIsRejected(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	sell(t, k, sold())
	in := start(t, k, 0)
	_, err := in.Refund(t.Context(), "ord_1", intake.Want{Items: bottles(8).Items, Shipping: true}, "")
	must(t, err)
	for name, row := range map[string]struct {
		want   intake.Want
		points string
	}{
		"more than is left":  {bottles(2), "/items/0/quantity"},
		"not in the order":   {intake.Want{Items: []order.Line{{SKU: "A", Quantity: 1}}}, "/items/0/sku"},
		"shipping twice":     {intake.Want{Shipping: true}, "/shipping"},
		"two things":         {intake.Want{Items: bottles(2).Items, Shipping: true}, "/items/0/quantity /shipping"},
		"a reason of 2 rows": {intake.Want{Reason: "a\nb"}, "/reason"},
		"a reason too long":  {intake.Want{Reason: strings.Repeat("a", 201)}, "/reason"},
	} {
		_, err := in.Refund(t.Context(), "ord_1", row.want, "")
		rejected, _ := errors.AsType[*intake.RejectedError](err)
		var got []string
		for _, w := range rejected.Invalid {
			got = append(got, w.Pointer)
		}
		if diff := cmp.Diff(strings.Fields(row.points), got); diff != "" {
			t.Errorf("%s: pointers (-want +got):\n%s", name, diff)
		}
	}
}

// TestForeignOrderWithTheIDOfARefundIsAConflict has an order of another program with the ID of
// a refund, in the partition of that ID: only there the order of the records decides.
func TestForeignOrderWithTheIDOfARefundIsAConflict(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	sell(t, k, sold())
	in := start(t, k, 0)
	_, err := in.Refund(t.Context(), "ord_1", bottles(1), "")
	must(t, err)
	foreign := sold().Order
	foreign.ID = "ord_1-refund-2"
	r := wire.Order(foreign)
	r.Topic, r.Partition = k.Topics.Orders, kafka.Layout{Partitions: kafkatest.Partitions}.Partition(r.Key)
	k.Produce(t, r)
	for range 2 { // the view may not have it yet
		if _, err := in.Refund(t.Context(), "ord_1", bottles(1), ""); !errors.Is(err, intake.ErrConflict) {
			t.Errorf("got %v, want ErrConflict", err)
		}
	}
}
