package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/api"
	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

// breaker implements api.Breaker: it ends worker processes, changes the embedded mail server, and places
// orders.
type breaker struct {
	workers *processes
	inbox   *inbox.Inbox // or nil: the mail server is another program
	kafka   kafka.Config
	orders  string // topic
	log     *slog.Logger
	loads   chan load // to run; has room for one

	mu      sync.Mutex
	mail    string
	placing bool         // a load is in the channel, or in run
	last    api.Breaking // of which the counts are set
}

// load is a number of orders to place.
type load struct{ orders, rate int }

// behaviours are those of api.MailBehaviours.
func behaviours() map[string]inbox.Behaviour {
	return map[string]inbox.Behaviour{
		"works": {}, "down": {Down: true}, "busy": {At: "RCPT", Code: 451}, "slow": {At: ".", Late: 3 * time.Second}, "hangs-up": {At: ".", HangUp: true},
	}
}

func (b *breaker) Breaking() api.Breaking {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.last
	now.Workers = b.workers.list()
	if b.inbox != nil {
		now.Mail = b.mail
	}
	return now
}

func (b *breaker) AddWorker() error { return b.workers.add() }

func (b *breaker) EndWorker(pid int, kill bool) error {
	signal := syscall.SIGTERM
	if kill {
		signal = syscall.SIGKILL
	}
	return b.workers.end(pid, signal)
}

func (b *breaker) Behave(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mail = name
	b.inbox.Behave(behaviours()[name])
}

func (b *breaker) Place(orders, rate int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.placing {
		return api.ErrPlacing
	}
	b.placing, b.last = true, api.Breaking{Total: orders}
	b.loads <- load{orders, rate}
	return nil
}

func (b *breaker) PlaceBad(ctx context.Context) error {
	cl, err := b.kafka.ConnectProducer(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	partition := rand.N(int32(topic.Partitions)) //nolint:gosec // no secret
	_, err = kafka.Append(ctx, cl, b.orders, partition, &kgo.Record{Value: []byte("this is not an order")})
	return err
}

// run places the orders that Place is asked for, until ctx is done.
func (b *breaker) run(ctx context.Context, customer *client.Client) error {
	for {
		select {
		case l := <-b.loads:
			if err := b.place(ctx, customer, l); err != nil && ctx.Err() == nil {
				b.log.LogAttrs(ctx, slog.LevelWarn, "the orders of \"Break it\" are not all placed", slog.String(telemetry.Error, err.Error()))
			}
			b.mu.Lock()
			b.placing = false
			b.mu.Unlock()
		case <-ctx.Done():
			return nil
		}
	}
}

// place places orders one after the other. One that is refused, as by backpressure, is counted.
func (b *breaker) place(ctx context.Context, customer *client.Client, l load) error {
	products, err := customer.Products(ctx)
	if err != nil || len(products) == 0 {
		return err
	}
	ticks := make(<-chan time.Time)
	if l.rate > 0 {
		ticker := time.NewTicker(time.Second / time.Duration(l.rate))
		defer ticker.Stop()
		ticks = ticker.C
	}
	for n := range l.orders {
		_, err := customer.Place(ctx, sampleOrder(n, products), "", 0)
		p, refused := errors.AsType[*client.Problem](err)
		if refused = refused && p.Status < http.StatusInternalServerError; err != nil && !refused {
			return err
		}
		b.count(refused)
		if l.rate > 0 {
			select {
			case <-ticks:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

func (b *breaker) count(refused bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if refused {
		b.last.Refused++
	} else {
		b.last.Placed++
	}
}

// sampleOrder is the order number n of some that people who do not exist place.
func sampleOrder(n int, products []client.Product) client.NewOrder {
	people := []client.NewOrder{
		{Customer: client.Customer{Name: "Ada Example", Email: "ada@example.com"}, ShipTo: client.Address{Line1: "1 Sample Street", City: "Berlin", PostalCode: "10115", Country: "DE"}},
		{Customer: client.Customer{Name: "Béla Minta", Email: "bela@example.com"}, ShipTo: client.Address{Line1: "2 Sample Street", City: "Paris", PostalCode: "75001", Country: "FR"}},
		{Customer: client.Customer{Name: "Carla Esempio", Email: "carla@example.com"}, ShipTo: client.Address{Line1: "3 Sample Street", City: "Wien", PostalCode: "1010", Country: "AT"}},
	}
	o := people[n%len(people)]
	o.Service = "standard"
	o.Items = []client.Item{{SKU: products[n%len(products)].SKU, Quantity: 1}}
	return o
}
