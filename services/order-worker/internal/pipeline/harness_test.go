//go:build synctests

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/services/order-worker/internal/pipeline"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

const partition = 2

// line is a pipeline over a Kafka in memory, in a synctest bubble, whose steps do little but what a test adds.
type line struct {
	*kafkatest.Kafka
	*pipeline.Pipeline
	settings pipeline.Config
	server   *retry.Breaker
	cfg      ledger.Config
	ledger   *ledger.Ledger
	stopping chan struct{}
	knows    bool // this process has seen all mails go

	shipping, invoice, email *step
}

// step settles what its kind of step settles. Before each call it does what a test asks.
type step struct {
	name          order.Step
	settle        func(w *order.Work)
	effect        func(w *order.Work)
	plan, do      func(ctx context.Context, w *order.Work) error // or nil
	planned, done int
}

func (s *step) Name() order.Step { return s.name }

func (s *step) Plan(ctx context.Context, w *order.Work) error {
	s.planned++
	if s.plan != nil {
		if err := s.plan(ctx, w); err != nil {
			return err
		}
	}
	s.settle(w)
	return nil
}

func (s *step) Do(ctx context.Context, w *order.Work) error {
	if s.do != nil {
		if err := s.do(ctx, w); err != nil {
			return err
		}
	}
	s.done++
	s.effect(w)
	return nil
}

func setup(t *testing.T) *line {
	t.Helper()
	k := kafkatest.Start(t)
	layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	l := &line{Kafka: k, stopping: make(chan struct{}), cfg: ledger.Config{
		Topics: k.Topics, Incarnation: layout.Incarnation, Worker: "test", Producer: k.Client, Meter: metrics.New(), Log: log,
	}}
	none := func(*order.Work) {}
	l.shipping = &step{name: order.StepShipping, effect: none, settle: func(w *order.Work) {
		if w.Progress.Shipping == nil {
			w.Progress.Shipping = &order.Shipping{Zone: "here", Price: order.EUR.Cents(490)}
		}
	}}
	l.invoice = &step{name: order.StepInvoice, settle: func(w *order.Work) {
		if w.Progress.Invoice == nil {
			net := order.EUR.Cents(100)
			w.Progress.Invoice = &order.Invoice{Number: w.Origin.InvoiceNumber(), IssuedAt: time.Now().UTC(), Net: net, Tax: net, Total: net, Payments: len(w.Payments)}
		}
	}}
	l.invoice.effect = func(w *order.Work) { w.Document = fmt.Appendf(nil, "%s, rendering %d", w.Order.ID, l.invoice.done) }
	l.email = &step{name: order.StepEmail, effect: none, settle: func(w *order.Work) {
		if w.Progress.Email == nil {
			w.Progress.Email = &order.Email{MessageID: string(w.Order.ID) + "@example.com", Date: time.Now().UTC()}
		}
	}}
	l.settings = pipeline.Config{Topics: k.Topics, Home: func([]byte, []kgo.RecordHeader) int32 { return partition }, Group: "workers", Worker: "worker-1", Meter: l.cfg.Meter, Log: log}
	l.restart()
	l.takeOver(t)
	return l
}

// restart creates the pipeline again, with changed settings.
func (l *line) restart() {
	l.server = retry.NewBreaker(l.cfg.Log, "email", 8)
	l.Pipeline = pipeline.New(l.settings, []pipeline.Step{l.shipping, invoicing{l.invoice}, mailing{l.email, l.server, l}})
}

type invoicing struct{ *step }

func (invoicing) Intent() order.Status      { return order.Working }
func (invoicing) Stored(w *order.Work) bool { return w.Progress.Invoice.Kept != nil }

type mailing struct {
	*step
	*retry.Breaker
	line *line
}

func (mailing) Intent() order.Status         { return order.Mailing }
func (m mailing) Delivered(*order.Work) bool { return m.line.knows }

func (mailing) CountUncertain(w *order.Work) int {
	w.Progress.Email.Uncertain++
	return w.Progress.Email.Uncertain
}

// takeOver is what happens when the partition gets another owner: it knows what is in Kafka.
func (l *line) takeOver(t *testing.T) {
	t.Helper()
	var err error
	if l.ledger, err = ledger.Open(t.Context(), l.cfg, partition, ledger.Start{}); err != nil {
		t.Fatal(err)
	}
}

// work handles a record and checks that it is finished.
func (l *line) work(t *testing.T, r *kgo.Record) {
	t.Helper()
	if err := l.Handle(t.Context(), l.ledger, r, l.stopping); err != nil {
		t.Errorf("%s offset %d: got %v, want it finished", r.Topic, r.Offset, err)
	}
}

