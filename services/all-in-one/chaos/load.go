package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"example.com/orders/services/order-api/client"
)

// load places orders at a steady rate, at all instances of the API in turn, and remembers each that was accepted. Some are called
// off, some refunded. A request whose answer is an error, or unknown, is sent again with the same key to the next instance.
type load struct {
	seed uint64
	apis []*client.Client

	mu       sync.Mutex
	accepted map[string]placed // by order ID, refunds too
	refused  []error           // what no repeat can mend
	unknown  int               // orders that were given up without an answer
	repeated int               // requests that were
	skipped  int               // orders that were due while too many were in hand
}

// placed is an order that the API has promised.
type placed struct {
	hopeless bool   // it can end as a dead letter only
	of       string // the order that it refunds, or empty
	called   bool   // off: whether in time or not
	taken    bool   // and the API has promised an answer to that
}

const (
	inHandMax  = 2000             // orders being placed at once
	answerTime = 15 * time.Second // a stopped API never answers
	hopeless   = 40               // one order in so many goes where nobody ships
)

func newLoad(seed uint64, bases []string) *load {
	l := &load{seed: seed, accepted: map[string]placed{}}
	for _, base := range bases {
		l.apis = append(l.apis, client.New(base, &http.Client{Timeout: answerTime}))
	}
	return l
}

// run places orders until placing is done, and returns when each of them has an answer, or ctx is done.
func (l *load) run(ctx, placing context.Context, rate float64) {
	var wg sync.WaitGroup
	defer wg.Wait()
	inHand := make(chan struct{}, inHandMax)
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-placing.Done():
			return
		case <-tick.C:
		}
		select {
		case inHand <- struct{}{}:
			wg.Go(func() {
				l.place(ctx, n)
				<-inHand
			})
		default:
			l.count(&l.skipped)
		}
	}
}

// place places the n-th order, and goes on with it as its customer does.
func (l *load) place(ctx context.Context, n int) {
	order, id := l.order(n), ""
	err := l.insist(ctx, n, func(api *client.Client) error {
		o, err := api.Place(ctx, order, fmt.Sprintf("chaos-%d-%d", l.seed, n), 0)
		id = o.ID
		return err
	})
	switch {
	case err == nil:
		l.accept(id, placed{hopeless: order.ShipTo.Country == "AQ"})
		l.regret(ctx, id, n)
	case errors.Is(err, errSilent):
		l.count(&l.unknown)
	default:
		l.refuse(n, err)
	}
}

// errSilent is a request that was given up without an answer.
var errSilent = errors.New("no answer")

// insist sends a request, to one instance of the API after the other, until there is an answer that counts.
func (l *load) insist(ctx context.Context, first int, send func(*client.Client) error) error {
	for try := first; ctx.Err() == nil; try++ {
		err := send(l.apis[try%len(l.apis)])
		p, ok := errors.AsType[*client.Problem](err)
		// What is not there may come: the other instance may have heard of it before this one.
		later := ok && (p.Status >= 500 || p.Status == http.StatusTooManyRequests || of(err, "unknown-order", "not-invoiced", "refund-conflict"))
		if err == nil || ok && !later {
			return err
		}
		l.count(&l.repeated)
		hold(ctx, 500*time.Millisecond+rand.N(500*time.Millisecond))
	}
	return errSilent
}

func (l *load) accept(id string, p placed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted[id] = p
}

// note adds to what is known of an order that was accepted.
func (l *load) note(id string, what func(*placed)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.accepted[id]
	what(&p)
	l.accepted[id] = p
}

func (l *load) refuse(n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = append(l.refused, fmt.Errorf("order %d: %w", n, err))
}

func (l *load) count(n *int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*n++
}

// order is the n-th order: the same in every run, and at every try.
func (l *load) order(n int) client.NewOrder {
	o := client.NewOrder{
		Customer: client.Customer{Name: "Zoë Łukasiewicz", Email: fmt.Sprintf("customer-%d@example.com", n)},
		ShipTo:   client.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Service:  "standard",
		Items:    []client.Item{{SKU: "BOTTLE-750", Quantity: 1 + n%3}},
	}
	if n%hopeless == hopeless-1 {
		o.ShipTo = client.Address{Line1: "McMurdo Station", City: "Ross Island", Country: "AQ"}
	}
	return o
}
