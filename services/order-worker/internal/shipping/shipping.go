// Package shipping is the step that prices the shipping of an order: zone, carrier, parcels and
// price, from a rate card.
//
// The price is computed once for each order and recorded with the version of the card. A replay
// after a change of the card keeps the price that the customer was quoted. The step fails
// permanently in two cases, which only another card changes: no route, and too heavy. Package rates
// computes prices; the API quotes with it too.
package shipping

import (
	"context"
	"errors"

	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
)

// Step prices shipping. It is safe for concurrent use.
type Step struct{ card *rates.Card }

// New returns a step that prices with the card.
func New(card *rates.Card) *Step { return &Step{card} }

// Name is the step's name.
func (s *Step) Name() order.Step { return order.StepShipping }

// Plan prices the shipping, unless an earlier attempt has. It does no I/O.
func (s *Step) Plan(_ context.Context, w *order.Work) error {
	// A refund ships nothing, and states itself what it refunds of the shipping price.
	if w.Order.Refund != nil {
		return nil
	}
	// The customer was quoted this price and the invoice may have it: a newer card must not change
	// it.
	if w.Progress.Shipping != nil {
		return nil
	}
	priced, err := s.card.Ship(w.Order)
	if r, ok := errors.AsType[*rates.Refused](err); ok {
		return failure.New(failure.Permanent, r.Reason, err)
	}
	if err != nil {
		return err
	}
	w.Progress.Shipping = priced
	return nil
}

// Do does nothing: pricing has no effect outside the process.
func (s *Step) Do(context.Context, *order.Work) error { return nil }
