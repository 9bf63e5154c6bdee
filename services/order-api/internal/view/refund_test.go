package view_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// refunded is a refund of an order of placed, placed at a minute.
func refunded(of order.Order, number, minute int) order.Order {
	r := placed(minute)
	r.ID = of.ID.Refund(number)
	r.Refund = &order.Refund{
		Of: of.ID, Number: number, Shipping: order.EUR.Cents(0), Tax: order.EUR.Cents(19),
		Invoice: order.Invoice{Number: "INV-1", IssuedAt: of.PlacedAt, Taxes: []order.Tax{{Rate: 1900}}},
	}
	return r
}

func TestOrdersAndTheirRefundsAreListedApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.at(refunded(placed(1), 1, 3), 2, order.Working, order.Confirmed)
	b.put(t, b.Topics.Orders, wire.Order(placed(1)), wire.Order(placed(2)), wire.Order(first.Order), wire.Order(refunded(placed(2), 1, 4)))
	// Of the last there is only its state any more.
	b.put(t, b.Topics.Status, wire.State(first, 0), wire.State(b.at(refunded(placed(1), 2, 5), 4, order.Working), 0))
	v, _ := b.start(t)
	for name, row := range map[string]struct {
		filter view.Filter
		want   []order.ID
	}{
		"orders":            {view.Filter{}, []order.ID{"ord_002", "ord_001"}},
		"refunds":           {view.Filter{Refunds: true}, []order.ID{"ord_001-refund-2", "ord_002-refund-1", "ord_001-refund-1"}},
		"confirmed orders":  {view.Filter{Status: order.Confirmed}, nil},
		"confirmed refunds": {view.Filter{Refunds: true, Status: order.Confirmed}, []order.ID{"ord_001-refund-1"}},
	} {
		row.filter.Limit = 10
		got, _, err := v.Orders(t.Context(), row.filter)
		if diff := cmp.Diff(row.want, ids(got)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	got, err := v.Refunds(t.Context(), "ord_001")
	must(t, err)
	if diff := cmp.Diff([]order.ID{"ord_001-refund-1", "ord_001-refund-2"}, ids(got)); diff != "" {
		t.Fatalf("refunds of an order (-want +got):\n%s", diff)
	}
	same(t, "first refund", first, got[0])
}

// TestRefundsEndAtAGap has the record of a refund come late, as from a partition that lags, and
// another order in its place.
func TestRefundsEndAtAGap(t *testing.T) {
	t.Parallel()
	b := setup(t)
	foreign := placed(5)
	foreign.ID = placed(2).ID.Refund(1)
	b.put(t, b.Topics.Orders, wire.Order(placed(1)), wire.Order(foreign))
	for n := 11; n > 0; n-- {
		if n != 2 {
			b.put(t, b.Topics.Orders, wire.Order(refunded(placed(1), n, 20-n)), wire.Order(refunded(placed(2), n, 20-n)))
		}
	}
	v, _ := b.start(t)
	numbers := func(id order.ID) (all []int) {
		got, err := v.Refunds(t.Context(), id)
		must(t, err)
		for _, s := range got {
			all = append(all, s.Order.Refund.Number)
		}
		return all
	}
	if diff := cmp.Diff([]int{1}, numbers("ord_001")); diff != "" {
		t.Errorf("before the second (-want +got):\n%s", diff)
	}
	watched(t, v, "ord_001-refund-2", func() { b.put(t, b.Topics.Orders, wire.Order(refunded(placed(1), 2, 2))) })
	if diff := cmp.Diff([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, numbers("ord_001")); diff != "" {
		t.Errorf("after it (-want +got):\n%s", diff)
	}
	for _, id := range []order.ID{"ord_002", "ord_003", ""} {
		if got := numbers(id); got != nil {
			t.Errorf("%q: got refunds %v, want none", id, got)
		}
	}
}

func TestAChangeOfARefundWakesWatchersOfItsOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, b.Topics.Orders, wire.Order(placed(1)))
	v, _ := b.start(t)
	refund := refunded(placed(1), 1, 2)
	b.put(t, b.Topics.Status, wire.Claim{Worker: "w", At: time.Now()}.Record())
	for _, id := range []order.ID{"ord_001", refund.ID} {
		for _, change := range []func(){
			func() { b.put(t, b.Topics.Orders, wire.Order(refund)) },
			func() { b.put(t, b.Topics.Status, wire.State(b.at(refund, 1, order.Working), 0)) },
		} {
			watched(t, v, id, change)
		}
	}
}

// TestTheNewestStateSaysWhatIsARefund has states that contradict what was placed under their IDs.
func TestTheNewestStateSaysWhatIsARefund(t *testing.T) {
	t.Parallel()
	b := setup(t)
	refund, foreign := refunded(placed(1), 1, 2), placed(2)
	foreign.ID = placed(3).ID.Refund(1)
	taken := refunded(placed(3), 1, 2)
	b.put(t, b.Topics.Orders, wire.Order(refund), wire.Order(foreign))
	refund.Refund = nil
	b.put(t, b.Topics.Status, wire.State(b.at(refund, 0, order.Working), 0), wire.State(b.at(taken, 1, order.Working), 0))
	v, _ := b.start(t)
	for id, want := range map[order.ID][]order.ID{"ord_001": nil, "ord_003": {taken.ID}} {
		got, err := v.Refunds(t.Context(), id)
		if diff := cmp.Diff(want, ids(got)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", id, err, diff)
		}
	}
}
