package view_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/sqlite"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// bench is a broker, and the folder in which views of it are kept.
type bench struct {
	*kafkatest.Kafka
	layout kafka.Layout
	path   string
}

func setup(t *testing.T) bench {
	t.Helper()
	return setupOn(t, kafkatest.Start(t))
}

func setupOn(t *testing.T, k *kafkatest.Kafka) bench {
	t.Helper()
	layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
	if err != nil {
		t.Fatal(err)
	}
	return bench{k, layout, filepath.Join(t.TempDir(), "view.db")}
}

func (b bench) config(t *testing.T) view.Config {
	t.Helper()
	store, err := sqlite.Open(t.Context(), b.path)
	must(t, err)
	return view.Config{
		Kafka: b.Config(), Topics: b.Topics, Incarnation: b.layout.Incarnation, Store: store, Log: slog.New(slog.DiscardHandler),
	}
}

// start runs a view that has applied all that is in the topics now. The function it returns stops
// it and gives what Run returned.
func (b bench) start(t *testing.T) (*view.View, func() error) {
	t.Helper()
	return b.startWith(t, b.config(t))
}

func (b bench) startWith(t *testing.T, cfg view.Config) (*view.View, func() error) {
	t.Helper()
	v, stop := b.run(t, cfg)
	must(t, v.Fresh(t.Context()))
	return v, stop
}

// run is startWith, but does not wait.
func (b bench) run(t *testing.T, cfg view.Config) (*view.View, func() error) {
	t.Helper()
	v, err := view.New(t.Context(), cfg)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }() // ends with cancel
	stopped := false
	stop := func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return errors.Join(<-done, v.Close())
	}
	t.Cleanup(func() { stop() })
	return v, stop
}

// put appends records to a topic, all to partition 1.
func (b bench) put(t *testing.T, topic string, records ...*kgo.Record) {
	t.Helper()
	for _, r := range records {
		r.Topic, r.Partition = topic, 1
	}
	b.Produce(t, records...)
}

// watched calls change and waits until the view has seen it in an order.
func watched(t *testing.T, v *view.View, id order.ID, change func()) order.State {
	t.Helper()
	changes, stop := v.Watch(id)
	defer stop()
	change()
	<-changes
	return get(t, v, id)
}

func get(t *testing.T, v *view.View, id order.ID) order.State {
	t.Helper()
	s, err := v.Order(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// placed is a valid order; n makes its ID, and its time in minutes.
func placed(n int) order.Order {
	return order.Order{
		ID: order.ID(fmt.Sprintf("ord_%03d", n)), PlacedAt: time.Date(2026, 3, 1, 12, n, 0, 0, time.UTC), Service: order.Standard,
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: fmt.Sprintf("zoe%d@example.com", n)},
		ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Lines:    []order.Line{{SKU: "A", Quantity: 1, Name: "a", UnitPrice: order.EUR.Cents(100), Grams: 5, Size: [3]int{1, 2, 3}}},
	}
}

// at is the state of an order whose record is at an offset of partition 1, after it went through
// some statuses.
func (b bench) at(o order.Order, offset int64, through ...order.Status) order.State {
	s := o.Begin(order.Origin{Incarnation: b.layout.Incarnation, Partition: 1, Offset: offset})
	for i, status := range through {
		kafkatest.Force(&s, order.Change{Rev: int64(i + 1), At: o.PlacedAt.Add(time.Second), Status: status})
	}
	return s
}

// same compares states by what they say: an order that was read carries the bytes it was read from.
func same(t *testing.T, what string, want, got order.State) {
	t.Helper()
	want.Order.Source, got.Order.Source = nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestFirstRecordOfAnIDIsTheOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	second := placed(1)
	second.Note = "another body"
	b.put(t, b.Topics.Orders, wire.Order(placed(1)), wire.Order(second), &kgo.Record{Key: []byte("ord_1"), Value: []byte("no order")})
	v, _ := b.start(t)

	same(t, "order", b.at(placed(1), 0), get(t, v, "ord_001"))
	if _, err := v.Order(t.Context(), "ord_2"); !errors.Is(err, view.ErrUnknown) {
		t.Errorf("order that does not exist: got %v, want ErrUnknown", err)
	}
}

func TestStatusReplacesTheState(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, b.Topics.Orders, wire.Order(placed(1)))
	v, _ := b.start(t)
	b.put(t, b.Topics.Status, wire.Claim{Worker: "w", At: time.Now()}.Record())
	for _, want := range []order.State{b.at(placed(1), 0, order.Working), b.at(placed(1), 0, order.Working, order.Dead)} {
		got := watched(t, v, "ord_001", func() { b.put(t, b.Topics.Status, wire.State(want, 0)) })
		same(t, "state", want, got)
	}
}

func TestStateWithoutItsOrderRecordIsShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := b.at(placed(1), 7, order.Working)
	b.put(t, b.Topics.Status, wire.Claim{Worker: "w", At: time.Now()}.Record(), wire.State(want, 0))
	v, _ := b.start(t)
	same(t, "state", want, get(t, v, "ord_001"))
}

func TestStaleStatesAreSkipped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	working := b.at(placed(1), 0, order.Working)
	stale := b.at(placed(1), 0, order.Working, order.Dead)
	b.put(t, b.Topics.Status, wire.Claim{Worker: "w1", At: time.Now()}.Record(), wire.State(working, 0), wire.Claim{Worker: "w2", At: time.Now()}.Record(), wire.State(stale, 0))
	v, stop := b.start(t)
	check := func(v *view.View, skipped int64) {
		t.Helper()
		same(t, "state", working, get(t, v, "ord_001"))
		if got := v.Health(); got.Stale != skipped || got.Lag != 0 {
			t.Errorf("got health %+v, want %d stale and no lag", got, skipped)
		}
	}
	check(v, 1)

	// The claim is before the position at which the next view reads on.
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.put(t, b.Topics.Status, wire.State(stale, 0))
	v, _ = b.start(t)
	check(v, 2)
}

func TestRestartResumes(t *testing.T) {
	t.Parallel()
	for name, broker := range map[string]func(testing.TB) *kafkatest.Kafka{"memory": kafkatest.Start, "real": kafkatest.Real} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupOn(t, broker(t))
			b.put(t, b.Topics.Orders, wire.Order(placed(1)))
			_, stop := b.start(t)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			// What is gone from the topic can only come from the file.
			b.put(t, b.Topics.Orders, wire.Order(placed(2)))
			var offsets kadm.Offsets
			offsets.AddOffset(b.Topics.Orders, 1, 1, -1)
			if _, err := kadm.NewClient(b.Client).DeleteRecords(t.Context(), offsets); err != nil {
				t.Fatal(err)
			}
			v, _ := b.start(t)
			same(t, "order from the file", b.at(placed(1), 0), get(t, v, "ord_001"))
			same(t, "order from the topic", b.at(placed(2), 1), get(t, v, "ord_002"))
		})
	}
}

func TestAFileThatDoesNotFitIsRebuilt(t *testing.T) {
	t.Parallel()
	remade := func(t *testing.T, b *bench) {
		adm := kadm.NewClient(b.Client)
		if _, err := adm.DeleteTopics(t.Context(), b.Topics.Orders); err != nil {
			t.Fatal(err)
		}
		if _, err := kafka.Create(t.Context(), b.Client, b.Topics, kafkatest.Partitions, 0); err != nil {
			t.Fatal(err)
		}
		b.Client.PurgeTopicsFromProducing(b.Topics.Orders) // its producer holds on to the topic that was
		b.layout, _ = kafka.Check(t.Context(), b.Client, b.Topics)
	}
	for name, spoil := range map[string]func(*testing.T, *bench){
		"deleted": func(t *testing.T, b *bench) { must(t, os.Remove(b.path)) },
		"no database": func(t *testing.T, b *bench) {
			must(t, os.WriteFile(b.path, []byte(strings.Repeat("spoilt ", 999)), 0o600))
		},
		"of another schema":  func(t *testing.T, b *bench) { query(t, b.path, "PRAGMA user_version = 999") },
		"of schema 2":        func(t *testing.T, b *bench) { query(t, b.path, "PRAGMA user_version = 2") },
		"of a longer topic":  func(t *testing.T, b *bench) { query(t, b.path, "UPDATE positions SET next = 999") },
		"of other topics":    func(t *testing.T, b *bench) { query(t, b.path, "UPDATE topics SET id = x'00'") },
		"of topics now gone": remade,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.put(t, b.Topics.Orders, wire.Order(placed(1)))
			_, stop := b.start(t)
			must(t, stop())
			query(t, b.path, "UPDATE orders SET id = 'ord_from_the_old_file'")
			spoil(t, &b)
			b.put(t, b.Topics.Orders, wire.Order(placed(1)))

			v, _ := b.start(t)
			if got := get(t, v, "ord_001"); got.Status != order.Accepted {
				t.Errorf("got %+v, want the order from the topic", got)
			}
			if _, err := v.Order(t.Context(), "ord_from_the_old_file"); !errors.Is(err, view.ErrUnknown) {
				t.Errorf("order of the old file: got %v, want ErrUnknown", err)
			}
		})
	}
}

func TestTwoViewsOnOneFileAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, stop := b.start(t)
	_, err := sqlite.Open(t.Context(), b.path)
	if err == nil || !strings.Contains(err.Error(), "--data of its own") {
		t.Errorf("got %v, want a refusal that says what to do", err)
	}
	must(t, stop())
	b.start(t)
}

func TestARecordOfANewerVersionBlocksItsPartitionAlone(t *testing.T) {
	t.Parallel()
	for name, topic := range map[string]func(bench) string{
		"order": func(b bench) string { return b.Topics.Orders },
		"state": func(b bench) string { return b.Topics.Status },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			v, _ := b.start(t)
			r := wire.State(b.at(placed(1), 0, order.Working), 0)
			r.Value = []byte(`{"schema": 9}`)
			behind, other := wire.Order(placed(2)), wire.Order(placed(3))
			if name == "state" {
				behind = wire.State(b.at(placed(2), 1, order.Working), 0)
			}
			b.put(t, topic(b), r, behind)
			other.Topic, other.Partition = b.Topics.Orders, 2
			b.Produce(t, other)
			must(t, v.Applied(t.Context(), 2, other.Offset))
			must(t, v.Fresh(t.Context()))
			if here, elsewhere := v.CheckPartition(1), v.CheckPartition(2); !errors.Is(here, view.ErrBehind) || elsewhere != nil {
				t.Errorf("blocked: got %v, and elsewhere %v; want ErrBehind, and nil", here, elsewhere)
			}
			if _, err := v.Order(t.Context(), "ord_002"); !errors.Is(err, view.ErrUnknown) {
				t.Errorf("behind the record: got %v, want ErrUnknown", err)
			}
		})
	}
}

// TestARepeatThatOutlivesItsOrderChangesNothing has a view that is rebuilt when the topic has
// forgotten an order, and not yet its repeat.
func TestARepeatThatOutlivesItsOrderChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	repeat := placed(1)
	repeat.PlacedAt = repeat.PlacedAt.Add(time.Hour)
	dead := b.at(placed(1), 7, order.Working, order.Dead)
	deadLetter := dlq.DeadLetter{Source: wire.Source{Origin: dead.Origin}, Topic: b.Topics.Orders, Step: order.StepShipping, Rev: 2}
	b.put(t, b.Topics.Orders, wire.Order(repeat))
	b.put(t, b.Topics.Status, wire.State(dead, 0))
	b.put(t, b.Topics.DLQ, deadLetter.Record())
	v, _ := b.start(t)
	if got, err := v.DeadLetter(t.Context(), "1-7"); err != nil || got.Order != dead.Order.ID || got.State != view.Open {
		t.Errorf("got dead letter of %q, %s, %v; want an open one of %s", got.Order, got.State, err, dead.Order.ID)
	}
	before := view.Filter{To: repeat.PlacedAt, Limit: 10}
	if got, _, err := v.Orders(t.Context(), before); err != nil || len(got) != 1 {
		t.Errorf("got %d orders placed before the repeat, %v; want 1", len(got), err)
	}
}

func TestASlowWatcherDelaysNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v, _ := b.start(t)
	changes, stop := v.Watch("ord_001")
	last := wire.Order(placed(2))
	for range 50 {
		b.put(t, b.Topics.Orders, wire.Order(placed(1)))
	}
	b.put(t, b.Topics.Orders, last)
	must(t, v.Applied(t.Context(), 1, last.Offset))
	<-changes
	stop()
}

func TestDocumentIsTheIssuedOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v, _ := b.start(t)
	s := b.at(placed(1), 0, order.Working)
	s.Progress.Invoice = &order.Invoice{Number: "INV-1"}
	if _, err := v.Document(t.Context(), s); !errors.Is(err, view.ErrUnknown) {
		t.Errorf("before it is kept: got %v, want ErrUnknown", err)
	}
	document := []byte("%PDF-1.7 an invoice")
	s.Document = document
	r := wire.Invoice(&s, time.Now())
	s.Document = nil
	b.put(t, b.Topics.Invoices, r)
	s.Progress.Invoice.Kept = &order.Kept{Offset: r.Offset, SHA256: wire.SHA256(document), Bytes: len(document)}
	if got, err := v.Document(t.Context(), s); err != nil || string(got) != string(document) {
		t.Errorf("got %q, %v; want %q", got, err, document)
	}
	s.Progress.Invoice.Kept.SHA256 = wire.SHA256(nil)
	if _, err := v.Document(t.Context(), s); err == nil {
		t.Error("with another hash: got no error")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
