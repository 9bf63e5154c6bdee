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

func TestViewGrowsOldWithoutKafkaAndStillAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.put(t, b.Topics.Orders, wire.Order(placed(1)))
		v, _ := b.start(t)
		time.Sleep(time.Hour)
		fresh := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			return v.Fresh(ctx)
		}
		if err := fresh(); err != nil {
			t.Errorf("an hour in which nothing happened: got %v, want a fresh view", err)
		}
		b.Cluster.Close()
		time.Sleep(view.MaxAge / 2)
		if err := fresh(); err != nil {
			t.Errorf("half of MaxAge without Kafka: got %v, want a fresh view", err)
		}
		time.Sleep(view.MaxAge)
		if err := fresh(); !errors.Is(err, view.ErrBehind) {
			t.Errorf("longer than MaxAge without Kafka: got %v, want ErrBehind", err)
		}
		if got := get(t, v, "ord_001"); got.Status != order.Accepted {
			t.Errorf("got %+v, want the order", got)
		}
	})
}

func TestTopicMadeAnewEndsRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		v, err := view.New(t.Context(), b.config())
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
