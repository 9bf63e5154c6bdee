//go:build synctests

package worker_test

import (
	"bufio"
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/embedded/inbox"
)

// ends observes each line that a worker logs when it is done with an order. They are logged after what the meter is told.
type ends chan struct{}

// Write looks at one line, as handlers write them.
func (e ends) Write(line []byte) (int, error) {
	for _, said := range []string{`"order finished"`, `"order parked"`, `"record dead-lettered"`} {
		if bytes.Contains(line, []byte(said)) {
			e <- struct{}{}
		}
	}
	return len(line), nil
}

func (e ends) await(n int) {
	for range n {
		<-e
	}
}

// counters are what a scrape says, without buckets, sums and what is not ours.
func counters(probes http.Handler) map[string]string {
	answer := httptest.NewRecorder()
	probes.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil))
	all := map[string]string{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		end := max(0, strings.LastIndex(lines.Text(), " ")) // values of labels have spaces, too
		name, value := lines.Text()[:end], lines.Text()[end:]
		if rest, ours := strings.CutPrefix(name, "orders_worker_"); ours && !strings.Contains(rest, "_bucket") && !strings.Contains(rest, "_sum") {
			all[rest] = strings.TrimSpace(value)
		}
	}
	return all
}

func TestScrapeAgreesWithWhatHappened(t *testing.T) {
	t.Parallel()
	synctest.Test(t, scrape)
}

func scrape(t *testing.T) {
	s, done := open(t), make(ends, 100)
	probes := make(chan http.Handler, 1)
	s.work(t, func(c *worker.Config) {
		c.Probes, c.Log = func(h http.Handler) { probes <- h }, slog.New(slog.NewTextHandler(done, nil))
	})
	all := orders(12)
	all[0].ShipTo.Country = "AQ" // where no carrier ships
	s.place(t, all[:3]...)
	s.Produce(t, s.record(1, all[1]))
	done.await(3)
	s.sendBack(t) // again to where no carrier ships
	done.await(1)
	s.mails.Behave(inbox.Behaviour{At: "RCPT", Code: 451, Times: 3})
	s.place(t, all[3])
	done.await(1)
	s.mails.Behave(inbox.Behaviour{At: ".", HangUp: true, Times: 1})
	s.place(t, all[4])
	done.await(1)
	s.Produce(t, s.record(1, all[10]), &kgo.Record{Topic: s.Topics.Orders, Key: []byte("ord_x"), Value: []byte("no order")})
	done.await(2)
	s.mails.Behave(inbox.Behaviour{Down: true})
	s.place(t, all[5:10]...)
	done.await(5)

	synctest.Wait()
	got := counters(<-probes)
	// How long they are in flight, and how many found out before the breaker was open, is a matter of moments.
	if down := got[`failures_total{class="down",reason="mail-away",step="email"}`]; down < "5" {
		t.Errorf("got %q failures for a server that is away, want 5 at least", down)
	}
	for _, name := range []string{"in_flight", "queued", "oldest_in_flight_seconds", `step_seconds_count{outcome="down",step="email"}`, `failures_total{class="down",reason="mail-away",step="email"}`} {
		if _, ok := got[name]; !ok {
			t.Errorf("got no %s", name)
		}
		delete(got, name)
	}
	want := map[string]string{
		`outcomes_total{outcome="confirmed"}`: "3", `outcomes_total{outcome="dead"}`: "3", `outcomes_total{outcome="duplicate"}`: "1",
		`outcomes_total{outcome="cancelled"}`: "0",
		`outcomes_total{outcome="retrying"}`:  "2", `outcomes_total{outcome="waiting"}`: "5", "placed_to_mailed_seconds_count": "3",
		`failures_total{class="permanent",reason="no-route",step="shipping"}`: "2",
		`failures_total{class="transient",reason="mail-busy",step="email"}`:   "3",
		`failures_total{class="transient",reason="uncertain",step="email"}`:   "1",
		"uncertain_total": "1", "stale_states_total": "0", "lost_records_total": "0", "refused_records_total": "0",
		"partitions": "3", "restore_seconds_count": "3",
		`partition_transitions_total{state="assigned"}`: "3", `partition_transitions_total{state="restoring"}`: "3", `partition_transitions_total{state="running"}`: "3",
		`partition_state{partition="0",reason="",state="running"}`: "1", `partition_state{partition="1",reason="",state="running"}`: "1",
		`partition_state{partition="2",reason="",state="running"}`: "1",
		`breaker_state{dependency="mail server",state="closed"}`:   "0", `breaker_state{dependency="mail server",state="half-open"}`: "0",
		`breaker_state{dependency="mail server",state="open"}`: "1", "slots": "32",
		`step_seconds_count{outcome="done",step="shipping"}`: "10", `step_seconds_count{outcome="permanent",step="shipping"}`: "2",
		`step_seconds_count{outcome="done",step="invoice"}`: "10",
		`step_seconds_count{outcome="done",step="email"}`:   "3", `step_seconds_count{outcome="transient",step="email"}`: "4",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}
