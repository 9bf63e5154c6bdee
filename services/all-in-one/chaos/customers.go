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

// Of this many orders, one is cancelled at once, and one is refunded when it has an invoice.
const (
	cancelEvery = 20
	refundEvery = 20

	concurrentRefunds = 3 // concurrent requests, each for a refund of one bottle
)

// followUp cancels or refunds an accepted order, if its number is due for that.
func (l *load) followUp(ctx context.Context, id string, n int) {
	switch {
	case n%cancelEvery == cancelEvery/2:
		l.cancel(ctx, id, n)
	case n%refundEvery == refundEvery/4:
		l.refundAll(ctx, id, n)
	}
}

// cancel requests a cancel. The answer that a worker has begun the order is expected.
func (l *load) cancel(ctx context.Context, id string, n int) {
	l.note(id, func(p *placed) { p.cancelAsked = true })
	err := l.retry(ctx, n, func(api *client.Client) error { _, err := api.Cancel(ctx, id, ""); return err })
	switch {
	case err == nil:
		l.note(id, func(p *placed) { p.cancelAccepted = true })
	case !isProblem(err, "order-begun") && !errors.Is(err, errNoAnswer):
		l.refuse(n, err)
	}
}

// refundAll requests concurrentRefunds refunds of one bottle each. As many must be accepted as the
// order has bottles, at most.
func (l *load) refundAll(ctx context.Context, id string, n int) {
	var accepted, unanswered atomic.Int32
	var wg sync.WaitGroup
	for i := range concurrentRefunds {
		wg.Go(func() {
			refund, err := l.refund(ctx, id, n, i)
			switch {
			case err == nil:
				accepted.Add(1)
				l.accept(refund.ID, placed{refundOf: id})
			case errors.Is(err, errNoAnswer):
				unanswered.Add(1)
				l.count(&l.unknown)
			case !isProblem(err, "invalid-refund"):
				l.refuse(n, err)
			}
			// The same key returns the same refund.
			if again, err2 := l.refund(ctx, id, n, i); again.ID != refund.ID && err == nil && !errors.Is(err2, errNoAnswer) {
				l.refuse(n, fmt.Errorf("the key of %s returned %q: %w", refund.ID, again.ID, err2))
			}
		})
	}
	wg.Wait()
	want, got := min(concurrentRefunds, l.order(n).Items[0].Quantity), int(accepted.Load())
	if got > want || got+int(unanswered.Load()) < want {
		l.refuse(n, fmt.Errorf("%s: %d refunds were accepted, want %d", id, got, want))
	}
}

// refund requests the i-th refund of the n-th order, with the same key in each attempt.
func (l *load) refund(ctx context.Context, id string, n, i int) (o client.Order, err error) {
	bottle := client.NewRefund{Items: []client.Item{{SKU: l.order(n).Items[0].SKU, Quantity: 1}}}
	err = l.retry(ctx, n+i, func(api *client.Client) (err error) {
		o, err = api.Refund(ctx, id, bottle, fmt.Sprintf("chaos-%d-%d-%d", l.seed, n, i), 0)
		return err
	})
	return o, err
}

// isProblem reports whether an error is a problem of one of these types.
func isProblem(err error, types ...string) bool {
	p, ok := errors.AsType[*client.Problem](err)
	for _, t := range types {
		if ok && strings.HasSuffix(p.Type, "/"+t) {
			return true
		}
	}
	return false
}
