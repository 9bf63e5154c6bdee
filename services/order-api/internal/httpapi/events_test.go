package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/order"
)

func TestStreamSendsEachChangeOnceAndEnds(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, wanted())
	path := "/v1/orders/" + string(state.Order.ID) + "/events"
	stream := s.send(t, s.http, "GET", path, "")
	if got := stream.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("got type %q, want text/event-stream", got)
	}
	// Without this header nginx buffers responses.
	if got := stream.Header.Get("X-Accel-Buffering"); got != "no" {
		t.Errorf("got X-Accel-Buffering %q, want no", got)
	}
	s.work(t, &state)
	s.advance(t, &state, order.Change{Status: order.Confirmed})
	all := text(t, stream) // ends with the stream
	want := []string{"id: 0", "id: 1", "id: 2", "id: 3"}
	if diff := cmp.Diff(want, withPrefix(all, "id: ")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	last := `data: {"rev":3,"at":"` + state.Timeline[3].At.Format("2006-01-02T15:04:05.999Z07:00") + `","status":"confirmed"}`
	if data := withPrefix(all, "data: "); data[3] != last {
		t.Errorf("got last event %s, want %s", data[3], last)
	}
	rest := s.send(t, s.http, "GET", path, "", "Last-Event-ID", "1")
	if diff := cmp.Diff(want[2:], withPrefix(text(t, rest), "id: ")); diff != "" {
		t.Errorf("resumed after 1 (-want +got):\n%s", diff)
	}
	if got := s.send(t, s.http, "GET", path, "", "Last-Event-ID", "3"); got.StatusCode != http.StatusNoContent {
		t.Errorf("resumed after the last: got %s, want 204", got.Status)
	}
}

func withPrefix(text, prefix string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

func TestWatchContinuesAfterADeadOrderAndALostConnection(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, wanted())
	var got []string
	for change, err := range s.client.Watch(t.Context(), string(state.Order.ID), -1) {
		must(t, err)
		got = append(got, change.Status)
		switch change.Status {
		case "accepted":
			s.failDead(t, &state)
		case "dead":
			s.drop()
			s.advance(t, &state, order.Change{Status: order.Working, Replay: 1})
			s.advance(t, &state, order.Change{Status: order.Confirmed, Replay: 1})
		}
	}
	if diff := cmp.Diff([]string{"accepted", "dead", "working", "confirmed"}, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestStoppingEndsTheStream(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, wanted())
	stream := s.send(t, s.http, "GET", "/v1/orders/"+string(state.Order.ID)+"/events", "")
	s.stop()
	if diff := cmp.Diff([]string{"id: 0"}, withPrefix(text(t, stream), "id: ")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
