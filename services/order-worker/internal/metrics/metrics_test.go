package metrics_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/order"
)

// scrape is what Prometheus reads, without what it says about the process and Go.
func scrape(t *testing.T, m *metrics.Meter) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("got %d, want 200: %s", w.Code, w.Body)
	}
	var ours []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, "orders_worker_") {
			ours = append(ours, line)
		}
	}
	return strings.Join(ours, "")
}

func TestScrapeTellsWhatWasCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := metrics.New()
		placed := time.Now()
		m.Watch(64, func() []metrics.Partition {
			return []metrics.Partition{
				{Number: 7, State: "blocked", Reason: "claimed", InFlight: 2, Queued: 1, Oldest: time.Since(placed)},
				{Number: 8, State: "blocked", Reason: "unreadable", Queued: 2, Unreadable: &metrics.Batch{Topic: "orders", Offset: 11}},
			}
		}, "mail server", func() string { return "half-open" })
		m.Partition("blocked")
		time.Sleep(1500 * time.Millisecond)
		m.Ended(order.Confirmed)
		m.Mailed(placed)
		m.Mailed(placed.Add(time.Hour)) // by a clock that is ahead
		m.Ended(metrics.Duplicate)
		m.Step(order.StepEmail, time.Second, failure.New(failure.Down, failure.MailAway, errors.New("zoe@example.com is away")))
		m.Step(order.StepShipping, time.Millisecond, nil)
		m.Step(order.StepShipping, time.Millisecond, errors.New("who knows"))
		m.Uncertain()
		m.Stale()
		m.Lost(7)
		m.Refused()
		m.Restored(300 * time.Millisecond)
		m.Owns(4)

		got := scrape(t, m)
		golden.Compare(t, "testdata/scrape.golden", got)
	})
}

func TestMetersOfOneProcessAreApart(t *testing.T) {
	t.Parallel()
	a, b := metrics.New(), metrics.New()
	a.Lost(1)
	if got := scrape(t, b); !strings.Contains(got, "\norders_worker_lost_records_total 0\n") {
		t.Errorf("got what the other worker has lost:\n%s", got)
	}
}
