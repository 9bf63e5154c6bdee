//go:build synctests

package kafka_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

func TestAddedPartitionsOfAnyTopicAreNoticedWithinAMinute(t *testing.T) {
	t.Parallel()
	for _, of := range []func(k *kafkatest.Kafka) string{
		func(k *kafkatest.Kafka) string { return k.Topics.Orders },
		func(k *kafkatest.Kafka) string { return k.Topics.Status },
		func(k *kafkatest.Kafka) string { return k.Topics.Invoices },
		func(k *kafkatest.Kafka) string { return k.Topics.DLQ },
	} {
		synctest.Test(t, func(t *testing.T) {
			k := kafkatest.Start(t)
			layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
			if err != nil {
				t.Fatal(err)
			}
			changed := make(chan error, 1)
			go layout.Watch(t.Context(), k.Client, slog.New(slog.DiscardHandler), func(err error) { changed <- err }) // ends with the test
			time.Sleep(time.Hour)
			back := k.Away()
			time.Sleep(time.Hour)
			back()
			synctest.Wait()
			if len(changed) > 0 {
				t.Fatalf("got %v of topics that did not change", <-changed)
			}
			name := of(k)
			if _, err := kadm.NewClient(k.Client).UpdatePartitions(t.Context(), kafkatest.Partitions+1, name); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			got, ok := errors.AsType[*kafka.Repartitioned](<-changed)
			if want := (kafka.Repartitioned{Topic: name, Was: kafkatest.Partitions, Is: kafkatest.Partitions + 1}); !ok || *got != want {
				t.Errorf("got %v, want %v", got, &want)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("noticed after %s, want it within a minute", took)
			}
		})
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		layout, err := kafka.Check(ctx, k.Client, k.Topics)
		if err == nil {
			err = layout.Watch(ctx, k.Client, slog.New(slog.DiscardHandler), nil)
		}
		if err != nil {
			t.Errorf("got %v, want nothing", err)
		}
	})
}
