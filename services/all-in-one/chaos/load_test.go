package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shop is an API that gives each request the answer of the test, and records the keys of orders.
type shop struct {
	*httptest.Server
	mu   sync.Mutex
	keys []string
}

func open(t *testing.T, answer func(n int) int) *shop {
	t.Helper()
	s := &shop{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		if r.URL.Path == "/v1/orders" {
			s.keys = append(s.keys, r.Header.Get("Idempotency-Key"))
		}
		code := answer(len(s.keys))
		s.mu.Unlock()
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"id": "ord_%s", "title": "no"}`, r.Header.Get("Idempotency-Key"))
	}))
	t.Cleanup(s.Close)
	return s
}

func always(code int) func(int) int { return func(int) int { return code } }

func TestRequestWithoutAnswerIsRepeatedAtTheOtherInstance(t *testing.T) {
	t.Parallel()
	down, up := open(t, always(http.StatusGatewayTimeout)), open(t, always(http.StatusAccepted))
	l := newLoad(7, []string{down.URL, up.URL})
	l.place(t.Context(), 0)
	if diff := cmp.Diff([]string{"chaos-7-0"}, down.keys); diff != "" {
		t.Errorf("keys at the first (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(down.keys, up.keys); diff != "" {
		t.Errorf("keys at the second (-first +second):\n%s", diff)
	}
	if p, ok := l.accepted["ord_chaos-7-0"]; !ok || p.undeliverable || l.repeated != 1 || l.unknown != 0 {
		t.Errorf("got %v accepted, %d repeated, %d unknown; want one after a repeat", l.accepted, l.repeated, l.unknown)
	}
}

func TestRefusalIsNotRepeated(t *testing.T) {
	t.Parallel()
	s := open(t, always(http.StatusUnprocessableEntity))
	l := newLoad(7, []string{s.URL})
	l.place(t.Context(), 0)
	if len(l.refused) != 1 || len(s.keys) != 1 || len(l.accepted) != 0 {
		t.Errorf("got %v after %d requests, want one refusal", l.refused, len(s.keys))
	}
}

func TestBackpressureIsRetried(t *testing.T) {
	t.Parallel()
	s := open(t, func(n int) int {
		return map[bool]int{true: http.StatusTooManyRequests, false: http.StatusAccepted}[n == 1]
	})
	l := newLoad(7, []string{s.URL})
	l.place(t.Context(), undeliverableEvery-1)
	if p := l.accepted[fmt.Sprint("ord_chaos-7-", undeliverableEvery-1)]; !p.undeliverable || len(l.refused) != 0 {
		t.Errorf("got %v, refused %v; want an order without a route", l.accepted, l.refused)
	}
}

func TestOrderWithoutAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := open(t, func(int) int { cancel(); return http.StatusServiceUnavailable })
	l := newLoad(7, []string{s.URL})
	l.place(ctx, 0)
	if l.unknown != 1 || len(l.accepted) != 0 {
		t.Errorf("got %d unknown, %v accepted; want one unknown", l.unknown, l.accepted)
	}
}

func TestLoadIsSteadyAndWaitsForAnswers(t *testing.T) {
	t.Parallel()
	placing, enough := context.WithCancel(t.Context())
	s := open(t, func(n int) int {
		if n == 20 {
			enough()
		}
		return http.StatusAccepted
	})
	l := newLoad(7, []string{s.URL})
	l.run(t.Context(), placing, 1000)
	maps.DeleteFunc(l.accepted, func(_ string, p placed) bool { return p.refundOf != "" })
	if len(l.accepted) != len(s.keys) || len(s.keys) < 20 {
		t.Errorf("got %d accepted of %d placed, want all of at least 20", len(l.accepted), len(s.keys))
	}
}
