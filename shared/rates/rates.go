// Package rates calculates the shipping of an order from a rate card: zone, carrier, parcels,
// surcharges and price.
//
// A rate card is a YAML file. The default, card.yaml, documents the format. A program reads its
// card once, at the start, and does not start if the card has a fault. The worker uses the card for
// orders, the API for quotes; with the same card, a quote equals the price of the same order.
//
// The zone is that of the longest postal prefix that matches the address, else that of the country.
// Of the zone's carriers that can ship the whole order, the cheapest is used. For express, only
// carriers within the zone's express_days are candidates. An order is packed into one or more
// parcels (see pack.go). The billable weight of a parcel is its weight or its volumetric weight,
// whichever is more, rounded up to the card's step. Surcharges are an amount per parcel for remote
// places and for long parcels, and a fuel percentage of the sum of the parcel prices, rounded half
// away from zero to a cent.
package rates

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/orders/shared/config"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

//go:embed card.yaml
var defaultCard []byte

// Card is a valid rate card. It is immutable and safe for concurrent use.
type Card struct {
	file    file
	version string
}

// Load reads the rate card at path, or the default if path is empty. The error lists all faults of
// the card, one a line, with file and line.
func Load(path string) (*Card, error) {
	var c Card
	version, err := config.LoadYAML(path, defaultCard, &c.file, c.file.check)
	if err != nil {
		return nil, err
	}
	c.version = version
	return &c, nil
}

// Refused is the error for an order that cannot be shipped with the card.
type Refused struct {
	Reason  failure.Reason // NoRoute or TooHeavy
	Pointer string         // JSON pointer to the cause in the order, as in order.Invalid
	Detail  string         // the cause, in terms of the card
}

// Error is Detail.
func (r *Refused) Error() string { return r.Detail }

// Ship calculates how an order is shipped, and the price. It does no I/O, and equal orders give
// equal results. Its only error is Refused, for the country, the service or the items, whichever
// fails first.
func (c *Card) Ship(o order.Order) (*order.Shipping, error) {
	to := o.ShipTo
	z := zoneOf(c.file.zones, to)
	if z == nil {
		return nil, &Refused{failure.NoRoute, "/ship_to/country", fmt.Sprintf("the rate card has no zone for country %q", to.Country)}
	}
	offered := slices.DeleteFunc(slices.Clone(z.Tariffs), func(t tariff) bool { return !z.promises(o.Service, &t) })
	if len(offered) == 0 {
		return nil, &Refused{failure.NoRoute, "/service", fmt.Sprintf("zone %s has no %s service", z.Name, o.Service)}
	}
	s, err := cheapest(offered, o.Lines, c.file.Step, zoneOf(c.file.remote, to) != nil)
	if err != nil {
		return nil, &Refused{failure.TooHeavy, "/items", fmt.Sprintf("zone %s, %s: %v", z.Name, o.Service, err)}
	}
	s.Zone, s.Service, s.Card = z.Name, o.Service, c.version
	// Only standard shipping can be free.
	if o.Service == order.Standard && z.free(o.ItemsTotal()) {
		free := order.EUR.Cents(0)
		s.Price, s.Fuel, s.Remote, s.Oversize = free, free, free, free
	}
	return s, nil
}

// cheapest ships lines with the cheapest tariff. Its error has the reason of each carrier that
// cannot ship them.
func cheapest(tariffs []tariff, lines []order.Line, step int, remote bool) (best *order.Shipping, err error) {
	var refusals []string
	for _, t := range tariffs {
		parcels, err := t.carrier.pack(lines)
		if err != nil {
			refusals = append(refusals, t.carrier.Name+": "+err.Error())
			continue
		}
		if s := t.price(parcels, step, remote); best == nil || cheaper(s, best) {
			best = s
		}
	}
	if best == nil {
		return nil, errors.New(strings.Join(refusals, "; "))
	}
	return best, nil
}

// cheaper compares by price, then by days. If both are equal, the first in the card is used.
func cheaper(a, b *order.Shipping) bool {
	if a.Price != b.Price {
		return a.Price.Minor < b.Price.Minor
	}
	return a.MaxDays < b.MaxDays
}

// price adds up the prices of parcels and the surcharges.
func (t *tariff) price(parcels []order.Parcel, step int, remote bool) *order.Shipping {
	c := t.carrier
	s := &order.Shipping{Carrier: c.Name, Parcels: parcels, MinDays: t.Days.Min, MaxDays: t.Days.Max}
	weights := order.EUR.Cents(0)
	for i := range parcels {
		p := &parcels[i]
		p.BillableGrams = c.billable(*p, step)
		s.BillableGrams += p.Count * p.BillableGrams
		weights = weights.Plus(t.bracket(p.BillableGrams).Times(p.Count))
		if remote {
			s.Remote = s.Remote.Plus(c.remote.Times(p.Count))
		}
		if p.Size[0] > c.Oversize.Over {
			s.Oversize = s.Oversize.Plus(c.oversize.Times(p.Count))
		}
	}
	s.Fuel = weights.Percent(c.fuel)
	s.Price = weights.Plus(s.Fuel).Plus(s.Remote).Plus(s.Oversize)
	return s
}
