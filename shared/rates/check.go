package rates

import (
	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
)

// Limits above those of any carrier, with which no calculation overflows.
const (
	maxDivisor = 1_000_000
	maxDays    = 1_000
)

// maxName is the maximum length of the names of carriers and zones.
const maxName = 100

// check reports all faults of the card and parses its amounts.
func (f *file) check(root config.Place) {
	if f.Currency != order.EUR {
		root.At("currency").Wrong("currency must be %s, as in the catalogue", order.EUR)
	}
	var ok bool
	if f.gross, ok = order.ParsePrices(f.Prices); !ok {
		root.At("prices").Wrong("prices must be net or gross, got %.40q", f.Prices)
	}
	if f.Step < 1 || f.Step > order.MaxGrams {
		root.At("step_g").Wrong("step_g must be from 1 to %d", order.MaxGrams)
		f.Step = 1 // it is used as a divisor below
	}
	carriers := f.checkCarriers(root)
	f.remote.Take(root.At("remote"), f.Remote, "remote", &f.Remote)
	f.remote.Check()
	if len(f.Zones) == 0 {
		root.At("zones").Wrong("the card has no zones")
	}
	// An order stores only the name of its zone, so names must be unique.
	named := map[string]bool{}
	for i := range f.Zones {
		z, at := &f.Zones[i], root.At("zones", i)
		if z.Name == "" || named[z.Name] {
			at.At("name").Wrong("zone %d needs a unique name, got %q", i+1, z.Name)
		} else if fault := order.TextFault(z.Name, 1, maxName); fault != "" {
			at.At("name").Wrong("name %s", fault)
		}
		named[z.Name] = true
		f.zones.Take(at, z.Places, z.Name, z)
		z.check(at, carriers, f.Step)
	}
	f.zones.Check()
}

func (f *file) checkCarriers(root config.Place) map[string]*carrier {
	if len(f.Carriers) == 0 {
		root.At("carriers").Wrong("the card has no carriers")
	}
	named := map[string]*carrier{}
	for i := range f.Carriers {
		c, at := &f.Carriers[i], root.At("carriers", i)
		if c.Name == "" || named[c.Name] != nil {
			at.At("name").Wrong("carrier %d needs a unique name, got %q", i+1, c.Name)
		} else if fault := order.TextFault(c.Name, 1, maxName); fault != "" {
			at.At("name").Wrong("name %s", fault)
		}
		named[c.Name] = c
		c.check(at)
	}
	return named
}

// check limits sizes and weights to those of order lines, so that products do not overflow.
func (c *carrier) check(at config.Place) {
	// A wrong value is replaced with a harmless one, so that the tariffs do not get a fault because
	// of it.
	within := func(key string, value *int, most, harmless int, of string) {
		if *value < 1 || *value > most {
			at.At(key).Wrong("%s must be from 1 to %d%s", key, most, of)
			*value = harmless
		}
	}
	within("most_g", &c.Most, order.MaxGrams, 1, "")
	within("fill_percent", &c.Fill, 100, 1, "")
	within("volumetric_divisor", &c.Divisor, maxDivisor, maxDivisor, " cubic centimetres a kilogram")
	if len(c.Size) != 3 {
		at.At("most_mm").Wrong("most_mm must be length, width and height, got %d numbers", len(c.Size))
	}
	for i, side := range c.Size {
		if side < 1 || side > order.MaxSide || i > 0 && side > c.Size[i-1] {
			at.At("most_mm", i).Wrong("a side must be from 1 to %d mm, and sides must be in descending order, got %d", order.MaxSide, side)
			continue
		}
		if i < len(c.most) {
			c.most[i] = side
		}
	}
	// A percentage is parsed as an amount: the cents are hundredths of a percent.
	percent := optional(at.At("fuel_percent"), c.Fuel)
	if c.fuel = int(percent.Minor); c.fuel > 10_000 {
		at.At("fuel_percent").Wrong("fuel_percent must be at most 100")
	}
	c.remote = optional(at.At("remote_a_parcel"), c.Extra)
	c.oversize = optional(at.At("oversize", "a_parcel"), c.Oversize.Price)
	if (c.Oversize.Over < 1) != (c.Oversize.Price == "") {
		at.At("oversize").Wrong("oversize needs over_mm and a_parcel")
	}
}

