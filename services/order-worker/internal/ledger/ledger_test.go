//go:build synctests

package ledger_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

const partition = 1

// owner is a worker that owns a partition on a Kafka in memory. It lives in a synctest bubble.
type owner struct {
	*kafkatest.Kafka
	cfg ledger.Config
}

func setup(t *testing.T) *owner {
	t.Helper()
	k := kafkatest.Start(t)
	layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
	if err != nil {
		t.Fatal(err)
	}
	producer, err := k.Config().ConnectProducer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	return &owner{k, ledger.Config{
		Topics: k.Topics, Incarnation: layout.Incarnation, Worker: "test", Producer: producer, Meter: metrics.New(),
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}}
}

// open claims the partition.
func (o *owner) open(t *testing.T) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), o.cfg, partition, ledger.Start{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// working opens a ledger and begins the order ord_1.
func (o *owner) working(t *testing.T) (*ledger.Ledger, *order.State) {
	t.Helper()
	l := o.open(t)
	w := begun(l, "ord_1", 7)
	write(t, l, w, order.Working)
	return l, w
}

// begun is an order at an offset of the partition, with an invoice planned.
func begun(l *ledger.Ledger, id order.ID, offset int64) *order.State {
	o := order.Order{
		ID: id, PlacedAt: time.Now().UTC().Truncate(time.Millisecond), Service: order.Standard,
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"},
		ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Lines:    []order.Line{{SKU: "A", Quantity: 1, Name: "a", UnitPrice: order.EUR.Cents(100)}},
	}
	w := new(o.Begin(l.Origin(offset)))
	w.Document = []byte("%PDF of " + id)
	none := order.EUR.Cents(0)
	w.Progress.Invoice = &order.Invoice{Number: w.Origin.InvoiceNumber(), IssuedAt: o.PlacedAt.Truncate(time.Second), Net: none, Tax: none, Total: none}
	return w
}

// remembered is what a ledger knows of an order without reading: its offset in orders, and its status.
type remembered struct {
	Origin int64
	Status order.Status
}

// erased is the status of an order that is remembered as erased.
const erased order.Status = "erased"

// remember asks for an order as a record of another place does, for which no state is read.
func remember(t *testing.T, l *ledger.Ledger, id order.ID) (remembered, bool) {
	t.Helper()
	return found(t, l, ledger.Question{ID: id, Origin: -2, By: &kgo.Record{Topic: "orders.retry"}})
}

func found(t *testing.T, l *ledger.Ledger, q ledger.Question) (remembered, bool) {
	t.Helper()
	s, err := l.Find(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if s.Standing == ledger.Erased {
		return remembered{s.Origin, erased}, true
	}
	return remembered{s.Origin, s.Status}, s.Standing != ledger.NotBegun
}

// state is the newest state of an order, or kafka.ErrGone.
func state(ctx context.Context, l *ledger.Ledger, id order.ID) (order.State, error) {
	s, err := l.Find(ctx, ledger.Question{ID: id, Origin: ledger.Anywhere})
	if err == nil && s.Standing != ledger.Begun {
		err = kafka.ErrGone
	}
	if err != nil {
		return order.State{}, err
	}
	return *s.State, nil
}

func write(t *testing.T, l *ledger.Ledger, w *order.State, status order.Status) {
	t.Helper()
	if err := l.Write(t.Context(), w, order.Change{Status: status}); err != nil {
		t.Fatal(err)
	}
}

func TestNextOwnerRestoresAllStates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		l := o.open(t)
		if _, known := remember(t, l, "ord_1"); known {
			t.Error("ord_1 is known to an empty ledger")
		}
		first, second := begun(l, "ord_1", 7), begun(l, "ord_2", 9)
		write(t, l, first, order.Working)
		write(t, l, second, order.Working)
		write(t, l, first, order.Mailing)

		for name, l := range map[string]*ledger.Ledger{"this owner": l, "the next one": o.open(t)} {
			standing, known := remember(t, l, "ord_1")
			if diff := cmp.Diff(remembered{Origin: 7, Status: order.Mailing}, standing); diff != "" || !known {
				t.Errorf("%s: standing of ord_1 (-want +got):\n%s", name, diff)
			}
			s, err := state(t.Context(), l, "ord_1")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			s.Order.Source = nil        // what was read keeps its bytes
			s.Document = first.Document // which is in another topic
			if diff := cmp.Diff(*first, s); diff != "" {
				t.Errorf("%s: state of ord_1 (-want +got):\n%s", name, diff)
			}
			if s.Rev != 2 {
				t.Errorf("%s: got rev %d, want 2", name, s.Rev)
			}
		}
	})
}

func TestStateOfAFormerOwnerIsStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		late, w := o.working(t)
		newer := o.open(t)
		write(t, late, w, order.Dead)
		write(t, late, begun(late, "ord_2", 8), order.Confirmed)

		for name, l := range map[string]*ledger.Ledger{"newer": newer, "newest": o.open(t)} {
			standing, _ := remember(t, l, "ord_1")
			_, known := remember(t, l, "ord_2")
			if standing.Status != order.Working || known {
				t.Errorf("%s: got ord_1 %s, ord_2 known: %t; want working, and not known", name, standing.Status, known)
			}
		}
	})
}

