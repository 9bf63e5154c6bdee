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
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/orders/shared/address"
	"example.com/orders/shared/config"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/place"
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

// Gross reports whether the prices of the card include VAT.
func (c *Card) Gross() bool { return c.file.gross }

// Refused is the error for an order that cannot be shipped with the card.
type Refused struct {
	Reason  failure.Reason // NoRoute or TooHeavy
	Pointer string         // JSON pointer to the cause in the order, as in order.Invalid
	Detail  string         // the cause, in terms of the card
}

// Error is Detail.
func (r *Refused) Error() string { return r.Detail }

// Quote is Ship for an order that is not placed yet: it refuses what Check refuses.
func (c *Card) Quote(o order.Order) (*order.Shipping, error) {
	s, err := c.Ship(o)
	if err != nil {
		return nil, err
	}
	if r := c.boxed(o, s); r != nil {
		return nil, r
	}
	return s, nil
}

// Check returns the fault of an order to a packing station or a PO box by express, or of items that
// only a carrier takes that delivers to streets. An order that cannot be shipped at all has no fault:
// it becomes a dead letter, for an operator to change.
func (c *Card) Check(o *order.Order) []order.Invalid {
	if address.Box(o.ShipTo) == "" {
		return nil // most orders are not packed here
	}
	s, err := c.Ship(*o)
	if err != nil {
		return nil
	}
	if r := c.boxed(*o, s); r != nil {
		return []order.Invalid{{Pointer: r.Pointer, Detail: r.Detail}}
	}
	return nil
}

// boxed returns why an order cannot be shipped to a packing station or a PO box, or nil.
func (c *Card) boxed(o order.Order, s *order.Shipping) *Refused {
	switch {
	case address.Box(o.ShipTo) == "":
		return nil
	case o.Service == order.Express:
		return &Refused{
			failure.NoRoute, "/service",
			"must be standard: express is not delivered to a packing station or a PO box; for express, give a street and a house number",
		}
	case c.streetOnly(s.Carrier):
		return &Refused{
			failure.TooHeavy, "/ship_to/line1",
			"must be a street and a house number: items of this size or weight go by freight, which is not delivered to a packing station or a PO box",
		}
	}
	return nil
}

// streetOnly reports whether a carrier does not deliver to packing stations and PO boxes.
func (c *Card) streetOnly(name string) bool {
	return slices.ContainsFunc(c.file.Carriers, func(k carrier) bool { return k.Name == name && k.StreetOnly })
}

