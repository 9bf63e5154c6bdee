package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"example.com/orders/services/order-api/client"
)

// What customers regret: of so many orders one is called off at once, and one is refunded when it is invoiced.
const (
	calledOff = 20
	sentBack  = 20

	asked = 3 // refunds of a refunded order that are asked for at once, of one bottle each
)

// regret goes on with an order that was accepted.
func (l *load) regret(ctx context.Context, id string, n int) {
	switch {
	case n%calledOff == calledOff/2:
		l.callOff(ctx, id, n)
	case n%sentBack == sentBack/4:
		l.sendBack(ctx, id, n)
	}
}

// callOff asks for an order to be cancelled. It is no refusal that work on it has begun.
func (l *load) callOff(ctx context.Context, id string, n int) {
	l.note(id, func(p *placed) { p.called = true })
	err := l.insist(ctx, n, func(api *client.Client) error { _, err := api.Cancel(ctx, id); return err })
	switch {
	case err == nil:
		l.note(id, func(p *placed) { p.taken = true })
	case !of(err, "order-begun") && !errors.Is(err, errSilent):
		l.refuse(n, err)
	}
}

// sendBack refunds all bottles of an order, or more than it has: then as many refunds are taken as there are bottles.
func (l *load) sendBack(ctx context.Context, id string, n int) {
	var taken, silent atomic.Int32
	var wg sync.WaitGroup
	for i := range asked {
		wg.Go(func() {
			refund, err := l.refund(ctx, id, n, i)
			switch {
			case err == nil:
				taken.Add(1)
				l.accept(refund.ID, placed{of: id})
			case errors.Is(err, errSilent):
				silent.Add(1)
				l.count(&l.unknown)
			case !of(err, "invalid-refund"):
				l.refuse(n, err)
			}
			// Under its key, every refund is what it was.
			if again, err2 := l.refund(ctx, id, n, i); again.ID != refund.ID && err == nil && !errors.Is(err2, errSilent) {
				l.refuse(n, fmt.Errorf("%s has become %q: %w", refund.ID, again.ID, err2))
			}
		})
	}
	wg.Wait()
	if want := min(asked, l.order(n).Items[0].Quantity); int(taken.Load()) > want || int(taken.Load()+silent.Load()) < want {
		l.refuse(n, fmt.Errorf("%s was refunded %d times, must be %d", id, taken.Load(), want))
	}
}

// refund asks for the i-th refund of the n-th order, at every try with the same key.
func (l *load) refund(ctx context.Context, id string, n, i int) (o client.Order, err error) {
	bottle := client.NewRefund{Items: []client.Item{{SKU: l.order(n).Items[0].SKU, Quantity: 1}}}
	err = l.insist(ctx, n+i, func(api *client.Client) (err error) {
		o, err = api.Refund(ctx, id, bottle, fmt.Sprintf("chaos-%d-%d-%d", l.seed, n, i), 0)
		return err
	})
	return o, err
}

// of reports whether an error is an answer of one of some types.
func of(err error, types ...string) bool {
	p, ok := errors.AsType[*client.Problem](err)
	for _, t := range types {
		if ok && strings.HasSuffix(p.Type, "/"+t) {
			return true
		}
	}
	return false
}
