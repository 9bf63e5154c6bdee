//go:build synctests

package httpapi_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafkatest"
)

// TestMetricsShowTheSystem has an order that no worker begins, a dead letter that a job has sent, and a worker that
// owns one of three partitions.
func TestMetricsShowTheSystem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.follow(t)
		ids := s.dead(t, 2)
		s.place(t, wanted())
		s.run(t)
		_, err := s.client.StartReplay(t.Context(), client.NewReplayJob{Selection: client.Selection{IDs: append(ids, "9-9")}, Ramp: []int{1}, Reason: "Try"})
		must(t, err)
		kafkatest.Pass(6 * time.Minute)
		s.tell(t, 3)
		kafkatest.Pass(6 * time.Second)
		body := regexp.MustCompile(`(?m)\.\d+$`).ReplaceAllString(text(t, s.send(t, s.http, "GET", "/metrics", "")), "") // whole seconds
		got := regexp.MustCompile(`(?m)^orders_api_(?:orders|oldest_order|refusing|workers|partitions|topic_lag_records|kafka_brokers|replay)[^ ]* .*$`).FindAllString(body, -1)
		slices.Sort(got)
		want := []string{
			`orders_api_kafka_brokers{state="down"} 0`,
			`orders_api_kafka_brokers{state="up"} 1`,
			`orders_api_oldest_order_seconds{status="accepted"} 366`,
			`orders_api_oldest_order_seconds{status="dead"} 366`,
			`orders_api_oldest_order_seconds{status="mailing"} 0`,
			`orders_api_oldest_order_seconds{status="retrying"} 0`,
			`orders_api_oldest_order_seconds{status="waiting"} 0`,
			`orders_api_oldest_order_seconds{status="working"} 0`,
			`orders_api_orders{status="accepted"} 1`,
			`orders_api_orders{status="dead"} 2`,
			`orders_api_orders{status="mailing"} 0`,
			`orders_api_orders{status="retrying"} 0`,
			`orders_api_orders{status="waiting"} 0`,
			`orders_api_orders{status="working"} 0`,
			`orders_api_partitions_without_owner 2`,
			`orders_api_refusing{reason="backpressure"} 0`,
			`orders_api_refusing{reason="blocked"} 0`,
			`orders_api_replay_dead_letters{outcome="confirmed"} 0`,
			`orders_api_replay_dead_letters{outcome="failed-again"} 0`,
			`orders_api_replay_dead_letters{outcome="in-flight"} 1`,
			`orders_api_replay_dead_letters{outcome="not-sent"} 2`,
			`orders_api_replay_dead_letters{outcome="skipped"} 0`,
			`orders_api_replay_jobs{phase="halted"} 0`,
			`orders_api_replay_jobs{phase="paused"} 0`,
			`orders_api_replay_jobs{phase="ramping"} 0`,
			`orders_api_replay_jobs{phase="running"} 0`,
			`orders_api_replay_jobs{phase="stalled"} 1`,
			`orders_api_replay_jobs{phase="waiting"} 0`,
			`orders_api_topic_lag_records{topic="` + s.Topics.Orders + `"} 3`,
			`orders_api_topic_lag_records{topic="` + s.Topics.Replay + `"} 2`, // with the end of its transaction,
			`orders_api_topic_lag_records{topic="` + s.Topics.Retry10s + `"} 0`,
			`orders_api_topic_lag_records{topic="` + s.Topics.Retry2m + `"} 0`,
			`orders_api_topic_lag_records{topic="` + s.Topics.Waiting + `"} 0`,
			`orders_api_workers{state="live"} 1`,
			`orders_api_workers{state="silent"} 0`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

func TestMetricsLeaveOutWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.follow(t)
		kafkatest.Pass(2 * time.Second)
		const age = "\norders_api_oldest_not_begun_seconds 0\n"
		if body := text(t, s.send(t, s.http, "GET", "/metrics", "")); !strings.Contains(body, age) {
			t.Errorf("got no age of 0 where no order waits:\n%s", body)
		}
		s.Away()
		kafkatest.Pass(view.MaxAge + 10*time.Second)
		if body := text(t, s.send(t, s.http, "GET", "/metrics", "")); strings.Contains(body, age) {
			t.Error("without Kafka: got an age of 0, want none")
		}
	})
}
