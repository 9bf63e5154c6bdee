// Command bareloop takes orders through the steps of a worker, and promises nothing.
//
// It is a floor of scripts/bench: what the steps cost without Kafka, intents, retries and fencing.
// It reads orders from stdin, one a line: the ID, a space, and the value of a record of the topic
// orders. It ends when each is mailed, and at the first error.
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/services/order-worker/internal/invoice"
	"example.com/orders/services/order-worker/internal/shipping"
	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
	"example.com/orders/shared/vat"
	"example.com/orders/shared/wire"
)

func main() { config.Main("bareloop", run) }

type settings struct {
	SMTP        string `name:"smtp" default:"127.0.0.1:1025" help:"Mail server, as HOST:PORT."`
	Concurrency int    `default:"64" help:"Number of orders that it works on at the same time."`
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s settings
	if err := config.Parse(&s, "bareloop", "Takes the orders of stdin through the steps.", args, env, stdout, stderr); err != nil {
		return err
	}
	l, err := newLoop(s)
	if err != nil {
		return err
	}
	defer l.mail.Close()
	return l.run(ctx, s.Concurrency, os.Stdin)
}

// step is what a loop needs of the steps.
type step interface {
	Plan(ctx context.Context, w *order.Work) error
	Do(ctx context.Context, w *order.Work) error
}

type loop struct {
	steps []step
	mail  *email.Step
	begun atomic.Int64 // number of orders
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
		SMTP: s.SMTP, From: "orders@shop.example.com", Seller: seller.Name, Home: seller.Country, Zone: bill.Zone(), Imprint: bill.Imprint(), Connections: s.Concurrency,
	})
	if err != nil {
		return nil, err
	}
	return &loop{steps: []step{shipping.New(card), bill, mail}, mail: mail}, nil
}

// run works on the orders of all lines.
func (l *loop) run(ctx context.Context, concurrency int, lines io.Reader) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(concurrency)
	for text := bufio.NewScanner(lines); text.Scan() && ctx.Err() == nil; {
		line := bytes.Clone(text.Bytes())
		g.Go(func() error { return l.work(ctx, line) })
	}
	return g.Wait()
}

// work takes the order of a line through all steps.
func (l *loop) work(ctx context.Context, line []byte) error {
	id, value, _ := bytes.Cut(line, []byte(" "))
	o, err := wire.ReadOrder(&kgo.Record{Key: id, Value: value})
	if err != nil {
		return fmt.Errorf("order %s: %w", id, err)
	}
	w := &order.Work{Order: o, Origin: order.Origin{Offset: l.begun.Add(1)}}
	for _, s := range l.steps {
		if err := s.Plan(ctx, w); err != nil {
			return fmt.Errorf("order %s: %w", id, err)
		}
		if err := s.Do(ctx, w); err != nil {
			return fmt.Errorf("order %s: %w", id, err)
		}
	}
	return nil
}
