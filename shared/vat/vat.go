// Package vat decides the VAT on goods that a seller of the European Union sends to a customer:
// category, rate, and the article of law.
//
// The table, vat.yaml, has the standard rates by the day from which they hold, and the territories
// where other law applies than the country of an address suggests. A program reads it once, at the
// start. Directive 2006/112/EC is the law of all rules here:
//
//   - Goods that leave the VAT area are exempt: Article 146(1)(a). Its area is in Articles 5 to 7.
//   - Goods that stay in the seller's member state are taxed there, at the rate of the place where
//     they are dispatched: Articles 32 and 96. No VAT ID changes that.
//   - Goods to another member state, to a buyer with a VAT ID of a state other than the seller's, are
//     an exempt intra-community supply: Article 138(1). The ID need not be of the state of the goods: the
//     buyer then owes VAT on the acquisition in that state (Article 40), and in the state of the ID
//     until it is shown that this was done (Article 41). That is not a reverse charge, category AE,
//     which is for services and for goods that do not move.
//   - Goods to another member state, to a buyer with a VAT ID of the seller's own state: the exemption
//     requires an ID of another state (Article 138(1)(b)), and a distance sale requires a buyer without
//     one (Article 14(4)). So the goods are taxed where they are dispatched: Article 32.
//   - Goods to another member state, to anyone else, are a distance sale, taxed at the rate of the
//     destination: Article 33(a), declared in the One Stop Shop (Article 369b). The exception for
//     small sellers (Article 59c) is not used.
//
// Reduced rates are not used. Whether a VAT ID is in use, which a seller must check, is not known here.
package vat

import (
	_ "embed"
	"fmt"
	"slices"
	"time"

	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
	"example.com/orders/shared/place"
)

//go:embed vat.yaml
var table []byte

// Table is a valid VAT table. It is immutable and safe for concurrent use.
type Table struct {
	file    file
	version string
}

