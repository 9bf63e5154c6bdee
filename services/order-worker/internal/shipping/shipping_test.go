package shipping_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.com/orders/services/order-worker/internal/shipping"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

// TestMain lets a property hold for 2,000 random orders; ORDERS_CHECKS asks for more, -rapid.checks has the last word.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", cmp.Or(os.Getenv("ORDERS_CHECKS"), "2000")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func Example() {
	card, err := shipping.Load("")
	if err != nil {
		fmt.Println(err)
		return
	}
	bottles := order.Line{SKU: "BOTTLE-750", Quantity: 2, UnitPrice: order.EUR.Cents(2490), Grams: 420, Size: [3]int{270, 80, 80}}
	w := order.State{Order: order.Order{
		ShipTo:  order.Address{City: "Berlin", PostalCode: "10115", Country: "DE"},
		Service: order.Standard,
		Lines:   []order.Line{bottles},
	}}
	if err := shipping.New(card).Plan(context.Background(), &w); err != nil {
		fmt.Println(err)
		return
	}
	s := w.Progress.Shipping
	fmt.Printf("%s %s to %s, %d g, in %d to %d days\n", s.Price, s.Price.Currency, s.Zone, s.BillableGrams, s.MinDays, s.MaxDays)
	// Output:
	// 4.90 EUR to germany, 840 g, in 1 to 3 days
}

// defaultStep prices by the default card.
func defaultStep(t testing.TB) *shipping.Step {
	t.Helper()
	card, err := shipping.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return shipping.New(card)
}

// work is an order of one small thing with the given weight in grams and price in cents.
func work(country, postalCode string, service string, grams int, cents int64) *order.State {
	return &order.State{Order: order.Order{
		ShipTo:  order.Address{Line1: "1 Main Street", City: "Anywhere", PostalCode: postalCode, Country: country},
		Service: service,
		Lines:   []order.Line{{SKU: "THING", Quantity: 1, UnitPrice: order.EUR.Cents(cents), Grams: grams}},
	}}
}

func TestAnAddressHasAPrice(t *testing.T) {
	t.Parallel()
	step := defaultStep(t)
	const std, exp = order.Standard, order.Express
	for _, row := range []struct {
		name, country, code string
		service             string
		grams               int
		cents               int64
		want                string
	}{
		{"Berlin", "DE", "10115", std, 840, 4980, "germany 4.90 1-3"},
		{"Berlin by express", "DE", "10115", exp, 840, 4980, "germany 12.90 1-1"},
		{"Berlin, exactly a bracket", "DE", "10115", std, 1000, 4980, "germany 4.90 1-3"},
		{"Berlin, a gram more", "DE", "10115", std, 1001, 4980, "germany 5.90 1-3"},
		{"Berlin, a feather", "DE", "10115", std, 0, 100, "germany 3.90 1-3"},
		{"Berlin, a cent under free", "DE", "10115", std, 840, 7499, "germany 4.90 1-3"},
		{"Berlin, free", "DE", "10115", std, 840, 7500, "germany 0.00 1-3"},
		{"Berlin, express is never free", "DE", "10115", exp, 840, 99_999, "germany 12.90 1-1"},
		{"Berlin, the heaviest", "DE", "10115", std, 120_000, 4980, "germany 79.90 1-3"},
		{"Wien", "AT", "1010", std, 1500, 4980, "neighbours 9.90 2-4"},
		{"Kraków", "PL", "31-042", exp, 300, 4980, "neighbours 19.90 1-2"},
		{"Madrid", "ES", "28013", std, 840, 4980, "eu 10.90 3-7"},
		{"Las Palmas", "ES", "35001", std, 840, 99_999, "islands 13.90 5-10"},
		{"Las Palmas, with space and country", "ES", "es-35 001", std, 840, 4980, "islands 13.90 5-10"},
		{"Santa Cruz de Tenerife", "ES", "38003", std, 840, 4980, "islands 13.90 5-10"},
		{"Burgos has 35 further on", "ES", "09350", std, 840, 4980, "eu 10.90 3-7"},
		{"Paris", "FR", "75011", std, 840, 4980, "neighbours 7.90 2-4"},
		{"Ajaccio", "FR", "20000", std, 840, 4980, "islands 13.90 5-10"},
		{"Saint-Denis, as France", "FR", "97400", std, 840, 4980, "overseas 23.90 8-21"},
		{"Saint-Denis, as Réunion", "RE", "97400", std, 840, 4980, "overseas 23.90 8-21"},
		{"Ponta Delgada", "PT", "9500-150", std, 840, 4980, "islands 13.90 5-10"},
		{"Lisboa", "PT", "1100-148", std, 840, 4980, "eu 10.90 3-7"},
		{"Rīga", "LV", "LV-1050", std, 840, 4980, "eu 10.90 3-7"},
		{"London", "GB", "SW1A 1AA", std, 840, 4980, "uk 12.90 3-6"},
		{"Zürich", "CH", "8001", exp, 840, 4980, "efta 35.90 2-3"},
		{"Oslo", "NO", "0150", std, 840, 4980, "efta 13.90 3-6"},
		{"Longyearbyen", "NO", "9170", std, 840, 4980, "overseas 23.90 8-21"},
		{"Київ", "UA", "01001", std, 840, 4980, "europe 17.90 5-10"},
		{"東京", "JP", "100-0001", std, 840, 4980, "world 24.90 8-20"},
		{"Hong Kong, without a code", "HK", "", exp, 840, 4980, "world 51.90 3-7"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := work(row.country, row.code, row.service, row.grams, row.cents)
			if err := step.Plan(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			s := w.Progress.Shipping
			got := fmt.Sprintf("%s %s %d-%d", s.Zone, s.Price, s.MinDays, s.MaxDays)
			if got != row.want || s.Service != row.service || s.BillableGrams != row.grams || s.Price.Currency != order.EUR {
				t.Errorf("got %q (%+v), want %q", got, *s, row.want)
			}
		})
	}
}

