// Command bareloop takes the orders of a topic through the steps of a worker, and promises nothing.
//
// It is a floor of scripts/bench: consume, steps, mail, with the libraries, the code of the steps and the
// concurrency of a worker. It is a member of a plain consumer group, which commits by itself what was
// polled. It writes no states and no invoices, and has no lanes, retries, dead letters and fencing: an
// order that was polled when the loop stops is lost. With --store it appends the records that a worker appends,
// and waits for no acknowledgement. It runs until it is stopped, and ends at the first error.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/services/order-worker/internal/invoice"
	"example.com/orders/services/order-worker/internal/shipping"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/vat"
	"example.com/orders/shared/wire"
)

func main() { config.Main("bareloop", run) }

type settings struct {
	config.Kafka
	Group       string `default:"bareloop" help:"Consumer group."`
	SMTP        string `name:"smtp" default:"127.0.0.1:1025" help:"Mail server, as HOST:PORT."`
	Concurrency int    `default:"64" help:"Number of orders that it works on at the same time."`
	Store       bool   `help:"Append the states and the invoice of each order, too."`
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s settings
	if err := config.Parse(&s, "bareloop", "Takes the orders of a topic through the steps.", args, env, stdout, stderr); err != nil {
		return err
	}
	l, err := newLoop(s)
	if err != nil {
		return err
	}
	defer l.mail.Close()
	defer allocated(stdout)
	brokers := kafka.Config{Brokers: s.Brokers, Security: kafka.Security(s.Security), Log: slog.New(slog.NewTextHandler(stderr, nil))}
	l.topics = topic.Names(s.Prefix)
	cl, err := brokers.Connect(ctx, kgo.ConsumerGroup(s.Group), kgo.ConsumeTopics(l.topics.Orders),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	if s.Store {
		l.store = cl
	}
	return l.run(ctx, s.Concurrency, cl)
}

// allocated prints how many bytes were allocated, which depends on no other load of the machine.
func allocated(w io.Writer) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprintf(w, "allocated %d bytes\n", m.TotalAlloc)
}

// step is what a loop needs of the steps.
type step interface {
	Plan(ctx context.Context, w *order.Work) error
	Do(ctx context.Context, w *order.Work) error
}

type loop struct {
	steps  []step
	mail   *email.Step
	topics topic.Set
	store  *kgo.Client // or nil: nothing is appended
	fail   func(error) // ends the loop with an error
}

// newLoop makes the steps with the built-in seller and tables.
func newLoop(s settings) (*loop, error) {
	card, err := rates.Load("")
	if err != nil {
		return nil, err
	}
	table, err := vat.Load("")
	if err != nil {
		return nil, err
	}
	seller, err := invoice.LoadSeller("", table)
	if err != nil {
		return nil, err
	}
	bill, err := invoice.New(seller, table, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	mail, err := email.New(email.Config{
		SMTP: s.SMTP, From: "orders@shop.example.com", Seller: seller.Name, Home: seller.Country, Zone: bill.Zone(), Imprint: bill.Imprint(),
	})
	if err != nil {
		return nil, err
	}
	return &loop{steps: []step{shipping.New(card), bill, mail}, mail: mail}, nil
}

// run works on the orders that it polls, until ctx ends.
func (l *loop) run(ctx context.Context, concurrency int, cl *kgo.Client) error {
	storing, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	l.fail = fail
	g, working := errgroup.WithContext(storing)
	g.SetLimit(concurrency)
	for working.Err() == nil {
		polled := cl.PollFetches(working)
		for r := range polled.RecordsAll() {
			g.Go(func() error { return l.work(working, r) })
		}
		if err := polled.Err(); err != nil && working.Err() == nil {
			g.Go(func() error { return err })
		}
	}
	if err := g.Wait(); ctx.Err() == nil {
		return cmp.Or(context.Cause(storing), err)
	}
	return nil
}

// work takes the order of a record through all steps.
func (l *loop) work(ctx context.Context, r *kgo.Record) error {
	o, err := wire.ReadOrder(r)
	if err != nil {
		return fmt.Errorf("order %s: %w", r.Key, err)
	}
	w := &order.State{Work: order.Work{Order: o, Origin: order.Origin{Partition: r.Partition, Offset: r.Offset}}}
	for _, s := range l.steps {
		if err := s.Plan(ctx, &w.Work); err != nil {
			return fmt.Errorf("order %s: %w", r.Key, err)
		}
		if s, ok := s.(interface{ Intent() order.Status }); ok {
			l.append(ctx, w, s.Intent())
		}
		if err := s.Do(ctx, &w.Work); err != nil {
			return fmt.Errorf("order %s: %w", r.Key, err)
		}
		if _, ok := s.(*invoice.Step); ok && l.store != nil {
			l.produce(ctx, l.topics.Invoices, r.Partition, wire.Invoice(w, time.Now()))
		}
	}
	l.append(ctx, w, order.Confirmed)
	return nil
}

// append appends a state of an order, if it is to be stored.
func (l *loop) append(ctx context.Context, w *order.State, to order.Status) {
	if l.store == nil {
		return
	}
	w.Status, w.Rev = to, w.Rev+1
	w.Timeline = append(w.Timeline, order.Change{Rev: w.Rev, At: time.Now(), Status: to, Worker: "bareloop"})
	l.produce(ctx, l.topics.Status, w.Origin.Partition, wire.State(*w, 0))
}

func (l *loop) produce(ctx context.Context, to string, partition int32, r *kgo.Record) {
	r.Topic, r.Partition = to, partition
	l.store.Produce(ctx, r, func(r *kgo.Record, err error) {
		if err != nil && ctx.Err() == nil {
			l.fail(fmt.Errorf("appending to %s: %w", r.Topic, err))
		}
	})
}
