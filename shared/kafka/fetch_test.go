package kafka_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

func TestOneReadsOutOfTheMiddleOfABatch(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		for i, codec := range []kgo.CompressionCodec{
			kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
		} {
			cl, err := k.Config().Connect(t.Context(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec))
			if err != nil {
				t.Fatal(err)
			}
			var batch []*kgo.Record
			for i := range 50 {
				batch = append(batch, &kgo.Record{Topic: k.Topics.Orders, Partition: 1, Value: bytes.Repeat([]byte{byte(i)}, 500)})
			}
			err = cl.ProduceSync(t.Context(), batch...).FirstErr()
			cl.Close()
			if err != nil {
				t.Fatal(err)
			}
			at := int64(50*i + 42)
			r, err := kafka.NewReader(k.Client, "").One(t.Context(), k.Topics.Orders, 1, at)
			if err != nil || r.Offset != at || !bytes.Equal(r.Value, batch[42].Value) {
				t.Errorf("codec %d: got %v, %v; want the 43rd of 50", i, r, err)
			}
			check(t, k, k.Topics.Orders, stretch{at, at + 2, []int64{at, at + 1}})
		}
	})
}

func TestWhatWouldFillTheMemoryIsNotUnpacked(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	cl, err := k.Config().Connect(t.Context(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.ProducerBatchMaxBytesFn(func(string) int32 { return 80 << 20 }), kgo.BrokerMaxWriteBytes(100<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: k.Topics.Orders, Partition: 1, Value: make([]byte, 70<<20)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if _, err := kafka.NewReader(k.Client, "").One(t.Context(), k.Topics.Orders, 1, 0); !errors.Is(err, kgo.ErrMaxDecompress) {
		t.Errorf("got %v, want %v", err, kgo.ErrMaxDecompress)
	}
}

func TestReaderGoesWhereThePartitionWent(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(2, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cl, err := kafka.Config{Brokers: cluster.ListenAddrs()}.Connect(t.Context(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	for i := range 6 {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Partition: 1, Key: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	reader := kafka.NewReader(cl, "")
	for i := range int64(6) {
		if err := cluster.MoveTopicPartition("orders", 1, int32(i%3)); err != nil {
			t.Fatal(err)
		}
		r, err := reader.One(t.Context(), "orders", 1, i)
		if err != nil || string(r.Key) != fmt.Sprint(i) {
			t.Errorf("led by broker %d: got %v, %v; want record %d", i%3, r, err, i)
		}
	}
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.LeaderNotAvailable, Count: 2})
	if err := reader.Read(t.Context(), "orders", 1, 0, 6, func(*kgo.Record) error { return nil }); err != nil {
		t.Errorf("got %v while a leader was chosen, want nil", err)
	}
}
