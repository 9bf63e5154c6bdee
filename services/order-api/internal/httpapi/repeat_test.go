package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

func TestRepeatAnswersTheOrderAsItIsByNow(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, wanted())
	s.work(t, &state)
	s.advance(t, &state, order.Change{Status: order.Confirmed})
	resp := s.again(t, state, "")
	var got client.Order
	must(t, json.Unmarshal([]byte(text(t, resp)), &got))
	if resp.StatusCode != http.StatusAccepted || got.ID != string(state.Order.ID) || got.Status != "confirmed" || got.Invoice == nil {
		t.Errorf("got %s with %+v, want 202 with the confirmed order", resp.Status, got)
	}
	if got := len(s.Records(t, s.Topics.Orders)); got != 1 {
		t.Errorf("got %d records in orders, want 1", got)
	}
}

// TestReadersSeeOnlyWholeStates asks for an order from many sides while it changes.
func TestReadersSeeOnlyWholeStates(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, wanted())
	id := string(state.Order.ID)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 16 {
		readers.Go(func() {
			for seen := int64(0); ; {
				o, err := s.client.Order(t.Context(), id)
				if err != nil || o.Rev < seen || int64(len(o.Timeline)) != o.Rev+1 {
					t.Errorf("got rev %d with %d changes after %d, %v; want a state of its own, and never an older one", o.Rev, len(o.Timeline), seen, err)
					return
				}
				seen = o.Rev
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for range 10 {
		s.advance(t, &state, order.Change{Status: order.Working})
	}
	close(stop)
	readers.Wait()
}

func TestProblemsSayNothingOfTheInside(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, wanted())
	state.Progress.Invoice = &order.Invoice{Number: "INV-1", Kept: &order.Kept{Offset: 99, SHA256: "none"}}
	s.advance(t, &state, order.Change{Status: order.Mailing})
	resp := s.send(t, s.http, "GET", "/v1/orders/"+string(state.Order.ID)+"/invoice.pdf", "")
	got := text(t, resp)
	if resp.StatusCode != http.StatusInternalServerError || strings.Contains(got, "offset") || strings.Contains(got, "detail") {
		t.Errorf("invoice that is lost: got %s %s, want 500 without details", resp.Status, got)
	}
}
