package shipping

import (
	"strings"

	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
)

// maxDivisor is far above any carrier's, and far below what overflows when volumes are rounded up.
const maxDivisor = 1_000_000

// check says all that is wrong with the card and parses its amounts.
func (r *rates) check(root config.Place) {
	if r.Currency != order.EUR {
		root.At("currency").Wrong("currency must be %s, as in the catalogue", order.EUR)
	}
	if r.Divisor < 1 || r.Divisor > maxDivisor {
		root.At("volumetric_divisor").Wrong("volumetric_divisor must be from 1 to %d cubic centimetres a kilogram", maxDivisor)
	}
	if len(r.Zones) == 0 {
		root.At("zones").Wrong("the card has no zones")
	}
	// The name is all that an order keeps of its zone.
	named := map[string]bool{}
	var taken claims
	for i := range r.Zones {
		z, at := &r.Zones[i], root.At("zones", i)
		if z.Name == "" || named[z.Name] {
			at.At("name").Wrong("zone %d needs a name of its own, got %q", i+1, z.Name)
		}
		named[z.Name] = true
		z.checkPlaces(at, &taken)
		z.checkServices(at)
	}
}

// claims are the places that the zones so far take, in the order in which they are tried.
type claims []claim

type claim struct{ country, prefix, zone string }

// add notes that a zone takes the postal codes of a country that begin with a prefix. Since the first match wins, what
// an earlier claim takes never reaches a later one: a mistake, never a wish.
func (c *claims) add(at config.Place, country, prefix, zone string) {
	prefix = postal(prefix, country)
	for _, earlier := range *c {
		if earlier.country == country && strings.HasPrefix(prefix, earlier.prefix) {
			at.Wrong("zone %q never gets %s: zone %q has it already", zone, strings.TrimSpace(country+" "+prefix), earlier.zone)
			return
		}
	}
	*c = append(*c, claim{country, prefix, zone})
}

// checkPlaces looks at areas before countries: a zone that has a whole country may name parts of it, which is useless
// but harmless, while a part after its country in a later zone is a mistake.
func (z *zone) checkPlaces(at config.Place, taken *claims) {
	if len(z.Areas)+len(z.Countries) == 0 {
		at.Wrong("zone %q has no countries and no areas", z.Name)
	}
	for i, a := range z.Areas {
		at := at.At("areas", i)
		checkCountry(at.At("country"), a.Country)
		if len(a.Prefixes) == 0 {
			at.Wrong("an area needs postal_prefixes; all of %s belongs in countries", a.Country)
		}
		for j, prefix := range a.Prefixes {
			if postal(prefix, a.Country) == "" {
				at.At("postal_prefixes", j).Wrong("an empty prefix is all of %s, which belongs in countries", a.Country)
				continue
			}
			taken.add(at.At("postal_prefixes", j), a.Country, prefix, z.Name)
		}
	}
	for i, country := range z.Countries {
		checkCountry(at.At("countries", i), country)
		taken.add(at.At("countries", i), country, "", z.Name)
	}
}

// checkCountry catches the codes that people write by habit, such as UK or de: no address ever has them.
func checkCountry(at config.Place, code string) {
	if !(order.Address{Country: code}).CountryExists() {
		at.Wrong("%q is no ISO 3166-1 alpha-2 country code in upper case", code)
	}
}

// checkServices says nothing of free_from where the services are missing altogether: that is the cause.
func (z *zone) checkServices(at config.Place) {
	s, under := z.Services, at.At("services")
	if s.Standard == nil && s.Express == nil {
		under.Wrong("zone %q has no services", z.Name)
	}
	if s.Standard != nil {
		s.Standard.check(under.At("standard"))
	}
	if s.Express != nil {
		s.Express.check(under.At("express"))
	}
	if z.FreeFrom == "" {
		return
	}
	if s.Standard == nil && s.Express != nil {
		at.At("free_from").Wrong("free_from is for standard, which zone %q does not have", z.Name)
	}
	z.freeFrom, _ = amount(at.At("free_from"), z.FreeFrom)
}

// check holds brackets to prices that never fall with weight, so that no customer pays less by ordering more.
func (f *offer) check(at config.Place) {
	if f.Days.Min < 0 || f.Days.Min > f.Days.Max {
		at.At("days").Wrong("days must have min <= max and none below 0, got %d to %d", f.Days.Min, f.Days.Max)
	}
	if len(f.Brackets) == 0 {
		at.At("brackets").Wrong("a service needs brackets")
	}
	var last bracket
	for i := range f.Brackets {
		b, at := &f.Brackets[i], at.At("brackets", i)
		price, ok := amount(at.At("price"), b.Price)
		b.price = price
		if b.UpTo <= last.UpTo {
			at.At("up_to_g").Wrong("brackets must ascend: %d g follows %d g", b.UpTo, last.UpTo)
		}
		if ok && price.Minor < last.price.Minor {
			at.At("price").Wrong("prices must not fall with weight: %s follows %s", b.price, last.price)
		}
		last = *b
	}
}

// amount parses a price. Zero is one: a zone may ship for nothing.
func amount(at config.Place, text string) (m order.Money, ok bool) {
	m, err := order.EUR.Parse(text)
	if err != nil {
		at.Wrong("%v", err)
		return m, false
	}
	if m.Minor < 0 {
		at.Wrong("%s is below zero", m)
		return m, false
	}
	return m, true
}
