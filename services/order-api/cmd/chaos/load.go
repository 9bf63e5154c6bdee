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

// load places orders at a steady rate, at all instances of the API in turn, and remembers each that was accepted. An order
// whose answer is an error, or unknown, is placed again with the same key at the next instance.
type load struct {
	seed uint64
	apis []*client.Client

	mu       sync.Mutex
	accepted map[string]placed // by order ID
	refused  []error           // what no repeat can mend
	unknown  int               // orders that were given up without an answer
	repeated int               // requests that were
	skipped  int               // orders that were due while too many were in hand
}

// placed is an order that the API has promised.
type placed struct {
	at       time.Time
	hopeless bool // it can end as a letter only
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

// place repeats until there is an answer that counts.
func (l *load) place(ctx context.Context, n int) {
	order := l.order(n)
	for try := n; ctx.Err() == nil; try++ {
		o, err := l.apis[try%len(l.apis)].Place(ctx, order, fmt.Sprintf("chaos-%d-%d", l.seed, n), 0)
		if err == nil {
			l.mu.Lock()
			l.accepted[o.ID] = placed{time.Now(), order.ShipTo.Country == "AQ"}
			l.mu.Unlock()
			return
		}
		if p, ok := errors.AsType[*client.Problem](err); ok && p.Status < 500 && p.Status != http.StatusTooManyRequests {
			l.mu.Lock()
			l.refused = append(l.refused, fmt.Errorf("order %d: %w", n, err))
			l.mu.Unlock()
			return
		}
		l.count(&l.repeated)
		hold(ctx, 500*time.Millisecond+rand.N(500*time.Millisecond))
	}
	l.count(&l.unknown)
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
