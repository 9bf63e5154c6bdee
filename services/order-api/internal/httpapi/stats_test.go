//go:build synctests

package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-api/client/system"
	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/wire"
)

// follow runs the statistics until the test ends.
func (s *shop) follow(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.stats.Run(ctx) }() // ends with cancel
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
	})
}

func (s *shop) tell(t *testing.T, inFlight int) {
	t.Helper()
	w := wire.Worker{ID: "wrk_a", Host: "<b>vm</b>", Version: "1", Started: time.Now(), At: time.Now(), Slots: 64, InFlight: inFlight}
	w.Partitions = []wire.WorkerPartition{{Number: 1, State: "blocked", Reason: "lost", InFlight: inFlight}}
	w.Dependencies = []wire.Dependency{{Name: "mail server", State: "open", Since: time.Now(), Probe: time.Now(), Reason: "mail-away"}}
	s.put(t, s.Topics.Workers, wire.WorkersPartition, w.Record())
}

func TestStatsShowTheSystem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.follow(t)
		if got, err := s.client.Stats(t.Context()); err != nil || len(got.Workers) != 0 || got.Unowned != len(got.Partitions) || got.Latency != nil {
			t.Errorf("got %+v, %v; want a system without workers", got, err)
		}
		s.place(t, wanted())
		kafkatest.Pass(time.Second)
		s.tell(t, 3)
		kafkatest.Pass(6 * time.Second)
		got, err := s.client.Stats(t.Context()) // checked against the contract
		must(t, err)
		if got.InFlight != 3 || got.Blocked != 1 || got.Orders.Accepted != 1 || got.Promise.OldestAgeSeconds == nil || len(got.Points) == 0 || got.Workers[0].Host != "<b>vm</b>" {
			t.Errorf("got %+v, want one order that is not begun, and a worker with a blocked partition", got)
		}
	})
}

func TestStatsStreamIsSlowAndKeepsTheNewest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.follow(t)
		kafkatest.Pass(2 * time.Second)
		stream := s.send(t, s.http, "GET", "/v1/stats/events", "")
		defer stream.Body.Close()
		lines := bufio.NewScanner(stream.Body)
		lines.Buffer(nil, 1<<20)
		next := func() (event system.Stats) {
			t.Helper()
			for lines.Scan() {
				if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
					must(t, json.Unmarshal([]byte(data), &event))
					return event
				}
			}
			t.Fatalf("got the end of the stream: %v", lines.Err())
			return event
		}
		first := next()
		for n := range 5 { // nothing is read meanwhile
			s.tell(t, n+1)
			kafkatest.Pass(time.Second)
		}
		second := next() // perhaps the one that waited in the connection
		if second.InFlight == 0 || second.Rev-first.Rev < 900 {
			t.Errorf("got %d in flight %d ms after the first event, want a change a second later", second.InFlight, second.Rev-first.Rev)
		}
		if third := next(); third.InFlight != 5 || third.Rev-second.Rev < 900 || len(third.Points) > 1 {
			t.Errorf("got %d in flight %d ms later with %d points, want the newest state, with new points only", third.InFlight, third.Rev-second.Rev, len(third.Points))
		}
		again := s.send(t, s.http, "GET", "/v1/stats/events", "", "Last-Event-ID", "4000000000000")
		defer again.Body.Close()
		head := make([]byte, 4)
		if _, err := again.Body.Read(head); err != nil || string(head) != "id: " {
			t.Errorf("after an event of a clock that is ahead: got %q, %v; want an event", head, err)
		}
		if got := s.send(t, s.http, "GET", "/v1/stats/events", "", "Last-Event-ID", "x"); got.StatusCode != http.StatusBadRequest {
			t.Errorf("got %s for a wrong Last-Event-ID, want 400", got.Status)
		}
	})
}

func TestStatsStreamsCountAgainstTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(c *httpapi.Config) { c.Limits.Streams = 2 })
		s.follow(t)
		one := s.send(t, s.http, "GET", "/v1/stats/events", "")
		defer one.Body.Close()
		two := s.send(t, s.http, "GET", "/v1/stats/events", "")
		defer two.Body.Close()
		if one.StatusCode != http.StatusOK || two.StatusCode != http.StatusTooManyRequests {
			t.Errorf("got %s and %s, want one stream of this principal", one.Status, two.Status)
		}
	})
}
