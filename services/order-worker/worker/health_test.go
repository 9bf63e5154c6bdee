package worker

import (
	"errors"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orders/services/order-worker/internal/consumer"
)

func TestReadinessNamesThePartitionsThatAreNotWorkedOn(t *testing.T) {
	t.Parallel()
	claimed := errors.New("claimed")
	for _, row := range []struct {
		name       string
		ready      bool
		partitions []consumer.Partition
		code       int
		body       string
	}{
		{"not in the group yet", false, nil, 503, `{"assigned":0,"blocked":[]}`},
		{"a spare worker", true, nil, 200, `{"assigned":0,"blocked":[]}`},
		{"at work", true, []consumer.Partition{{Number: 1}}, 200, `{"assigned":1,"blocked":[]}`},
		{"one is blocked", true, []consumer.Partition{{Number: 1}, {Number: 2, Held: claimed}}, 200, `{"assigned":2,"blocked":[{"partition":2,"reason":"claimed"}]}`},
		{"all are blocked", true, []consumer.Partition{{Number: 2, Held: claimed}}, 503, `{"assigned":1,"blocked":[{"partition":2,"reason":"claimed"}]}`},
	} {
		var ready atomic.Bool
		ready.Store(row.ready)
		w := httptest.NewRecorder()
		able(&ready, func() []consumer.Partition { return row.partitions })(w, httptest.NewRequest("GET", "/healthz/ready", nil))
		if w.Code != row.code || w.Body.String() != row.body+"\n" {
			t.Errorf("%s: got %d %s, want %d %s", row.name, w.Code, w.Body, row.code, row.body)
		}
	}
}

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
