package worker

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orders/services/order-worker/internal/group"
	"example.com/orders/shared/config"
)

func TestReadinessNamesThePartitionsThatAreNotWorkedOn(t *testing.T) {
	t.Parallel()
	claimed := errors.New("claimed")
	for _, row := range []struct {
		name       string
		ready      bool
		partitions []group.Partition
		blocked    error
		code       int
		body       string
	}{
		{"not in the group yet", false, nil, nil, 503, `{"assigned":0,"blocked":[]}`},
		{"a spare worker", true, nil, nil, 200, `{"assigned":0,"blocked":[]}`},
		{"at work", true, []group.Partition{{Number: 1}}, nil, 200, `{"assigned":1,"blocked":[]}`},
		{"one is blocked", true, []group.Partition{{Number: 1}, {Number: 2, Held: claimed}}, nil, 200, `{"assigned":2,"blocked":[{"partition":2,"reason":"claimed"}]}`},
		{"all are blocked", true, []group.Partition{{Number: 2, Held: claimed}}, nil, 503, `{"assigned":1,"blocked":[{"partition":2,"reason":"claimed"}]}`},
		{"the whole worker is blocked", true, nil, errors.New("partitions added"), 503, `{"assigned":0,"blocked":[],"reason":"partitions added"}`},
	} {
		var ready atomic.Bool
		ready.Store(row.ready)
		w := httptest.NewRecorder()
		able(&ready, func() []group.Partition { return row.partitions }, func() error { return row.blocked })(w, httptest.NewRequest("GET", "/healthz/ready", nil))
		if w.Code != row.code || w.Body.String() != row.body+"\n" {
			t.Errorf("%s: got %d %s, want %d %s", row.name, w.Code, w.Body, row.code, row.body)
		}
	}
}

func TestAStuckOrderFailsLivenessAndAHeldPartitionDoesNot(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name       string
		partitions []group.Partition
		code       int
		body       string
	}{
		{"nothing owned", nil, 200, `{"stuck":[],"held":[]}`},
		{"at work", []group.Partition{{Number: 3, Oldest: stuck}}, 200, `{"stuck":[],"held":[]}`},
		{"stuck", []group.Partition{{Number: 2}, {Number: 3, Oldest: stuck + time.Second}}, 503, `{"stuck":[{"partition":3,"in_hand":"5m1s"}],"held":[]}`},
		{"held", []group.Partition{{Number: 1, Held: errors.New("lost")}}, 200, `{"stuck":[],"held":[{"partition":1,"reason":"lost"}]}`},
	} {
		w := httptest.NewRecorder()
		live(func() []group.Partition { return row.partitions })(w, httptest.NewRequest("GET", "/healthz/live", nil))
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
		"http://evil.example/healthz/live": 421, "http://evil.example/healthz/ready": 421, "http://evil.example/metrics": 421,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
		if w.Code != want {
			t.Errorf("%s: got %d, want %d", url, w.Code, want)
		}
	}
}