// byOwners runs a test with each owner that its second part may have: the same one, the next one, and one an hour
// later. The test calls next between its parts.
func byOwners(t *testing.T, test func(t *testing.T, l *line, next func())) {
	t.Helper()
	for name, between := range map[string]func(*line, *testing.T){
		"one owner":      func(*line, *testing.T) {},
		"the next owner": (*line).takeOver,
		"much later":     func(l *line, t *testing.T) { time.Sleep(time.Hour); l.takeOver(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t)
				test(t, l, func() { between(l, t) })
			})
		})
	}
}

// byMemory runs a test whose orders the next owner remembers, and one whose orders it has forgotten: the
// ledger keeps no order that ended an hour ago. The test calls next between its parts.
func byMemory(t *testing.T, test func(t *testing.T, l *line, next func())) {
	t.Helper()
	for name, pause := range map[string]time.Duration{"remembered": 0, "long ago": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t)
				test(t, l, func() { time.Sleep(pause); l.takeOver(t) })
			})
		})
	}
}

// storedUnseen places an order whose invoice is in orders.invoices, and whose state has a failed attempt: as
// after a worker that was killed before it recorded the invoice.
func (l *line) storedUnseen(t *testing.T) (placed *kgo.Record) {
	t.Helper()
	l.invoice.do = refuse
	placed = l.place(t, "ord_1")
	l.work(t, placed)
	s := l.States(t)["ord_1"]
	s.Document = []byte("%PDF")
	l.put(t, l.Topics.Invoices, wire.Invoice(&s, time.Now()))
	return placed
}

// blocksNewer checks that a request of a newer version is not worked on.
func (l *line) blocksNewer(t *testing.T, request *kgo.Record) {
	t.Helper()
	request.Value = []byte(`{"schema":9}`)
	if err := l.Handle(t.Context(), l.ledger, l.put(t, l.Topics.Replay, request), l.stopping); !errors.Is(err, wire.ErrNewer) {
		t.Errorf("request of a newer version: got %v, want ErrNewer", err)
	}
}

func sample(id order.ID) order.Order {
	return order.Order{
		ID: id, PlacedAt: time.Now().UTC().Truncate(time.Millisecond), Service: order.Standard,
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"},
		ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Lines:    []order.Line{{SKU: "A", Quantity: 1, Name: "a", UnitPrice: order.EUR.Cents(100)}},
	}
}

// place appends an order to the topic orders.
func (l *line) place(t *testing.T, id order.ID) *kgo.Record {
	t.Helper()
	return l.put(t, l.Topics.Orders, wire.Order(sample(id)))
}

func (l *line) put(t *testing.T, topic string, r *kgo.Record) *kgo.Record {
	t.Helper()
	r.Topic, r.Partition = topic, partition
	l.Produce(t, r)
	return r
}

// deadLetter returns the newest dead letter.
func (l *line) deadLetter(t *testing.T) dlq.DeadLetter {
	t.Helper()
	deadLetters := l.DeadLetters(t)
	if len(deadLetters) == 0 {
		t.Fatal("got no dead letter, want one")
	}
	return deadLetters[len(deadLetters)-1]
}

// sendBack replays a dead letter, as the desk does.
func (l *line) sendBack(t *testing.T, deadLetter dlq.DeadLetter) *kgo.Record {
	t.Helper()
	return l.put(t, l.Topics.Replay, replayOf(deadLetter).Record())
}

// replayOf is the request for the next replay of a dead letter.
func replayOf(l dlq.DeadLetter) *wire.ReplayRequest {
	return &wire.ReplayRequest{
		Source: l.Source, Placed: l.Cause, Number: l.Replays + 1, Rev: l.Rev, Attempts: l.Attempts, FirstFailed: l.FirstFailed, Progress: l.Progress,
		Edit: l.Edit,
	}
}

// story is the timeline of an order, one word a change: the status, and of what the change was about.
func (l *line) story(t *testing.T, id order.ID) []string {
	t.Helper()
	var story []string
	for _, c := range l.States(t)[id].Timeline {
		word := string(c.Status)
		if c.Reason != "" {
			word += " " + c.Reason
		}
		if c.Replay != 0 {
			word += fmt.Sprint(" #", c.Replay)
		}
		story = append(story, word)
	}
	return story
}

func (l *line) tells(t *testing.T, id order.ID, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, l.story(t, id)); diff != "" {
		t.Errorf("timeline of %s (-want +got):\n%s", id, diff)
	}
}
