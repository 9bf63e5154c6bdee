// Package shipping prices the way of an order to its customer: by zone, weight and service, from a rate card.
//
// A rate card is a YAML file; card.yaml, beside this file, is the default and the documentation of the format. It is
// read strictly, once, when the worker starts: a card in which anything is wrong starts no worker.
//
// The customer pays for what the parcel weighs or, if that is more, for the room that it takes. The price is settled
// once for each order and recorded with the card's version, so that a replay after a change of the card charges what
// the customer was told. The two ways to fail are permanent, since only another card helps: no route, and too heavy.
package shipping

import (
	"context"
	"fmt"

	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

// Step prices shipping. It is safe for concurrent use.
type Step struct{ card *Card }

// New returns a step that prices by the given card.
func New(card *Card) *Step { return &Step{card} }

// Plan settles zone, price and delivery time, unless an earlier attempt has settled them. It does no I/O.
func (s *Step) Plan(_ context.Context, w *order.State) error {
	// The customer was told this price, and the invoice may be issued with it: a newer card must not change it.
	if w.Progress.Shipping != nil {
		return nil
	}
	settled, err := s.card.price(&w.Order)
	if err != nil {
		return err
	}
	w.Progress.Shipping = settled
	return nil
}

// Do does nothing: a price has no effect outside the process.
func (s *Step) Do(context.Context, *order.State) error { return nil }

// price finds the zone first, then the service, then the bracket: each refusal names the first thing that stands in the
// way, in the words of the card, since the operator who reads it can change only the card.
func (c *Card) price(o *order.Order) (*order.Shipping, error) {
	to := o.ShipTo
	z := c.rates.zone(to.Country, to.PostalCode)
	if z == nil {
		return nil, noRoute("the rate card has no zone for country %q", to.Country)
	}
	offer := z.Services.offer(o.Service)
	if offer == nil {
		return nil, noRoute("zone %s has no %s service", z.Name, o.Service)
	}
	grams := c.rates.billable(o.Lines)
	price, ok := offer.price(grams)
	if !ok {
		err := fmt.Errorf("zone %s ships up to %d g by %s: the order counts as %d g", z.Name, offer.most(), o.Service, grams)
		return nil, failure.New(failure.Permanent, failure.TooHeavy, err)
	}
	// Only standard is ever free: who asks for express pays for the hurry.
	if o.Service == order.Standard && z.free(o.ItemsTotal()) {
		price = order.EUR.Cents(0)
	}
	return &order.Shipping{
		Zone: z.Name, Service: o.Service, Price: price, BillableGrams: grams,
		MinDays: offer.Days.Min, MaxDays: offer.Days.Max, Card: c.version,
	}, nil
}

// noRoute is permanent: trying again changes nothing, but a replay after a new card does.
func noRoute(format string, args ...any) error {
	return failure.New(failure.Permanent, failure.NoRoute, fmt.Errorf(format, args...))
}
