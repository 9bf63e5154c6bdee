package desk_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/sqlite"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

var (
	at     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	placed = order.Order{
		ID: "ord_1", PlacedAt: at, Service: order.Standard,
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"},
		ShipTo:   order.Address{Line1: "McMurdo Station", City: "Ross Island", Country: "AQ"},
		Lines:    []order.Line{{SKU: "A", Quantity: 1, Name: "a", UnitPrice: order.EUR.Cents(100)}},
	}
	origin = order.Origin{Partition: 2, Offset: 0}
)

// bench is a desk on a broker with a dead order, its dead letter, and the dead letter of a record
// that is no order.
type bench struct {
	*kafkatest.Kafka
	desk       *desk.Desk
	view       *view.View
	deadLetter dlq.DeadLetter
	dead       order.State
}

// setup takes further states of the order.
func setup(t *testing.T, more ...*kgo.Record) bench {
	t.Helper()
	return setupAfter(t, func(b bench) { b.put(t, b.Topics.Status, more...) })
}

// setupAfter calls before, and then starts the view.
func setupAfter(t *testing.T, before func(bench)) bench {
	t.Helper()
	b := bench{Kafka: kafkatest.Start(t), dead: placed.Begin(origin)}
	b.dead.Progress.Invoice = &order.Invoice{Number: "INV-1"}
	kafkatest.Record(t, &b.dead, order.Change{Rev: 1, At: at, Status: order.Working})
	kafkatest.Record(t, &b.dead, order.Change{Rev: 2, At: at, Status: order.Dead})
	r := wire.Order(placed)
	b.deadLetter = dlq.DeadLetter{
		Source: wire.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Origin: origin},
		Cause:  order.Cause{Actor: order.Actor{Kind: order.ActorCustomer, ID: "17"}, Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
		Topic:  b.Topics.Orders, Group: "order-workers",
		Step: order.StepShipping, Class: failure.Permanent, Reason: failure.NoRoute, Message: "no route to AQ",
		Attempts: 1, FirstFailed: at, LastFailed: at, Worker: "w", Rev: 2, Progress: b.dead.Progress,
	}
	junk := dlq.DeadLetter{Source: wire.Source{Key: []byte{0xff}, Value: []byte("no order"), Origin: order.Origin{Partition: 2, Offset: 1}}, Topic: b.Topics.Orders, Reason: failure.Undecodable}
	b.put(t, b.Topics.Orders, r, &kgo.Record{Key: junk.Key, Value: junk.Value})
	b.put(t, b.Topics.DLQ, b.deadLetter.Record(), junk.Record())
	b.put(t, b.Topics.Status, wire.Claim{Worker: "w", At: at}.Record(), wire.State(b.dead, 0))
	before(b)

	layout, err := kafka.Check(t.Context(), b.Client, b.Topics)
	must(t, err)
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "view.db"))
	must(t, err)
	b.view, err = view.New(t.Context(), view.Config{
		Kafka: b.Config(), Topics: b.Topics, Incarnation: layout.Incarnation,
		Store: store, Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.view.Run(ctx) }() // ends with cancel
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, b.view.Close()); err != nil {
			t.Error(err)
		}
	})
	must(t, b.view.Fresh(t.Context()))
	producer, err := b.Config().ConnectProducer(t.Context())
	must(t, err)
	t.Cleanup(producer.Close)
	b.desk = desk.New(producer, b.Topics, b.view)
	return b
}

func (b bench) put(t *testing.T, topic string, records ...*kgo.Record) {
	t.Helper()
	for _, r := range records {
		r.Topic, r.Partition = topic, 2
	}
	b.Produce(t, records...)
}

