package httpapi_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
)

// TestSecondsWithoutARealKafka is the outage of TestAMinuteWithoutKafka in real time, so it is
// shorter, and how long an answer takes is left to the bubble.
func TestSecondsWithoutARealKafka(t *testing.T) {
	t.Parallel()
	outage(t, setupOn(t, kafkatest.Real(t)), 15*time.Second, time.Hour)
}

// outage disconnects Kafka for a while, places orders meanwhile, of which each is answered within a time, and connects it again.
func outage(t *testing.T, s *shop, d, within time.Duration) {
	t.Helper()
	state := s.place(t, wanted())
	stream := s.send(t, s.http, "GET", "/v1/orders/"+string(state.Order.ID)+"/events", "")
	changes := make(chan string)
	go func() { changes <- text(t, stream) }() // received below
	back := s.Away()
	unknown := s.insist(t, state.Order.ID, d, within)
	if resp := s.send(t, s.http, "GET", "/healthz/ready", ""); d > view.MaxAge && resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("ready: got %s, want 503", resp.Status)
	}
	back()
	heard := len(s.Records(t, s.Topics.Orders))

	answered := map[string]bool{string(state.Order.ID): true}
	again := 0
	for key, id := range unknown {
		if key == "" {
			answered[id] = true
			continue
		}
		o, err := s.client.Place(t.Context(), wanted(), key, 0)
		if err != nil || o.ID != id {
			t.Errorf("placed again with its key: got %s, %v; want order %s", o.ID, err, id)
		}
		answered[id] = true
		again++
	}
	o, err := s.client.Place(t.Context(), wanted(), "", 0)
	must(t, err)
	answered[o.ID] = true
	s.advance(t, &state, order.Change{Status: order.Confirmed})
	if all := withPrefix(<-changes, "id:"); len(all) != 2 {
		t.Errorf("stream: got %v, want it to stay and tell of both changes", all)
	}
	records := s.Records(t, s.Topics.Orders)
	for _, r := range records {
		if !answered[string(r.Key)] {
			t.Errorf("order %s stands in the topic, and its customer was told that it does not", r.Key)
		}
	}
	if late := len(records) - heard - 1; late > again {
		t.Errorf("got %d records that were written after the outage, want at most the %d that were placed again", late, again)
	}
}

// insist places orders for a while, each of which is answered within a time, and reads one that is placed. It returns the
// IDs of those whose outcome is unknown, by their keys.
func (s *shop) insist(t *testing.T, known order.ID, d, within time.Duration) (unknown map[string]string) {
	t.Helper()
	unknown = map[string]string{}
	untaken := 0
	for n, begun := 0, time.Now(); time.Since(begun) < d; n++ {
		key := strings.Repeat("k", n) // the first without one
		var err error
		if d := took(func() { _, err = s.client.Place(t.Context(), wanted(), key, 0) }); d > within {
			t.Errorf("placing: took %v, want at most %v", d, within)
		}
		p, _ := errors.AsType[*client.Problem](err)
		switch {
		case p != nil && p.Status == http.StatusServiceUnavailable:
			untaken++
		case p != nil && p.Status == http.StatusGatewayTimeout:
			unknown[key] = p.Order
		default:
			t.Errorf("placing: got %v, want problem 503 or 504", err)
		}
		if _, err := s.client.Order(t.Context(), string(known)); err != nil {
			t.Errorf("order: got %v, want it as it was", err)
		}
	}
	// After the first orders have found the connections closed, nothing is sent.
	if untaken == 0 || len(unknown) > 2 {
		t.Errorf("got %d orders with unknown outcome and %d not placed, want few and many", len(unknown), untaken)
	}
	return unknown
}

// took measures a call.
func took(call func()) time.Duration {
	begun := time.Now()
	call()
	return time.Since(begun)
}