// Ship calculates how an order is shipped, and the price. It does no I/O, and equal orders give
// equal results. To a packing station or PO box a carrier that delivers only to streets is used if no
// other can: such an order is one of another program, or was placed with another card. The only error
// is Refused, for the country, the service or the items, whichever fails first.
func (c *Card) Ship(o order.Order) (*order.Shipping, error) {
	to := o.ShipTo
	if o.Gross != c.Gross() {
		return nil, &Refused{failure.NoRoute, "/prices", fmt.Sprintf(
			"the rate card has %s prices, the order has %s ones", order.Prices(c.Gross()), order.Prices(o.Gross),
		)}
	}
	z := c.file.zones.Of(to)
	if z == nil {
		return nil, &Refused{failure.NoRoute, "/ship_to/country", fmt.Sprintf("the rate card has no zone for country %q", to.Country)}
	}
	offered := slices.DeleteFunc(slices.Clone(z.Tariffs), func(t tariff) bool { return !z.promises(o.Service, &t) })
	if len(offered) == 0 {
		return nil, &Refused{failure.NoRoute, "/service", fmt.Sprintf("zone %s has no %s service", z.Name, o.Service)}
	}
	s, err := c.cheapest(offered, o)
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

// cheapest ships an order with the cheapest tariff, to a packing station or PO box if possible with one
// of a carrier that delivers there.
func (c *Card) cheapest(tariffs []tariff, o order.Order) (*order.Shipping, error) {
	remote := c.file.remote.Of(o.ShipTo) != nil
	if address.Box(o.ShipTo) != "" {
		boxes := slices.DeleteFunc(slices.Clone(tariffs), func(t tariff) bool { return t.carrier.StreetOnly })
		if s, err := cheapest(boxes, o.Lines, c.file.Step, remote); err == nil {
			return s, nil
		}
	}
	return cheapest(tariffs, o.Lines, c.file.Step, remote)
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

// file is a rate card in YAML. Amounts are text until check has parsed them.
type file struct {
	Currency order.Currency `yaml:"currency"`
	Prices   string         `yaml:"prices"` // net or gross; empty: net
	Step     int            `yaml:"step_g"` // billable weights are rounded up to a multiple of it
	Remote   place.Set      `yaml:"remote"` // where carriers add a surcharge
	Carriers []carrier      `yaml:"carriers"`
	Zones    []zone         `yaml:"zones"`

	gross  bool                   // Prices; set by check
	zones  place.Index[zone]      // Zones by place; set by check
	remote place.Index[place.Set] // Remote by place; set by check
}

// carrier is a carrier: the limits of its parcels, and its surcharges.
type carrier struct {
	Name     string `yaml:"name"`
	Most     int    `yaml:"most_g"`             // maximum weight of a parcel
	Size     []int  `yaml:"most_mm"`            // maximum size of a parcel, longest side first
	Fill     int    `yaml:"fill_percent"`       // usable share of the volume if a parcel holds several items
	Divisor  int    `yaml:"volumetric_divisor"` // cubic centimetres per kilogram of volumetric weight
	Fuel     string `yaml:"fuel_percent"`       // or empty: none
	Extra    string `yaml:"remote_a_parcel"`    // or empty: none
	Oversize struct {
		Over  int    `yaml:"over_mm"`
		Price string `yaml:"a_parcel"`
	} `yaml:"oversize"` // or empty: none
	StreetOnly bool `yaml:"street_only"` // does not deliver to packing stations and PO boxes

	most             [3]int // Size; set by check
	fuel             int    // hundredths of a percent
	remote, oversize order.Money
}

// zone is an area with one set of prices. Its name is shown on the order.
type zone struct {
	Name     string    `yaml:"name"`
	Places   place.Set `yaml:",inline"`
	FreeFrom string    `yaml:"free_from"`    // or empty: never free
	Express  int       `yaml:"express_days"` // maximum days of express; 0: no express
	Tariffs  []tariff  `yaml:"tariffs"`

	freeFrom order.Money // FreeFrom; set by check
}

// tariff is the service of one carrier to a zone: days and prices.
type tariff struct {
	Carrier string `yaml:"carrier"`
	Days    struct {
		Min int `yaml:"min"`
		Max int `yaml:"max"`
	} `yaml:"days"`
	Brackets []bracket `yaml:"brackets"` // lightest first

	carrier *carrier // Carrier; set by check
}

// bracket is the price of billable weights from the previous bracket up to its own.
type bracket struct {
	UpTo  int    `yaml:"up_to_g"`
	Price string `yaml:"price"`

	price order.Money // Price; set by check
}

// promises reports whether a tariff can be used for a service. Unknown services have no tariff.
func (z *zone) promises(service string, t *tariff) bool {
	return service == order.Standard || service == order.Express && t.Days.Max <= z.Express
}

// free reports whether standard shipping is free for the price of all lines.
func (z *zone) free(items order.Money) bool {
	return z.FreeFrom != "" && items.Minor >= z.freeFrom.Minor
}

// bracket is the price of a billable weight. check makes sure that there is one for every parcel of
// the carrier.
func (t *tariff) bracket(grams int) order.Money {
	i, _ := slices.BinarySearchFunc(t.Brackets, grams, func(b bracket, grams int) int { return cmp.Compare(b.UpTo, grams) })
	return t.Brackets[i].price
}

// billable is the weight or the volumetric weight of a parcel, whichever is more, rounded up to the
// step.
func (c *carrier) billable(p order.Parcel, step int) int {
	// mm³ divided by cm³/kg gives grams.
	return divideUp(max(p.Grams, divideUp(volume(p.Size), c.Divisor)), step) * step
}

func volume(size [3]int) int { return size[0] * size[1] * size[2] }

// divideUp divides and rounds up.
func divideUp(a, b int) int { return (a + b - 1) / b }