// request is the first replay of the order's dead letter, whose state is behind a claim.
func (b bench) request() wire.ReplayRequest {
	l := b.deadLetter
	return wire.ReplayRequest{
		Source: l.Source, Placed: l.Cause, Number: 1, Rev: l.Rev, StateAt: 1, Attempts: l.Attempts, FirstFailed: l.FirstFailed, Progress: l.Progress,
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReplayRequestContainsTheDeadLetter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 2 { // the second is harmless: it has the same number
		number, err := b.desk.Replay(t.Context(), "2-0", false)
		if err != nil || number != 1 {
			t.Fatalf("got replay %d, %v; want 1", number, err)
		}
	}
	records := b.Records(t, b.Topics.Replay)
	if len(records) != 2 {
		t.Fatalf("got %d records, want 2", len(records))
	}
	want := b.request()
	for _, r := range records {
		got, err := wire.ReadReplayRequest(r)
		want.At = got.At
		if diff := cmp.Diff(want, got); diff != "" || err != nil || r.Partition != 2 {
			t.Errorf("replay in partition %d: %v (-want +got):\n%s", r.Partition, err, diff)
		}
	}
	if got := b.DeadLetters(t); len(got) != 2 {
		t.Errorf("got %d dead letters, want the 2 that were there", len(got))
	}
}

func TestReplayRequestNamesTheStateInTheView(t *testing.T) {
	t.Parallel()
	b := setup(t)
	changes, stop := b.view.Watch("ord_1")
	defer stop()
	kafkatest.Record(t, &b.dead, order.Change{Rev: 3, At: at, Status: order.Dead, Reason: "conflict", Replay: 1})
	b.put(t, b.Topics.Status, wire.State(b.dead, 0))
	<-changes
	_, err := b.desk.Replay(t.Context(), "2-0", false)
	must(t, err)
	got, err := wire.ReadReplayRequest(b.Records(t, b.Topics.Replay)[0])
	if err != nil || got.Rev != 3 || got.StateAt != 2 {
		t.Errorf("got rev %d at %d, %v; want 3 at 2", got.Rev, got.StateAt, err)
	}
}

func TestDeadLetterOfAnOrderInProgressIsClosed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	changes, stop := b.view.Watch("ord_1")
	defer stop()
	kafkatest.Record(t, &b.dead, order.Change{Rev: 3, At: at, Status: order.Working, Replay: 1})
	b.put(t, b.Topics.Status, wire.State(b.dead, 0))
	<-changes
	if _, err := b.desk.Replay(t.Context(), "2-0", false); !errors.Is(err, desk.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if _, err := b.desk.Replay(t.Context(), "2-9", false); !errors.Is(err, view.ErrUnknown) {
		t.Errorf("dead letter that does not exist: got %v, want ErrUnknown", err)
	}
	if got := b.Records(t, b.Topics.Replay); len(got) != 0 {
		t.Errorf("got %d replays, want none", len(got))
	}
}

// TestBlockedPartitionRefusesReplayAndCancel has a state of a newer version: the view cannot read
// the states after it.
func TestBlockedPartitionRefusesReplayAndCancel(t *testing.T) {
	t.Parallel()
	s := placed.Begin(origin)
	kafkatest.Record(t, &s, order.Change{Rev: 3, At: at, Status: order.Confirmed})
	newer := wire.State(s, 0)
	newer.Value = []byte(`{"schema":9}`)
	b := setup(t, newer)
	if _, err := b.desk.Replay(t.Context(), "2-0", false); !errors.Is(err, view.ErrBehind) {
		t.Errorf("replay: got %v, want ErrBehind", err)
	}
	if _, err := b.desk.Cancel(t.Context(), "ord_1"); !errors.Is(err, view.ErrBehind) {
		t.Errorf("cancel: got %v, want ErrBehind", err)
	}
	if got := b.Records(t, b.Topics.Replay); len(got) != 0 {
		t.Errorf("got %d records, want none", len(got))
	}
}

func TestDeadLetterShowsTheExactBytes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got, err := b.desk.DeadLetter(t.Context(), "2-1")
	if err != nil || string(got.Key) != "\xff" || string(got.Value) != "no order" || got.State != view.Open {
		t.Errorf("got key %q, value %q, %s, %v; want those of the record, open", got.Key, got.Value, got.State, err)
	}
	if number, err := b.desk.Replay(t.Context(), "2-1", false); err != nil || number != 1 {
		t.Errorf("replay of what is no order: got %d, %v; want 1: a newer worker may read it", number, err)
	}
	if _, err := b.desk.DeadLetter(t.Context(), "2-9"); !errors.Is(err, view.ErrUnknown) {
		t.Errorf("dead letter that does not exist: got %v, want ErrUnknown", err)
	}
}

