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

// load places orders at a steady rate, at all instances of the API in turn, and stores which were
// accepted. It cancels some orders and refunds others. A request without an answer, or with a
// retriable error, is repeated with the same key at the next instance.
type load struct {
	seed uint64
	apis []*client.Client

	mu       sync.Mutex
	accepted map[string]placed // by order ID; includes refunds
	refused  []error           // errors that are not retriable
	unknown  int               // requests that ended without an answer
	repeated int               // number of repeated requests
	skipped  int               // orders not placed because too many were in flight
}

// placed is an order that the API accepted.
type placed struct {
	undeliverable  bool   // there is no route: it must become a dead letter
	refundOf       string // ID of the order that it refunds, or empty
	cancelAsked    bool   // a cancel was requested
	cancelAccepted bool   // and the API accepted the request
}

const (
	inFlightMax        = 2000             // requests in flight
	answerTime         = 15 * time.Second // client timeout: a stopped API never answers
	undeliverableEvery = 40               // one order in this many goes to a country without a route
)

func newLoad(seed uint64, bases []string) *load {
	l := &load{seed: seed, accepted: map[string]placed{}}
	for _, base := range bases {
		l.apis = append(l.apis, client.New(base, &http.Client{Timeout: answerTime}))
	}
	return l
}

// run places orders until placing is done. It returns when each has an answer, or ctx is done.
func (l *load) run(ctx, placing context.Context, rate float64) {
	var wg sync.WaitGroup
	defer wg.Wait()
	inFlight := make(chan struct{}, inFlightMax)
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-placing.Done():
			return
		case <-tick.C:
		}
		select {
		case inFlight <- struct{}{}:
			wg.Go(func() {
				l.place(ctx, n)
				<-inFlight
			})
		default:
			l.count(&l.skipped)
		}
	}
}

// place places the n-th order. Then it cancels or refunds it, if it is one of those.
func (l *load) place(ctx context.Context, n int) {
	order, id := l.order(n), ""
	err := l.retry(ctx, n, func(api *client.Client) error {
		o, err := api.Place(ctx, order, fmt.Sprintf("chaos-%d-%d", l.seed, n), 0)
		id = o.ID
		return err
	})
	switch {
	case err == nil:
		l.accept(id, placed{undeliverable: order.ShipTo.Country == "AQ"})
		l.followUp(ctx, id, n)
	case errors.Is(err, errNoAnswer):
		l.count(&l.unknown)
	default:
		l.refuse(n, err)
	}
}

// errNoAnswer is returned for a request that ended without an answer.
var errNoAnswer = errors.New("no answer")

// retry sends a request to one instance of the API after the other, until the answer is a success
// or not retriable.
func (l *load) retry(ctx context.Context, first int, send func(*client.Client) error) error {
	for try := first; ctx.Err() == nil; try++ {
		err := send(l.apis[try%len(l.apis)])
		if p, ok := errors.AsType[*client.Problem](err); err == nil || ok && !retriable(p) {
			return err
		}
		l.count(&l.repeated)
		wait(ctx, 500*time.Millisecond+rand.N(500*time.Millisecond))
	}
	return errNoAnswer
}

// retriable reports whether a problem can be temporary. An unknown order can: the read model of this
// instance may be behind that of another.
func retriable(p *client.Problem) bool {
	return p.Status >= 500 || p.Status == http.StatusTooManyRequests ||
		isProblem(p, "unknown-order", "not-invoiced", "refund-conflict")
}

func (l *load) accept(id string, p placed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted[id] = p
}

// note changes the entry of an accepted order.
func (l *load) note(id string, change func(*placed)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.accepted[id]
	change(&p)
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

// order returns the n-th order. It is the same in each run and each attempt.
func (l *load) order(n int) client.NewOrder {
	o := client.NewOrder{
		Customer: client.Customer{Name: "Zoë Łukasiewicz", Email: fmt.Sprintf("customer-%d@example.com", n)},
		ShipTo:   client.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Service:  "standard",
		Items:    []client.Item{{SKU: "BOTTLE-750", Quantity: 1 + n%3}},
	}
	if n%undeliverableEvery == undeliverableEvery-1 {
		o.ShipTo = client.Address{Line1: "McMurdo Station", City: "Ross Island", Country: "AQ"}
	}
	return o
}
