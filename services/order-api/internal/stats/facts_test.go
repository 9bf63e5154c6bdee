//go:build synctests

package stats_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-api/client/system"
	"example.com/orders/services/order-api/internal/stats"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/sqlite"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// way writes an order with some changes; each has its time after the placement.
func (s *shop) way(t *testing.T, id order.ID, replays int, changes ...order.Change) {
	t.Helper()
	placed := time.Now().Add(-time.Minute).UTC().Truncate(time.Millisecond)
	o := order.Order{
		ID: id, PlacedAt: placed, Service: order.Standard, Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"},
		ShipTo: order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Lines:  []order.Line{{SKU: "A", Quantity: 1, Name: "a", UnitPrice: order.EUR.Cents(100)}},
	}
	state := o.Begin(order.Origin{Incarnation: s.layout.Incarnation, Partition: s.layout.Partition([]byte(id))})
	state.Replays = replays
	for i, c := range changes {
		c.Rev, c.At = int64(i+1), placed.Add(c.At.Sub(time.Time{}))
		kafkatest.Force(&state, c)
	}
	r := wire.State(state, 0)
	r.Topic, r.Partition = s.Topics.Status, state.Origin.Partition
	s.Produce(t, r)
}

// after is a time since the placement, for way.
func after(d time.Duration) time.Time { return time.Time{}.Add(d) }

func TestLatencyOfEachStepIsThatOfItsLastAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		one, _ := s.instance(t)
		kafkatest.Pass(2 * time.Second)
		s.way(t, "ord_first", 0,
			order.Change{At: after(2 * time.Second), Status: order.Working},
			order.Change{At: after(2040 * time.Millisecond), Status: order.Mailing},
			order.Change{At: after(12 * time.Second), Status: order.Retrying, Step: order.StepEmail, Reason: "mail-busy"},
			order.Change{At: after(20 * time.Second), Status: order.Mailing},
			order.Change{At: after(20100 * time.Millisecond), Status: order.Confirmed},
		)
		s.way(t, "ord_replayed", 1,
			order.Change{At: after(9 * time.Second), Status: order.Working}, order.Change{At: after(30 * time.Second), Status: order.Mailing},
			order.Change{At: after(40 * time.Second), Status: order.Confirmed},
		)
		kafkatest.Pass(3 * time.Second)
		l := one.Now(t.Context()).Latency
		if l == nil || l.Orders != 1 || l.P50 < 20 || l.P50 > 22 {
			t.Fatalf("got %+v, want one order of 20s", l)
		}
		var got []string
		for _, step := range l.Steps {
			got = append(got, step.Step)
			within := map[string]float64{"shipping": 2, "invoice": 0.04, "email": 0.1}[step.Step]
			if step.Orders != 1 || step.P50 < within*0.9 || step.P50 > within*1.1 || step.P99 != step.P50 {
				t.Errorf("%s: got %+v, want %v s", step.Step, step, within)
			}
		}
		if diff := cmp.Diff([]string{"shipping", "invoice", "email"}, got); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
	})
}

// sized is what is known of the topic orders.
func (s *shop) sized(seen system.Stats) system.Topic {
	for _, topic := range seen.Topics {
		if topic.Name == s.Topics.Orders {
			return topic
		}
	}
	return system.Topic{}
}

func TestASizeThatWasMeasuredBeforeTheFirstRecordIsNotShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		one, _ := s.instance(t)
		kafkatest.Pass(2 * time.Second)
		if topic := s.sized(one.Now(t.Context())); topic.Bytes == nil || *topic.Bytes != 0 {
			t.Errorf("got %+v, want 0 bytes of an empty topic", topic)
		}
		s.place(t, 6, order.Confirmed, 2*time.Second)
		kafkatest.Pass(5 * time.Second)
		if topic := s.sized(one.Now(t.Context())); topic.Bytes != nil || *topic.Records != 6 {
			t.Errorf("got %+v, want 6 records of an unknown size", topic)
		}
		kafkatest.Pass(time.Minute)
		if topic := s.sized(one.Now(t.Context())); topic.Bytes == nil || *topic.Bytes < 500 {
			t.Errorf("a minute later: got %+v, want the size of 6 orders", topic)
		}
	})
}

