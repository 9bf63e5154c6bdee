package kafka_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

func TestEveryKindOfUnreadableBatchIsNamed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		spoil func(batch []byte) []byte
		code  int16
		want  string
	}{
		{"checksum", func(b []byte) []byte { b[17] ^= 1; return b }, 0, "offsets 4 to 6 of orders/1 cannot be read: encoded crc"},
		{"format", func(b []byte) []byte { b[16] = 3; return b }, 0, "offsets 4 to 4 of orders/1 cannot be read: its format 3 is unknown"},
		{"cut off", func(b []byte) []byte { return b[:len(b)-1] }, 0, "offsets 4 to 6 of orders/1 cannot be read: the batch is cut off"},
		{"no head", func(b []byte) []byte { return b[:9] }, 0, "offsets 4 to 4 of orders/1 cannot be read: the batch is cut off"},
		{"length", func(b []byte) []byte { b[8] = 0x80; return b }, 0, "offsets 4 to 6 of orders/1 cannot be read: its length is"},
		{"codec", func(b []byte) []byte { b[22] = 6; kafkatest.Sum(b); return b }, 0, "offsets 4 to 6 of orders/1 cannot be read: "},
		{"compressed bytes", func(b []byte) []byte { b[22] = 4; kafkatest.Sum(b); return b }, 0, "offsets 4 to 6 of orders/1 cannot be read: "},
		{"number of records", func(b []byte) []byte { b[57] = 0xff; kafkatest.Sum(b); return b }, 0, "offsets 4 to 6 of orders/1 cannot be read: "},
		{"offsets", func(b []byte) []byte { b[0] = 0x7f; b[17] ^= 1; return b }, 0, "offsets 4 to 4 of orders/1 cannot be read: "},
		{"said by the broker", func([]byte) []byte { return nil }, kerr.CorruptMessage.Code, "offsets 4 to 4 of orders/1 cannot be read: CORRUPT_MESSAGE"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			k := kafkatest.Start(t)
			for range 9 {
				k.Produce(t, &kgo.Record{Topic: k.Topics.Orders, Partition: 1})
			}
			good := kafkatest.BadBatch(3, 3)
			good[7] = 4 // its first offset
			spoilt := row.spoil(good)
			k.Cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
				k.Cluster.KeepControl()
				return answer(r.(*kmsg.FetchRequest), spoilt, row.code), nil, true
			})
			_, err := kafka.NewReader(k.Client, "").One(t.Context(), k.Topics.Orders, 1, 4)
			if err == nil || kafka.Classify(err) != kafka.Unreadable || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

// answer is that of a broker with these bytes in every partition, and nine records.
func answer(r *kmsg.FetchRequest, batch []byte, code int16) *kmsg.FetchResponse {
	resp := r.ResponseKind().(*kmsg.FetchResponse)
	for _, t := range r.Topics {
		of := kmsg.NewFetchResponseTopic()
		of.Topic, of.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			one := kmsg.NewFetchResponseTopicPartition()
			one.Partition, one.HighWatermark, one.LastStableOffset, one.RecordBatches, one.ErrorCode = p.Partition, 9, 9, batch, code
			of.Partitions = append(of.Partitions, one)
		}
		resp.Topics = append(resp.Topics, of)
	}
	return resp
}

func TestABatchThatCannotBeReadIsNamedAndSkippedWhenAnOperatorSaysSo(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	r := kafka.NewReader(k.Client, k.Topics.DLQ)
	const p = 1
	k.Produce(t, &kgo.Record{Topic: k.Topics.Orders, Partition: p})
	k.ProduceBad(t, k.Topics.Orders, p, 3, 1)
	k.Produce(t, &kgo.Record{Topic: k.Topics.Orders, Partition: p})
	stretch := func() (offsets []int64, err error) {
		err = r.Read(t.Context(), k.Topics.Orders, p, 0, 5, func(r *kgo.Record) error {
			offsets = append(offsets, r.Offset)
			return nil
		})
		return offsets, err
	}
	got, err := stretch()
	bad, ok := errors.AsType[*kafka.UnreadableError](err)
	if !ok || kafka.Classify(err) != kafka.Unreadable {
		t.Fatalf("got %v, want an UnreadableError", err)
	}
	if diff := cmp.Diff([]int64{0, 1}, got); diff != "" {
		t.Errorf("before the batch (-want +got):\n%s", diff)
	}
	if want := "batch at offsets 1 to 3 of orders/1 cannot be read: "; !strings.HasPrefix(bad.Error(), want) || bad.From != 1 || bad.To != 4 {
		t.Errorf("got %v, want %s…", bad, want)
	}
	if at, err := r.Probe(t.Context(), k.Topics.Orders, p, 2); !errors.As(err, &bad) || at != 2 {
		t.Errorf("probe: got %d, %v, want an UnreadableError", at, err)
	}
	if n, err := r.Whole(t.Context(), 1, []*kgo.Record{{Topic: k.Topics.Orders, Partition: p, Offset: 1}, {Topic: k.Topics.Orders, Partition: p, Offset: 4}}); n != 1 || !errors.As(err, &bad) {
		t.Errorf("whole: got %d, %v, want 1 and an UnreadableError", n, err)
	}

	skip := bad.Skip(time.Now())
	skip.Topic = k.Topics.DLQ
	k.ProduceBad(t, k.Topics.DLQ, p, 1, 0) // the dead-letter topic has its own
	k.Produce(t, skip)
	if got, err := stretch(); err != nil || !cmp.Equal(got, []int64{0, 1, 4}) {
		t.Errorf("skipped: got %v, %v, want all but what cannot be read", got, err)
	}
	if at, err := r.Probe(t.Context(), k.Topics.Orders, p, 2); err != nil || at != 4 {
		t.Errorf("probe of a skipped batch: got %d, %v, want 4", at, err)
	}
	if _, err := r.One(t.Context(), k.Topics.Orders, p, 2); !errors.Is(err, kafka.ErrGone) {
		t.Errorf("a skipped record: got %v, want ErrGone", err)
	}
	k.ProduceBad(t, k.Topics.Orders, p, 1, 0)
	if _, err := r.Probe(t.Context(), k.Topics.Orders, p, 5); !errors.As(err, &bad) {
		t.Errorf("another batch: got %v, want an UnreadableError: exactly one is skipped", err)
	}
}
