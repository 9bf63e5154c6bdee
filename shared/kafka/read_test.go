package kafka_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/topic"
)

// fill appends records to partition 1 of a topic, one batch each, so that a fetch does not bring more than was asked for.
func fill(t testing.TB, k *kafkatest.Kafka, topic string, keys ...string) {
	t.Helper()
	for _, key := range keys {
		k.Produce(t, &kgo.Record{Topic: topic, Partition: 1, Key: []byte(key), Value: []byte("value")})
	}
}

// read returns the offsets of a stretch of partition 1.
func read(t *testing.T, k *kafkatest.Kafka, topic string, from, to int64) []int64 {
	t.Helper()
	var offsets []int64
	err := k.Config().Read(t.Context(), topic, 1, from, to, func(r *kgo.Record) error {
		offsets = append(offsets, r.Offset)
		return nil
	})
	if err != nil {
		t.Fatalf("reading %s/1 from %d to %d: %v", topic, from, to, err)
	}
	return offsets
}

type stretch struct {
	from, to int64
	want     []int64
}

func check(t *testing.T, k *kafkatest.Kafka, topic string, rows ...stretch) {
	t.Helper()
	for _, row := range rows {
		if diff := cmp.Diff(row.want, read(t, k, topic, row.from, row.to)); diff != "" {
			t.Errorf("offsets from %d to %d (-want +got):\n%s", row.from, row.to, diff)
		}
	}
}

func TestReadIsGivenWhatItAsksForAndNoMore(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		fill(t, k, k.Topics.Orders, "a", "b", "c", "d", "e")
		check(t, k, k.Topics.Orders,
			stretch{0, 5, []int64{0, 1, 2, 3, 4}},
			stretch{-1, 2, []int64{0, 1}},
			stretch{2, 3, []int64{2}},
			stretch{4, 5, []int64{4}},
			stretch{3, 3, nil},
			stretch{4, 2, nil},
			stretch{0, 0, nil},
			stretch{9, 9, nil},
		)
	})
}

func TestReadBeginsAtTheStartOfAShortenedLog(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		fill(t, k, k.Topics.Orders, "a", "b", "c", "d")
		var upTo kadm.Offsets
		upTo.AddOffset(k.Topics.Orders, 1, 2, -1)
		if _, err := kadm.NewClient(k.Client).DeleteRecords(t.Context(), upTo); err != nil {
			t.Fatal(err)
		}
		check(t, k, k.Topics.Orders, stretch{-1, 4, []int64{2, 3}}, stretch{0, 3, []int64{2}}, stretch{0, 2, nil})
		gone(t, k, k.Topics.Orders, 1)
	})
}

func TestReadPassesOverWhatCompactionTookAway(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	fill(t, k, k.Topics.Status, "a", "b", "a", "b", "c", "b", "c", "d")
	k.Cluster.Compact()
	check(t, k, k.Topics.Status,
		stretch{0, 8, []int64{2, 5, 6, 7}},
		stretch{2, 6, []int64{2, 5}},
		stretch{3, 7, []int64{5, 6}},
		stretch{3, 5, nil},
		stretch{4, 5, nil},
	)
	gone(t, k, k.Topics.Status, 0, 3, 4)
}

func TestReadLeavesOutWhatWasNeverCommitted(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		cl, err := k.Config().Connect(t.Context(), kgo.TransactionalID(k.Prefix), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		for _, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
			if err := cl.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: k.Topics.Replay, Partition: 1}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := cl.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		// Each transaction is a record and its marker.
		check(t, k, k.Topics.Replay, stretch{0, 6, []int64{2}}, stretch{0, 2, nil}, stretch{3, 4, nil}, stretch{0, 3, []int64{2}})
		gone(t, k, k.Topics.Replay, 0, 1, 3, 4, 5)
	})
}

