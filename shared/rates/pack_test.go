package rates_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.com/orders/shared/cputime"
	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
)

// testing.T and rapid.T.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
}

// boxes is a card with one carrier and one price. Its parcels have a weight limit and 100 × 100 ×
// 100 mm, with a fill_percent of 100.
func boxes(t testing.TB, grams int) *rates.Card {
	t.Helper()
	return load(t, fmt.Sprintf(`currency: EUR
step_g: 1
carriers: [{name: Ox, most_g: %d, most_mm: [100, 100, 100], fill_percent: 100, volumetric_divisor: 1000}]
zones:
  - name: all
    countries: [DE]
    tariffs: [{carrier: Ox, days: {min: 1, max: 1}, brackets: [{up_to_g: 1000000, price: "1"}]}]
`, grams))
}

func thing(grams, length, width, height int) order.Line {
	return order.Line{SKU: "THING", Quantity: 1, UnitPrice: order.EUR.Cents(100), Grams: grams, Size: [3]int{length, width, height}}
}

func times(n int, l order.Line) order.Line {
	l.Quantity = n
	return l
}

func basket(country, postalCode, service string, lines ...order.Line) order.Order {
	return order.Order{ShipTo: order.Address{PostalCode: postalCode, Country: country}, Service: service, Lines: lines}
}

// packed writes parcels as "2×[0:3 1:1] 640 g 100×50×20".
func packed(parcels []order.Parcel) string {
	var all []string
	for _, p := range parcels {
		var content []string
		for _, c := range p.Content {
			content = append(content, fmt.Sprintf("%d:%d", c.Line, c.Quantity))
		}
		all = append(all, fmt.Sprintf("%d×[%s] %d g %d×%d×%d", p.Count, strings.Join(content, " "), p.Grams, p.Size[0], p.Size[1], p.Size[2]))
	}
	return strings.Join(all, ", ")
}

