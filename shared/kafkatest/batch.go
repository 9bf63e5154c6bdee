package kafkatest

import (
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ProduceBad appends a batch of n records, of which brokers see nothing wrong, and of which readers get the first good ones only:
// the bytes behind them are none of a record.
func (k *Kafka) ProduceBad(t testing.TB, topic string, partition int32, n, good int) {
	t.Helper()
	var records []byte
	for i := range n {
		r := kmsg.NewRecord()
		r.OffsetDelta, r.Key, r.Value = int32(i), []byte{'b', byte('0' + i)}, []byte("{}")
		r.Length = int32(len(r.AppendTo(nil))) - 1
		one := r.AppendTo(nil)
		if i >= good {
			for at := range one {
				one[at] = 0xff
			}
		}
		records = append(records, one...)
	}
	k.produceBatch(t, topic, partition, n, records)
}

// produceBatch appends the bytes of records, as one batch, with a sum that is right.
func (k *Kafka) produceBatch(t testing.TB, topic string, partition int32, n int, records []byte) {
	t.Helper()
	b := kmsg.NewRecordBatch()
	b.PartitionLeaderEpoch, b.Magic, b.LastOffsetDelta, b.NumRecords, b.Records = -1, 2, int32(n-1), int32(n), records
	b.FirstTimestamp, b.MaxTimestamp = time.Now().UnixMilli(), time.Now().UnixMilli()
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = -1, -1, -1
	bytes := b.AppendTo(nil)
	const lengthAt, crcAt, sumFrom = 8, 17, 21
	binary.BigEndian.PutUint32(bytes[lengthAt:], uint32(len(bytes)-lengthAt-4))
	binary.BigEndian.PutUint32(bytes[crcAt:], crc32.Checksum(bytes[sumFrom:], crc32.MakeTable(crc32.Castagnoli)))

	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, bytes
	found, err := kadm.NewClient(k.Client).ListTopics(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	of := kmsg.NewProduceRequestTopic()
	of.Topic, of.TopicID, of.Partitions = topic, found[topic].ID, []kmsg.ProduceRequestTopicPartition{p}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.Topics = -1, 10_000, []kmsg.ProduceRequestTopic{of}
	answer, err := req.RequestWith(t.Context(), k.Client)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
}
