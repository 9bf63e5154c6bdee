package shipping_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-worker/internal/shipping"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
)

func setup(t *testing.T) *shipping.Step {
	t.Helper()
	card, err := rates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return shipping.New(card)
}

func work(country, service string, grams int) *order.Work {
	return &order.Work{Order: order.Order{
		ShipTo: order.Address{Line1: "1 Main Street", City: "Anywhere", Country: country}, Service: service,
		Lines: []order.Line{{SKU: "THING", Quantity: 1, UnitPrice: order.EUR.Cents(100), Grams: grams}},
	}}
}

func TestPlanRecordsTheShipping(t *testing.T) {
	t.Parallel()
	w := work("DE", order.Standard, 840)
	step := setup(t)
	if err := step.Plan(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	s := w.Progress.Shipping
	if s.Price != order.EUR.Cents(490) || len(s.Parcels) != 1 || !strings.HasPrefix(s.Card, "sha256:") {
		t.Errorf("got %+v, want one parcel for 4.90 by a card with a version", s)
	}
	if err := step.Do(t.Context(), w); err != nil {
		t.Errorf("Do: got %v, want nil", err)
	}
}

// TestPlanKeepsTheShippingOfAnEarlierAttempt plans orders again that were priced before.
func TestPlanKeepsTheShippingOfAnEarlierAttempt(t *testing.T) {
	t.Parallel()
	for name, settled := range map[string]order.Shipping{
		"by another card":           {Zone: "there", Price: order.EUR.Cents(99), Card: "sha256:0123456789ab", Carrier: "Dodo", Parcels: []order.Parcel{{Count: 1}}},
		"before there were parcels": {Zone: "germany", Service: order.Standard, Price: order.EUR.Cents(390), BillableGrams: 840, Card: "sha256:ba9876543210"},
	} {
		w := work("DE", order.Standard, 840)
		w.Progress.Shipping = new(settled)
		if err := setup(t).Plan(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(settled, *w.Progress.Shipping); diff != "" {
			t.Errorf("%s: shipping (-want +got):\n%s", name, diff)
		}
	}
}

func TestUnshippableOrderFailsPermanently(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		w      *order.Work
		reason failure.Reason
	}{
		{"Antarctica", work("AQ", order.Standard, 840), failure.NoRoute},
		{"a service of another age", work("DE", "rocket", 840), failure.NoRoute},
		{"too heavy for every carrier", work("DE", order.Standard, 70_001), failure.TooHeavy},
	} {
		err := setup(t).Plan(t.Context(), row.w)
		if class, reason := failure.Of(err); class != failure.Permanent || reason != row.reason {
			t.Errorf("%s: got %v, %s, want permanent, %s", row.name, class, reason, row.reason)
		}
		if row.w.Progress.Shipping != nil {
			t.Errorf("%s: got %+v, want no shipping", row.name, row.w.Progress.Shipping)
		}
	}
}

func TestRefundHasNoShipping(t *testing.T) {
	t.Parallel()
	w := work("AQ", order.Standard, 70_001) // no route, and too heavy
	w.Order.Refund = &order.Refund{Of: "ord_1", Number: 1, Shipping: order.EUR.Cents(490)}
	step := setup(t)
	for _, do := range []func(context.Context, *order.Work) error{step.Plan, step.Do} {
		if err := do(t.Context(), w); err != nil || w.Progress.Shipping != nil {
			t.Errorf("got %v, %+v; want no shipping", err, w.Progress.Shipping)
		}
	}
}

func BenchmarkShipping(b *testing.B) {
	card, err := rates.Load("")
	if err != nil {
		b.Fatal(err)
	}
	step := shipping.New(card)
	b.ReportAllocs()
	for b.Loop() {
		if err := step.Plan(b.Context(), work("DE", order.Standard, 840)); err != nil {
			b.Fatal(err)
		}
	}
}
