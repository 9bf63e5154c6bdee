package httpapi_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func TestDeadLetterIsShownAndReplayedOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *shop) {
		state := s.place(t, wanted())
		id := s.failDead(t, &state)
		r := wire.Order(state.Order)
		failed := state.Order.PlacedAt.Add(time.Minute)
		want := client.DeadLetter{
			ID: id, State: "open", Order: string(state.Order.ID), Step: "shipping", Class: "permanent", Reason: "no-route", Message: "no route to AQ",
			Attempts: 1, FirstFailed: failed, LastFailed: failed, Worker: "w", Partition: state.Origin.Partition, Topic: s.Topics.DLQ,
		}
		ignored := cmpopts.IgnoreFields(client.DeadLetter{}, "Cause", "Edit")
		list, next, err := s.client.DeadLetters(t.Context(), client.DeadLetterQuery{
			DeadLetterFilter: client.DeadLetterFilter{States: []string{"open"}, Step: "shipping", Reason: "no-route"},
		})
		if diff := cmp.Diff([]client.DeadLetter{want}, list, ignored); diff != "" || next != "" || err != nil {
			t.Errorf("list: next %q, %v (-want +got):\n%s", next, err, diff)
		}
		want.Record = &client.Record{Key: string(r.Key), Value: string(r.Value), Encoding: "utf-8"}
		for _, h := range r.Headers {
			want.Record.Headers = append(want.Record.Headers, client.Header{Name: h.Key, Value: string(h.Value), Encoding: "utf-8"})
		}
		want.History = &client.History{
			Failures: []client.Failure{{At: failed, Step: "shipping", Reason: "no-route", Message: "no route to AQ"}},
			Replays:  []client.Replay{}, Edits: []client.Edit{}, Notes: []client.Note{},
		}
		want.NextReplay = &client.NextReplay{Step: "shipping", Mail: "certain", Documents: []string{"invoice"}}
		got, err := s.client.DeadLetter(t.Context(), id)
		if diff := cmp.Diff(want, got, ignored); diff != "" || err != nil || got.Cause == "" || got.Edit == nil {
			t.Errorf("dead letter: %v (-want +got):\n%s", err, diff)
		}
		o, err := s.client.Order(t.Context(), string(state.Order.ID))
		if diff := cmp.Diff(&client.DeadLetterRef{ID: id, Step: "shipping", Reason: "no-route"}, o.DeadLetter); diff != "" || err != nil {
			t.Errorf("dead letter of the order: %v (-want +got):\n%s", err, diff)
		}

		if number, err := s.client.Replay(t.Context(), id, ""); err != nil || number != 1 {
			t.Errorf("replay: got %d, %v; want 1", number, err)
		}
		s.advance(t, &state, order.Change{Status: order.Working, Replay: 1})
		_, err = s.client.Replay(t.Context(), id, "")
		isProblem(t, "replay of a dead letter in work", err, 409, "dead-letter-closed")
		if got := len(s.Records(t, s.Topics.Replay)); got != 1 {
			t.Errorf("got %d replays in the topic, want 1", got)
		}
		o, err = s.client.Order(t.Context(), string(state.Order.ID))
		if err != nil || o.DeadLetter != nil || o.Timeline[len(o.Timeline)-1].Replay != 1 {
			t.Errorf("order in work again: got %+v, %v; want no dead letter, and the replay in the timeline", o, err)
		}
	})
}

func TestDeadLetterOfBytesIsShownInBase64(t *testing.T) {
	t.Parallel()
	s := setup(t)
	l := dlq.DeadLetter{Source: wire.Source{Key: []byte("k"), Value: []byte{0xff}, Origin: order.Origin{Partition: 1, Offset: 7}}, Topic: s.Topics.Orders, Reason: failure.Undecodable}
	s.put(t, s.Topics.DLQ, 1, l.Record())
	s.place(t, wanted()) // the view reads one broker: what came before this is there
	got, err := s.client.DeadLetter(t.Context(), "1-7")
	want := &client.Record{Key: "aw==", Value: "/w==", Encoding: "base64"}
	if diff := cmp.Diff(want, got.Record); diff != "" || err != nil || got.Order != "" || got.State != "open" {
		t.Errorf("got %+v, %v (-want +got):\n%s", got, err, diff)
	}
}
