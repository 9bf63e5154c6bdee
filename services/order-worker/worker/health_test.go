package worker

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orders/services/order-worker/internal/group"
	"example.com/orders/services/order-worker/internal/partition"
	"example.com/orders/shared/config"
)

func TestReadinessShowsTheStateOfEachPartition(t *testing.T) {
	t.Parallel()
	claimed := errors.New("claimed")
	running, blocked := partition.Status{Number: 1, State: partition.Running}, partition.Status{Number: 2, State: partition.Blocked, Blocked: claimed}
	restoring := partition.Status{Number: 3, State: partition.Restoring}
	const one, two = `{"partition":1,"state":"running","in_flight":0}`, `{"partition":2,"state":"blocked","in_flight":0,"reason":"claimed"}`
	const three = `{"partition":3,"state":"restoring","in_flight":0}`
	for _, row := range []struct {
		name       string
		ready      bool
		partitions []partition.Status
		blocked    error
		code       int
		body       string
	}{
		{"not in the group yet", false, nil, nil, 503, `{"partitions":[]}`},
		{"a spare worker", true, nil, nil, 200, `{"partitions":[]}`},
		{"at work", true, []partition.Status{running}, nil, 200, `{"partitions":[` + one + `]}`},
		{"one is restored", true, []partition.Status{restoring}, nil, 200, `{"partitions":[` + three + `]}`},
		{"one is blocked", true, []partition.Status{running, blocked}, nil, 200, `{"partitions":[` + one + `,` + two + `]}`},
		{"all are blocked", true, []partition.Status{blocked}, nil, 503, `{"partitions":[` + two + `]}`},
		{"all are blocked but one that is restored", true, []partition.Status{blocked, restoring}, nil, 503, `{"partitions":[` + two + `,` + three + `]}`},
		{"the whole worker is blocked", true, nil, errors.New("partitions added"), 503, `{"partitions":[],"reason":"partitions added"}`},
	} {
		var ready atomic.Bool
		ready.Store(row.ready)
		w := httptest.NewRecorder()
		able(&ready, func() []partition.Status { return row.partitions }, func() error { return row.blocked })(w, httptest.NewRequest("GET", "/healthz/ready", nil))
		if w.Code != row.code || w.Body.String() != row.body+"\n" {
			t.Errorf("%s: got %d %s, want %d %s", row.name, w.Code, w.Body, row.code, row.body)
		}
	}
}

func TestAStuckOrderFailsLivenessAndABlockedPartitionDoesNot(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name       string
		partitions []partition.Status
		code       int
		body       string
	}{
		{"nothing owned", nil, 200, `{"partitions":[]}`},
		{
			"at work",
			[]partition.Status{{Number: 3, State: partition.Running, InFlight: 1, Oldest: stuck}},
			200,
			`{"partitions":[{"partition":3,"state":"running","in_flight":1,"oldest":"5m0s"}]}`,
		},
		{
			"stuck",
			[]partition.Status{{Number: 2, State: partition.Running}, {Number: 3, State: partition.Running, InFlight: 2, Oldest: stuck + time.Second}},
			503,
			`{"partitions":[{"partition":2,"state":"running","in_flight":0},{"partition":3,"state":"running","in_flight":2,"oldest":"5m1s"}]}`,
		},
		{
			"blocked",
			[]partition.Status{{Number: 1, State: partition.Blocked, Blocked: errors.New("lost")}},
			200,
			`{"partitions":[{"partition":1,"state":"blocked","in_flight":0,"reason":"lost"}]}`,
		},
		{
			"draining",
			[]partition.Status{{Number: 1, State: partition.Draining, InFlight: 1, Oldest: time.Second, Reason: errors.New("revoked")}},
			200,
			`{"partitions":[{"partition":1,"state":"draining","in_flight":1,"oldest":"1s","reason":"revoked"}]}`,
		},
	} {
		w := httptest.NewRecorder()
		live(func() []partition.Status { return row.partitions })(w, httptest.NewRequest("GET", "/healthz/live", nil))
		if w.Code != row.code || w.Body.String() != row.body+"\n" {
			t.Errorf("%s: got %d %s, want %d %s", row.name, w.Code, w.Body, row.code, row.body)
		}
	}
}

func TestProbesAndMetricsAreForThisHostOnly(t *testing.T) {
	t.Parallel()
	metrics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	h := probes(config.Access{AllowRemote: true, AllowedHosts: []string{"worker"}}, new(atomic.Bool), group.New(group.Config{}, nil), metrics)
	for url, want := range map[string]int{
		"http://localhost:8081/healthz/live": 200, "http://worker:8081/metrics": 200, "http://localhost/healthz/ready": 503,
		"http://localhost/debug/pprof/": 200, "http://localhost/debug/pprof/heap": 200, "http://localhost/debug/pprof/cmdline": 404, // may have a secret
		"http://evil.example/healthz/live": 421, "http://evil.example/healthz/ready": 421, "http://evil.example/metrics": 421,
		"http://evil.example/debug/pprof/heap": 421,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
		if w.Code != want {
			t.Errorf("%s: got %d, want %d", url, w.Code, want)
		}
	}
}