// purge deletes the records of partition 2 of the dead-letter topic below an offset.
func (b bench) purge(t *testing.T, below int64) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(b.Topics.DLQ, 2, below, -1)
	_, err := kadm.NewClient(b.Client).DeleteRecords(t.Context(), offsets)
	must(t, err)
}

func TestLostDeadLetterIsReplayedFromItsOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.purge(t, 2)
	_, err := b.desk.DeadLetter(t.Context(), "2-0")
	if lost, ok := errors.AsType[*desk.LostError](err); !ok || lost.Order != "ord_1" {
		t.Errorf("got %v, want LostError with ord_1", err)
	}
	number, err := b.desk.Replay(t.Context(), "2-0", false)
	if err != nil || number != 1 {
		t.Fatalf("got replay %d, %v; want 1", number, err)
	}
	want := b.request()
	got, err := wire.ReadReplayRequest(b.Records(t, b.Topics.Replay)[0])
	want.At, want.Placed.Actor = got.At, order.Actor{} // the read model does not have it, the order's state does
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("replay: %v (-want +got):\n%s", err, diff)
	}
	_, err = b.desk.Replay(t.Context(), "2-1", false)
	if lost, ok := errors.AsType[*desk.LostError](err); !ok || lost.Order != "" {
		t.Errorf("replay of what was no order: got %v, want LostError without an order", err)
	}
}

// TestDeadLetterWithoutBytesIsReplayedFromItsOrder has a dead letter that was too large to be
// written with the record that failed.
func TestDeadLetterWithoutBytesIsReplayedFromItsOrder(t *testing.T) {
	t.Parallel()
	b := setupAfter(t, func(b bench) {
		clipped := b.deadLetter
		clipped.Key, clipped.Value, clipped.Headers = nil, nil, nil
		b.put(t, b.Topics.DLQ, clipped.Record())
	})
	_, err := b.desk.Replay(t.Context(), "2-0", false)
	must(t, err)
	got, err := wire.ReadReplayRequest(b.Records(t, b.Topics.Replay)[0])
	if err != nil || string(got.Key) != "ord_1" || string(got.Value) != string(b.deadLetter.Value) {
		t.Errorf("got key %q, value %q, %v; want the order", got.Key, got.Value, err)
	}
}

// TestCopiedDeadLetterBelongsToItsOwnOrder has the dead letter of an order in another partition, at
// the offset that it had, behind the dead letter of another order.
func TestCopiedDeadLetterBelongsToItsOwnOrder(t *testing.T) {
	t.Parallel()
	b := setupAfter(t, func(b bench) {
		other := placed
		other.ID, other.Customer.Email = "ord_2", "other@example.com"
		r := wire.Order(other)
		r.Topic, r.Partition = b.Topics.Orders, 1
		theirs := b.deadLetter
		theirs.Key, theirs.Value, theirs.Origin = r.Key, r.Value, order.Origin{Partition: 1}
		first, copied := theirs.Record(), b.deadLetter.Record()
		first.Topic, copied.Topic, copied.Partition = b.Topics.DLQ, b.Topics.DLQ, 1
		b.Produce(t, r, first, copied)
		b.purge(t, 2) // the copy is all there is
	})
	for id, want := range map[string]string{"2-0": "ord_1", "1-0": "ord_2"} {
		l, err := b.desk.DeadLetter(t.Context(), id)
		if err != nil || string(l.Key) != want {
			t.Errorf("dead letter %s: got that of %q, %v; want %s", id, l.Key, err, want)
		}
		_, err = b.desk.Replay(t.Context(), id, false)
		must(t, err)
	}
	for _, r := range b.Records(t, b.Topics.Replay) {
		l, err := wire.ReadReplayRequest(r)
		if err != nil || l.Origin.Partition != r.Partition || (r.Partition == 2) != (string(l.Key) == "ord_1") {
			t.Errorf("got a replay of %q at %s in partition %d, %v", l.Key, l.Origin, r.Partition, err)
		}
	}
}
