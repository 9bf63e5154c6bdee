package view_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// onBoth runs a test on a broker in memory, and on a real Kafka where there is one.
func onBoth(t *testing.T, test func(t *testing.T, b bench)) {
	for name, broker := range map[string]func(testing.TB) *kafkatest.Kafka{"memory": kafkatest.Start, "real": kafkatest.Real} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, setupOn(t, broker(t)))
		})
	}
}

// purge deletes the records of partition 1 of a topic below an offset.
func (b bench) purge(t *testing.T, topic string, below int64) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(topic, 1, below, -1)
	answer, err := kadm.NewClient(b.Client).DeleteRecords(t.Context(), offsets)
	must(t, err)
	must(t, answer.Error())
}

// deadLettered appends an order of partition 1, its dead letter and its dead state, which points at
// the dead letter.
func (b bench) deadLettered(t *testing.T, o order.Order) (dlq.DeadLetter, order.State) {
	t.Helper()
	r := wire.Order(o)
	b.put(t, b.Topics.Orders, r)
	l := deadLetter(r.Offset, o, failure.NoRoute, 1)
	l.Topic = b.Topics.Orders
	dead := l.Record()
	b.put(t, b.Topics.DLQ, dead)
	s := b.at(o, r.Offset, order.Dead)
	s.DeadLetter = &order.DeadLetter{ID: l.ID(), Partition: 1, Offset: dead.Offset, Step: l.Step, Reason: string(l.Reason)}
	b.put(t, b.Topics.Status, wire.State(s, 0))
	return l, s
}

// place is where a dead letter is listed.
type place struct {
	ID        string
	Order     order.ID
	State     view.DeadLetterState
	Partition int32
	Offset    int64
}

func places(t *testing.T, v *view.View) []place {
	t.Helper()
	all, _, err := v.DeadLetters(t.Context(), view.DeadLetterFilter{Limit: 10})
	must(t, err)
	var got []place
	for _, l := range all {
		got = append(got, place{l.ID(), l.Order, l.State, l.Partition, l.Offset})
	}
	return got
}

// TestADeadLetterIsListedWhereItsRecordIs has copies of dead letters in other partitions than their
// origins are in.
func TestADeadLetterIsListedWhereItsRecordIs(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b bench) {
		known, _ := b.deadLettered(t, placed(0))
		b.put(t, b.Topics.Orders, wire.Order(placed(1)))
		moved := deadLetter(1, placed(1), failure.NoRoute, 0)
		moved.Topic = b.Topics.Orders
		filler, copied, only := known.Record(), known.Record(), moved.Record()
		filler.Key, filler.Headers = []byte("x"), nil
		filler.Topic, copied.Topic, only.Topic = b.Topics.DLQ, b.Topics.DLQ, b.Topics.DLQ
		filler.Partition, copied.Partition, only.Partition = 2, 2, 2
		b.Produce(t, filler, copied, only)
		v, _ := b.start(t)
		want := []place{
			{"1-1", "ord_001", view.Open, 2, 2}, // the only one there is
			{"1-0", "ord_000", view.Open, 1, 0},
		}
		if diff := cmp.Diff(want, places(t, v)); diff != "" {
			t.Errorf("dead letters (-want +got):\n%s", diff)
		}
	})
}

// TestADeadLetterOfAnotherOrderIsNotJoined has dead letters that name the place of an order, and
// have another key or are of another topic.
func TestADeadLetterOfAnotherOrderIsNotJoined(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, b.Topics.Orders, wire.Order(placed(0)), wire.Order(placed(1)))
	old, mirrored := deadLetter(0, placed(7), failure.NoRoute, 1), deadLetter(1, placed(1), failure.NoRoute, 1)
	mirrored.Topic = "other"
	b.put(t, b.Topics.DLQ, records(old, mirrored)...)
	v, _ := b.start(t)
	if diff := cmp.Diff([]place{{"1-0", "", view.Open, 1, 0}}, places(t, v)); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

// TestADeadLetterIsNotReplacedByThatOfAnotherOrder has a dead letter that names the place of a dead
// order, written behind that order's own.
func TestADeadLetterIsNotReplacedByThatOfAnotherOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	own, _ := b.deadLettered(t, placed(0))
	_, stop := b.start(t)
	must(t, stop())
	other := deadLetter(0, placed(7), failure.TooHeavy, 9)
	other.Topic = b.Topics.Orders
	b.put(t, b.Topics.DLQ, other.Record())
	v, _ := b.start(t)
	if diff := cmp.Diff([]place{{own.ID(), "ord_000", view.Open, 1, 0}}, places(t, v)); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

// TestStateAndPlaceComeFromOneRecord has a record of an order in one partition, and its state in
// another.
func TestStateAndPlaceComeFromOneRecord(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := wire.Order(placed(0))
	r.Topic, r.Partition = b.Topics.Orders, 2
	b.Produce(t, r)
	v, _ := b.start(t)
	want := b.at(placed(0), 5, order.Working)
	got := watched(t, v, "ord_000", func() { b.put(t, b.Topics.Status, wire.State(want, 0)) })
	same(t, "state", want, got)
}