func TestLargestUnitsArePackedFirst(t *testing.T) {
	t.Parallel()
	card := boxes(t, 1000)
	for _, row := range []struct {
		name  string
		lines []order.Line
		want  string
	}{
		{"one thing is its own parcel", []order.Line{thing(400, 20, 90, 50)}, "1×[0:1] 400 g 90×50×20"},
		{"one thing as large as a parcel", []order.Line{thing(1000, 100, 100, 100)}, "1×[0:1] 1000 g 100×100×100"},
		{"two are laid on each other", []order.Line{times(2, thing(400, 90, 50, 20))}, "1×[0:2] 800 g 90×50×40"},
		{"by weight", []order.Line{times(5, thing(400, 10, 10, 10))}, "2×[0:2] 800 g 20×10×10, 1×[0:1] 400 g 10×10×10"},
		{"by volume", []order.Line{times(9, thing(1, 50, 50, 50))}, "1×[0:8] 8 g 100×100×100, 1×[0:1] 1 g 50×50×50"},
		{"small things go into what is left", []order.Line{times(3, thing(100, 1, 1, 1)), times(2, thing(800, 1, 1, 1))}, "1×[1:1 0:2] 1000 g 3×1×1, 1×[1:1 0:1] 900 g 2×1×1"},
		{"large before heavy", []order.Line{thing(600, 10, 10, 10), thing(500, 100, 90, 90)}, "1×[1:1] 500 g 100×90×90, 1×[0:1] 600 g 10×10×10"},
		{"weightless and without size", []order.Line{times(10_000, thing(0, 0, 0, 0))}, "1×[0:10000] 0 g 0×0×0"},
		{"nothing at all", nil, "1×[] 0 g 0×0×0"},
	} {
		o := basket("DE", "10115", order.Standard, row.lines...)
		s, err := card.Ship(o)
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		if got := packed(s.Parcels); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

func TestUnitsLargerThanAParcelAreRefused(t *testing.T) {
	t.Parallel()
	card := boxes(t, 1000)
	for _, row := range []struct {
		name string
		line order.Line
		want string
	}{
		{"heavy", thing(1001, 1, 1, 1), "THING: 1001 g exceeds the parcel limit of 1000 g"},
		{"long", thing(1, 1, 101, 1), "THING: 101 × 1 × 1 mm exceeds the parcel limit of 100 × 100 × 100 mm"},
		{"endless", thing(1<<62, 1<<62, 1<<62, 1<<62), "exceeds the parcel limit of 1000 g"},
		{"many", times(101, thing(1000, 1, 1, 1)), "more than 100 parcels"},
		{"beyond number", times(math.MaxInt, thing(1, 1, 1, 1)), "more than 100 parcels"},
		{"below zero", thing(-1, 1, 1, 1), "THING: 1 of -1 g and 1 × 1 × 1 mm"},
		{"taken away", times(-1, thing(1, 1, 1, 1)), "THING: -1 of 1 g"},
	} {
		if _, err := card.Ship(basket("DE", "", order.Standard, row.line)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want an error that says %q", row.name, err, row.want)
		}
	}
}

// sound fails unless each unit is in one parcel, weights and sizes are those of the content, and
// the parts of the price add up to less than the whole.
func sound(t tester, o order.Order, s *order.Shipping) {
	t.Helper()
	left, billable := map[int]int{}, 0
	for i, l := range o.Lines {
		left[i] = l.Quantity
	}
	for _, p := range s.Parcels {
		grams, room := 0, 0
		for _, c := range p.Content {
			l := o.Lines[c.Line]
			left[c.Line] -= p.Count * c.Quantity
			grams += c.Quantity * l.Grams
			room += c.Quantity * l.Size[0] * l.Size[1] * l.Size[2]
			for i, side := range descending(l.Size) {
				if side > p.Size[i] {
					t.Errorf("got a parcel of %v mm, want one that %v mm fit into", p.Size, l.Size)
				}
			}
		}
		if p.Grams != grams || p.BillableGrams < grams || p.Size[0]*p.Size[1]*p.Size[2] < room || p.Count < 1 {
			t.Errorf("got %+v, want %d g and %d mm³ in it", p, grams, room)
		}
		billable += p.Count * p.BillableGrams
	}
	for i, n := range left {
		if n != 0 {
			t.Errorf("line %d: %d units more than are in parcels", i, n)
		}
	}
	extra := s.Fuel.Plus(s.Remote).Plus(s.Oversize)
	if min(s.Fuel.Minor, s.Remote.Minor, s.Oversize.Minor) < 0 || extra.Minor > s.Price.Minor || s.BillableGrams != billable {
		t.Errorf("got %+v, want it for %d g and no part of the price below zero, or more than all of it", s, billable)
	}
}

func descending(size [3]int) [3]int {
	slices.Sort(size[:])
	slices.Reverse(size[:])
	return size
}

func count(parcels []order.Parcel) (n int) {
	for _, p := range parcels {
		n += p.Count
	}
	return n
}

func TestParcelsKeepLimitsAndApproximationBound(t *testing.T) {
	t.Parallel()
	const most, room = 1000, 100 * 100 * 100
	card := boxes(t, most)
	side := rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, 20), rapid.SampledFrom([]int{50, 51, 100}))
	line := rapid.Custom(func(t *rapid.T) order.Line {
		l := thing(rapid.OneOf(rapid.IntRange(0, most), rapid.IntRange(0, 20)).Draw(t, "grams"), side.Draw(t, "length"), side.Draw(t, "width"), side.Draw(t, "height"))
		return times(rapid.IntRange(1, 20).Draw(t, "quantity"), l)
	})
	rapid.Check(t, func(t *rapid.T) {
		o := basket("DE", "", order.Standard, rapid.SliceOfN(line, 1, 12).Draw(t, "lines")...)
		s, err := card.Ship(o)
		if err != nil {
			if !strings.Contains(err.Error(), "more than 100 parcels") {
				t.Errorf("got %v, want parcels", err)
			}
			return
		}
		sound(t, o, s)
		grams, volume := 0, 0
		for _, l := range o.Lines {
			grams, volume = grams+l.Quantity*l.Grams, volume+l.Quantity*l.Size[0]*l.Size[1]*l.Size[2]
		}
		for _, p := range s.Parcels {
			if p.Grams > most || p.Size[0] > 100 || p.Size[0]*p.Size[1]*p.Size[2] > room {
				t.Errorf("got %+v, want at most %d g and 100 mm a side", p, most)
			}
		}
		n, byWeight, byVolume := count(s.Parcels), float64(grams)/most, float64(volume)/room
		if bound := 4*max(byWeight, byVolume) + 1; float64(n) > bound {
			t.Errorf("got %d parcels, want at most 4 · B + 1 = %.2f", n, bound)
		}
		if least := math.Ceil(max(byWeight, byVolume)); float64(n) < least {
			t.Errorf("got %d parcels, want at least %.0f", n, least)
		}
		if again, _ := card.Ship(o); !gocmp.Equal(s, again) {
			t.Errorf("packed again: got %s, want %s", packed(again.Parcels), packed(s.Parcels))
		}
	})
}