// Load reads the table at path, or the built-in one if path is empty. The error lists all faults of the
// table, one a line, with file and line.
func Load(path string) (*Table, error) {
	t := new(Table)
	var err error
	t.version, err = config.LoadYAML(path, table, &t.file, t.file.check)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Version identifies the text of the table.
func (t *Table) Version() string { return t.version }

// Supply is goods that a seller sends to a customer.
type Supply struct {
	Seller order.Address  // where the goods are dispatched: country and postal code
	Buyer  order.Customer // whose VAT ID counts
	To     order.Address
	// On is the day of the supply, at any time of that day in its time zone: the VAT of that day is due (Article 93).
	On time.Time
}

// Ruling is the VAT on a supply.
type Ruling struct {
	Category string // order.VATStandard, order.VATIntraCommunity or order.VATExport
	Rate     int    // hundredths of a percent
	State    string // whose VAT is charged: a member state, or XI; or empty: none is
	Article  string // of Directive 2006/112/EC
}

// Rule decides the VAT on a supply. The seller must be inside: see Inside.
func (t *Table) Rule(s Supply) Ruling {
	from, to, buyer := t.at(s.Seller), t.at(s.To), s.Buyer.VATState()
	taxed := func(at where, rates []rate, article string) Ruling {
		return Ruling{order.VATStandard, on(rates, s.On), at.state, article}
	}
	switch {
	case to.state == "":
		return Ruling{Category: order.VATExport, Article: "146(1)(a)"}
	case to.state == from.state:
		return taxed(from, from.sellers, "32")
	case buyer == from.state:
		return taxed(from, from.sellers, "32")
	case buyer != "":
		return Ruling{Category: order.VATIntraCommunity, Article: "138(1)"}
	default:
		return taxed(to, to.buyers, "33(a)")
	}
}

// Home is the rate at which a seller charges its own customers at a place on a day, in hundredths of a
// percent; 0 outside.
func (t *Table) Home(seller order.Address, day time.Time) int { return on(t.at(seller).sellers, day) }

// Inside reports whether a place is in the VAT area of the European Union, and the name of the territory
// if it is in one.
func (t *Table) Inside(a order.Address) (inside bool, territory string) {
	w := t.at(a)
	return w.state != "", w.territory
}

// State is the state whose VAT is charged for goods that stay at a place, as that of a Ruling; empty outside.
func (t *Table) State(a order.Address) string { return t.at(a).state }

// where is the VAT of a place.
type where struct {
	state           string // or empty: outside
	territory       string // or empty
	sellers, buyers []rate // for goods that are dispatched there, and for distance sales to there
}

func (t *Table) at(a order.Address) where {
	if r := t.file.territory.Of(a); r != nil {
		w := where{r.Of, r.Name, t.file.rates[r.Of], t.file.rates[r.Of]}
		if len(r.Rates) > 0 {
			w.sellers = r.Rates
		}
		if len(r.Rates) > 0 && !r.SellersOnly {
			w.buyers = r.Rates
		}
		return w
	}
	if rates := t.file.rates[a.Country]; rates != nil {
		return where{a.Country, "", rates, rates}
	}
	return where{}
}

// on is the rate of a day; that of the first one before it is known.
func on(rates []rate, day time.Time) int {
	now, text := 0, day.Format(time.DateOnly)
	for i, r := range rates {
		if i == 0 || r.From <= text {
			now = r.rate
		}
	}
	return now
}

// file is a table in YAML.
type file struct {
	States []struct {
		State string `yaml:"state"` // ISO 3166-1 alpha-2, or XI
		Rates []rate `yaml:"rates"`
	} `yaml:"states"`
	Territories []territory `yaml:"territories"`

	rates     map[string][]rate // States; set by check
	territory place.Index[territory]
}

type territory struct {
	Name        string    `yaml:"name"`
	Places      place.Set `yaml:",inline"`
	Of          string    `yaml:"vat_of"`       // the state whose VAT is charged; or empty: outside
	Rates       []rate    `yaml:"rates"`        // or empty: those of the state
	SellersOnly bool      `yaml:"sellers_only"` // Rates are only for goods that are dispatched there
	Source      string    `yaml:"source"`       // the law
}

type rate struct {
	From    string `yaml:"from"`    // the first day: 2025-07-01
	Percent string `yaml:"percent"` // 25.5

	rate int // Percent in hundredths; set by check
}

func (f *file) check(root config.Place) {
	f.rates = map[string][]rate{}
	for i, s := range f.States {
		at := root.At("states", i)
		if f.rates[s.State] != nil || len(s.Rates) == 0 || s.State != northernIreland && !(order.Address{Country: s.State}).CountryExists() {
			at.Wrong("%q must be a country, once, with rates", s.State)
		}
		checkRates(at, s.Rates)
		f.rates[s.State] = s.Rates
	}
	for i := range f.Territories {
		r, at := &f.Territories[i], root.At("territories", i)
		if r.Name == "" || r.Source == "" || r.Of != "" && f.rates[r.Of] == nil || r.Of == "" && len(r.Rates) > 0 {
			at.Wrong("territory %q needs a name and a source; and vat_of, one of the states, if it has rates", r.Name)
		}
		checkRates(at, r.Rates)
		f.territory.Take(at, r.Places, r.Name, r)
	}
	f.territory.Check()
}

// northernIreland has this code for goods instead of GB: Article 214 by Directive (EU) 2020/1756.
const northernIreland = "XI"

func checkRates(at config.Place, rates []rate) {
	for i := range rates {
		r, at := &rates[i], at.At("rates", i)
		if _, err := time.Parse(time.DateOnly, r.From); err != nil || i > 0 && r.From <= rates[i-1].From {
			at.Wrong("from must be a day such as 2025-07-01, after that of the rate before, got %q", r.From)
		}
		percent, err := order.EUR.Parse(r.Percent) // cents are hundredths of a percent
		if err != nil || percent.Minor <= 0 || percent.Minor > 100_00 {
			at.Wrong("percent must be above 0 and at most 100, such as 25.5, got %q", r.Percent)
		}
		r.rate = int(percent.Minor)
	}
}

// Check returns why a seller at a place is refused, or nil.
func (t *Table) Check(seller order.Address) error {
	inside, territory := t.Inside(seller)
	if w := t.at(seller); inside && w.state != northernIreland {
		return nil
	}
	name := "country " + seller.Country
	if territory != "" {
		name = territory + " (" + seller.Country + " " + seller.PostalCode + ")"
	}
	return fmt.Errorf("%s: the seller must be in a member state of the European Union, inside its VAT area; "+
		"the VAT of other sellers is not known", name)
}

// States are the codes of the member states and XI, sorted.
func (t *Table) States() []string {
	var all []string
	for _, s := range t.file.States {
		all = append(all, s.State)
	}
	slices.Sort(all)
	return all
}
