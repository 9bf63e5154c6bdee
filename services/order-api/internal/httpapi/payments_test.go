//go:build synctests

package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// payment is the body of a payment by card.
func payment(reference, amount string) string {
	return fmt.Sprintf(`{"method":"card","reference":%q,"paid_at":"2026-03-02T10:00:00+01:00","amount":{"amount":%q,"currency":"EUR"}}`, reference, amount)
}

// receive records the payment requests of an order as its owner would.
func (s *shop) receive(t *testing.T, state *order.State) {
	t.Helper()
	for _, r := range s.Records(t, s.Topics.Replay) {
		if wire.Type(r) != wire.TypePayment || string(r.Key) != string(state.Order.ID) {
			continue
		}
		request, err := wire.ReadPaymentRequest(r)
		must(t, err)
		if reason := state.Receive(request.Payment); reason != "" {
			s.advance(t, state, order.Change{Status: state.Status, Reason: reason})
		}
	}
}

// pay sends a payment, and returns the order of the answer.
func (s *shop) pay(t *testing.T, id order.ID, body string, status int) client.Order {
	t.Helper()
	var o client.Order
	must(t, json.Unmarshal([]byte(s.answer(t, "cashier", "/v1/orders/"+string(id)+"/payments", body, status)), &o))
	return o
}

// answer sends a body, and returns the body of the answer.
func (s *shop) answer(t *testing.T, who, path, body string, status int) string {
	t.Helper()
	resp := s.send(t, s.http, "POST", path, body, headers(who)...)
	got := text(t, resp)
	if resp.StatusCode != status {
		t.Errorf("%s: POST %s: got %s, %s; want %d", who, path, resp.Status, got, status)
	}
	return got
}

