package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"sync"
	"testing"

	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// fakeShop is an API that accepts orders, and refunds as long as there are bottles.
type fakeShop struct {
	mu      sync.Mutex
	bottles int
	refunds map[string]string // IDs by idempotency key
	early   int               // number of refunds that are refused because they are too early
	forgets bool              // answer a repeated key with another ID
	cancel  int               // status of the answer to a cancel
	problem string            // type of the answer to a cancel
	asked   func()            // called for each cancel
}

func (s *fakeShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.Header.Get("Idempotency-Key")
	answer := func(code int, id, problem string) {
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"id": %q, "type": "/problems/%s", "title": "no"}`, id, problem)
	}
	switch id, known := s.refunds[key]; {
	case path.Base(r.URL.Path) == "orders":
		answer(http.StatusAccepted, "ord", "")
	case path.Base(r.URL.Path) == "cancel":
		if s.asked != nil {
			s.asked()
		}
		answer(s.cancel, "ord", s.problem)
	case s.early > 0:
		s.early--
		answer(http.StatusConflict, "", []string{"unknown-order", "not-invoiced", "refund-conflict"}[s.early])
	case known && !s.forgets:
		answer(http.StatusAccepted, id, "")
	case len(s.refunds) == s.bottles && !known:
		answer(http.StatusUnprocessableEntity, "", "invalid-refund")
	default:
		s.refunds[key] += fmt.Sprint("ord-refund-", len(s.refunds)+1)
		answer(http.StatusAccepted, s.refunds[key], "")
	}
}

func (s *fakeShop) open(t *testing.T) *load {
	t.Helper()
	s.refunds = map[string]string{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return newLoad(7, []string{server.URL})
}

func TestSomeOrdersAreCancelled(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name               string
		shop               *fakeShop
		accepted, expected bool
	}{
		{"accepted", &fakeShop{cancel: http.StatusAccepted}, true, true},
		{"begun", &fakeShop{cancel: http.StatusConflict, problem: "order-begun"}, false, true},
		{"forbidden", &fakeShop{cancel: http.StatusForbidden, problem: "forbidden"}, false, false},
	} {
		l := row.shop.open(t)
		l.place(t.Context(), cancelEvery/2)
		if p := l.accepted["ord"]; !p.cancelAsked || p.cancelAccepted != row.accepted || (len(l.refused) == 0) != row.expected {
			t.Errorf("%s: got %+v, refused %v; want accepted %t", row.name, p, l.refused, row.accepted)
		}
	}
	l := (&fakeShop{}).open(t)
	if l.place(t.Context(), cancelEvery/2+1); l.accepted["ord"].cancelAsked {
		t.Error("got the next order cancelled too")
	}
}

func TestACancelWithoutAnAnswerLeavesTheOrderAccepted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	l := (&fakeShop{cancel: http.StatusServiceUnavailable, asked: cancel}).open(t)
	l.place(ctx, cancelEvery/2)
	if p := l.accepted["ord"]; !p.cancelAsked || p.cancelAccepted || l.unknown != 0 || len(l.refused) != 0 {
		t.Errorf("got %+v, %d unknown, refused %v; want the cancel requested and nothing else", p, l.unknown, l.refused)
	}
}

func TestRefundsAreAcceptedForEachBottleOnce(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		n       int // number of the order
		shop    *fakeShop
		refunds int
		refused bool
	}{
		{"three of three", refundEvery / 4, &fakeShop{bottles: 3}, 3, false},
		{"two of two", refundEvery/4 + refundEvery, &fakeShop{bottles: 2}, 2, false},
		{"one of one", refundEvery/4 + 2*refundEvery, &fakeShop{bottles: 1}, 1, false},
		{"repeated until the order is known and invoiced", refundEvery / 4, &fakeShop{bottles: 3, early: 3}, 3, false},
		{"two of one", refundEvery/4 + 2*refundEvery, &fakeShop{bottles: 2}, 2, true},
		{"none of one", refundEvery/4 + 2*refundEvery, &fakeShop{}, 0, true},
		{"another under the same key", refundEvery / 4, &fakeShop{bottles: 3, forgets: true}, 3, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			l := row.shop.open(t)
			l.place(t.Context(), row.n)
			refunds := 0
			for _, p := range l.accepted {
				if p.refundOf == "ord" {
					refunds++
				}
			}
			if refunds != row.refunds || (len(l.refused) > 0) != row.refused || l.unknown != 0 {
				t.Errorf("got %d refunds, refused %v; want %d, and refused %t", refunds, l.refused, row.refunds, row.refused)
			}
		})
	}
}

func TestRefundsWithoutAnswersAreUnknown(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := (&fakeShop{bottles: 3}).open(t)
	l.refundAll(ctx, "ord", refundEvery/4)
	if l.unknown != concurrentRefunds || len(l.refused) != 0 {
		t.Errorf("got %d unknown, refused %v; want %d and none", l.unknown, l.refused, concurrentRefunds)
	}
}

// TestHistoryHasCancelsAndRefunds reads a refund, and an order whose cancel came too late.
func TestHistoryHasCancelsAndRefunds(t *testing.T) {
	t.Parallel()
	h := newHistory()
	add := func(offset int64, s *order.State, c order.Change) {
		c.Rev, c.At = s.Rev+1, clock
		kafkatest.Force(s, c)
		r := wire.State(*s, 0)
		r.Offset = offset
		h.add(r)
	}
	of := order.Order{ID: "ord", PlacedAt: clock}.Begin(order.Origin{})
	refund := order.Order{
		ID: order.ID("ord").Refund(1), PlacedAt: clock, Refund: &order.Refund{Of: "ord", Number: 1, Invoice: order.Invoice{IssuedAt: clock}},
	}.Begin(order.Origin{Offset: 1})
	refund.Progress.Invoice = &order.Invoice{Number: "CRN-1", IssuedAt: clock, Total: order.EUR.Cents(7), Kept: &order.Kept{}}
	h.add(claimed(0))
	add(1, &of, order.Change{Status: order.Confirmed})
	taken := map[string]placed{"ord": {cancelAsked: true, cancelAccepted: true}}
	if left := h.unfinished([]string{"ord"}, taken); len(left) != 1 || len(h.unfinished([]string{"ord"}, nil)) != 0 {
		t.Errorf("got %v unfinished, want the order whose cancel has no answer", left)
	}
	add(2, &of, order.Change{Status: order.Confirmed, Reason: order.CancelRefused})
	add(3, &refund, order.Change{Status: order.Confirmed})
	refund.Progress.Invoice.Number = "CRN-2"
	add(4, &refund, order.Change{Status: order.Confirmed})
	if left := h.unfinished([]string{"ord"}, taken); len(left) != 0 {
		t.Errorf("got %v unfinished, want none", left)
	}
	if l := h.orders["ord"]; len(l.changes) != 1 || l.refundOf != "" || l.invoiced {
		t.Errorf("got %+v, want an answer to be no change", l)
	}
	l := h.orders["ord-refund-1"]
	if got, want := fmt.Sprint(l.refundOf, l.numbers, l.total, l.invoiced), "ord[CRN-1 CRN-2] 0.07 true"; got != want || h.err != nil {
		t.Errorf("got %s, %v; want %s", got, h.err, want)
	}
}
