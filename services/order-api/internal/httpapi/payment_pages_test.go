//go:build synctests

package httpapi_test

import (
	"strings"
	"testing"

	"example.com/orders/shared/order"
)

// TestThePageOfAnOrderSaysWhatIsPaid looks as the customer and as an operator, who sees the reference.
func TestThePageOfAnOrderSaysWhatIsPaid(t *testing.T) {
	t.Parallel()
	s := guarded(t, withPages(t))
	state := s.placeAs(t, "vera", wanted())
	path := "/orders/" + string(state.Order.ID)
	vera, operator := s.reader(t, "Bearer vera"), s.reader(t, "Bearer operator")
	vera.opened(path, "Nothing is paid yet.")
	s.pay(t, state.Order.ID, payment("pi_1", "20.00"), 202)
	s.receive(t, &state)
	vera.opened(path, "A payment was received.", "Paid by card, 2 Mar 2026")
	s.work(t, &state)
	s.advance(t, &state, order.Change{Status: order.Confirmed})
	if body := vera.opened(path, "A part is paid.", "Still to pay", "45.09"); strings.Contains(body, "pi_1") {
		t.Error("the customer is shown the reference")
	}
	operator.opened(path, "pi_1", "Still to pay", "payment-received")
	s.pay(t, state.Order.ID, payment("pi_2", "45.10"), 202)
	s.receive(t, &state)
	vera.opened(path, "More was paid than the order costs.", "To be paid back", "0.01")
	s.answer(t, "operator", "/v1"+path+"/refund", `{"items":[{"sku":"BOTTLE-750","quantity":1}]}`, 202)
	vera.opened(path, "Money is to be paid back.", "29.64")
	vera.opened(path+"-refund-1", "To be paid back by card", "29.63")
	cancelled := s.placeAs(t, "vera", wanted())
	s.pay(t, cancelled.Order.ID, payment("pi_3", "20.00"), 202)
	s.receive(t, &cancelled)
	s.advance(t, &cancelled, order.Change{Status: order.Cancelled})
	vera.opened("/orders/"+string(cancelled.Order.ID), "Money is to be paid back.", "20.00")
}