func TestWhatCannotBeShippedIsPermanent(t *testing.T) {
	t.Parallel()
	step := defaultStep(t)
	bulky := work("DE", "10115", order.Standard, 1, 100)
	bulky.Order.Lines[0].Size = [3]int{1000, 1000, 600}
	bulky.Order.Lines[0].Quantity = 2
	huge := work("DE", "10115", order.Standard, 1<<62, 100)
	huge.Order.Lines[0].Quantity = 10_000
	endless := work("DE", "10115", order.Express, 1, 100)
	endless.Order.Lines[0].Size = [3]int{1 << 40, 1 << 40, 1 << 40}
	for _, row := range []struct {
		name   string
		w      *order.State
		reason failure.Reason
		text   string
	}{
		{"Antarctica", work("AQ", "", order.Standard, 840, 4980), failure.NoRoute, `the rate card has no zone for country "AQ"`},
		{"no country", work("", "", order.Standard, 840, 4980), failure.NoRoute, `the rate card has no zone for country ""`},
		{"express to an island", work("ES", "35001", order.Express, 840, 4980), failure.NoRoute, "zone islands has no express service"},
		{"a service of another age", work("DE", "10115", "rocket", 840, 4980), failure.NoRoute, "zone germany has no rocket service"},
		{
			"a gram too heavy", work("DE", "10115", order.Standard, 120_001, 4980), failure.TooHeavy,
			"zone germany ships up to 120000 g by standard: the order counts as 120001 g",
		},
		{"too bulky", bulky, failure.TooHeavy, "zone germany ships up to 120000 g by standard: the order counts as 240000 g"},
		{"a weight that overflows", huge, failure.TooHeavy, "zone germany ships up to 120000 g by standard: the order counts as 1125899906842624 g"},
		{"a volume that overflows", endless, failure.TooHeavy, "zone germany ships up to 120000 g by express: the order counts as 225179981369 g"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			err := step.Plan(t.Context(), row.w)
			if class, reason := failure.Of(err); class != failure.Permanent || reason != row.reason {
				t.Errorf("got %v, %s, want permanent, %s", class, reason, row.reason)
			}
			if diff := gocmp.Diff(row.text, fmt.Sprint(err)); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if row.w.Progress.Shipping != nil {
				t.Errorf("got %+v settled, want nothing", row.w.Progress.Shipping)
			}
		})
	}
}

