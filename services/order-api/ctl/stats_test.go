package ctl

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"example.com/orders/services/order-api/client/system"
)

func sampleStats() system.Stats {
	at := time.Date(2026, 9, 29, 6, 41, 20, 0, time.UTC)
	since, probe := at.Add(-34*time.Second), at.Add(2*time.Second)
	return system.Stats{
		At: at, InFlight: 37, Slots: 128, Unowned: 1, Blocked: 1,
		Promise: system.Promise{LimitSeconds: 900, OldestAgeSeconds: new(0.8), OldestKnown: true},
		Rates:   &system.Rates{Placed: 21.4, Confirmed: 24.1}, Latency: &system.Latency{Orders: 9, P50: 0.016, P95: 0.074, P99: 0.21, Steps: []system.StepLatency{{Step: "email", Orders: 9, P50: 0.006, P95: 0.022, P99: 0.084}}},
		Kafka:  &system.Kafka{Up: 2, Brokers: 3},
		Orders: &system.Orders{Accepted: 2, Retrying: 2, Waiting: 5, Dead: 7}, DeadLetters: &system.DeadLetters{Open: 7, Uncertain: 1},
		Dependencies: []system.Dependency{{Name: "mail server", State: "open", Since: &since, NextProbe: &probe, Reason: "mail-away", Down: 1, Workers: 2}},
		Workers: []system.Worker{{
			ID: "wrk_4kq2mxjzvt5rw3nd6hgyc7bpea", Host: "vm\x1b[2J-1", PID: 6527, Version: "1.8.1", State: "live", LeaseSeconds: 6, InFlight: 9, Partitions: []int32{0, 1},
		}},
		Partitions: []system.Partition{
			{Number: 0, Owner: new("wrk_4kq2mxjzvt5rw3nd6hgyc7bpea"), State: new("running")},
			{Number: 1, Owner: new("wrk_4kq2mxjzvt5rw3nd6hgyc7bpea"), State: new("blocked")},
			{Number: 2},
		},
		Jobs:    []system.Job{{ID: "job_7", Kind: "replay", State: "running", Total: 1284, Done: 412}},
		Changes: []system.Change{{At: at, Kind: "partitions-moved", Worker: "wrk_4kq2mxjzvt5rw3nd6hgyc7bpea", Partitions: []int32{0, 1}}},
	}
}

func TestStatsSayThatKafkaDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := sampleStats()
	s.Kafka = nil
	if got := strings.Join(statsLines(s), "\n"); !strings.Contains(got, "\nkafka       does not answer: ") {
		t.Errorf("got %s", got)
	}
}

func TestStatsDoNotSayThatNoOrderWaitsWhenThatIsNotKnown(t *testing.T) {
	t.Parallel()
	for known, want := range map[bool]string{false: "the age of the oldest order that is not begun is not known; the limit is 15m0s", true: "no order waits to be begun; the limit is 15m0s"} {
		if got := promiseText(system.Promise{LimitSeconds: 900, OldestKnown: known}); got != want {
			t.Errorf("known %t: got %q, want %q", known, got, want)
		}
	}
}

func TestStatsSayWhatIsNotKnownWhileKafkaDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := sampleStats()
	s.Kafka, s.Rates, s.Workers, s.Orders = nil, nil, nil, nil
	lines := statsLines(s)
	for _, want := range []string{
		"rates       not known", "orders      in flight not known; orders, dead letters and replay jobs are not known: the read model cannot be used now",
		"partitions  3, owners not known", "kafka       does not answer",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("got %q, want a line %q", lines, want)
		}
	}
}

func TestStatsFitTheTerminal(t *testing.T) {
	t.Parallel()
	const want = `promise     the oldest order that is not begun is 800ms old; the limit is 15m0s
rates       21.4 placed, 24.1 confirmed a second
latency     placed to mailed: 50% within 16ms, 95% 74ms, 99% 210ms
latency     email: 50% within 6ms, 95% 22ms, 99% 84ms
orders      37 of 128 in flight, 2 not begun, 2 retrying, 5 waiting, 7 dead; dead letters 7 open, 1 uncertain
partitions  3, 1 without an owner, 1 blocked
kafka       2 of 3 brokers are up
dependency  mail server: circuit breaker open for 34s in 1 of 2 workers: mail-away, next probe in 2s
worker      wrk_4kq2mx  vm�[2J-1/6527 1.8.1  live, 9 in flight, lease 6.0 s, partitions 0, 1 blocked
job         job_7  replay running, 412 of 1284
change      2026-09-29T06:41:20Z partitions-moved wrk_4kq2mx 0, 1
`
	for _, columns := range []int{0, 40} {
		var out bytes.Buffer
		p := &printer{out: &out, columns: columns}
		if err := p.stats(sampleStats()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.String()); columns == 0 && diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		for line := range strings.Lines(out.String()) {
			if w := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); columns > 0 && w > columns {
				t.Errorf("got a line of %d columns, want at most %d: %s", w, columns, line)
			}
		}
	}
}
