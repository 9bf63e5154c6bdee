package rates

import (
	"cmp"
	"slices"
	"strings"

	"example.com/orders/shared/order"
)

// file is a card as it stands in YAML. Amounts are text until check has parsed them.
type file struct {
	Currency order.Currency `yaml:"currency"`
	Step     int            `yaml:"step_g"` // billable weights are rounded up to a multiple of it
	Remote   territory      `yaml:"remote"` // where carriers ask for more
	Carriers []carrier      `yaml:"carriers"`
	Zones    []zone         `yaml:"zones"`

	zones  map[place]*zone // Zones by their places, once they are checked
	remote map[place]*zone // Remote, as one zone
}

// carrier is who drives parcels: how large they may be, and what is asked for beside the prices of the zones.
type carrier struct {
	Name     string `yaml:"name"`
	Most     int    `yaml:"most_g"`             // of one parcel
	Size     []int  `yaml:"most_mm"`            // of one parcel, longest side first
	Fill     int    `yaml:"fill_percent"`       // of a parcel's room that several things can take
	Divisor  int    `yaml:"volumetric_divisor"` // cubic centimetres that count as a kilogram
	Fuel     string `yaml:"fuel_percent"`       // or empty: none
	Extra    string `yaml:"remote_a_parcel"`    // or empty: none
	Oversize struct {
		Over  int    `yaml:"over_mm"`
		Price string `yaml:"a_parcel"`
	} `yaml:"oversize"` // or empty: none

	most             [3]int // Size, once it is checked
	fuel             int    // hundredths of a percent
	remote, oversize order.Money
}

// zone is where one set of prices holds. Its name ends up on the order, so it is for people to read.
type zone struct {
	Name      string `yaml:"name"`
	territory `yaml:",inline"`
	FreeFrom  string   `yaml:"free_from"`    // or empty: never free
	Express   int      `yaml:"express_days"` // what express promises at most; 0: there is no express
	Tariffs   []tariff `yaml:"tariffs"`

	freeFrom order.Money // FreeFrom, once it is checked
}

// territory is a set of places.
type territory struct {
	Areas     []area   `yaml:"areas"`
	Countries []string `yaml:"countries"`
}

// area is the part of a country whose postal codes begin with one of the prefixes.
type area struct {
	Country  string   `yaml:"country"`
	Prefixes []string `yaml:"postal_prefixes"`
}

// tariff is what one carrier takes to a zone: how long it takes, and for how much.
type tariff struct {
	Carrier string `yaml:"carrier"`
	Days    struct {
		Min int `yaml:"min"`
		Max int `yaml:"max"`
	} `yaml:"days"`
	Brackets []bracket `yaml:"brackets"` // lightest first

	carrier *carrier // Carrier, once it is checked
}

// bracket is the price of all billable weights up to its own that a lighter bracket does not take.
type bracket struct {
	UpTo  int    `yaml:"up_to_g"`
	Price string `yaml:"price"`

	price order.Money // Price, once it is checked
}

// place is where the postal codes of a country begin with a prefix; an empty one is all of the country.
type place struct{ country, prefix string }

// String is the place as people write it in a card.
func (p place) String() string { return strings.TrimSpace(p.country + " " + p.prefix) }

// zoneOf is the zone with the longest prefix that an address has, or nil.
func zoneOf(places map[place]*zone, to order.Address) *zone {
	code := postal(to.PostalCode, to.Country)
	for n := len(code); n >= 0; n-- {
		if z := places[place{to.Country, code[:n]}]; z != nil {
			return z
		}
	}
	return nil
}

// postal is a postal code in the one form in which codes are compared: people write "LV-1010", "1010" and "lv 1010".
func postal(code, country string) string {
	bare := strings.ReplaceAll(strings.ReplaceAll(strings.ToUpper(code), " ", ""), "-", "")
	return strings.TrimPrefix(bare, country)
}

// promises reports whether a tariff keeps what a service promises. One that this version does not know is never offered.
func (z *zone) promises(service string, t *tariff) bool {
	return service == order.Standard || service == order.Express && t.Days.Max <= z.Express
}

// free reports whether the net price of all lines is enough for standard to cost nothing.
func (z *zone) free(items order.Money) bool {
	return z.FreeFrom != "" && items.Minor >= z.freeFrom.Minor
}

// bracket is the price of a weight. A checked tariff has one for whatever a parcel of its carrier can count as.
func (t *tariff) bracket(grams int) order.Money {
	i, _ := slices.BinarySearchFunc(t.Brackets, grams, func(b bracket, grams int) int { return cmp.Compare(b.UpTo, grams) })
	return t.Brackets[i].price
}

// billable is what a parcel weighs or, if that is more, what its room counts as, rounded up to the step.
func (c *carrier) billable(p order.Parcel, step int) int {
	// Cubic millimetres by cubic centimetres a kilogram are grams.
	return divideUp(max(p.Grams, divideUp(volume(p.Size), c.Divisor)), step) * step
}

func volume(size [3]int) int { return size[0] * size[1] * size[2] }

// divideUp divides and rounds up.
func divideUp(a, b int) int { return (a + b - 1) / b }
