// Package shipping settles how an order goes to its customer: zone, carrier, parcels and price, from a rate card.
//
// The price is settled once for each order and recorded with the card's version, so that a replay after a change of the
// card charges what the customer was told. The two ways to fail are permanent, since only another card helps: no route, and
// too heavy. How prices are made is package rates' business, with which the API quotes them too.
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

// New returns a step that prices by the given card.
func New(card *rates.Card) *Step { return &Step{card} }

// Plan settles how the order is shipped, unless an earlier attempt has. It does no I/O.
func (s *Step) Plan(_ context.Context, w *order.State) error {
	// A refund ships nothing: what of the price is given back stands in it.
	if w.Order.Refund != nil {
		return nil
	}
	// The customer was told this price, and the invoice may be issued with it: a newer card must not change it.
	if w.Progress.Shipping != nil {
		return nil
	}
	settled, err := s.card.Ship(w.Order)
	if r, ok := errors.AsType[*rates.Refused](err); ok {
		return failure.New(failure.Permanent, r.Reason, err)
	}
	if err != nil {
		return err
	}
	w.Progress.Shipping = settled
	return nil
}

// Do does nothing: a price has no effect outside the process.
func (s *Step) Do(context.Context, *order.State) error { return nil }
