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
		{"DE", "1011", "must be a postal code of Germany, such as 26133: DE has five digits, not four; a spreadsheet may have dropped a zero"},
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
	japanese := order.Address{Line1: "永田町1丁目7-1", City: "千代田区", Region: "東京都", PostalCode: "〒１０００００５"}
	for _, row := range []struct {
		country string
		address order.Address
		want    []string
	}{
		{"DE", a, []string{"1 Main Street", "Flat 2", "12345 Town", "Region"}},
		{"US", a, []string{"1 Main Street", "Flat 2", "Town Region 12345"}},
		{"GB", order.Address{Line1: "1 St", City: "London", PostalCode: "ec1y8sy"}, []string{"1 St", "London", "EC1Y 8SY"}},
		{"HU", order.Address{Line1: "Fő utca 1.", City: "Budapest", PostalCode: "H-1011"}, []string{"Budapest", "Fő utca 1.", "1011"}},
		{"SE", order.Address{Line1: "Gatan 1", City: "Stockholm", PostalCode: "S-11455"}, []string{"Gatan 1", "114 55 Stockholm"}},
		{"JP", a, []string{"1 Main Street", "Flat 2", "Town Region", "12345"}},
		{"JP", japanese, []string{"100-0005", "東京都", "千代田区", "永田町1丁目7-1"}},
		{"KR", order.Address{Line1: "세종대로 1", City: "중구", Region: "서울", PostalCode: "03172"}, []string{"서울 중구", "세종대로 1", "03172"}},
		{"HK", a, []string{"1 Main Street", "Flat 2", "Town", "Region", "12345"}},
		{"US", order.Address{Line1: "1 St", City: "Town"}, []string{"1 St", "Town"}},
	} {
		if diff := cmp.Diff(row.want, all.Of(row.country).Lines(row.address)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.country, diff)
		}
	}
	if got := all.Of("US").Rows; !slices.Equal(got[1], []address.Field{address.City, address.Region, address.PostalCode}) {
		t.Errorf("got %q, want city, region and postal code in one row", got)
	}
}
