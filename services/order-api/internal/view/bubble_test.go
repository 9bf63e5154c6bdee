//go:build synctests

package view_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func TestTheViewAnswersWithoutKafkaAndReportsItsAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.put(t, b.Topics.Orders, wire.Order(placed(1)))
		v, _ := b.start(t)
		kafkatest.Pass(time.Hour)
		fresh := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			return v.Fresh(ctx)
		}
		if err := fresh(); err != nil {
			t.Errorf("an hour in which nothing happened: got %v, want a fresh view", err)
		}
		b.Cluster.Close()
		kafkatest.Pass(view.MaxAge / 2)
		if err := fresh(); err != nil {
			t.Errorf("half of MaxAge without Kafka: got %v, want a fresh view", err)
		}
		kafkatest.Pass(view.MaxAge)
		if err := fresh(); !errors.Is(err, view.ErrBehind) {
			t.Errorf("longer than MaxAge without Kafka: got %v, want ErrBehind", err)
		}
		if got := get(t, v, "ord_001"); got.Status != order.Accepted {
			t.Errorf("got %+v, want the order", got)
		}
	})
}

// onDisk starts a view of an order, whose store can be away.
func onDisk(t *testing.T) (*view.View, *disk) {
	t.Helper()
	b := setup(t)
	b.put(t, b.Topics.Orders, wire.Order(placed(1)))
	cfg := b.config(t)
	store := &disk{Store: cfg.Store}
	cfg.Store = store
	v, _ := b.startWith(t, cfg)
	return v, store
}

func TestAnOutageOfTheStoreIsTroubleAlsoWhileNothingIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, store := onDisk(t)
		for _, row := range []struct {
			away bool
			want string
		}{{false, ""}, {true, "it is away"}, {false, ""}} {
			store.away.Store(row.away)
			time.Sleep(2 * time.Second)
			if got := v.Health().Trouble; got != row.want {
				t.Errorf("away is %v: got trouble %q, want %q", row.away, got, row.want)
			}
		}
	})
}

func TestTheViewAgesWhileItsStoreIsAwayAlsoWhileNothingIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, store := onDisk(t)
		store.away.Store(true)
		kafkatest.Pass(10 * time.Minute)
		if age := time.Since(v.Health().Fresh); age < 10*time.Minute-2*time.Second {
			t.Errorf("10 minutes without the store: got an age of %s, want 10m", age)
		}
		store.away.Store(false)
		kafkatest.Pass(2 * time.Second)
		if age := time.Since(v.Health().Fresh); age > 2*time.Second {
			t.Errorf("with the store back: got an age of %s, want a fresh view", age)
		}
	})
}

func TestTheViewBlocksOnePartitionUntilItsBatchIsSkipped(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{"orders", "orders.status", "orders.dlq", "orders.desk"} {
		for name, running := range map[string]bool{"before the start": false, "while it runs": true} {
			t.Run(topic+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					b := setup(t)
					if !running {
						b.ProduceBad(t, topic, 1, 2, 0)
					}
					v, err := view.New(t.Context(), b.config(t))
					must(t, err)
					defer v.Close()
					ctx, cancel := context.WithCancel(t.Context())
					done := make(chan error)
					go func() { done <- v.Run(ctx) }() // received below
					kafkatest.Pass(5 * time.Second)
					if running {
						b.ProduceBad(t, topic, 1, 2, 0)
					}
					behind, other := wire.Order(placed(1)), wire.Order(placed(2))
					behind.Topic, behind.Partition, other.Topic = b.Topics.Orders, 1, b.Topics.Orders
					b.Produce(t, behind, other)
					kafkatest.Pass(30 * time.Second)
					if _, err := v.Order(t.Context(), "ord_002"); err != nil {
						t.Errorf("another partition: got %v, want its order", err)
					}
					must(t, v.Fresh(t.Context()))
					if err := v.CheckPartition(1); (err != nil) != (topic == "orders" || topic == "orders.status") || v.CheckPartition(0) != nil || v.CheckPartition(2) != nil {
						t.Errorf("blocked: got %v, %v, %v, want partition 1 alone", v.CheckPartition(0), err, v.CheckPartition(2))
					}
					if got := v.Blocked(); len(got) != 1 || got[0].Topic != topic || got[0].Partition != 1 || got[0].Offset != 0 {
						t.Errorf("blocked: got %+v, want the batch at %s/1@0", got, topic)
					}
					_, err = kafka.NewReader(b.Client, b.Topics.DLQ).Probe(t.Context(), topic, 1, 0)
					var bad *kafka.UnreadableError
					if !errors.As(err, &bad) {
						t.Fatalf("got %v, want an UnreadableError", err)
					}
					skip := bad.Skip(time.Now())
					skip.Topic = b.Topics.DLQ
					b.Produce(t, skip)
					kafkatest.Pass(30 * time.Second)
					if got, err := v.Blocked(), v.CheckPartition(1); len(got) > 0 || err != nil {
						t.Errorf("skipped: got %+v, %v, want nothing blocked", got, err)
					}
					if _, err := v.Order(t.Context(), "ord_001"); err != nil {
						t.Errorf("behind the batch: got %v, want its order", err)
					}
					cancel()
					must(t, <-done)
				})
			})
		}
	}
}

func TestRunEndsWhenATopicIsRecreated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		v, err := view.New(t.Context(), b.config(t))
		must(t, err)
		defer v.Close()
		done := make(chan error)
		go func() { done <- v.Run(t.Context()) }() // received below
		must(t, v.Fresh(t.Context()))
		if _, err := kadm.NewClient(b.Client).DeleteTopics(t.Context(), b.Topics.Orders); err != nil {
			t.Fatal(err)
		}
		if _, err := kafka.Create(t.Context(), b.Client, b.Topics, kafkatest.Partitions, 0); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err == nil {
			t.Error("got no error, want Run to end: the process holds on to the old topic")
		}
	})
}
