// Package place finds what holds for an address: countries, and parts of countries by the beginning
// of their postal codes. The rate card has its zones by place, and the VAT table its territories.
//
// A longer prefix takes precedence over a shorter one, and any prefix over the country. Spaces,
// hyphens and the prefix of a country in a postal code are ignored: see address.Bare.
package place

import (
	"strings"

	"example.com/orders/shared/address"
	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
)

// Set is a set of places in a YAML file.
type Set struct {
	Areas     []Area   `yaml:"areas"`
	Countries []string `yaml:"countries"` // ISO 3166-1 alpha-2
}

// Area is the part of a country whose postal codes begin with one of the prefixes.
type Area struct {
	Country  string   `yaml:"country"`
	Prefixes []string `yaml:"postal_prefixes"`
}

// place is the part of a country with a postal prefix. An empty prefix is the whole country.
type place struct{ country, prefix string }

// String is the place as written in a file.
func (p place) String() string { return strings.TrimSpace(p.country + " " + p.prefix) }

// Index finds the owner of an address: what a file lists the place under. The zero value is empty. Once
// it is filled, it is safe for concurrent use.
type Index[T any] struct {
	owners  map[place]owner[T]
	entries []entry
}

type owner[T any] struct {
	name string
	it   *T
}

type entry struct {
	at    config.Place
	place place
}

// Of is the owner of an address, or nil.
func (x *Index[T]) Of(a order.Address) *T {
	code := address.Bare(a.Country, a.PostalCode)
	for n := len(code); n >= 0; n-- {
		if o, found := x.owners[place{a.Country, code[:n]}]; found {
			return o.it
		}
	}
	return nil
}

// Take adds all places of a set, which is at a place of a file. It reports a place that another owner
// or the same one has already, a code that is no country, and a prefix without characters. The name of
// the owner is for these reports.
func (x *Index[T]) Take(at config.Place, s Set, name string, it *T) {
	o := owner[T]{name, it}
	for i, a := range s.Areas {
		at := at.At("areas", i)
		checkCountry(at.At("country"), a.Country)
		if len(a.Prefixes) == 0 {
			at.Wrong("an area needs postal_prefixes; to cover all of %s, list it under countries", a.Country)
		}
		for j, prefix := range a.Prefixes {
			at := at.At("postal_prefixes", j)
			if prefix = address.Bare(a.Country, prefix); prefix == "" {
				at.Wrong("an empty prefix covers all of %s: list the country under countries", a.Country)
				continue
			}
			x.add(at, place{a.Country, prefix}, o)
		}
	}
	for i, country := range s.Countries {
		checkCountry(at.At("countries", i), country)
		x.add(at.At("countries", i), place{country, ""}, o)
	}
}

// add records that an owner has a place. A longer prefix takes precedence over a shorter one, so owners
// overlap only if they list the same prefix.
func (x *Index[T]) add(at config.Place, p place, o owner[T]) {
	if has, found := x.owners[p]; found {
		at.Wrong("%q and %q overlap: both have %s", has.name, o.name, p)
		return
	}
	if x.owners == nil {
		x.owners = map[place]owner[T]{}
	}
	x.owners[p] = o
	x.entries = append(x.entries, entry{at, p})
}

// Check reports each prefix without effect, which a shorter one of the same owner includes: it is
// probably a mistake. Call it after the last Take.
func (x *Index[T]) Check() {
	for _, e := range x.entries {
		o, p := x.owners[e.place], e.place
		for n := len(p.prefix) - 1; n >= 0; n-- {
			shorter := place{p.country, p.prefix[:n]}
			has, found := x.owners[shorter]
			if has.it == o.it {
				e.at.Wrong("%q already has %s through %s", o.name, p, shorter)
			}
			if found {
				break
			}
		}
	}
}

// checkCountry refuses codes that no address has, such as UK or de.
func checkCountry(at config.Place, code string) {
	if !(order.Address{Country: code}).CountryExists() {
		at.Wrong("%q is not an ISO 3166-1 alpha-2 country code in upper case", code)
	}
}