// TestWeightAloneKeepsTheTightBound compares first-fit decreasing with the optimum, found by
// exhaustive search.
func TestWeightAloneKeepsTheTightBound(t *testing.T) {
	t.Parallel()
	const most = 60
	card := boxes(t, most)
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, most), 1, 9).Draw(t, "weights")
		var o order.Order = basket("DE", "", order.Standard)
		for _, w := range weights {
			o.Lines = append(o.Lines, thing(w, 1, 1, 1))
		}
		s, err := card.Ship(o)
		if err != nil {
			t.Fatal(err)
		}
		if got, best := count(s.Parcels), fewest(weights, nil, most); 9*got > 11*best+6 {
			t.Errorf("got %d parcels for %v, want at most 11/9 · %d + 6/9", got, weights, best)
		}
	})
}

// fewest is the minimum number of parcels. It tries each item in each open parcel and in a new one.
func fewest(weights, begun []int, most int) int {
	if len(weights) == 0 {
		return len(begun)
	}
	best := fewest(weights[1:], append(slices.Clone(begun), weights[0]), most)
	for i, b := range begun {
		if b+weights[0] <= most && best > len(begun) && !slices.Contains(begun[:i], b) {
			with := slices.Clone(begun)
			with[i] += weights[0]
			best = min(best, fewest(weights[1:], with, most))
		}
	}
	return best
}

// TestOneLineNeedsTheMinimumOfParcels: with equal items, all parcels but the last are full, and
// more items never cost less.
func TestOneLineNeedsTheMinimumOfParcels(t *testing.T) {
	t.Parallel()
	card := boxes(t, 1000)
	rapid.Check(t, func(t *rapid.T) {
		l := thing(rapid.IntRange(1, 1000).Draw(t, "grams"), rapid.IntRange(1, 100).Draw(t, "length"), rapid.IntRange(1, 100).Draw(t, "width"), 100)
		each := min(1000/l.Grams, 1_000_000/(l.Size[0]*l.Size[1]*l.Size[2]))
		n := rapid.IntRange(1, 99*each).Draw(t, "quantity")
		few, err := card.Ship(basket("DE", "", order.Standard, times(n, l)))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := count(few.Parcels), (n+each-1)/each; got != want {
			t.Errorf("got %d parcels for %d things, %d in each, want %d", got, n, each, want)
		}
		more, err := card.Ship(basket("DE", "", order.Standard, times(n+1, l)))
		if err != nil || more.Price.Minor < few.Price.Minor || len(more.Parcels) > 2 {
			t.Errorf("one more: got %+v, %v; want at least %s, and full parcels as one entry", more, err, few.Price)
		}
	})
}

func TestLargestOrderIsPackedQuickly(t *testing.T) {
	t.Parallel()
	card := boxes(t, 1_000_000)
	var lines []order.Line
	for i := range order.MaxLines {
		lines = append(lines, times(order.MaxQuantity, thing(1+i%40, 1+i%3, 2, 1+i%5)))
	}
	o := basket("DE", "", order.Standard, lines...)
	var s *order.Shipping
	var err error
	took := cputime.Of(func() { s, err = card.Ship(o) })
	if err != nil {
		t.Fatal(err)
	}
	sound(t, o, s)
	if took > time.Second {
		t.Errorf("two million things took %s, want at most a second", took)
	}
}