// heaviest is the largest billable weight of a parcel of the carrier.
func (c *carrier) heaviest(step int) int {
	return c.billable(order.Parcel{Grams: c.Most, Size: c.most}, step)
}

func (z *zone) check(at config.Place, carriers map[string]*carrier, step int) {
	if len(z.Places.Areas)+len(z.Places.Countries) == 0 {
		at.Wrong("zone %q has no countries and no areas", z.Name)
	}
	z.freeFrom = optional(at.At("free_from"), z.FreeFrom)
	if len(z.Tariffs) == 0 {
		at.At("tariffs").Wrong("zone %q has no tariffs", z.Name)
		return
	}
	z.checkTariffs(at, carriers, step)
}

func (z *zone) checkTariffs(at config.Place, carriers map[string]*carrier, step int) {
	seen := map[string]bool{}
	fastest := maxDays
	for i := range z.Tariffs {
		t, at := &z.Tariffs[i], at.At("tariffs", i)
		if t.carrier = carriers[t.Carrier]; t.carrier == nil {
			at.At("carrier").Wrong("the card has no carrier %q", t.Carrier)
		}
		if seen[t.Carrier] {
			at.At("carrier").Wrong("zone %q already has a tariff of %q", z.Name, t.Carrier)
		}
		seen[t.Carrier] = true
		fastest = min(fastest, t.Days.Max)
		t.check(at, step)
	}
	if z.Express < 0 || z.Express > 0 && z.Express < fastest {
		at.At("express_days").Wrong("no tariff of zone %q arrives within %d days", z.Name, z.Express)
	}
}

// check requires that prices do not fall with weight, and that brackets cover all billable weights
// of the carrier.
func (t *tariff) check(at config.Place, step int) {
	if t.Days.Min < 0 || t.Days.Min > t.Days.Max || t.Days.Max > maxDays {
		at.At("days").Wrong("days must have min <= max, and be from 0 to %d, got %d to %d", maxDays, t.Days.Min, t.Days.Max)
	}
	var last bracket
	for i := range t.Brackets {
		b, at := &t.Brackets[i], at.At("brackets", i)
		price, ok := amount(at.At("price"), b.Price)
		b.price = price
		if b.UpTo <= last.UpTo || b.UpTo%step != 0 {
			at.At("up_to_g").Wrong("brackets must be in ascending order and multiples of %d g: %d g follows %d g", step, b.UpTo, last.UpTo)
		}
		if ok && price.Minor < last.price.Minor {
			at.At("price").Wrong("prices must not fall with weight: %s follows %s", b.price, last.price)
		}
		last = *b
	}
	if t.carrier != nil && last.UpTo < t.carrier.heaviest(step) {
		at.At("brackets").Wrong("the last bracket ends at %d g, but the billable weight of a parcel of %q can be %d g", last.UpTo, t.Carrier, t.carrier.heaviest(step))
	}
}

// optional parses an amount that may be missing; the default is zero.
func optional(at config.Place, text string) order.Money {
	if text == "" {
		return order.EUR.Cents(0)
	}
	m, _ := amount(at, text)
	return m
}

// amount parses a price, which may be zero.
func amount(at config.Place, text string) (m order.Money, ok bool) {
	m, err := order.EUR.Parse(text)
	if err != nil {
		at.Wrong("%v", err)
		return m, false
	}
	if m.Minor < 0 || m.Minor > order.MaxPrice {
		at.Wrong("%s must be from 0.00 to %s", m, order.EUR.Cents(order.MaxPrice))
		return m, false
	}
	return m, true
}
