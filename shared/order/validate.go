package order

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits of what can be ordered. Lengths are in runes.
const (
	MaxLines     = 200
	MaxQuantity  = 10_000
	MaxPrice     = 100_000_000 // of one unit, in cents
	MaxGrams     = 1_000_000   // of one unit
	MaxSide      = 10_000      // of one unit, in millimetres
	maxNote      = 2_000
	maxText      = 200
	maxReference = 100
	maxVATID     = 40
	maxEmail     = 254 // RFC 5321, 4.5.3.1.3
)

// Invalid is a fault of an order: a JSON pointer (RFC 6901) to the field, and what is required.
type Invalid struct {
	Pointer string
	Detail  string
}

// Validate returns all faults of an order. It does not know the catalogue: the caller checks whether
// a SKU exists, and the data that the catalogue adds to a line may be missing, but not out of range.
func (o Order) Validate() []Invalid {
	var v checker
	v.text("/customer/name", o.Customer.Name, 1, maxText)
	v.email("/customer/email", o.Customer.Email)
	v.vatID("/customer/vat_id", o.Customer.VATID, o.ShipTo.Country)
	v.in("/ship_to", func() { v.address(o.ShipTo) })
	v.billing(o)
	if o.Service != Standard && o.Service != Express {
		v.add("/service", "must be standard or express")
	}
	v.text("/note", strings.ReplaceAll(o.Note, "\n", " "), 0, maxNote)
	v.payment(o.Payment)
	v.vatCheck(o.VATCheck)
	if o.Refund != nil {
		v.refund(o)
	}
	if o.Refund == nil || len(o.Lines) > 0 {
		v.lines(o.Lines)
	}
	return v.found
}

type checker struct {
	at    string // what is checked: the pointers of add continue it
	found []Invalid
}

func (v *checker) add(pointer, detail string) {
	v.found = append(v.found, Invalid{v.at + pointer, detail})
}

func (v *checker) vatID(pointer, id, country string) {
	if fault := vatIDFault(id, country); fault != "" {
		v.add(pointer, fault)
	}
}

// in checks a part of the order at a pointer.
func (v *checker) in(at string, check func()) {
	v.at = at
	check()
	v.at = ""
}

func (v *checker) address(a Address) {
	v.text("/line1", a.Line1, 1, maxText)
	v.text("/line2", a.Line2, 0, maxText)
	v.text("/city", a.City, 1, maxText)
	v.text("/region", a.Region, 0, maxText)
	v.text("/postal_code", a.PostalCode, 0, 16)
	if !a.CountryExists() {
		v.add("/country", "must be an ISO 3166-1 alpha-2 code in upper case, such as DE")
	}
}

func (v *checker) lines(lines []Line) {
	if len(lines) == 0 || len(lines) > MaxLines {
		v.add("/items", fmt.Sprintf("must have 1 to %d lines", MaxLines))
		return
	}
	first := make(map[string]int, len(lines))
	for i, l := range lines {
		v.in("/items/"+strconv.Itoa(i), func() { v.line(l) })
		if j, twice := first[l.SKU]; twice {
			v.add(fmt.Sprintf("/items/%d/sku", i), fmt.Sprintf("repeats the SKU of /items/%d", j))
			continue
		}
		first[l.SKU] = i
	}
}

// line checks also the data that the catalogue adds. Other producers to the topic can send anything.
func (v *checker) line(l Line) {
	v.text("/sku", l.SKU, 1, 64)
	if l.Quantity < 1 || l.Quantity > MaxQuantity {
		v.add("/quantity", fmt.Sprintf("must be a whole number from 1 to %d", MaxQuantity))
	}
	v.text("/name", l.Name, 0, maxText)
	if l.UnitPrice.Minor < 0 || l.UnitPrice.Minor > MaxPrice {
		v.add("/unit_price", "must be from 0.00 to "+EUR.Cents(MaxPrice).String())
	}
	if l.Grams < 0 || l.Grams > MaxGrams {
		v.add("/weight_g", fmt.Sprintf("must be from 0 to %d", MaxGrams))
	}
	if slices.Min(l.Size[:]) < 0 || slices.Max(l.Size[:]) > MaxSide {
		v.add("/size_mm", fmt.Sprintf("must have sides from 0 to %d", MaxSide))
	}
}

// refund checks a refund. Other producers to the topic can send anything.
func (v *checker) refund(o Order) {
	r := o.Refund
	if r.Number < 1 {
		v.add("/refund/number", "must be at least 1")
	}
	v.text("/refund/reason", r.Reason, 0, maxText)
	v.text("/refund/invoice/number", r.Invoice.Number, 1, maxText)
	if r.Invoice.IssuedAt.IsZero() {
		v.add("/refund/invoice/issued_at", "must be the date of the invoice")
	}
	if len(r.Invoice.Taxes) != 1 {
		v.add("/refund/invoice/taxes", "must have exactly one element")
	}
	if min(r.Shipping.Minor, r.Tax.Minor) < 0 {
		v.add("/refund", "must have no amounts below 0.00")
	}
	if r.Net.Minor < 0 || r.Net.Minor > o.prices().Minor || !o.Gross && r.Net.Minor != 0 {
		v.add("/refund/net", "must be from 0.00 to the price of lines and shipping, and not be set with net prices")
	}
	if min(r.PayBack.Minor, r.Returned.Minor, o.Reduces().Minor) < 0 {
		v.add("/refund/pay_back", "must be, with what is paid back already, from 0.00 to the total of the refund")
	}
	if o.Payment != nil {
		v.add("/payment", "must not be set for a refund")
	}
	if len(o.Lines) == 0 && r.Shipping.Minor == 0 {
		v.add("/items", "must have lines, unless shipping is refunded")
	}
}

func (v *checker) text(pointer, text string, least, most int) {
	if fault := TextFault(text, least, most); fault != "" {
		v.add(pointer, fault)
	}
}

// address is the dot-atom form of RFC 5322, 3.4.1, with a host name of at least two labels, which mail
// systems deliver to in practice.
var address = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*" +
	`@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]$`)

func (v *checker) email(pointer, text string) {
	local, _, _ := strings.Cut(text, "@")
	if len(text) > maxEmail || len(local) > 64 || !address.MatchString(text) {
		v.add(pointer, "must be an e-mail address such as zoe@example.com")
	}
}

// countries are the 249 officially assigned codes of ISO 3166-1 alpha-2.
const countries = " AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ" +
	" DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP" +
	" KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM" +
	" PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ" +
	" UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW "

// CountryExists reports whether Country is one of the countries, in upper case.
func (a Address) CountryExists() bool {
	code := a.Country
	return len(code) == 2 && !strings.Contains(code, " ") && strings.Contains(countries, " "+code+" ")
}
