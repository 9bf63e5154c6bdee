// Package rates prices the way of an order to its customer: zone, carrier, parcels and surcharges, from a rate card.
//
// A rate card is a YAML file; card.yaml, beside this file, is the default and the documentation of the format. It is
// read strictly, once, when a program starts: a card in which anything is wrong starts no program. The worker prices
// orders with it and the API quotes baskets, so that a quote is the price of the same order placed now.
//
// The zone is that of the longest postal prefix that the address has, or that of the country. Of the zone's carriers
// that take all of the order, the cheapest has it: any of them for standard, those within the zone's express_days for
// express. An order is one parcel or several (pack.go says how they are filled). Each pays for what it weighs or, if that
// is more, for the room that it takes, rounded up to the card's step. Surcharges come on top: for remote places and long
// parcels an amount a parcel, for fuel a percentage of the parcels' prices together, rounded half away from zero to a cent.
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

// Card is a rate card in which nothing is wrong. It never changes and is safe for concurrent use.
type Card struct {
	file    file
	version string
}

// Load reads the rate card at path, or the default when path is empty. Its error says all that is wrong with the card,
// one line each, with file and line.
func Load(path string) (*Card, error) {
	var c Card
	version, err := config.LoadYAML(path, defaultCard, &c.file, c.file.check)
	if err != nil {
		return nil, err
	}
	c.version = version
	return &c, nil
}

// Refused is an order that the card does not ship.
type Refused struct {
	Reason  failure.Reason // NoRoute or TooHeavy
	Pointer string         // to what stands in the way in the order, as in order.Invalid
	Detail  string         // in the words of the card: only another card helps
}

// Error is the detail.
func (r *Refused) Error() string { return r.Detail }

// Ship settles how an order is shipped, and for how much. It does no I/O, and equal orders have equal answers. Its only
// error is a Refused, which names the first thing that stands in the way: the country, the service, or what is ordered.
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
	// Only standard is ever free: who asks for express pays for the hurry.
	if o.Service == order.Standard && z.free(o.ItemsTotal()) {
		free := order.EUR.Cents(0)
		s.Price, s.Fuel, s.Remote, s.Oversize = free, free, free, free
	}
	return s, nil
}

// cheapest ships lines by the tariff that asks for least. Its error says for each tariff why its carrier does not take them.
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

// cheaper compares by price, and then by days. Of equals the first in the card stays.
func cheaper(a, b *order.Shipping) bool {
	if a.Price != b.Price {
		return a.Price.Minor < b.Price.Minor
	}
	return a.MaxDays < b.MaxDays
}

// price adds up parcels and surcharges.
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
