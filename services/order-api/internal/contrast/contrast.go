// Package contrast finds what sets some orders apart from others.
//
// A difference is a value of a field, such as a country, that a larger share of the one sample has than
// of the other. It counts if the share is larger by at least 0.2, and by at least 3 standard errors
// of the difference between two shares, sqrt(p(1-p)(1/n+1/m)) with p of both samples together. The
// first keeps out what is of no use to anybody, the second what small samples have by chance: about one
// in 700 values that do not differ would pass it.
//
// A value is left out unless at least 5 customers have it, so that it tells of no one person. Names,
// addresses and the local parts of e-mail addresses are not looked at.
package contrast

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"example.com/orders/shared/order"
)

// Difference is a value that more of some orders have than of others. Shares are from 0 to 1.
type Difference struct {
	Field string // "mail domain", "country", "service", "lines" or "SKU"
	Value string
	Share float64 // of the orders
	Other float64 // of the others
}

// What counts as a difference.
const (
	most        = 3
	fewest      = 5 // customers
	leastShare  = 0.2
	leastErrors = 3.0 // standard errors
)

// Of returns what sets orders apart from others: at most 3 values of different fields, the largest
// difference first. It is empty if nothing does, or if there are no others.
func Of(orders, others []order.Order) (all []Difference) {
	these, those := count(orders), count(others)
	n, m := float64(len(orders)), float64(len(others))
	for t, with := range these.orders {
		if t.value == "" || len(these.customers[t]) < fewest || m == 0 {
			continue
		}
		d := Difference{t.field, t.value, float64(with) / n, float64(those.orders[t]) / m}
		p := float64(with+those.orders[t]) / (n + m)
		if more := d.Share - d.Other; more >= leastShare && more >= leastErrors*math.Sqrt(p*(1-p)*(1/n+1/m)) {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(b.Share-b.Other, a.Share-a.Other), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Value, b.Value))
	})
	fields := map[string]bool{}
	all = slices.DeleteFunc(all, func(d Difference) bool {
		again := fields[d.Field]
		fields[d.Field] = true
		return again
	})
	return all[:min(most, len(all))]
}

// trait is a value of a field.
type trait struct{ field, value string }

// counts are how many orders have a trait, and which customers.
type counts struct {
	orders    map[trait]int
	customers map[trait]map[string]bool
}

func count(orders []order.Order) counts {
	c := counts{map[trait]int{}, map[trait]map[string]bool{}}
	for _, o := range orders {
		who := strings.ToLower(o.Customer.Email)
		for _, t := range traits(o, who) {
			if c.customers[t] == nil {
				c.customers[t] = map[string]bool{}
			}
			c.orders[t]++
			c.customers[t][who] = true
		}
	}
	return c
}

// traits are those of an order, each once.
func traits(o order.Order, email string) []trait {
	domain := email[strings.LastIndexByte(email, '@')+1:]
	all := []trait{{"mail domain", domain}, {"country", o.ShipTo.Country}, {"service", o.Service}, {"lines", strconv.Itoa(len(o.Lines))}}
	for _, l := range o.Lines {
		if t := (trait{"SKU", l.SKU}); !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}
