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

// BadBatch returns a batch of n records of which readers can decode only the first good ones: the
// bytes after them are not records. Brokers accept the batch.
func BadBatch(n, good int) []byte {
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
	b := kmsg.NewRecordBatch()
	b.PartitionLeaderEpoch, b.Magic, b.LastOffsetDelta, b.NumRecords, b.Records = -1, 2, int32(n-1), int32(n), records
	b.FirstTimestamp, b.MaxTimestamp = time.Now().UnixMilli(), time.Now().UnixMilli()
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = -1, -1, -1
	bytes := b.AppendTo(nil)
	const lengthAt = 8
	binary.BigEndian.PutUint32(bytes[lengthAt:], uint32(len(bytes)-lengthAt-4))
	Sum(bytes)
	return bytes
}

// Sum sets the checksum of a batch.
func Sum(batch []byte) {
	const at, from = 17, 21
	binary.BigEndian.PutUint32(batch[at:], crc32.Checksum(batch[from:], crc32.MakeTable(crc32.Castagnoli)))
}

// ProduceBad appends a BadBatch.
func (k *Kafka) ProduceBad(t testing.TB, topic string, partition int32, n, good int) {
	t.Helper()
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, BadBatch(n, good)
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
