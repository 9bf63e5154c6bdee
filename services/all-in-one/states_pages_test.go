package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/embedded/inbox"
)

// TestOrdersAreAccessibleInEveryState checks orders that are retrying, waiting, cancelled, refunded, paid too much
// and paid before the invoice. No worker runs while the browser looks, so that they stay as they are.
func TestOrdersAreAccessibleInEveryState(t *testing.T) {
	t.Parallel()
	in := runInbox(t)
	s := openSite(t, "--workers-as-processes", "--workers", "1", "--retries", "1", "--embedded", "broker", "--smtp", in.SMTPAddr())
	worker := s.owners(t, 1, 0)[0]
	states := map[string]string{"refunded": s.refunded(t), "overpaid": s.placed(t, "DE", "confirmed", ""), "cancelled": s.placed(t, "AQ", "dead", "")}
	_, err := s.api.Pay(t.Context(), states["overpaid"], client.Payment{Method: "card", Amount: client.Money{Amount: "900.00", Currency: "EUR"}, Reference: "ch-1", PaidAt: time.Now()}, patience)
	must(t, err)
	_, err = s.api.Cancel(t.Context(), states["cancelled"], "Not wanted any more")
	must(t, err)
	s.ends(t, states["cancelled"], "cancelled")
	in.Behave(inbox.Behaviour{At: "RCPT", Code: 451})
	states["retrying"] = s.placed(t, "DE", "retrying", "")
	s.retriesAgain(t, states["retrying"])
	in.Behave(inbox.Behaviour{Down: true})
	states["waiting"] = s.placed(t, "DE", "waiting", "")
	s.breaks(t, "workers", url.Values{"act": {"kill"}, "worker": {strconv.Itoa(worker)}}, http.StatusSeeOther)
	states["prepaid"] = s.placed(t, "DE", "accepted", "10.00")
	b := s.browse(t)
	for state, id := range states {
		b.open("/orders/" + id)
		b.has("main", map[string]string{
			"refunded": "Refund 1", "overpaid": "More was paid than the order costs.", "cancelled": "is cancelled", "retrying": "Mail delayed", "waiting": "Mail waiting",
			"prepaid": "A payment was received.",
		}[state])
		b.accessible("an order that is " + state)
	}
	b.clean()
}

// placed places an order, waits until it has a status, and returns its ID. What is paid for it may be empty: nothing.
func (s *site) placed(t *testing.T, country, status, paid string) string {
	t.Helper()
	o := client.NewOrder{
		Customer: client.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"}, Service: "standard",
		ShipTo: client.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: country},
		Items:  []client.Item{{SKU: "BOTTLE-750", Quantity: 2}},
	}
	if paid != "" {
		o.Payment = &client.Payment{Method: "card", Amount: client.Money{Amount: paid, Currency: "EUR"}, Reference: "ch-2", PaidAt: time.Now()}
	}
	got, err := s.api.Place(t.Context(), o, "", 0)
	must(t, err)
	s.ends(t, got.ID, status)
	return got.ID
}

// retriesAgain waits until the first retry of an order has failed. The next one is two minutes later.
func (s *site) retriesAgain(t *testing.T, id string) {
	t.Helper()
	failed := 0
	for change, err := range s.api.Watch(t.Context(), id, -1) {
		must(t, err)
		if change.Status == "retrying" {
			failed++
		}
		if failed == 2 {
			return
		}
	}
	t.Fatal("the order was not retried")
}

// refunded returns the ID of an order that is refunded in part.
func (s *site) refunded(t *testing.T) string {
	t.Helper()
	id := s.placed(t, "DE", "confirmed", "")
	refund, err := s.api.Refund(t.Context(), id, client.NewRefund{Items: []client.Item{{SKU: "BOTTLE-750", Quantity: 1}}, Reason: "Broken"}, "", 0)
	must(t, err)
	s.ends(t, refund.ID, "confirmed")
	return id
}

// TestEditConflictIsAccessible: somebody else saves an edit while the editor is open.
func TestEditConflictIsAccessible(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	s.work(t)
	id := s.deadOrder(t, "Zoë")
	l, err := s.api.DeadLetter(t.Context(), id)
	must(t, err)
	b := s.browse(t)
	b.open("/desk/dead-letters/" + id + "/edit")
	_, err = s.api.Edit(t.Context(), id, client.NewEdit{Value: json.RawMessage(strings.Replace(string(l.Edit.Value), "Berlin", "Bonn", 1)), Reason: "Typo"})
	must(t, err)
	js[int](b, `(t => (t.value = t.value.replace("Berlin", "Hamburg"), 0))(document.querySelector("textarea"))`)
	b.submit("[value=save]", ".strip")
	b.has("main", "Somebody else has saved version 1 meanwhile")
	if got := js[string](b, `document.querySelector("textarea").value`); !strings.Contains(got, "Hamburg") {
		t.Errorf("got %s, want the draft kept", got)
	}
	b.accessible("an edit that somebody else has overtaken")
	b.clean()
}
