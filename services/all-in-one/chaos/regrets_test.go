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

// till takes orders and gives money back, as long as there are bottles.
type till struct {
	mu      sync.Mutex
	bottles int
	refunds map[string]string // IDs, by key
	early   int               // requests that come too early
	forgets bool              // what was under a key
	cancel  int
	problem string // of a cancel
	asked   func()
}

func (s *till) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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

func (s *till) open(t *testing.T) *load {
	t.Helper()
	s.refunds = map[string]string{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return newLoad(7, []string{server.URL})
}

func TestSomeOrdersAreCalledOff(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name          string
		till          *till
		taken, wanted bool // what is wanted is no refusal
	}{
		{"in time, or not", &till{cancel: http.StatusAccepted}, true, true},
		{"begun", &till{cancel: http.StatusConflict, problem: "order-begun"}, false, true},
		{"forbidden", &till{cancel: http.StatusForbidden, problem: "forbidden"}, false, false},
	} {
		l := row.till.open(t)
		l.place(t.Context(), calledOff/2)
		if p := l.accepted["ord"]; !p.called || p.taken != row.taken || (len(l.refused) == 0) != row.wanted {
			t.Errorf("%s: got %+v, refused %v; want taken %t", row.name, p, l.refused, row.taken)
		}
	}
	l := (&till{}).open(t)
	if l.place(t.Context(), calledOff/2+1); l.accepted["ord"].called {
		t.Error("got the next order called off too, want one in so many")
	}
}

func TestACancelWithoutAnAnswerIsNoOrderInDoubt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	l := (&till{cancel: http.StatusServiceUnavailable, asked: cancel}).open(t)
	l.place(ctx, calledOff/2)
	if p := l.accepted["ord"]; !p.called || p.taken || l.unknown != 0 || len(l.refused) != 0 {
		t.Errorf("got %+v, %d unknown, refused %v; want it called off and nothing else", p, l.unknown, l.refused)
	}
}

func TestAsManyRefundsAreTakenAsThereAreBottles(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		n       int // of the order
		till    *till
		refunds int
		refused bool
	}{
		{"three of three", sentBack / 4, &till{bottles: 3}, 3, false},
		{"two of two", sentBack/4 + sentBack, &till{bottles: 2}, 2, false},
		{"one of one", sentBack/4 + 2*sentBack, &till{bottles: 1}, 1, false},
		{"when it is known and invoiced", sentBack / 4, &till{bottles: 3, early: 3}, 3, false},
		{"two of one", sentBack/4 + 2*sentBack, &till{bottles: 2}, 2, true},
		{"none of one", sentBack/4 + 2*sentBack, &till{}, 0, true},
		{"another under the same key", sentBack / 4, &till{bottles: 3, forgets: true}, 3, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			l := row.till.open(t)
			l.place(t.Context(), row.n)
			refunds := 0
			for _, p := range l.accepted {
				if p.of == "ord" {
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
	l := (&till{bottles: 3}).open(t)
	l.sendBack(ctx, "ord", sentBack/4)
	if l.unknown != asked || len(l.refused) != 0 {
		t.Errorf("got %d unknown, refused %v; want %d and none", l.unknown, l.refused, asked)
	}
}

// TestHistoryKnowsWhatWasRegretted reads a refund, and an order whose cancel came too late.
func TestHistoryKnowsWhatWasRegretted(t *testing.T) {
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
	taken := map[string]placed{"ord": {called: true, taken: true}}
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
	if l := h.orders["ord"]; len(l.changes) != 1 || l.of != "" || l.kept {
		t.Errorf("got %+v, want an answer to be no change", l)
	}
	l := h.orders["ord-refund-1"]
	if got, want := fmt.Sprint(l.of, l.numbers, l.total, l.kept), "ord[CRN-1 CRN-2] 0.07 true"; got != want || h.err != nil {
		t.Errorf("got %s, %v; want %s", got, h.err, want)
	}
}
