package address

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"example.com/orders/shared/order"
)

// Normalise writes the postal codes of an order in one form, and returns a fault for each whose form
// is not that of its country. The code of a country whose form is not known can be any, and a missing
// one is no fault: see Missing.
func (c *Countries) Normalise(o *order.Order) (faults []order.Invalid) {
	normalise := func(at string, a *order.Address) {
		if country := c.Of(a.Country); country != nil {
			a.PostalCode = country.postalCode(a.PostalCode)
			faults = append(faults, country.postalFault(at, a.PostalCode)...)
		}
	}
	normalise("/ship_to", &o.ShipTo)
	if o.BillTo != nil {
		to := *o.BillTo
		normalise("/bill_to", &to.Address)
		o.BillTo = &to
	}
	return faults
}

// Missing returns a fault for each postal code that a new order does not have although the country requires
// it. VAT depends on it: without a code, goods to Belfast would be exports.
func (c *Countries) Missing(o *order.Order) (faults []order.Invalid) {
	missing := func(at string, a order.Address) {
		if country := c.Of(a.Country); country != nil && country.Required && Bare(a.Country, a.PostalCode) == "" {
			faults = append(faults, order.Invalid{Pointer: at + "/postal_code", Detail: country.postalRule()})
		}
	}
	missing("/ship_to", o.ShipTo)
	if o.BillTo != nil {
		missing("/bill_to", o.BillTo.Address)
	}
	return faults
}

// Check returns the fault of a postal code whose form is not that of the country, or that is missing
// although the country requires it.
func (c *Country) Check(a order.Address) []order.Invalid {
	code := c.postalCode(a.PostalCode)
	if code == "" && c.Required {
		return []order.Invalid{{Pointer: "/ship_to/postal_code", Detail: c.postalRule()}}
	}
	return c.postalFault("/ship_to", code)
}

func (c *Country) postalRule() string {
	rule := "must be a postal code of " + c.Name
	if c.Example != "" {
		rule += ", such as " + c.Example
	}
	return rule
}

// postalFault returns the fault of a code that is normalised. It does not repeat the code: logs have
// faults, and no personal data.
func (c *Country) postalFault(at, code string) []order.Invalid {
	if code == "" || c.postal == nil || c.postal().MatchString(code) {
		return nil
	}
	detail, bare, want := c.postalRule(), Bare(c.Code, code), Bare(c.Code, c.Example)
	if n, m := len(bare), len(want); n != m && isDigits(bare) && isDigits(want) {
		detail += fmt.Sprintf(": %s has %s digits, not %s", c.Code, number(m), number(n))
	}
	if isDigits(bare) && !strings.Contains(nonzero, c.Code) && (c.postal().MatchString(c.postalCode("0"+bare)) || c.postal().MatchString(c.postalCode("00"+bare))) {
		detail += "; a spreadsheet may have dropped a zero"
	}
	return []order.Invalid{{Pointer: at + "/postal_code", Detail: detail}}
}

// nonzero are countries without a postal code that begins with a zero.
const nonzero = "AT BE BG CH CY CZ GR HR HU LI LU LV NL PT SE SI"

func number(n int) string {
	words := []string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}
	if n < len(words) {
		return words[n]
	}
	return fmt.Sprint(n)
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// postalCode returns a code in the one form that an order has: that of the country, with its
// separators, or the text in upper case with single spaces if it is no code of the country.
func (c *Country) postalCode(code string) string {
	if isDigits(code) && isDigits(c.form) {
		return code
	}
	bare := Bare(c.Code, code)
	if c.postal != nil && bare != "" {
		prefix := c.prefix()
		for _, form := range []string{
			separated(bare, c.form, false), separated(bare, c.form, true), prefix + separated(bare, c.form[len(prefix):], false), bare,
		} {
			if c.postal().MatchString(form) {
				return form
			}
		}
	}
	return strings.Join(strings.Fields(strings.ToUpper(norm.NFKC.String(code))), " ")
}

// prefix is what every code of the country begins with, such as "LV-".
func (c *Country) prefix() string {
	letters := c.form[:len(c.form)-len(strings.TrimLeft(c.form, "ABCDEFGHIJKLMNOPQRSTUVWXYZ- "))]
	if strings.HasPrefix(c.postal().String(), "^(?:"+letters) {
		return letters
	}
	return ""
}

// separated inserts the space or hyphen of a form into a bare code, at its distance from the left or
// from the right.
func separated(bare, form string, right bool) string {
	i := strings.IndexAny(form, " -")
	if i < 0 {
		return bare
	}
	at := i
	if right {
		at = len(bare) - (len(form) - i - 1)
	}
	if at <= 0 || at >= len(bare) {
		return bare
	}
	return bare[:at] + form[i:i+1] + bare[at:]
}

// Bare returns a postal code for comparing: in upper case, without the prefix of the country, without
// spaces and hyphens. "LV-1010", "1010" and "lv 1010" are the same, and so are "D-10115" and
// "１０１１５". Zones and territories are looked up by it.
func Bare(country, code string) string {
	var b strings.Builder
	for _, r := range strings.ToUpper(norm.NFKC.String(code)) {
		if d := digit(r); d >= 0 {
			b.WriteByte(byte('0' + d))
		} else if !ignored(r) {
			b.WriteRune(r)
		}
	}
	bare := b.String()
	for _, prefix := range prefixes(country) {
		if rest, found := strings.CutPrefix(bare, prefix); found && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return rest
		}
	}
	return bare
}

// ignored reports whether a rune of a postal code tells nothing: spaces, also without a width, all
// dashes, the Japanese long vowel mark, which looks like one, and the mark of the Japanese post.
func ignored(r rune) bool {
	return unicode.IsSpace(r) || unicode.In(r, unicode.Cf, unicode.Pd) || strings.ContainsRune("\u2212ー〒", r)
}

// prefixes are what people of a country write before the digits of a postal code: the ISO code, or
// the code of vehicles, as the post recommended once.
func prefixes(country string) []string {
	const vehicles = "AT:A AX:FI AX:FIN BE:B DE:D EE:EST ES:E FI:AX FI:FIN FI:SF FR:F HU:H IT:I LI:FL LU:L MC:F NO:N PT:P SE:S SI:SLO"
	all := []string{country}
	for pair := range strings.FieldsSeq(vehicles) {
		if prefix, found := strings.CutPrefix(pair, country+":"); found {
			all = append(all, prefix)
		}
	}
	return all
}

// digit is the value of a decimal digit of any script, or -1. The digits of a script follow each
// other.
func digit(r rune) int {
	if r <= unicode.MaxASCII {
		return strings.IndexRune("0123456789", r)
	}
	for d := range rune(10) {
		if unicode.Is(unicode.Nd, r) && !unicode.Is(unicode.Nd, r-d-1) {
			return int(d)
		}
	}
	return -1
}