func TestThePriceStaysWhenTheCardChanges(t *testing.T) {
	t.Parallel()
	w := work("DE", "10115", order.Standard, 840, 4980)
	if err := defaultStep(t).Plan(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	first := *w.Progress.Shipping
	dear := shipping.New(load(t, strings.Replace(smallCard, `price: "3.50"`, `price: "4.50"`, 1)))
	if err := dear.Plan(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(first, *w.Progress.Shipping); diff != "" {
		t.Errorf("shipping after the card changed (-want +got):\n%s", diff)
	}
	fresh := work("DE", "10115", order.Standard, 840, 4980)
	if err := dear.Plan(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	if got := fresh.Progress.Shipping; got.Price != order.EUR.Cents(450) || got.Card == first.Card {
		t.Errorf("got %s by card %s for a new order, want 4.50 by another card than %s", got.Price, got.Card, first.Card)
	}
	if err := dear.Do(t.Context(), w); err != nil {
		t.Errorf("Do: got %v, want nil", err)
	}
}

// unserved are the countries that the default card leaves out on purpose.
const unserved = "AF AQ BV BY EH GS HM IO IR KP LY PN RU SD SO SS SY TF UM YE"

func TestEveryCountryHasAPriceOrNoRoute(t *testing.T) {
	t.Parallel()
	step := defaultStep(t)
	var without []string
	countries := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			if !(order.Address{Country: code}).CountryExists() {
				continue
			}
			countries++
			err := step.Plan(t.Context(), work(code, "", order.Standard, 840, 4980))
			if _, reason := failure.Of(err); err != nil && reason == failure.NoRoute {
				without = append(without, code)
			} else if err != nil {
				t.Errorf("%s: %v", code, err)
			}
		}
	}
	if got := strings.Join(without, " "); got != unserved || countries != 249 {
		t.Errorf("of %d countries got no route for %s, want 249 and %s", countries, got, unserved)
	}
}

// anyOrder draws orders of up to 30 lines to anywhere: most can be shipped, some have no route or are too heavy.
var anyOrder = rapid.Custom(func(t *rapid.T) order.Order {
	side := rapid.IntRange(0, 700)
	line := rapid.Custom(func(t *rapid.T) order.Line {
		return order.Line{
			SKU: "THING", Quantity: rapid.IntRange(1, 20).Draw(t, "quantity"),
			UnitPrice: order.EUR.Cents(rapid.Int64Range(0, 20_000).Draw(t, "cents")), Grams: rapid.IntRange(0, 9_000).Draw(t, "grams"),
			Size: [3]int{side.Draw(t, "length"), side.Draw(t, "width"), side.Draw(t, "height")},
		}
	})
	country := rapid.OneOf(rapid.SampledFrom([]string{"DE", "ES", "FR", "PT", "NO", "GB", "US", "AQ"}), rapid.StringMatching("[A-Z]{2}"))
	code := rapid.StringMatching("[0-9]{4,5}|[A-Z][0-9] ?[0-9][A-Z]{2}|")
	return order.Order{
		ShipTo:  order.Address{PostalCode: code.Draw(t, "code"), Country: country.Draw(t, "country")},
		Service: rapid.SampledFrom([]string{order.Standard, order.Express}).Draw(t, "service"),
		Lines:   rapid.SliceOfN(line, 1, rapid.SampledFrom([]int{1, 3, 30}).Draw(t, "most")).Draw(t, "lines"),
	}
})

func TestPricesOfRandomOrders(t *testing.T) {
	t.Parallel()
	step := defaultStep(t)
	freeFrom := map[string]int64{"germany": 75_00, "neighbours": 120_00, "eu": 150_00, "uk": 200_00, "efta": 200_00}
	rapid.Check(t, func(t *rapid.T) {
		o := anyOrder.Draw(t, "order")
		w := order.State{Order: o}
		if err := step.Plan(t.Context(), &w); err != nil {
			class, reason := failure.Of(err)
			if class != failure.Permanent || reason != failure.NoRoute && reason != failure.TooHeavy {
				t.Fatalf("got %v, %s (%v), want permanent, no-route or too-heavy", class, reason, err)
			}
			return
		}
		s := *w.Progress.Shipping
		if grams := weight(o); s.BillableGrams < grams {
			t.Errorf("got %d g to pay for, want at least the %d g that the lines weigh", s.BillableGrams, grams)
		}
		least, bounded := freeFrom[s.Zone]
		free := bounded && o.Service == order.Standard && o.ItemsTotal().Minor >= least
		if free != (s.Price == order.EUR.Cents(0)) || s.Price.Minor < 0 {
			t.Errorf("got price %s for items at %s, want free to be %v", s.Price, o.ItemsTotal(), free)
		}
		// A second thing of no price makes the parcel heavier and never cheaper.
		o.Lines = append(slices.Clip(o.Lines), order.Line{Quantity: 1, Grams: rapid.IntRange(0, 50_000).Draw(t, "more")})
		heavier := order.State{Order: o}
		if err := step.Plan(t.Context(), &heavier); err == nil && heavier.Progress.Shipping.Price.Minor < s.Price.Minor {
			t.Errorf("got %s for a heavier order, want at least %s", heavier.Progress.Shipping.Price, s.Price)
		}
	})
}

func weight(o order.Order) int {
	grams := 0
	for _, l := range o.Lines {
		grams += l.Grams * l.Quantity
	}
	return grams
}
