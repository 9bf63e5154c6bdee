package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

func TestRepeatReturnsTheCurrentState(t *testing.T) {
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

// TestReadersSeeConsistentStates reads an order concurrently while it changes.
func TestReadersSeeConsistentStates(t *testing.T) {
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
		s.advance(t, &state, order.Change{Status: order.Waiting})
	}
	close(stop)
	readers.Wait()
}

func TestDeletedInvoiceIsGone(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *shop) {
		state := s.place(t, wanted())
		s.work(t, &state)
		s.purge(t, s.Topics.Invoices, state.Origin.Partition)
		for _, document := range []string{"invoice.pdf", "invoice.xml"} {
			resp := s.send(t, s.http, "GET", "/v1/orders/"+string(state.Order.ID)+"/"+document, "")
			if got := text(t, resp); resp.StatusCode != http.StatusGone || !strings.Contains(got, "/problems/invoice-gone") || strings.Contains(got, "offset") {
				t.Errorf("%s: got %s %s, want 410 invoice-gone", document, resp.Status, got)
			}
		}
	})
}

// purge deletes all records of a partition.
func (s *shop) purge(t *testing.T, topic string, partition int32) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(topic, partition, -1, -1)
	answer, err := kadm.NewClient(s.Client).DeleteRecords(t.Context(), offsets)
	must(t, err)
	must(t, answer.Error())
}

func TestDeletedDeadLetterIsLost(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *shop) {
		state := s.place(t, wanted())
		id := s.failDead(t, &state)
		s.purge(t, s.Topics.DLQ, state.Origin.Partition)
		l, err := s.client.DeadLetter(t.Context(), id)
		if err != nil || l.State != "lost" || l.Record != nil || l.Order != string(state.Order.ID) || l.Edit == nil || len(l.History.Failures) != 1 {
			t.Errorf("got %+v, %v; want all but the record", l, err)
		}
		number, err := s.client.Replay(t.Context(), id, "")
		if err != nil || number != 1 {
			t.Errorf("replay: got %d, %v; want 1, of the order as it stands", number, err)
		}
	})
}