// one reads a record with a client that knows nothing yet, and that was not made while the brokers answered.
func one(ctx context.Context, t *testing.T, config kafka.Config, topic string, partition int32, offset int64) (*kgo.Record, error) {
	t.Helper()
	opts := []kgo.Opt{kgo.SeedBrokers(config.Brokers...)}
	if config.Dial != nil {
		opts = append(opts, kgo.Dialer(config.Dial))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	return kafka.NewReader(cl, "").One(ctx, topic, partition, offset)
}

// gone checks that nothing stands at some offsets of partition 1.
func gone(t *testing.T, k *kafkatest.Kafka, topic string, offsets ...int64) {
	t.Helper()
	for _, offset := range offsets {
		if r, err := one(t.Context(), t, k.Config(), topic, 1, offset); !errors.Is(err, kafka.ErrGone) || r != nil {
			t.Errorf("offset %d: got %v, %v; want ErrGone", offset, r, err)
		}
	}
}

func TestOneFindsOneRecordOrSaysThatItIsGone(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		fill(t, k, k.Topics.Invoices, "a", "b", "c")
		for offset, want := range []string{"a", "b", "c"} {
			r, err := one(t.Context(), t, k.Config(), k.Topics.Invoices, 1, int64(offset))
			if err != nil || string(r.Key) != want || r.Offset != int64(offset) {
				t.Errorf("offset %d: got %v, %v; want %s", offset, r, err, want)
			}
		}
		gone(t, k, k.Topics.Invoices, -1, -2, 3, 4, 1<<62)
	})
}

func TestReadEndsWithTheFirstErrorOfItsReader(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	fill(t, k, k.Topics.Orders, "a", "b", "c")
	full, calls := errors.New("full"), 0
	err := k.Config().Read(t.Context(), k.Topics.Orders, 1, 0, 3, func(*kgo.Record) error {
		calls++
		return full
	})
	if !errors.Is(err, full) || calls != 1 {
		t.Errorf("got %v after %d records, want %v after one", err, calls, full)
	}
}

func TestReadWaitsForRecordsUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	fill(t, k, k.Topics.Orders, "a", "b")
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := k.Config().Read(ctx, k.Topics.Orders, 1, 0, 4, func(*kgo.Record) error {
		if calls++; calls == 2 {
			// A third record arrives while Read waits for it, and a fourth never does.
			k.Client.Produce(t.Context(), &kgo.Record{Topic: k.Topics.Orders, Partition: 1}, nil)
		}
		if calls == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || calls != 3 {
		t.Errorf("got %v after %d records, want the end of the context after three", err, calls)
	}
}

func TestReadRefusesWhatDoesNotExist(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		for _, row := range []struct {
			topic     string
			partition int32
		}{{k.Prefix + ".none", 0}, {k.Topics.Orders, kafkatest.Partitions}, {k.Topics.Orders, -1}} {
			err := k.Config().Read(t.Context(), row.topic, row.partition, 0, 1, nil)
			if !errors.Is(err, kerr.UnknownTopicOrPartition) {
				t.Errorf("%s/%d: got %v, want an error that says that there is none", row.topic, row.partition, err)
			}
		}
	})
}

// TestALargeOrderTakesNoOtherDown fills the room between what a batch of orders and one of other records may be: a batch in it would be refused with all its orders.
func TestALargeOrderTakesNoOtherDown(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		random := func(n int) []byte { // that no compression makes smaller
			b := make([]byte, n)
			_, _ = rand.Read(b)
			return b
		}
		produce := func(topic string, values ...[]byte) (errs []error) {
			acks := make(chan error, len(values))
			for _, v := range values {
				k.Client.Produce(t.Context(), &kgo.Record{Topic: topic, Partition: 1, Value: v}, func(_ *kgo.Record, err error) { acks <- err })
			}
			for range values {
				if err := <-acks; err != nil {
					errs = append(errs, err)
				}
			}
			return errs
		}
		var orders [][]byte
		for range 8 {
			orders = append(orders, random(topic.MaxOrder*55/100))
		}
		if errs := produce(k.Topics.Orders, orders...); errs != nil {
			t.Errorf("got %v for orders of half the size that fits, want all accepted", errs)
		}
		tooLarge := random(topic.MaxOrder + 1)
		if errs := produce(k.Topics.Orders, tooLarge, []byte("small")); len(errs) != 1 || !errors.Is(errs[0], kerr.MessageTooLarge) {
			t.Errorf("got %v, want only the order that is too large refused", errs)
		}
		if errs := produce(k.Topics.DLQ, tooLarge); errs != nil {
			t.Errorf("got %v, want a dead letter to be as large as an order and more", errs)
		}
	})
}
