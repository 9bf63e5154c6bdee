package rates

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"example.com/orders/shared/order"
)

// Parcels are packed first-fit decreasing: units are sorted by their share of a parcel, largest
// first, and each goes into the first parcel with enough weight and volume left, or into a new one.
// Several units may use fill_percent of the volume; a single unit must fit by its sides. The
// geometry of several units is not calculated: fill_percent allows for the waste.
//
// The algorithm minimises the number of parcels, not the price. Its result compared with the
// minimum (OPT):
//   - If weight is the larger share of every unit, or volume is: at most 11/9 · OPT + 6/9. G. Dósa,
//     "The Tight Bound of First Fit Decreasing Bin-Packing Algorithm Is FFD(I) ≤ 11/9 OPT(I) +
//     6/9", 2007. One line alone needs OPT parcels.
//   - In general: any first fit needs asymptotically at most 2.7 · OPT. M. Garey, R. Graham, D.
//     Johnson, A. Yao, "Resource Constrained Scheduling as Generalized Bin Packing", 1976.
//   - Always at most 4 · B + 1, where B is the total weight divided by the weight of a parcel, or
//     the total volume divided by the usable volume of a parcel, whichever is more: of two
//     consecutive parcels, the second holds a unit for which the first had no weight or volume
//     left, so both together have at least the weight or the volume of one parcel.

// maxParcels is the maximum number of parcels of an order. More would be freight, and the state
// would exceed a record.
const maxParcels = 100

// unit is the item of a line, and how many are still to be packed.
type unit struct {
	line, left int
	grams      int
	size       [3]int // longest side first
	share      int    // share of a parcel, by weight or by volume, whichever is more
}

// pack packs all lines into parcels of the carrier, or returns an error for an item that cannot be
// packed.
func (c *carrier) pack(lines []order.Line) ([]order.Parcel, error) {
	units := make([]unit, 0, len(lines))
	for i, l := range lines {
		u := unit{line: i, left: l.Quantity, grams: l.Grams, size: longestFirst(l.Size)}
		if err := c.takes(u); err != nil {
			return nil, fmt.Errorf("%s: %w", l.SKU, err)
		}
		// Shares with a common denominator. The limits in check prevent an overflow.
		u.share = max(u.grams*volume(c.most), volume(u.size)*c.Most)
		units = append(units, u)
	}
	slices.SortStableFunc(units, func(a, b unit) int { return cmp.Compare(b.share, a.share) })
	var open []*load
	for _, u := range units {
		for _, l := range open {
			u.left -= c.put(l, u)
		}
		for u.left > 0 {
			if len(open) == maxParcels {
				return nil, fmt.Errorf("more than %d parcels", maxParcels)
			}
			l := &load{}
			u.left -= c.put(l, u)
			open = append(open, l)
		}
	}
	if len(open) == 0 {
		open = append(open, &load{}) // an order without lines is one empty parcel
	}
	return c.parcels(open), nil
}

// takes returns an error if a parcel cannot hold a unit. Sums and products of units that fit do not
// overflow.
func (c *carrier) takes(u unit) error {
	switch {
	case u.left < 0 || u.grams < 0 || u.size[2] < 0:
		return fmt.Errorf("%d of %d g and %s", u.left, u.grams, sides(u.size)) // not from a catalogue: never make shipping cheaper
	case u.grams > c.Most:
		return fmt.Errorf("%d g exceeds the parcel limit of %d g", u.grams, c.Most)
	case u.size[0] > c.most[0] || u.size[1] > c.most[1] || u.size[2] > c.most[2]:
		return fmt.Errorf("%s exceeds the parcel limit of %s", sides(u.size), sides(c.most))
	}
	return nil
}

func sides(mm [3]int) string { return fmt.Sprintf("%d × %d × %d mm", mm[0], mm[1], mm[2]) }

// load is a parcel that is being packed.
type load struct {
	grams, volume int
	units         int
	sides         [3]int // each the maximum of all units
	content       []order.Content
}

// put adds as many of a unit as fit to a parcel, and returns how many.
func (c *carrier) put(l *load, u unit) int {
	n := min(u.left, fits(c.Most-l.grams, u.grams), max(0, fits(c.room()-l.volume, volume(u.size))))
	if l.units == 0 {
		n = max(n, min(u.left, 1)) // fill_percent does not apply to a single unit
	}
	if n == 0 {
		return 0
	}
	l.grams, l.volume, l.units = l.grams+n*u.grams, l.volume+n*volume(u.size), l.units+n
	for i, side := range u.size {
		l.sides[i] = max(l.sides[i], side)
	}
	l.content = append(l.content, order.Content{Line: u.line, Quantity: n})
	return n
}

// fits is how many of size one fit into left.
func fits(left, one int) int {
	if one == 0 {
		return math.MaxInt
	}
	return left / one
}

// room is the usable volume of a parcel with several units.
func (c *carrier) room() int { return volume(c.most) * c.Fill / 100 }

// parcels converts loads. Consecutive equal parcels become one entry with a count.
func (c *carrier) parcels(loads []*load) []order.Parcel {
	var all []order.Parcel
	for _, l := range loads {
		p := order.Parcel{Count: 1, Grams: l.grams, Size: c.box(l), Content: l.content}
		if last := len(all) - 1; last >= 0 && all[last].Grams == p.Grams && all[last].Size == p.Size && slices.Equal(all[last].Content, p.Content) {
			all[last].Count++
			continue
		}
		all = append(all, p)
	}
	return all
}

// box is the size of a parcel: at least the sides of its largest units, then higher, wider and
// longer, in that order, until it has the required volume. A single unit has its own size.
func (c *carrier) box(l *load) [3]int {
	if l.units == 1 {
		return l.sides
	}
	size, needed := l.sides, divideUp(l.volume*100, c.Fill)
	for side := 2; side >= 0 && volume(size) < needed; side-- {
		area := size[(side+1)%3] * size[(side+2)%3]
		size[side] = min(c.most[side], divideUp(needed, area))
	}
	return longestFirst(size)
}

func longestFirst(size [3]int) [3]int {
	slices.SortFunc(size[:], func(a, b int) int { return cmp.Compare(b, a) })
	return size
}
