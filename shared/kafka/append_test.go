package kafka_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

func producer(t *testing.T, k *kafkatest.Kafka) *kgo.Client {
	t.Helper()
	cl, err := k.Config().ConnectProducer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func TestAppendReturnsTheRecordWithItsPlace(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	cl, r := producer(t, k), &kgo.Record{Key: []byte("k"), Value: []byte("v")}
	for offset := range int64(2) {
		got, err := kafka.Append(t.Context(), cl, k.Topics.Waiting, 2, r)
		if err != nil || got.Topic != k.Topics.Waiting || got.Partition != 2 || got.Offset != offset || string(got.Value) != "v" {
			t.Errorf("got %+v, %v; want it at offset %d of partition 2", got, err, offset)
		}
	}
	if r.Topic != "" || r.Partition != 0 {
		t.Errorf("got the record that was passed with %q/%d, want it unchanged", r.Topic, r.Partition)
	}
}

func TestAppendReturnsTheAnswerOfTheBroker(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	limit := "10"
	_, err := kadm.NewClient(k.Client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, k.Topics.DLQ)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kafka.Append(t.Context(), producer(t, k), k.Topics.DLQ, 1, &kgo.Record{Value: []byte("v")}); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("got %v, want %v", err, kerr.MessageTooLarge)
	}
}

func TestAppendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	cl, silent, asked := producer(t, k), make(chan struct{}), make(chan struct{})
	speak, ask := sync.OnceFunc(func() { close(silent) }), sync.OnceFunc(func() { close(asked) })
	t.Cleanup(speak)
	k.Cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		k.Cluster.KeepControl()
		ask()
		k.Cluster.SleepControl(func() { <-silent })
		return nil, nil, false
	})
	errLost := errors.New("partition lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-asked
		cancel(errLost)
	}()
	began := time.Now()
	_, err := kafka.Append(ctx, cl, k.Topics.Status, 0, &kgo.Record{})
	if took := time.Since(began); !errors.Is(err, errLost) && !errors.Is(err, context.Canceled) || took >= kafka.DeliveryTimeout {
		t.Errorf("got %v after %s, want %v at once", err, took, errLost)
	}
}
