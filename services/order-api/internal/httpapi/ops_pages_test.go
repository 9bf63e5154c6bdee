//go:build synctests

package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/shared/kafkatest"
)

func TestOperationsAreForThoseWhoMayReadStatistics(t *testing.T) {
	t.Parallel()
	s := setup(t, withPages(t), func(c *httpapi.Config) { c.Auth, c.Guests = people(), true })
	for auth, want := range map[string]int{"": 401, "Bearer customer": 403, "Bearer viewer": 200, "Bearer operator": 200} {
		b := s.reader(t, auth)
		status, body, _ := b.get("/ops")
		if status != want || strings.Contains(body, `id="now"`) != (want == 200) {
			t.Errorf("%q: got %d, want %d, and the figures only with 200", auth, status, want)
		}
		events := s.send(t, s.raw, http.MethodHead, "/ops/events", "", "Authorization", auth, "Accept", "text/event-stream")
		if events.StatusCode != want {
			t.Errorf("%q: got %d for the events, want %d", auth, events.StatusCode, want)
		}
		if auth == "" {
			continue
		}
		if _, shop, _ := b.get("/"); strings.Contains(shop, `href="/ops"`) != (want == 200) {
			t.Errorf("%q: the places show operations, or lack them", auth)
		}
	}
}

// TestOperationsStreamWhatHasChanged: a worker that starts a partition is sent as a part of the page, at
// most once a second; without a change there are heartbeats.
func TestOperationsStreamWhatHasChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		s.follow(t)
		kafkatest.Pass(2 * time.Second)
		next := s.events(t, "/ops/events")
		if first := next("cells"); !strings.Contains(first, `id="map"`) || !strings.Contains(first, "No worker is running") || !strings.HasPrefix(first, "id: ") {
			t.Errorf("at first: got %.300q, want the whole page", first)
		}
		s.tell(t, 3)
		second := next("cells")
		if !strings.Contains(second, `id="w-wrk_a"`) || !strings.Contains(second, "Partition 1 is blocked: <bdi>lost</bdi>") || !strings.Contains(second, "&lt;b&gt;vm&lt;/b&gt;") || strings.Contains(second, `id="topics"`) && strings.Contains(second, `id="latency"`) {
			t.Errorf("a worker: got %.300q, want what has changed, as text", second)
		}
		began := time.Now()
		next("beat")
		if waited := time.Since(began); waited > 16*time.Second {
			t.Errorf("got a heartbeat after %v, want one every 15s", waited)
		}
		if got := s.send(t, s.raw, http.MethodGet, "/ops/events", "", "Last-Event-ID", "x"); got.StatusCode != http.StatusBadRequest {
			t.Errorf("got %s for a wrong Last-Event-ID, want 400", got.Status)
		}
	})
}