// TestThePartsOfAPaymentAddUp pays before and after the invoice, and refunds in between.
func TestThePartsOfAPaymentAddUp(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	state := s.placeAs(t, "vera", wanted())
	id := state.Order.ID
	balance := func(want string) {
		t.Helper()
		var o client.Order
		must(t, json.Unmarshal([]byte(text(t, s.send(t, s.http, "GET", "/v1/orders/"+string(id), "", headers("vera")...))), &o))
		got := o.Balance.State + " " + o.Balance.Received.Amount + " " + o.Balance.Credited.Amount
		if back := o.Balance.PaidBack.Amount; back != "0.00" {
			got += " back " + back
		}
		if o.Balance.Due != nil {
			got += " " + o.Balance.Due.Amount + " " + o.Balance.ToReturn.Amount
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	balance("unpaid 0.00 0.00")
	s.pay(t, id, payment("a", "20.00"), 202)
	s.receive(t, &state)
	balance("prepaid 20.00 0.00")
	s.pay(t, id, payment("a", "20.00"), 200)
	s.pay(t, id, payment(" a\u00a0", "20.00"), 200) // as it was copied
	s.work(t, &state)
	s.advance(t, &state, order.Change{Status: order.Confirmed})
	balance("part-paid 20.00 0.00 45.09 0.00")
	refund := func(want string) {
		t.Helper()
		answer := s.answer(t, "operator", "/v1/orders/"+string(id)+"/refund", `{"items":[{"sku":"BOTTLE-750","quantity":1}]}`, 202)
		var o client.Order
		must(t, json.Unmarshal([]byte(answer), &o))
		if got := o.Refund.PayBack.Amount + " " + o.Refund.ClaimReduced.Amount + " " + o.Refund.Method; got != want {
			t.Errorf("refund: got %s, want %s", got, want)
		}
	}
	refund("0.00 29.63 card")
	balance("part-paid 20.00 29.63 15.46 0.00")
	s.pay(t, id, payment("b", "15.46"), 202)
	s.receive(t, &state)
	balance("paid 35.46 29.63 0.00 0.00")
	s.pay(t, id, payment("c", "0.01"), 202)
	s.receive(t, &state)
	balance("return-due 35.47 29.63 0.00 0.01")
	refund("29.63 0.00 card")
	balance("return-due 35.47 59.26 0.00 29.64")
	back := strings.Replace(payment("re_1", "29.64"), "{", `{"kind":"paid-back",`, 1)
	s.pay(t, id, back, 202)
	s.receive(t, &state)
	if o := s.pay(t, id, back, 200); o.Payments[3].Kind != "paid-back" || o.Payments[3].Amount.Amount != "29.64" {
		t.Errorf("got %+v, want it paid back", o.Payments[3])
	}
	balance("paid 35.47 59.26 back 29.64 0.00 0.00")
}

// TestAPaymentThatArrivesDuringARefundIsToBeReturned refunds an order whose payment no worker has
// recorded: refund and order are in different partitions.
func TestAPaymentThatArrivesDuringARefundIsToBeReturned(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	state := s.placeAs(t, "vera", wanted())
	id := state.Order.ID
	s.work(t, &state)
	s.pay(t, id, payment("a", "65.09"), 202)
	var refund client.Order
	must(t, json.Unmarshal([]byte(s.answer(t, "operator", "/v1/orders/"+string(id)+"/refund", "", 202)), &refund))
	if r := refund.Refund; r.PayBack.Amount != "0.00" || r.ClaimReduced.Amount != "65.09" {
		t.Errorf("got %+v, want the claim reduced: no payment is known", r)
	}
	s.receive(t, &state)
	back := strings.Replace(payment("re_1", "65.09"), "{", `{"kind":"paid-back",`, 1)
	if b := s.pay(t, id, back, 202).Balance; b.State != "return-due" || b.ToReturn.Amount != "65.09" {
		t.Errorf("got %+v, want 65.09 to return", b)
	}
	s.receive(t, &state)
	if b := s.pay(t, id, back, 200).Balance; b.State != "nothing-due" || b.ToReturn.Amount != "0.00" {
		t.Errorf("got %+v, want nothing to return", b)
	}
}

func TestAPaymentIsRefusedClearly(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	state := s.placeAs(t, "vera", wanted())
	id := state.Order.ID
	s.pay(t, id, payment("a", "20.00"), 202)
	s.receive(t, &state)
	later := fmt.Sprintf("%q", time.Now().Add(time.Hour).Format(time.RFC3339))
	for _, row := range []struct {
		old, wrong string
		status     int
		want       string
	}{
		{`"20.00"`, `"20.01"`, 409, "payment-conflict"},
		{`"card"`, `"paypal"`, 409, "payment-conflict"},
		{`"card"`, `"invoice"`, 422, "/method"},
		{`"card"`, `"bitcoin"`, 422, "/method"},
		{`"a"`, `""`, 422, "/reference"},
		{`"a"`, `"a\nb"`, 422, "/reference"},
		{`"20.00"`, `"0.00"`, 422, "/amount"},
		{`"20.00"`, `"-20.00"`, 422, "/amount"},
		{`"20.00"`, `"20.001"`, 422, "/amount"},
		{`"20.00"`, `"20,00"`, 422, "/amount"},
		{`"20.00"`, `20.00`, 422, "/amount/amount"},
		{`"EUR"`, `"USD"`, 422, "/amount"},
		{`"2026-03-02T10:00:00+01:00"`, later, 422, "/paid_at"},
		{`"2026-03-02T10:00:00+01:00"`, `"1970-01-01T00:00:00Z"`, 422, "/paid_at"},
		{`"2026-03-02T10:00:00+01:00"`, `"yesterday"`, 422, "/paid_at"},
		{`{"method"`, `{"state":"paid","method"`, 422, "/state"},
		{`{"method"`, `{"kind":"refund","method"`, 422, "/kind"},
		{`{"method":"card","reference":"a"`, `{"kind":"paid-back","method":"card","reference":"a"`, 409, "payment-conflict"},
		{`{"method":"card","reference":"a","paid_at":"2026-03-02T10:00:00+01:00","amount":{"amount":"20.00"`, `{"kind":"paid-back","method":"card","reference":"b","amount":{"amount":"20.01"`, 409, "more would be paid back"},
	} {
		body := strings.Replace(payment("a", "20.00"), row.old, row.wrong, 1)
		resp := s.send(t, s.raw, "POST", "/v1/orders/"+string(id)+"/payments", body, headers("cashier")...)
		if got := text(t, resp); resp.StatusCode != row.status || !strings.Contains(got, row.want) {
			t.Errorf("%s: got %s %s, want %d and %s", row.wrong, resp.Status, got, row.status, row.want)
		}
	}
	s.work(t, &state)
	s.answer(t, "operator", "/v1/orders/"+string(id)+"/refund", "", 202)
	refund := s.answer(t, "cashier", "/v1/orders/"+string(id)+"-refund-1/payments", payment("a", "20.00"), 409)
	if !strings.Contains(refund, "is-refund") {
		t.Errorf("a refund is paid: %s", refund)
	}
	s.answer(t, "cashier", "/v1/orders/ord_unknown/payments", payment("a", "20.00"), 404)
}

// TestAPaymentIsAwaited has the owner answer while the request waits.
func TestAPaymentIsAwaited(t *testing.T) {
	t.Parallel()
	const body = `{"method":"card","reference":"a","amount":{"amount":"20.00","currency":"EUR"}}`
	for name, want := range map[string]int{"recorded": 200, "another instance was faster": 409, "no worker": 202} {
		synctest.Test(t, func(t *testing.T) {
			s := setup(t)
			state := s.place(t, wanted())
			answer := make(chan *http.Response)
			go func() {
				answer <- s.send(t, s.http, "POST", "/v1/orders/"+string(state.Order.ID)+"/payments", body, "Prefer", "wait=5", "Content-Type", "application/json")
			}()
			time.Sleep(time.Second) // of the bubble: now the request waits
			switch want {
			case 200:
				s.receive(t, &state)
			case 409:
				state.Receive(order.Payment{Method: order.Cash, Reference: "a", PaidAt: state.Order.PlacedAt, Amount: order.EUR.Cents(1)})
				s.advance(t, &state, order.Change{Status: state.Status, Reason: order.PaymentReceived})
			}
			resp := <-answer
			if got := text(t, resp); resp.StatusCode != want {
				t.Errorf("%s: got %s %s, want %d", name, resp.Status, got, want)
			}
		})
	}
}

// TestOnlyACashierSaysThatMoneyWasReceived places orders that are paid, and one on invoice.
func TestOnlyACashierSaysThatMoneyWasReceived(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	body := func(p string) string { return strings.Replace(good, "{", `{"payment":`+p+`,`, 1) }
	paid := body(payment("a", "20.00"))
	for who, status := range map[string]int{"guest": 403, "vera": 403, "viewer": 403, "cashier": 202, "operator": 202} {
		resp := s.send(t, s.http, "POST", "/v1/orders", paid, headers(who)...)
		if resp.StatusCode != status {
			t.Errorf("%s: got %s, want %d", who, resp.Status, status)
		}
		resp.Body.Close()
	}
	key := append(headers("operator"), "Idempotency-Key", "paid")
	var first, again, onInvoice client.Order
	must(t, json.Unmarshal([]byte(text(t, s.send(t, s.http, "POST", "/v1/orders", paid, key...))), &first))
	must(t, json.Unmarshal([]byte(text(t, s.send(t, s.http, "POST", "/v1/orders", paid, key...))), &again))
	if diff := cmp.Diff(first, again); diff != "" || len(first.Payments) != 1 || first.Payments[0].Amount.Amount != "20.00" {
		t.Errorf("got payments %v; the repeated order (-first +again):\n%s", first.Payments, diff)
	}
	resp := s.send(t, s.http, "POST", "/v1/orders", body(payment("a", "20.01")), key...)
	if got := text(t, resp); resp.StatusCode != 422 || !strings.Contains(got, "idempotency-key-reused") {
		t.Errorf("got %s %s for another amount", resp.Status, got)
	}
	must(t, json.Unmarshal([]byte(text(t, s.send(t, s.http, "POST", "/v1/orders", body(`{"method":"invoice"}`), headers("guest")...))), &onInvoice))
	if onInvoice.Payment == nil || *onInvoice.Payment != (client.Payment{Method: "invoice"}) || len(onInvoice.Payments) != 0 {
		t.Errorf("got %+v, want an order on invoice", onInvoice.Payment)
	}
	for _, p := range []string{`{"method":"invoice","amount":{"amount":"1.00","currency":"EUR"}}`, `{}`, `{"method":"card"}`, `null`} {
		resp := s.send(t, s.raw, "POST", "/v1/orders", body(p), headers("operator")...)
		if got := text(t, resp); resp.StatusCode != 422 || !strings.Contains(got, `"/payment`) {
			t.Errorf("%s: got %s %s, want 422", p, resp.Status, got)
		}
	}
}

func TestAReferenceIsPersonal(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	state := s.placeAs(t, "vera", wanted())
	s.pay(t, state.Order.ID, payment("from Secretname", "20.00"), 202)
	s.receive(t, &state)
	for who, hidden := range map[string]bool{"vera": false, "viewer": true, "cashier": true, "support": false} {
		got := text(t, s.send(t, s.http, "GET", "/v1/orders/"+string(state.Order.ID), "", headers(who)...))
		if strings.Contains(got, "Secretname") == hidden {
			t.Errorf("%s: got %s", who, got)
		}
	}
}
