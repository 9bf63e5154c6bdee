package shipping

import (
	_ "embed"
	"slices"
	"strings"

	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
)

//go:embed card.yaml
var defaultCard []byte

// Card is a rate card in which nothing is wrong.
type Card struct {
	rates   rates
	version string
}

// Load reads the rate card at path, or the default when path is empty. Its error says all that is wrong with the card,
// one line each, with file and line.
func Load(path string) (*Card, error) {
	var c Card
	version, err := config.LoadYAML(path, defaultCard, &c.rates, c.rates.check)
	if err != nil {
		return nil, err
	}
	c.version = version
	return &c, nil
}

// rates is a card as it stands in the file. Amounts are text until check has parsed them.
type rates struct {
	Currency order.Currency `yaml:"currency"`
	Divisor  int            `yaml:"volumetric_divisor"` // cubic centimetres that count as a kilogram
	Zones    []zone         `yaml:"zones"`
}

// zone is where one set of prices holds. Its name ends up on the order, so it is for people to read.
type zone struct {
	Name      string   `yaml:"name"`
	Areas     []area   `yaml:"areas"`
	Countries []string `yaml:"countries"`
	FreeFrom  string   `yaml:"free_from"` // or empty: never free
	Services  services `yaml:"services"`

	freeFrom order.Money // FreeFrom, once it is checked
}

// area is the part of a country whose postal codes begin with one of the prefixes.
type area struct {
	Country  string   `yaml:"country"`
	Prefixes []string `yaml:"postal_prefixes"`
}

// services are what a zone offers; nil is not offered.
type services struct {
	Standard *offer `yaml:"standard"`
	Express  *offer `yaml:"express"`
}

// offer is one service in one zone: how long it takes and what it costs.
type offer struct {
	Days struct {
		Min int `yaml:"min"`
		Max int `yaml:"max"`
	} `yaml:"days"`
	Brackets []bracket `yaml:"brackets"` // lightest first
}

// bracket is the price of all weights up to its own that a lighter bracket does not take.
type bracket struct {
	UpTo  int    `yaml:"up_to_g"`
	Price string `yaml:"price"`

	price order.Money // Price, once it is checked
}

// zone is the first that takes an address, or nil.
func (r *rates) zone(country, postalCode string) *zone {
	code := postal(postalCode, country)
	for i := range r.Zones {
		if r.Zones[i].takes(country, code) {
			return &r.Zones[i]
		}
	}
	return nil
}

// takes reports whether an address is in the zone. A few hundred comparisons an order need no index.
func (z *zone) takes(country, code string) bool {
	within := func(a area) bool {
		return a.Country == country &&
			slices.ContainsFunc(a.Prefixes, func(p string) bool { return strings.HasPrefix(code, postal(p, country)) })
	}
	return slices.Contains(z.Countries, country) || slices.ContainsFunc(z.Areas, within)
}

// postal is a postal code in the one form in which codes are compared: people write "LV-1010", "1010" and "lv 1010".
func postal(code, country string) string {
	bare := strings.NewReplacer(" ", "", "-", "").Replace(strings.ToUpper(code))
	return strings.TrimPrefix(bare, country)
}

// offer is what the zone asks for a service, or nil. A service that this version does not know is never offered.
func (s services) offer(service string) *offer {
	switch service {
	case order.Standard:
		return s.Standard
	case order.Express:
		return s.Express
	default:
		return nil
	}
}

// free reports whether the net price of all lines is enough for standard to cost nothing.
func (z *zone) free(items order.Money) bool {
	return z.FreeFrom != "" && items.Minor >= z.freeFrom.Minor
}

// price is that of the first bracket that takes the weight; false when it is more than the last one takes.
func (f *offer) price(grams int) (order.Money, bool) {
	i := slices.IndexFunc(f.Brackets, func(b bracket) bool { return grams <= b.UpTo })
	if i < 0 {
		return order.Money{}, false
	}
	return f.Brackets[i].price, true
}

// most is the heaviest weight that is shipped. A checked offer has a bracket at least.
func (f *offer) most() int { return f.Brackets[len(f.Brackets)-1].UpTo }

// beyond is more grams, or cubic millimetres, than anybody ships. Sums and products stop there instead of overflowing:
// an order that somebody else wrote to the topic can hold any number.
const beyond = 1 << 50

// billable is what the lines weigh or, if that is more, what the room that they take counts as.
func (r *rates) billable(lines []order.Line) int {
	grams, volume := 0, 0
	for _, l := range lines {
		grams = min(beyond, grams+product(l.Grams, l.Quantity))
		volume = min(beyond, volume+product(l.Size[0], l.Size[1], l.Size[2], l.Quantity))
	}
	// Cubic millimetres by cubic centimetres a kilogram are grams; a part of a gram counts as one.
	return max(grams, (volume+r.Divisor-1)/r.Divisor)
}

// product multiplies up to beyond. A factor below zero, which no catalogue has, counts as beyond too: a mistake must
// not make anything cheap.
func product(factors ...int) int {
	p := 1
	for _, f := range factors {
		if f != 0 && p > beyond/f {
			return beyond
		}
		p *= f
	}
	return p
}
