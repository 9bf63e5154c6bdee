package httpapi_test

import (
	"testing"
	"time"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func TestAcceptedOrderCanBeCancelled(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *shop) {
		state := s.place(t, wanted())
		id := string(state.Order.ID)
		for range 2 { // the second is harmless
			if got, err := s.client.Cancel(t.Context(), id, ""); err != nil || got.ID != id || got.Status != "accepted" {
				t.Errorf("got %+v, %v; want the order as it stands", got, err)
			}
		}
		asked := s.Records(t, s.Topics.Replay)
		if len(asked) != 2 {
			t.Fatalf("got %d records, want 2", len(asked))
		}
		for _, r := range asked {
			got, err := wire.ReadCancelRequest(r)
			if err != nil || got.Order != state.Order.ID || got.Origin.String() != state.Origin.String() {
				t.Errorf("got cancel of %s at %s, %v; want %s at %s", got.Order, got.Origin, err, state.Order.ID, state.Origin)
			}
		}

		s.advance(t, &state, order.Change{Status: order.Cancelled})
		if got, err := s.client.Cancel(t.Context(), id, ""); err != nil || got.Status != "cancelled" {
			t.Errorf("of a cancelled order: got %s, %v; want it as it stands", got.Status, err)
		}
		if got := len(s.Records(t, s.Topics.Replay)); got != 2 {
			t.Errorf("got %d records, want none of an order that is cancelled", got)
		}
	})
}

func TestBegunOrderCannotBeCancelled(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, status := range []order.Status{order.Working, order.Mailing, order.Retrying, order.Waiting, order.Confirmed, order.Dead} {
		state := s.place(t, wanted())
		if status.Parked() || status == order.Dead {
			state.Progress.Invoice = &order.Invoice{Number: "INV-1", Kept: &order.Kept{}}
		}
		s.advance(t, &state, order.Change{Status: status})
		_, err := s.client.Cancel(t.Context(), string(state.Order.ID), "")
		isProblem(t, string(status), err, 409, "order-begun")
	}
	if got := len(s.Records(t, s.Topics.Replay)); got != 0 {
		t.Errorf("got %d records, want none", got)
	}
}

func TestParkedOrDeadOrderWithoutAnInvoiceCanBeCancelled(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *shop) {
		net := order.EUR.Cents(100)
		announced := order.Progress{Invoice: &order.Invoice{Number: "INV-1", IssuedAt: time.Now().UTC(), Net: net, Tax: net, Total: net, Announced: 7}}
		for _, row := range []struct {
			status   order.Status
			progress order.Progress
		}{{order.Dead, order.Progress{}}, {order.Dead, announced}, {order.Retrying, announced}, {order.Waiting, order.Progress{}}} {
			state := s.place(t, wanted())
			state.Progress = row.progress
			s.advance(t, &state, order.Change{Status: row.status})
			id := string(state.Order.ID)
			if got, err := s.client.Cancel(t.Context(), id, ""); err != nil || got.Status != string(row.status) {
				t.Errorf("got %+v, %v; want the order as it stands", got, err)
			}
			s.advance(t, &state, order.Change{Status: order.Cancelled})
			if got, err := s.client.Cancel(t.Context(), id, ""); err != nil || got.Status != "cancelled" {
				t.Errorf("of a cancelled order: got %s, %v; want it as it stands", got.Status, err)
			}
		}
		if got := len(s.Records(t, s.Topics.Replay)); got != 4 {
			t.Errorf("got %d requests, want one for each order", got)
		}
	})
}
