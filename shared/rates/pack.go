package rates

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"example.com/orders/shared/order"
)

// Parcels are filled first-fit decreasing: the units that take the largest share of a parcel first, each into the first
// parcel that has weight and room left for it, into a new one when none has. A parcel's room is its volume: several
// things may take fill_percent of it, and one thing alone must fit by its sides. Nobody looks at how odd shapes lie
// beside each other; what they waste is what fill_percent leaves.
//
// How many parcels that makes, beside the fewest there could be (OPT):
//   - Where weight is the larger share of every thing, or volume is: at most 11/9 · OPT + 6/9. G. Dósa, "The Tight Bound of
//     First Fit Decreasing Bin-Packing Algorithm Is FFD(I) ≤ 11/9 OPT(I) + 6/9", 2007. One line alone has OPT parcels.
//   - Where both matter: any first fit needs asymptotically at most 2.7 · OPT. M. Garey, R. Graham, D. Johnson, A. Yao,
//     "Resource Constrained Scheduling as Generalized Bin Packing", 1976.
//   - Always at most 4 · B + 1, where B is all weight by a parcel's or all volume by a parcel's room, whichever is more: of two
//     parcels that follow each other the second holds a thing for which the first had no weight or no room left, so that
//     weight and volume of both come to a parcel's or more.
//
// It is the fewest parcels that are looked for, not the cheapest.

// maxParcels is how many parcels an order can become. What needs more is freight, and its state would outgrow a record.
const maxParcels = 100

// unit is one thing of a line, and how many of it are still to be packed.
type unit struct {
	line, left int
	grams      int
	size       [3]int // longest side first
	share      int    // of a parcel: in weight or in volume, whichever is more
}

// pack puts all lines into parcels of the carrier: heavy and large things first. Its error says what cannot be packed.
func (c *carrier) pack(lines []order.Line) ([]order.Parcel, error) {
	units := make([]unit, 0, len(lines))
	for i, l := range lines {
		u := unit{line: i, left: l.Quantity, grams: l.Grams, size: longestFirst(l.Size)}
		if err := c.takes(u); err != nil {
			return nil, fmt.Errorf("%s: %w", l.SKU, err)
		}
		// Cross-multiplied shares: a checked carrier's limits keep the products far from overflow.
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
		open = append(open, &load{}) // nothing is not shipped for nothing
	}
	return c.parcels(open), nil
}

// takes reports whether a parcel can hold a thing at all. Sums and products of things that it holds do not overflow.
func (c *carrier) takes(u unit) error {
	switch {
	case u.left < 0 || u.grams < 0 || u.size[2] < 0:
		return fmt.Errorf("%d of %d g and %s", u.left, u.grams, sides(u.size)) // no catalogue has that: it must make nothing cheap
	case u.grams > c.Most:
		return fmt.Errorf("%d g exceeds the parcel limit of %d g", u.grams, c.Most)
	case u.size[0] > c.most[0] || u.size[1] > c.most[1] || u.size[2] > c.most[2]:
		return fmt.Errorf("%s exceeds the parcel limit of %s", sides(u.size), sides(c.most))
	}
	return nil
}

func sides(mm [3]int) string { return fmt.Sprintf("%d × %d × %d mm", mm[0], mm[1], mm[2]) }

// load is a parcel while it is being filled.
type load struct {
	grams, volume int
	units         int
	sides         [3]int // each the longest of all units
	content       []order.Content
}

// put puts as many of a unit into a parcel as it has room for, and returns how many.
func (c *carrier) put(l *load, u unit) int {
	n := min(u.left, fits(c.Most-l.grams, u.grams), max(0, fits(c.room()-l.volume, volume(u.size))))
	if l.units == 0 {
		n = max(n, min(u.left, 1)) // alone it needs no room around it
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

// fits is how often one goes into what is left.
func fits(left, one int) int {
	if one == 0 {
		return math.MaxInt
	}
	return left / one
}

// room is the volume that several things in a parcel may come to.
func (c *carrier) room() int { return volume(c.most) * c.Fill / 100 }

// parcels measures what is packed. Equal parcels that follow each other are one entry with their count.
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

// box is the parcel that a load needs: as long and as wide as its longest and its widest unit, then as high as its volume
// asks for, and only then wider and longer. One thing alone is its own parcel.
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
