package kafkatest

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/wire"
)

// patience is how long Await waits before it fails the test. It is long for machines under load.
const patience = 5 * time.Minute

// Records returns the present records of a topic, partition by partition in order.
func (k *Kafka) Records(t testing.TB, topic string) []*kgo.Record {
	t.Helper()
	ends, err := kadm.NewClient(k.Client).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatalf("listing the end of %s: %v", topic, err)
	}
	var all []*kgo.Record
	for _, end := range ends.Offsets().Sorted() {
		err := k.config.Read(t.Context(), topic, end.Partition, -1, end.At, func(r *kgo.Record) error {
			all = append(all, r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// Count returns the present number of records in a partition of a topic.
func (k *Kafka) Count(t testing.TB, topic string, partition int32) (n int) {
	t.Helper()
	ends, err := kadm.NewClient(k.Client).ListEndOffsets(t.Context(), topic)
	end, _ := ends.Lookup(topic, partition)
	if err == nil {
		err = k.config.Read(t.Context(), topic, partition, -1, end.Offset, func(*kgo.Record) error { n++; return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// DeadLetters returns all dead letters, those of one order several times if it failed several
// times.
func (k *Kafka) DeadLetters(t testing.TB) []dlq.DeadLetter {
	t.Helper()
	var deadLetters []dlq.DeadLetter
	for _, r := range k.Records(t, k.Topics.DLQ) {
		l, err := dlq.Read(r)
		if err != nil {
			t.Fatalf("%s/%d offset %d: %v", r.Topic, r.Partition, r.Offset, err)
		}
		deadLetters = append(deadLetters, l)
	}
	return deadLetters
}

// Invoices returns the records with the issued invoices of each order. More than one breaks a promise.
func (k *Kafka) Invoices(t testing.TB) map[order.ID][]*kgo.Record {
	t.Helper()
	invoices := map[order.ID][]*kgo.Record{}
	for _, r := range k.Records(t, k.Topics.Invoices) {
		if wire.Type(r) == wire.TypeInvoice {
			id := order.ID(wire.Header(r, "order"))
			invoices[id] = append(invoices[id], r)
		}
	}
	return invoices
}

// States returns the present state of each order in orders.status, without stale records.
func (k *Kafka) States(t testing.TB) map[order.ID]order.State {
	t.Helper()
	f := newFold(t)
	for _, r := range k.Records(t, k.Topics.Status) {
		f.apply(r)
	}
	return f.states
}

// Await reads orders.status from its start until done returns true for the states so far, and returns
// them. It fails the test when that takes too long.
func (k *Kafka) Await(t testing.TB, done func(map[order.ID]order.State) bool) map[order.ID]order.State {
	t.Helper()
	cl, err := k.config.Connect(t.Context(), kgo.ConsumeTopics(k.Topics.Status), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	f := newFold(t)
	for !done(f.states) {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("waiting for states, got so far %v: %v", f.brief(), err)
		}
		fetches.EachRecord(f.apply)
	}
	return f.states
}

// fold keeps the newest state of each order.
type fold struct {
	t          testing.TB
	partitions map[int32]*status.Fold
	states     map[order.ID]order.State
}

func newFold(t testing.TB) *fold {
	t.Helper()
	return &fold{t: t, partitions: map[int32]*status.Fold{}, states: map[order.ID]order.State{}}
}

func (f *fold) apply(r *kgo.Record) {
	f.t.Helper()
	p := f.partitions[r.Partition]
	if p == nil {
		p = new(status.Fold)
		f.partitions[r.Partition] = p
	}
	_, verdict, err := p.Apply(r)
	if err != nil {
		f.t.Fatalf("%s/%d offset %d: %v", r.Topic, r.Partition, r.Offset, err)
	}
	if verdict == status.Erased {
		delete(f.states, order.ID(r.Key))
	}
	if verdict != status.Current {
		return
	}
	s, err := wire.ReadState(r)
	if err != nil {
		f.t.Fatalf("%s/%d offset %d: %v", r.Topic, r.Partition, r.Offset, err)
	}
	f.states[s.Order.ID] = s
}

func (f *fold) brief() map[order.ID]order.Status {
	all := map[order.ID]order.Status{}
	for id, s := range f.states {
		all[id] = s.Status
	}
	return all
}

// Committed returns the offsets above 0 that a group has committed, by topic and partition.
func (k *Kafka) Committed(t testing.TB, group string) map[string]map[int32]int64 {
	t.Helper()
	found, err := kadm.NewClient(k.Client).FetchOffsets(t.Context(), group)
	if err != nil {
		t.Fatalf("fetching the offsets of group %q: %v", group, err)
	}
	committed := map[string]map[int32]int64{}
	found.Each(func(o kadm.OffsetResponse) {
		if o.At == 0 {
			return
		}
		if committed[o.Topic] == nil {
			committed[o.Topic] = map[int32]int64{}
		}
		committed[o.Topic][o.Partition] = o.At
	})
	return committed
}