func TestADeadLetterOfAnOrderThatWasNeverBegunIsOpen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, b.Topics.Orders, wire.Order(placed(0)))
	b.put(t, b.Topics.DLQ, records(deadLetter(0, placed(0), failure.Undecodable, 0))...)
	v, _ := b.start(t)
	if diff := cmp.Diff([]place{{"1-0", "ord_000", view.Open, 1, 0}}, places(t, v)); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

// TestADeadLetterWhoseRecordIsGoneIsLost purges the dead-letter topic before a view reads it, and
// after.
func TestADeadLetterWhoseRecordIsGoneIsLost(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b bench) {
		first, _ := b.deadLettered(t, placed(0))
		_, second := b.deadLettered(t, placed(1))
		third, _ := b.deadLettered(t, placed(2))
		b.purge(t, b.Topics.DLQ, 1)
		v, stop := b.start(t)
		want := []place{
			{third.ID(), "ord_002", view.Open, 1, 2},
			{second.DeadLetter.ID, "ord_001", view.Open, 1, 1},
			{first.ID(), "ord_000", view.Lost, 1, 0},
		}
		check := func(v *view.View) {
			t.Helper()
			got := places(t, v)
			// The order of dead letters is that of their failures, and a state tells another time
			// than its dead letter.
			if diff := cmp.Diff(want, got, cmp.Transformer("byID", func(all []place) map[string]place {
				byID := map[string]place{}
				for _, p := range all {
					byID[p.ID] = p
				}
				return byID
			})); diff != "" {
				t.Errorf("dead letters (-want +got):\n%s", diff)
			}
		}
		check(v)
		must(t, stop())
		b.purge(t, b.Topics.DLQ, 2)
		want[1].State = view.Lost
		v, _ = b.start(t)
		check(v)
	})
}

func TestADocumentOfAnotherOrderIsNotShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v, _ := b.start(t)
	theirs, mine := b.at(placed(0), 0, order.Working), b.at(placed(1), 1, order.Working)
	theirs.Progress.Invoice, mine.Progress.Invoice = &order.Invoice{Number: "INV-0"}, &order.Invoice{Number: "INV-1"}
	theirs.Document = []byte("%PDF")
	r := wire.Invoice(&theirs, time.Now())
	b.put(t, b.Topics.Invoices, r)
	// The same bytes do not make it the document of another order.
	mine.Progress.Invoice.Kept = &order.Kept{Offset: r.Offset, SHA256: wire.SHA256(theirs.Document), Bytes: len(theirs.Document)}
	if got, err := v.Document(t.Context(), mine); err == nil {
		t.Errorf("got %q, want an error", got)
	}
}

// TestARecordTooLargeForTheWorkersIsNoOrder has an order with an unknown field, which Kafka stores
// in a few bytes.
func TestARecordTooLargeForTheWorkersIsNoOrder(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b bench) {
		cl, err := b.Config().Connect(t.Context(), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerBatchMaxBytes(8*topic.MaxOrder), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
		must(t, err)
		defer cl.Close()
		padded := func(n, size int) *kgo.Record {
			r := wire.Order(placed(n))
			r.Topic, r.Partition = b.Topics.Orders, 1
			r.Value = append(r.Value[:len(r.Value)-1], `,"unknown":"`...)
			r.Value = append(append(r.Value, bytes.Repeat([]byte("x"), size-len(r.Value)-2)...), `"}`...)
			return r
		}
		must(t, cl.ProduceSync(t.Context(), padded(0, topic.MaxOrder), padded(1, topic.MaxOrder+1)).FirstErr())
		v, _ := b.start(t)
		if got := get(t, v, "ord_000"); got.Status != order.Accepted {
			t.Errorf("as large as an order may be: got %s, want %s", got.Status, order.Accepted)
		}
		if _, err := v.Order(t.Context(), "ord_001"); !errors.Is(err, view.ErrUnknown) {
			t.Errorf("larger: got %v, want ErrUnknown", err)
		}
	})
}

// TestAViewIsFreshWhereAllRecordsAreGone purges whole partitions before a view is built.
func TestAViewIsFreshWhereAllRecordsAreGone(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b bench) {
		b.deadLettered(t, placed(0))
		b.purge(t, b.Topics.DLQ, -1)
		b.purge(t, b.Topics.Orders, -1)
		v, _ := b.start(t)
		if got := v.Health().Lag; got != 0 {
			t.Errorf("got a lag of %d, want none", got)
		}
		if diff := cmp.Diff([]place{{"1-0", "ord_000", view.Lost, 1, 0}}, places(t, v)); diff != "" {
			t.Errorf("dead letters (-want +got):\n%s", diff)
		}
	})
}
