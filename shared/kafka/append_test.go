package kafka_test

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

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