func TestRecordsThatAreNoStateAreSkipped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		l := o.open(t)
		write(t, l, begun(l, "ord_1", 7), order.Working)
		o.Produce(t, &kgo.Record{Topic: o.Topics.Status, Partition: partition, Key: []byte("ord_1"), Value: []byte("{")})
		if standing, _ := remember(t, o.open(t), "ord_1"); standing.Status != order.Working {
			t.Errorf("got %q, want working", standing.Status)
		}
	})
}

func TestStateThatCompactionRemovedIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		l := o.open(t)
		write(t, l, begun(l, "ord_1", 7), order.Working)
		if err := o.Cluster.DeleteRecords(o.Topics.Status, partition, -1); err != nil {
			t.Fatal(err)
		}
		if s, err := state(t.Context(), l, "ord_1"); !errors.Is(err, kafka.ErrGone) {
			t.Errorf("got state %+v, %v; want %v", s, err, kafka.ErrGone)
		}
	})
}

func TestNothingFailsWhileKafkaIsAway(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		do   func(context.Context, *owner, *ledger.Ledger, *order.State) error
	}{
		{"open", func(ctx context.Context, o *owner, _ *ledger.Ledger, _ *order.State) error {
			_, err := ledger.Open(ctx, o.cfg, partition, ledger.Start{})
			return err
		}},
		{"write", func(ctx context.Context, _ *owner, l *ledger.Ledger, w *order.State) error {
			return l.Write(ctx, w, order.Change{Status: order.Mailing})
		}},
		{"state", func(ctx context.Context, _ *owner, l *ledger.Ledger, w *order.State) error {
			_, err := state(ctx, l, w.Order.ID)
			return err
		}},
		{"keep", func(ctx context.Context, _ *owner, l *ledger.Ledger, w *order.State) error { return l.Keep(ctx, w) }},
		{"load", func(ctx context.Context, _ *owner, l *ledger.Ledger, w *order.State) error { return l.Load(ctx, w) }},
		{"adopt", func(ctx context.Context, _ *owner, l *ledger.Ledger, w *order.State) error {
			return l.Adopt(ctx, w)
		}},
		{"void", func(ctx context.Context, _ *owner, l *ledger.Ledger, w *order.State) error {
			return l.Void(ctx, w.Origin, failure.Duplicate, w.Order.Cause)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := setup(t)
				l := o.open(t)
				w := begun(l, "ord_1", 7)
				write(t, l, w, order.Working)
				if err := l.Keep(t.Context(), w); err != nil {
					t.Fatal(err)
				}
				back := o.Away()

				// A partition that is revoked meanwhile ends the wait.
				errLost := errors.New("lost")
				ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errLost)
				defer cancel()
				began := time.Now()
				if err := row.do(ctx, o, l, w); !errors.Is(err, errLost) || time.Since(began) != 10*time.Second {
					t.Errorf("the wait ended: got %v after %s, want %v after 10s", err, time.Since(began), errLost)
				}

				time.AfterFunc(3*time.Minute, back)
				if err := row.do(t.Context(), o, l, w); err != nil || time.Since(began) < 3*time.Minute {
					t.Errorf("got %v after %s, want nil when Kafka is back", err, time.Since(began))
				}
			})
		})
	}
}

func TestCancelledAppendIsNotWrittenLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		l := o.open(t)
		w := begun(l, "ord_1", 7)
		back := o.Away()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := ledger.Open(ctx, o.cfg, partition, ledger.Start{}); err == nil {
			t.Error("claimed a partition while Kafka is away")
		}
		if err := l.Write(ctx, w, order.Change{Status: order.Working}); err == nil {
			t.Error("wrote a state while Kafka is away")
		}
		if err := l.Keep(ctx, w); err == nil {
			t.Error("kept an invoice while Kafka is away")
		}
		back()
		time.Sleep(time.Minute)
		if got := len(o.Records(t, o.Topics.Status)) + len(o.Records(t, o.Topics.Invoices)); got != 1 {
			t.Errorf("got %d records, want our claim alone", got)
		}
	})
}

func TestNumbersOfRevisionsRise(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := setup(t)
		l := o.open(t)
		w := begun(l, "ord_1", 7)
		for _, s := range []order.Status{order.Working, order.Mailing, order.Confirmed} {
			write(t, l, w, s)
		}
		var revs []int64
		for _, r := range o.Records(t, o.Topics.Status) {
			if head, err := wire.ReadHead(r); err == nil {
				revs = append(revs, head.Rev)
			}
		}
		if diff := cmp.Diff([]int64{1, 2, 3}, revs); diff != "" {
			t.Errorf("revisions (-want +got):\n%s", diff)
		}
		if states := o.States(t); states["ord_1"].Status != order.Confirmed {
			t.Errorf("got %s, want confirmed", states["ord_1"].Status)
		}
	})
}
