package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

// sell places an order of two bottles and confirms it: 49.80, 4.90 for shipping, and 10.39 VAT.
func (s *shop) sell(t *testing.T) order.State {
	t.Helper()
	state := s.place(t, wanted())
	s.work(t, &state)
	s.advance(t, &state, order.Change{Status: order.Confirmed})
	return state
}

// state is a refund as a worker finds it.
func (s *shop) state(t *testing.T, id string) order.State {
	t.Helper()
	state, err := s.view.Order(t.Context(), order.ID(id))
	must(t, err)
	return state
}

var bottle = client.NewRefund{Items: []client.Item{{SKU: "BOTTLE-750", Quantity: 1}}, Reason: "Arrived broken"}

func TestRefundIsASeparateOrder(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *shop) {
		sold := s.sell(t)
		before, err := s.client.Order(t.Context(), string(sold.Order.ID))
		must(t, err)
		got, err := s.client.Refund(t.Context(), before.ID, bottle, "", 0)
		must(t, err)

		euros := func(amount string) client.Money { return client.Money{Amount: amount, Currency: "EUR"} }
		price, tax, total := euros("24.90"), euros("4.73"), euros("29.63")
		want := client.Order{
			ID: before.ID + "-refund-1", Status: "accepted", PlacedAt: got.PlacedAt, Customer: before.Customer, ShipTo: before.ShipTo, Service: "standard",
			Items:      []client.Item{{SKU: "BOTTLE-750", Quantity: 1, Name: before.Items[0].Name, UnitPrice: &price, Net: &price}},
			ItemsTotal: price, Tax: &tax, Total: &total, Timeline: []client.Change{{At: got.PlacedAt, Status: "accepted"}},
			Refund: &client.Refund{Of: before.ID, Number: 1, Invoice: *before.Invoice, Reason: "Arrived broken", Shipping: euros("0.00"), PayBack: euros("0.00"), PaidBack: euros("0.00"), ClaimReduced: total},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
		again, err := s.client.Order(t.Context(), got.ID)
		if diff := cmp.Diff(got, again); diff != "" || err != nil {
			t.Errorf("asked for: %v (-answer +got):\n%s", err, diff)
		}

		refund := s.state(t, got.ID)
		document := s.work(t, &refund)
		s.advance(t, &refund, order.Change{Status: order.Confirmed})
		note := &client.Invoice{Number: "CRN-1", URL: "/v1/orders/" + got.ID + "/invoice.pdf"}
		again, err = s.client.Order(t.Context(), got.ID)
		want.Status, want.Rev, want.Timeline, want.Invoice = "confirmed", 3, again.Timeline, note
		if diff := cmp.Diff(want, again); diff != "" || err != nil {
			t.Errorf("confirmed: %v (-want +got):\n%s", err, diff)
		}
		resp := s.send(t, s.http, "GET", note.URL, "")
		if name := resp.Header.Get("Content-Disposition"); text(t, resp) != string(document) || name != `inline; filename="CRN-1.pdf"` {
			t.Errorf("got %q, want the credit note under its number", name)
		}
		after, err := s.client.Order(t.Context(), before.ID)
		before.Refunds = []client.RefundRef{{ID: got.ID, Number: 1, Status: "confirmed", Total: total, Invoice: note}}
		due := euros("35.46")
		before.Balance.Credited, before.Balance.Due = total, &due
		if diff := cmp.Diff(before, after); diff != "" || err != nil {
			t.Errorf("the order: %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestRefundsAreListedSeparately(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id := string(s.sell(t).Order.ID)
	for _, r := range []client.NewRefund{bottle, {}} {
		_, err := s.client.Refund(t.Context(), id, r, "", 0)
		must(t, err)
	}
	for kind, want := range map[string]int{"": 1, "order": 1, "refund": 2} {
		page, _, err := s.client.Orders(t.Context(), client.OrderQuery{Kind: kind})
		if err != nil || len(page) != want {
			t.Errorf("kind %q: got %d, %v; want %d", kind, len(page), err, want)
		}
		for _, o := range page {
			if (o.Refund != nil) != (kind == "refund") || o.Refunds != nil {
				t.Errorf("kind %q: got %+v, want no other kind, and no refunds within", kind, o)
			}
		}
	}
}

func TestRemainderIsRefundedOnce(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"no body": "", "an empty object": "{}", "nothing asked for": `{"shipping": false, "reason": ""}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			id := string(s.sell(t).Order.ID)
			_, err := s.client.Refund(t.Context(), id, client.NewRefund{Items: bottle.Items, Shipping: true}, "", 0)
			must(t, err)
			resp := s.send(t, s.raw, "POST", "/v1/orders/"+id+"/refund", body)
			if at := resp.Header.Get("Location"); resp.StatusCode != http.StatusAccepted || at != "/v1/orders/"+id+"-refund-2" {
				t.Errorf("got %s at %q, want the second refund accepted", resp.Status, at)
			}
			got, err := s.client.Order(t.Context(), id)
			// The sum is 65.09.
			if must(t, err); len(got.Refunds) != 2 || got.Refunds[0].Total.Amount != "35.46" || got.Refunds[1].Total.Amount != "29.63" {
				t.Errorf("got refunds %+v, want 35.46 and 29.63", got.Refunds)
			}
			_, err = s.client.Refund(t.Context(), id, client.NewRefund{}, "", 0)
			isProblem(t, "nothing left", err, 422, "invalid-refund")
		})
	}
}

func TestRefundHasKeyAndWaitOfAnOrder(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id := string(s.sell(t).Order.ID)
	first, err := s.client.Refund(t.Context(), id, bottle, "k1", 0)
	must(t, err)
	_, err = s.client.Refund(t.Context(), id, client.NewRefund{}, "k1", 0)
	isProblem(t, "key of another refund", err, 422, "idempotency-key-reused")

	refund := s.state(t, first.ID)
	s.advance(t, &refund, order.Change{Status: order.Confirmed})
	body, err := json.Marshal(bottle)
	must(t, err)
	resp := s.send(t, s.http, "POST", "/v1/orders/"+id+"/refund", string(body), "Content-Type", "application/json", "Idempotency-Key", "k1", "Prefer", "wait=30")
	var got client.Order
	must(t, json.Unmarshal([]byte(text(t, resp)), &got))
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Preference-Applied") != "wait=30" || got.ID != first.ID || got.Status != "confirmed" {
		t.Errorf("got %s with %s %s, want 200 and the refund as it is by now", resp.Status, got.ID, got.Status)
	}
	var seen []string
	for change, err := range s.client.Watch(t.Context(), first.ID, -1) {
		must(t, err)
		seen = append(seen, change.Status)
	}
	if diff := cmp.Diff([]string{"accepted", "confirmed"}, seen); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestRefundsCannotBeRefundedOrCancelled(t *testing.T) {
	t.Parallel()
	s := setup(t)
	_, err := s.client.Refund(t.Context(), "ord_x", client.NewRefund{}, "", 0)
	isProblem(t, "unknown order", err, 404, "unknown-order")
	refund, err := s.client.Refund(t.Context(), string(s.sell(t).Order.ID), bottle, "k1", 0)
	must(t, err)
	_, err = s.client.Cancel(t.Context(), refund.ID, "")
	isProblem(t, "cancel", err, 409, "is-refund")
	_, err = s.client.Refund(t.Context(), refund.ID, client.NewRefund{}, "", 0)
	isProblem(t, "refund", err, 409, "is-refund")
	if got := len(s.Records(t, s.Topics.Orders)) + len(s.Records(t, s.Topics.Replay)); got != 2 {
		t.Errorf("got %d records, want the order and its refund", got)
	}
}

// TestDeadRefundHasADeadLetterAndStillCounts dead-letters a refund. It can be replayed, so no other
// refund gets its amount.
func TestDeadRefundHasADeadLetterAndStillCounts(t *testing.T) {
	t.Parallel()
	s := setup(t)
	id := string(s.sell(t).Order.ID)
	answer, err := s.client.Refund(t.Context(), id, client.NewRefund{}, "k1", 0)
	must(t, err)
	refund := s.state(t, answer.ID)
	deadLetter := s.failDead(t, &refund)
	shown, err := s.client.DeadLetter(t.Context(), deadLetter)
	if err != nil || shown.Order != answer.ID || !strings.Contains(shown.Record.Value, `"refund"`) {
		t.Errorf("got dead letter %+v, %v; want that of the refund", shown, err)
	}
	_, err = s.client.Refund(t.Context(), id, client.NewRefund{}, "", 0)
	isProblem(t, "again", err, 422, "invalid-refund")
	if _, err := s.client.Replay(t.Context(), deadLetter, ""); err != nil {
		t.Errorf("replay: got %v, want it requested", err)
	}
}
