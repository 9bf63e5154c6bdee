package rates

import (
	"cmp"
	"slices"
	"strings"

	"example.com/orders/shared/order"
)

// file is a rate card in YAML. Amounts are text until check has parsed them.
type file struct {
	Currency order.Currency `yaml:"currency"`
	Step     int            `yaml:"step_g"` // billable weights are rounded up to a multiple of it
	Remote   territory      `yaml:"remote"` // where carriers add a surcharge
	Carriers []carrier      `yaml:"carriers"`
	Zones    []zone         `yaml:"zones"`

	zones  map[place]*zone // Zones by place; set by check
	remote map[place]*zone // places of Remote; set by check
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

	most             [3]int // Size; set by check
	fuel             int    // hundredths of a percent
	remote, oversize order.Money
}

// zone is an area with one set of prices. Its name is shown on the order.
type zone struct {
	Name      string `yaml:"name"`
	territory `yaml:",inline"`
	FreeFrom  string   `yaml:"free_from"`    // or empty: never free
	Express   int      `yaml:"express_days"` // maximum days of express; 0: no express
	Tariffs   []tariff `yaml:"tariffs"`

	freeFrom order.Money // FreeFrom; set by check
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

// place is the part of a country with a postal prefix. An empty prefix is the whole country.
type place struct{ country, prefix string }

// String is the place as written in a card.
func (p place) String() string { return strings.TrimSpace(p.country + " " + p.prefix) }

// zoneOf is the zone with the longest prefix that matches an address, or nil.
func zoneOf(places map[place]*zone, to order.Address) *zone {
	code := postal(to.PostalCode, to.Country)
	for n := len(code); n >= 0; n-- {
		if z := places[place{to.Country, code[:n]}]; z != nil {
			return z
		}
	}
	return nil
}

// postal normalises a postal code: "LV-1010", "1010" and "lv 1010" are the same.
func postal(code, country string) string {
	bare := strings.ReplaceAll(strings.ReplaceAll(strings.ToUpper(code), " ", ""), "-", "")
	return strings.TrimPrefix(bare, country)
}

// promises reports whether a tariff can be used for a service. Unknown services have no tariff.
func (z *zone) promises(service string, t *tariff) bool {
	return service == order.Standard || service == order.Express && t.Days.Max <= z.Express
}

// free reports whether standard shipping is free for the net price of all lines.
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
