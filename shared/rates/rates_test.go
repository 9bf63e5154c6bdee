package rates_test

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
)

// TestMain lets a property hold for 2,000 random orders; ORDERS_CHECKS asks for more, -rapid.checks
// has the last word.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", cmp.Or(os.Getenv("ORDERS_CHECKS"), "2000")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func Example() {
	card, err := rates.Load("")
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := card.Ship(order.Order{
		ShipTo:  order.Address{City: "Borkum", PostalCode: "26757", Country: "DE"},
		Service: order.Standard,
		Lines:   []order.Line{{SKU: "BOTTLE-750", Quantity: 2, UnitPrice: order.EUR.Cents(2490), Grams: 420, Size: [3]int{270, 80, 80}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %s by %s to %s, in %d to %d days\n", s.Price, s.Price.Currency, s.Carrier, s.Zone, s.MinDays, s.MaxDays)
	fmt.Printf("of it %s for fuel, %s for a remote place\n", s.Fuel, s.Remote)
	for _, p := range s.Parcels {
		fmt.Printf("%d of %d g, pays for %d g, %v mm: %v\n", p.Count, p.Grams, p.BillableGrams, p.Size, p.Content)
	}
	// Output:
	// 14.40 EUR by Stork Parcel to germany, in 1 to 3 days
	// of it 0.30 for fuel, 9.50 for a remote place
	// 1 of 840 g, pays for 1000 g, [270 189 80] mm: [{0 2}]
}

// parcel is an order of one small thing with the given weight in grams and price in cents.
func parcel(country, postalCode, service string, grams int, cents int64) order.Order {
	o := basket(country, postalCode, service, thing(grams, 100, 50, 20))
	o.Lines[0].UnitPrice = order.EUR.Cents(cents)
	return o
}

func TestPricesOfAddresses(t *testing.T) {
	t.Parallel()
	card := load(t, string(defaultText(t)))
	const std, exp = order.Standard, order.Express
	for _, row := range []struct {
		name, country, code string
		service             string
		grams               int
		cents               int64
		want                string
	}{
		{"Berlin", "DE", "10115", std, 840, 4980, "germany Stork Parcel 4.90 1-3"},
		{"Berlin by express", "DE", "10115", exp, 840, 4980, "germany Falcon Express 13.64 1-1"},
		{"Berlin, exactly a bracket", "DE", "10115", std, 1000, 4980, "germany Stork Parcel 4.90 1-3"},
		{"Berlin, a gram more", "DE", "10115", std, 1001, 4980, "germany Stork Parcel 5.86 1-3"},
		{"Berlin, a feather", "DE", "10115", std, 0, 100, "germany Stork Parcel 3.94 1-3"},
		{"Berlin, a cent under free", "DE", "10115", std, 840, 7499, "germany Stork Parcel 4.90 1-3"},
		{"Berlin, free", "DE", "10115", std, 840, 7500, "germany Stork Parcel 0.00 1-3"},
		{"Berlin, express is never free", "DE", "10115", exp, 840, 99_999, "germany Falcon Express 13.64 1-1"},
		{"Berlin, the heaviest parcel", "DE", "10115", std, 31_500, 4980, "germany Stork Parcel 19.92 1-3"},
		{"Berlin, heavier than any parcel", "DE", "10115", std, 31_501, 4980, "germany Ox Freight 39.41 3-7"},
		{"Juist", "DE", "26571", std, 840, 4980, "germany Stork Parcel 14.40 1-3 remote 9.50"},
		{"Wien", "AT", "1010", std, 1500, 4980, "neighbours Stork Parcel 9.90 2-4"},
		{"Kraków", "PL", "31-042", exp, 300, 4980, "neighbours Falcon Express 21.08 1-2"},
		{"Madrid", "ES", "28013", std, 840, 4980, "eu Wren Mail 7.60 5-12"},
		{"Madrid, more than a small packet", "ES", "28013", std, 2001, 4980, "eu Stork Parcel 18.85 3-7"},
		{"Las Palmas", "ES", "35001", std, 840, 99_999, "islands Stork Parcel 13.95 5-10"},
		{"Las Palmas, with space and country", "ES", "es-35 001", std, 840, 4980, "islands Stork Parcel 13.95 5-10"},
		{"Burgos has 35 further on", "ES", "09350", std, 840, 4980, "eu Wren Mail 7.60 5-12"},
		{"Paris", "FR", "75011", std, 840, 4980, "neighbours Stork Parcel 7.88 2-4"},
		{"Ajaccio", "FR", "20000", std, 840, 4980, "islands Stork Parcel 13.95 5-10"},
		{"Saint-Denis, as France", "FR", "97400", std, 840, 4980, "overseas Wren Mail 16.80 10-26"},
		{"Saint-Denis, as Réunion", "RE", "97400", std, 840, 4980, "overseas Wren Mail 16.80 10-26"},
		{"Ponta Delgada", "PT", "9500-150", std, 840, 4980, "islands Stork Parcel 13.95 5-10"},
		{"Capri", "IT", "80073", exp, 840, 4980, "eu Falcon Express 55.68 2-3 remote 24.00"},
		{"Rīga", "LV", "LV-1050", std, 840, 4980, "eu Wren Mail 7.60 5-12"},
		{"London", "GB", "SW1A 1AA", std, 840, 4980, "uk Wren Mail 9.10 5-11"},
		{"Jersey, as Britain", "GB", "JE2 3AB", std, 840, 4980, "islands Stork Parcel 13.95 5-10"},
		{"Jersey", "JE", "JE2 3AB", std, 840, 4980, "islands Stork Parcel 13.95 5-10"},
		{"Lerwick is remote too", "GB", "ze1 0aa", std, 840, 4980, "islands Stork Parcel 23.45 5-10 remote 9.50"},
		{"Zürich", "CH", "8001", exp, 840, 4980, "efta Falcon Express 38.00 2-3"},
		{"Oslo", "NO", "0150", std, 2500, 4980, "efta Stork Parcel 23.86 3-6"},
		{"Longyearbyen", "NO", "9170", std, 2500, 4980, "overseas Stork Parcel 74.36 8-21 remote 9.50"},
		{"Nuuk", "DK", "3900", std, 2500, 4980, "overseas Stork Parcel 74.36 8-21 remote 9.50"},
		{"Київ", "UA", "01001", std, 840, 4980, "europe Wren Mail 12.60 7-15"},
		{"東京", "JP", "100-0001", exp, 840, 4980, "world Falcon Express 54.91 3-7"},
		{"Hong Kong, without a code", "HK", "", std, 840, 4980, "world Wren Mail 17.60 10-25"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, err := card.Ship(parcel(row.country, row.code, row.service, row.grams, row.cents))
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%s %s %s %d-%d", s.Zone, s.Carrier, s.Price, s.MinDays, s.MaxDays)
			if s.Remote.Minor > 0 {
				got += fmt.Sprintf(" remote %s", s.Remote)
			}
			if got != row.want || s.Service != row.service || s.Price.Currency != order.EUR {
				t.Errorf("got %q (%+v), want %q", got, *s, row.want)
			}
		})
	}
}

func defaultText(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("card.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSurchargesAddUpToThePrice is calculated by hand, with all surcharges.
func TestSurchargesAddUpToThePrice(t *testing.T) {
	t.Parallel()
	o := basket("DE", "26465", order.Standard, times(3, thing(900, 520, 100, 90)))
	got, err := load(t, smallCard).Ship(o)
	if err != nil {
		t.Fatal(err)
	}
	euros := order.EUR.Cents
	want := &order.Shipping{
		// 2 × 900 g count as 1800 g for 5.00, 900 g for 3.50: 8.50, and a tenth of that for fuel.
		Zone: "home", Service: order.Standard, Carrier: "Stork", Price: euros(2235), BillableGrams: 2700, MinDays: 1, MaxDays: 2,
		Fuel: euros(85), Remote: euros(500), Oversize: euros(800),
		Parcels: []order.Parcel{
			// 2 × 4.68 l fill four fifths of 11.7 l: 520 × 225 × 100 mm.
			{Count: 1, Grams: 1800, BillableGrams: 1800, Size: [3]int{520, 225, 100}, Content: []order.Content{{Line: 0, Quantity: 2}}},
			{Count: 1, Grams: 900, BillableGrams: 900, Size: [3]int{520, 100, 90}, Content: []order.Content{{Line: 0, Quantity: 1}}},
		},
		Card: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(smallCard)))[:len("sha256:")+12],
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("shipping (-want +got):\n%s", diff)
	}
}

// TestCheapestCarrierInTimeIsUsed changes one value at a time of two carriers.
func TestCheapestCarrierInTimeIsUsed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, old, changed string
		service            string
		grams              int
		want               string // carrier, price, billable weight; or what the error says
	}{
		{"the cheaper one", "", "", order.Standard, 300, "Stork 3.85 300"},
		{"rounded up to the step", "", "", order.Standard, 301, "Stork 3.85 400"},
		{"the other one is in time", "", "", order.Express, 300, "Falcon 9.00 300"},
		{"both are in time", "express_days: 1", "express_days: 2", order.Express, 300, "Stork 3.85 300"},
		{"the fast one is cheaper for once", `"9.00"`, `"3.00"`, order.Standard, 300, "Falcon 3.00 300"},
		{"of equals the faster one", `"9.00"`, `"3.85"`, order.Standard, 300, "Falcon 3.85 300"},
		{"by volume", "volumetric_divisor: 9000", "volumetric_divisor: 90", order.Standard, 300, "the last bracket ends"},
		{"too heavy for the fast one", "", "", order.Express, 501, "zone home, express: Falcon: THING: 501 g exceeds the parcel limit of 500 g"},
		{"too heavy for both", "", "", order.Standard, 2001, "Stork: THING: 2001 g exceeds the parcel limit of 2000 g; Falcon: THING: 2001 g exceeds"},
		{"fuel is rounded half away from zero", `"3.50"`, `"3.45"`, order.Standard, 300, "Stork 3.80 300"},
	} {
		card, err := rates.Load(write(t, strings.Replace(smallCard, row.old, row.changed, 1)))
		got := fmt.Sprint(err)
		if err == nil {
			var s *order.Shipping
			if s, err = card.Ship(parcel("DE", "10115", row.service, row.grams, 100)); err == nil {
				got = fmt.Sprintf("%s %s %d", s.Carrier, s.Price, s.BillableGrams)
			} else {
				got = err.Error()
			}
		}
		if !strings.Contains(got, row.want) {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

func TestRefusedOrderNamesTheCause(t *testing.T) {
	t.Parallel()
	card := load(t, string(defaultText(t)))
	for _, row := range []struct {
		name string
		o    order.Order
		want rates.Refused
	}{
		{"Antarctica", parcel("AQ", "", order.Standard, 840, 1), rates.Refused{failure.NoRoute, "/ship_to/country", `the rate card has no zone for country "AQ"`}},
		{"no country", parcel("", "", order.Standard, 840, 1), rates.Refused{failure.NoRoute, "/ship_to/country", `the rate card has no zone for country ""`}},
		{"express to an island", parcel("ES", "35001", order.Express, 840, 1), rates.Refused{failure.NoRoute, "/service", "zone islands has no express service"}},
		{"a service of another age", parcel("DE", "10115", "rocket", 840, 1), rates.Refused{failure.NoRoute, "/service", "zone germany has no rocket service"}},
		{
			"heavier than all parcels", parcel("ES", "35001", order.Standard, 31_501, 1),
			rates.Refused{failure.TooHeavy, "/items", "zone islands, standard: Stork Parcel: THING: 31501 g exceeds the parcel limit of 31500 g"},
		},
	} {
		s, err := card.Ship(row.o)
		got, ok := errors.AsType[*rates.Refused](err)
		if !ok || s != nil {
			t.Errorf("%s: got %+v, %v; want it refused", row.name, s, err)
			continue
		}
		if diff := gocmp.Diff(row.want, *got); diff != "" || got.Error() != row.want.Detail {
			t.Errorf("%s: refused (-want +got):\n%s", row.name, diff)
		}
	}
}

// unserved are the countries without a route in the default card.
const unserved = "AF AQ BV BY EH GS HM IO IR KP LY PN RU SD SO SS SY TF UM YE"

// countries are all countries of order addresses.
func countries() (all []string) {
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			if code := string([]rune{a, b}); (order.Address{Country: code}).CountryExists() {
				all = append(all, code)
			}
		}
	}
	return all
}

func TestEveryCountryHasAPriceOrNoRoute(t *testing.T) {
	t.Parallel()
	card := load(t, string(defaultText(t)))
	var without []string
	for _, code := range countries() {
		_, err := card.Ship(parcel(code, "", order.Standard, 840, 4980))
		if r, ok := errors.AsType[*rates.Refused](err); ok && r.Reason == failure.NoRoute {
			without = append(without, code)
		} else if err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
	if got := strings.Join(without, " "); got != unserved || len(countries()) != 249 {
		t.Errorf("of %d countries got no route for %s, want 249 and %s", len(countries()), got, unserved)
	}
}

// anyOrder draws orders of up to 30 lines to anywhere: most can be shipped, some have no route or
// are too heavy.
var anyOrder = rapid.Custom(func(t *rapid.T) order.Order {
	side := rapid.IntRange(0, 700)
	line := rapid.Custom(func(t *rapid.T) order.Line {
		return order.Line{
			SKU: "THING", Quantity: rapid.IntRange(1, 20).Draw(t, "quantity"),
			UnitPrice: order.EUR.Cents(rapid.Int64Range(0, 20_000).Draw(t, "cents")), Grams: rapid.IntRange(0, 9_000).Draw(t, "grams"),
			Size: [3]int{side.Draw(t, "length"), side.Draw(t, "width"), side.Draw(t, "height")},
		}
	})
	country := rapid.OneOf(rapid.SampledFrom([]string{"DE", "ES", "FR", "PT", "NO", "GB", "US", "AQ"}), rapid.SampledFrom(countries()))
	code := rapid.StringMatching("[0-9]{4,5}|[A-Z][0-9] ?[0-9][A-Z]{2}|")
	return order.Order{
		ShipTo:  order.Address{PostalCode: code.Draw(t, "code"), Country: country.Draw(t, "country")},
		Service: rapid.SampledFrom([]string{order.Standard, order.Express}).Draw(t, "service"),
		Lines:   rapid.SliceOfN(line, 1, rapid.SampledFrom([]int{1, 3, 30}).Draw(t, "most")).Draw(t, "lines"),
	}
})

func TestPricesOfRandomOrders(t *testing.T) {
	t.Parallel()
	card := load(t, string(defaultText(t)))
	freeFrom := map[string]int64{"germany": 75_00, "neighbours": 120_00, "eu": 150_00, "uk": 200_00, "efta": 200_00}
	rapid.Check(t, func(t *rapid.T) {
		o := anyOrder.Draw(t, "order")
		s, err := card.Ship(o)
		if r, ok := errors.AsType[*rates.Refused](err); ok && (r.Reason == failure.NoRoute || r.Reason == failure.TooHeavy) {
			return
		}
		if err != nil {
			t.Fatalf("got %v, want a price, no-route or too-heavy", err)
		}
		sound(t, o, s)
		least, bounded := freeFrom[s.Zone]
		free := bounded && o.Service == order.Standard && o.ItemsTotal().Minor >= least
		if free != (s.Price == order.EUR.Cents(0)) || s.BillableGrams%500 != 0 {
			t.Errorf("got %s for %d g, items at %s, want free to be %v, and steps of 500 g", s.Price, s.BillableGrams, o.ItemsTotal(), free)
		}
		// Standard can use all carriers that express can.
		other := o
		if other.Service = order.Standard; o.Service == order.Express {
			if slow, err := card.Ship(other); err != nil || slow.Price.Minor > s.Price.Minor {
				t.Errorf("got %+v, %v by standard, want at most the %s of express", slow, err, s.Price)
			}
		}
	})
}
