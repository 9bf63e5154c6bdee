package order

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what can be ordered. Lengths are in runes.
const (
	MaxLines    = 200
	MaxQuantity = 10_000
	MaxPrice    = 100_000_000 // of one unit, in cents
	MaxGrams    = 1_000_000   // of one unit
	MaxSide     = 10_000      // of one unit, in millimetres
	maxNote     = 2_000
	maxText     = 200
	maxEmail    = 254 // RFC 5321, 4.5.3.1.3
)

// Invalid is one thing that is wrong with an order: a JSON pointer (RFC 6901) to the field, and what would be right.
type Invalid struct {
	Pointer string
	Detail  string
}

// Validate says everything that is wrong with an order, or nothing. It does not know the catalogue: whether a SKU exists
// is for the caller to say, and what the catalogue adds to a line may be missing, but not be beyond what can be added up.
func (o Order) Validate() []Invalid {
	var v checker
	v.text("/customer/name", o.Customer.Name, 1, maxText)
	v.email("/customer/email", o.Customer.Email)
	if o.Customer.VATID != "" && o.Customer.VATState() == "" {
		v.add("/customer/vat_id", "must be a VAT ID of a member state of the European Union, such as DE123456789, in upper case and without spaces")
	}
	a := o.ShipTo
	v.text("/ship_to/line1", a.Line1, 1, maxText)
	v.text("/ship_to/line2", a.Line2, 0, maxText)
	v.text("/ship_to/city", a.City, 1, maxText)
	v.text("/ship_to/region", a.Region, 0, maxText)
	v.text("/ship_to/postal_code", a.PostalCode, 0, 16)
	if !a.CountryExists() {
		v.add("/ship_to/country", "must be an ISO 3166-1 alpha-2 code in upper case, such as DE")
	}
	if o.Service != Standard && o.Service != Express {
		v.add("/service", "must be standard or express")
	}
	v.text("/note", strings.ReplaceAll(o.Note, "\n", " "), 0, maxNote)
	if o.Refund != nil {
		v.refund(o)
	}
	if o.Refund == nil || len(o.Lines) > 0 {
		v.lines(o.Lines)
	}
	return v.found
}

type checker struct{ found []Invalid }

func (v *checker) add(pointer, detail string) {
	v.found = append(v.found, Invalid{pointer, detail})
}

func (v *checker) lines(lines []Line) {
	if len(lines) == 0 || len(lines) > MaxLines {
		v.add("/items", fmt.Sprintf("must have 1 to %d lines", MaxLines))
		return
	}
	first := make(map[string]int, len(lines))
	for i, l := range lines {
		at := fmt.Sprintf("/items/%d", i)
		v.text(at+"/sku", l.SKU, 1, 64)
		if l.Quantity < 1 || l.Quantity > MaxQuantity {
			v.add(at+"/quantity", fmt.Sprintf("must be a whole number from 1 to %d", MaxQuantity))
		}
		v.product(at, l)
		if j, twice := first[l.SKU]; twice {
			v.add(at+"/sku", fmt.Sprintf("stands in /items/%d already", j))
			continue
		}
		first[l.SKU] = i
	}
}

// product looks at what the catalogue adds. Whoever writes to the topic can add anything.
func (v *checker) product(at string, l Line) {
	v.text(at+"/name", l.Name, 0, maxText)
	if l.UnitPrice.Minor < 0 || l.UnitPrice.Minor > MaxPrice {
		v.add(at+"/unit_price", "must be from 0.00 to "+EUR.Cents(MaxPrice).String())
	}
	if l.Grams < 0 || l.Grams > MaxGrams {
		v.add(at+"/weight_g", fmt.Sprintf("must be from 0 to %d", MaxGrams))
	}
	if slices.Min(l.Size[:]) < 0 || slices.Max(l.Size[:]) > MaxSide {
		v.add(at+"/size_mm", fmt.Sprintf("must have sides from 0 to %d", MaxSide))
	}
}

func (v *checker) text(pointer, text string, least, most int) {
	n := utf8.RuneCountInString(text)
	switch {
	case n > most:
		v.add(pointer, fmt.Sprintf("must have at most %d characters", most))
	case n < least || least > 0 && !strings.ContainsFunc(text, seen):
		v.add(pointer, "must not be empty")
	case strings.ContainsFunc(text, forbidden) || !utf8.ValidString(text):
		v.add(pointer, "must not contain control characters, line breaks or text direction overrides")
	}
}

// blank are runes that Unicode lists among letters and symbols and that leave no mark: the pattern of Braille without dots, the
// null notehead, the filler of Khitan, and the blanks of Egyptian hieroglyphs.
const blank = "\u2800\U0001D159\U00016FE4\U00013441\U00013442"

// seen reports whether a rune leaves a mark on an invoice. Spaces do not, nor do runes of no width, which some names need
// between others (Unicode TR 44, Default_Ignorable_Code_Point), nor those that are blank.
func seen(r rune) bool {
	return !unicode.IsSpace(r) && !strings.ContainsRune(blank, r) && !unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// forbidden are runes that change the meaning of what is around them: controls, line and paragraph separators, bidirectional overrides and isolates (Unicode UAX #9, section 2).
func forbidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// address is the dot-atom form of RFC 5322, 3.4.1, with a host name of at least two labels: what mail systems deliver to in practice.
var address = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*" +
	`@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]$`)

func (v *checker) email(pointer, text string) {
	local, _, _ := strings.Cut(text, "@")
	if len(text) > maxEmail || len(local) > 64 || !address.MatchString(text) {
		v.add(pointer, "must be an e-mail address such as zoe@example.com")
	}
}

// countries are the 249 officially assigned codes of ISO 3166-1.
const countries = " AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ" +
	" DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP" +
	" KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM" +
	" PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ" +
	" UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW "

// CountryExists reports whether Country is an officially assigned ISO 3166-1 alpha-2 code, in upper case.
func (a Address) CountryExists() bool {
	code := a.Country
	return len(code) == 2 && !strings.Contains(code, " ") && strings.Contains(countries, " "+code+" ")
}