func TestBrokersTellOnceAMinuteOfTheTopics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		var asked, denied atomic.Int64
		s.Cluster.ControlKey(int16(kmsg.DescribeLogDirs), func(r kmsg.Request) (kmsg.Response, error, bool) {
			s.Cluster.KeepControl()
			asked.Add(1)
			if denied.Load() == 0 {
				return nil, nil, false
			}
			answer := r.ResponseKind().(*kmsg.DescribeLogDirsResponse)
			answer.ErrorCode = kerr.ClusterAuthorizationFailed.Code
			return answer, nil, true
		})
		one, _ := s.instance(t)
		_, stop := one.Watch()
		defer stop()
		s.place(t, 6, order.Confirmed, 2*time.Second)
		kafkatest.Pass(190 * time.Second)
		seen := one.Now(t.Context())
		if diff := cmp.Diff(&system.Kafka{Up: 1, Brokers: 1}, seen.Kafka); diff != "" {
			t.Errorf("brokers (-want +got):\n%s", diff)
		}
		if topic := s.sized(seen); topic.Bytes == nil || *topic.Bytes < 500 || *topic.Kept != (system.Kept{Seconds: 30 * 24 * 3600}) {
			t.Errorf("got %+v, want the size of 6 orders, kept for 30 days", topic)
		}
		if n := asked.Load(); n != 4 {
			t.Errorf("asked for sizes %d times in 190 s, want 4", n)
		}
		denied.Store(1)
		kafkatest.Pass(time.Minute + 2*time.Second)
		if topic := s.sized(one.Now(t.Context())); topic.Bytes != nil || topic.Kept == nil || topic.Records == nil {
			t.Errorf("got %+v, want an unknown size alone", topic)
		}
	})
}

func TestTheAgeOfTheOldestOrderIsKnownWhileTheReadModelIsUpToDate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		one, _ := s.instance(t)
		kafkatest.Pass(2 * time.Second)
		if got := one.Now(t.Context()).Promise; got != (system.Promise{LimitSeconds: promise.Seconds(), OldestKnown: true}) {
			t.Errorf("got %+v, want no order", got)
		}
		s.Away()
		kafkatest.Pass(view.MaxAge + 10*time.Second)
		if got := one.Now(t.Context()).Promise; got != (system.Promise{LimitSeconds: promise.Seconds()}) {
			t.Errorf("got %+v while Kafka is away, want an age that is not known", got)
		}
	})
}

// absent is a store whose database is away.
type absent struct{ view.Store }

func (absent) Resume(context.Context, map[string]kadm.TopicID) (map[kafka.Partition]view.Position, error) {
	return nil, &view.UnavailableError{Reason: "its database does not answer"}
}

func TestWhatTheReadModelCannotTellIsNotKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		log := slog.New(slog.NewTextHandler(t.Output(), nil))
		store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "view.db"))
		must(t, err)
		v, err := view.New(t.Context(), view.Config{Kafka: s.Config(), Topics: s.Topics, Incarnation: s.layout.Incarnation, Store: absent{store}, Log: log})
		must(t, err)
		defer v.Close()
		seen := stats.New(stats.Config{
			Kafka: s.Config(), Client: s.Client, Topics: s.Topics, Partitions: s.layout.Partitions, View: v, Promise: promise, Blocked: func() error { return nil }, Log: log,
		}).Now(t.Context())
		if seen.Orders != nil || seen.DeadLetters != nil || seen.Jobs != nil || seen.Promise.OldestKnown || seen.ReadModel.Fresh != nil {
			t.Errorf("got %+v, %+v, %+v, %+v and %+v, want nothing that is known", seen.Orders, seen.DeadLetters, seen.Jobs, seen.Promise, seen.ReadModel)
		}
	})
}

func TestBrokersAreNotKnownWhileKafkaIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		one, _ := s.instance(t)
		back := s.Away()
		kafkatest.Pass(5 * time.Second)
		if got := one.Now(t.Context()); got.Kafka != nil || got.Rates != nil || got.WorkersKnown() {
			t.Errorf("got %+v, %+v and %d workers while Kafka is away, want nothing that is known", got.Kafka, got.Rates, len(got.Workers))
		}
		back()
		kafkatest.Pass(5 * time.Second)
		if got := one.Now(t.Context()); got.Kafka == nil || got.Kafka.Up != 1 || got.Rates == nil || !got.WorkersKnown() {
			t.Errorf("got %+v and %+v, want a broker and rates", got.Kafka, got.Rates)
		}
	})
}

func TestALeaderThatDoesNotAnswerIsNotAnOutageOfKafka(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		one, _ := s.instance(t)
		silent := make(chan struct{})
		defer close(silent)
		s.Cluster.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
			s.Cluster.KeepControl()
			s.Cluster.SleepControl(func() { <-silent })
			return nil, nil, false
		})
		kafkatest.Pass(5 * time.Second)
		if got := one.Now(t.Context()); got.Kafka == nil || got.Rates == nil {
			t.Errorf("got %+v and %+v, want a broker and rates", got.Kafka, got.Rates)
		}
	})
}
