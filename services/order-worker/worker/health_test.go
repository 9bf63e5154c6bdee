package worker

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orders/services/order-worker/internal/consumer"
	"example.com/orders/shared/config"
)

func TestAStuckOrderFailsLivenessAndAHeldPartitionDoesNot(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name       string
		partitions []consumer.Partition
		code       int
		body       string
	}{
		{"nothing owned", nil, 200, `{"stuck":[],"held":[]}`},
		{"at work", []consumer.Partition{{Number: 3, Oldest: stuck}}, 200, `{"stuck":[],"held":[]}`},
		{"stuck", []consumer.Partition{{Number: 2}, {Number: 3, Oldest: stuck + time.Second}}, 503, `{"stuck":[{"partition":3,"in_hand":"5m1s"}],"held":[]}`},
		{"held", []consumer.Partition{{Number: 1, Held: errors.New("lost")}}, 200, `{"stuck":[],"held":[{"partition":1,"reason":"lost"}]}`},
	} {
		w := httptest.NewRecorder()
		live(func() []consumer.Partition { return row.partitions })(w, httptest.NewRequest("GET", "/healthz/live", nil))
		if w.Code != row.code || w.Body.String() != row.body+"\n" {
			t.Errorf("%s: got %d %s, want %d %s", row.name, w.Code, w.Body, row.code, row.body)
		}
	}
}

func TestProbesAndMetricsAreForThisHostOnly(t *testing.T) {
	t.Parallel()
	metrics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	h := probes(config.Access{AllowRemote: true, AllowedHosts: []string{"worker"}}, new(atomic.Bool), consumer.New(consumer.Config{}, nil), metrics)
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
