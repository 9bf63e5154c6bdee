package address_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/address"
	"example.com/orders/shared/order"
)

func load(t *testing.T) *address.Countries {
	t.Helper()
	all, err := address.Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestEveryCountryOfAnOrderHasAFormat tries all codes: package order knows which exist.
func TestEveryCountryOfAnOrderHasAFormat(t *testing.T) {
	t.Parallel()
	all := load(t)
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			c := all.Of(code)
			if exists := (order.Address{Country: code}).CountryExists(); exists != (c != nil) {
				t.Errorf("%s: exists %v, has a format %v", code, exists, c != nil)
			}
			if c == nil {
				continue
			}
			if !c.Has(address.Lines) || !c.Has(address.City) {
				t.Errorf("%s: got rows %q, want lines and city, which an order needs", code, c.Rows)
			}
			if faults := c.Check(order.Address{PostalCode: c.Example}); c.Example != "" && faults != nil {
				t.Errorf("%s: got %v for its own example %q", code, faults, c.Example)
			}
		}
	}
}

func TestPostalCodesOfACountry(t *testing.T) {
	t.Parallel()
	all := load(t)
	for _, row := range []struct{ country, code, want string }{
		{"DE", "10115", ""},
		{"DE", " 10115 ", ""},
		{"DE", "1011", "must be a postal code of Germany, such as 26133"},
		{"DE", "", "must be a postal code of Germany, such as 26133"},
		{"GB", "ec1y 8sy", ""},
		{"GB", "12345", "must be a postal code of United Kingdom, such as EC1Y 8SY"},
		{"IE", "", ""},
		{"HK", "", ""},
		{"HK", "999077", ""},
	} {
		got := ""
		if faults := all.Of(row.country).Check(order.Address{PostalCode: row.code}); len(faults) > 0 {
			got = faults[0].Detail
		}
		if got != row.want {
			t.Errorf("%s %q: got %q, want %q", row.country, row.code, got, row.want)
		}
	}
}

func TestLinesAreInTheSequenceOfTheCountry(t *testing.T) {
	t.Parallel()
	all := load(t)
	a := order.Address{Line1: "1 Main Street", Line2: "Flat 2", City: "Town", Region: "Region", PostalCode: "12345"}
	for country, want := range map[string][]string{
		"DE": {"1 Main Street", "Flat 2", "12345 Town", "Region"},
		"US": {"1 Main Street", "Flat 2", "Town Region 12345"},
		"JP": {"12345", "Region", "Town", "1 Main Street", "Flat 2"},
		"HK": {"Region", "Town", "1 Main Street", "Flat 2", "12345"},
	} {
		if diff := cmp.Diff(want, all.Of(country).Lines(a)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", country, diff)
		}
	}
	if got := all.Of("US").Rows; !slices.Equal(got[1], []address.Field{address.City, address.Region, address.PostalCode}) {
		t.Errorf("got %q, want city, region and postal code in one row", got)
	}
}
