package shipping_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-worker/internal/shipping"
	"example.com/orders/shared/order"
)

// smallCard is a right card; each row of the tests below makes something wrong with it.
const smallCard = `currency: EUR
volumetric_divisor: 5000
zones:
  - name: north
    areas:
      - {country: NO, postal_prefixes: ["9"]}
    services:
      express: {days: {min: 2, max: 3}, brackets: [{up_to_g: 500, price: "30"}]}
  - name: home
    countries: [DE, NO]
    free_from: "50.00"
    services:
      standard:
        days: {min: 1, max: 2}
        brackets:
          - {up_to_g: 1000, price: "3.50"}
          - {up_to_g: 2000, price: "5.00"}
`

const northServices = `    services:
      express: {days: {min: 2, max: 3}, brackets: [{up_to_g: 500, price: "30"}]}
`

func write(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "card.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, text string) *shipping.Card {
	t.Helper()
	card, err := shipping.Load(write(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return card
}

func TestAWrongCardIsRefusedWithLineAndReason(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, old, wrong, want string }{
		{"empty file", smallCard, "", "1: is empty"},
		{"no YAML", smallCard, "zones: [", "1: did not find expected node content"},
		{"another currency", "EUR", "USD", "1: currency must be EUR, as in the catalogue"},
		{"no divisor", "volumetric_divisor: 5000\n", "", "1: volumetric_divisor must be from 1 to 1000000 cubic centimetres a kilogram"},
		{"divisor 0", "5000", "0", "2: volumetric_divisor must be from 1 to 1000000 cubic centimetres a kilogram"},
		{"divisor no number", "5000", "many", "2: must be a whole number"},
		{"no zones", smallCard, "currency: EUR\nvolumetric_divisor: 5000\nzones: []\n", "3: the card has no zones"},
		{"unknown key", "free_from:", "free_form:", `11: unknown key "free_form"`},
		{"unknown service", "standard:", "overnight:", `12: zone "home" has no services` + "\n" + `13: unknown key "overnight"`},
		{"zone without a name", "name: home", "name: ", `9: zone 2 needs a name of its own, got ""`},
		{"two zones of one name", "name: home", "name: north", `9: zone 2 needs a name of its own, got "north"`},
		{"zone without places", "    countries: [DE, NO]\n", "", `9: zone "home" has no countries and no areas`},
		{"unknown country", "[DE, NO]", "[DE, XX]", `10: "XX" is no ISO 3166-1 alpha-2 country code in upper case`},
		{"country in lower case", "[DE, NO]", "[de, NO]", `10: "de" is no ISO 3166-1 alpha-2 country code in upper case`},
		{"unknown country of an area", "country: NO", "country: NN", `6: "NN" is no ISO 3166-1 alpha-2 country code in upper case`},
		{"country twice", "[DE, NO]", "[DE, NO, DE]", `10: zone "home" never gets DE: zone "home" has it already`},
		{"country in two zones", `    areas:
      - {country: NO, postal_prefixes: ["9"]}`, "    countries: [DE]", `9: zone "home" never gets DE: zone "north" has it already`},
		{"prefix twice", `["9"]`, `["9", "91"]`, `6: zone "north" never gets NO 91: zone "north" has it already`},
		{"area without prefixes", `["9"]`, `[]`, "6: an area needs postal_prefixes; all of NO belongs in countries"},
		{"empty prefix", `["9"]`, `[" "]`, "6: an empty prefix is all of NO, which belongs in countries"},
		{"zone without services", northServices, "", `4: zone "north" has no services`},
		{"free without standard", northServices, "    free_from: \"9\"\n" + northServices, `7: free_from is for standard, which zone "north" does not have`},
		{"free from no amount", `"50.00"`, `"much"`, `11: not an amount like 59.80: "much"`},
		{"free from below zero", `"50.00"`, `"-1"`, "11: -1.00 is below zero"},
		{"days the wrong way round", "min: 1, max: 2", "min: 3, max: 2", "14: days must have min <= max and none below 0, got 3 to 2"},
		{"days below zero", "min: 1, max: 2", "min: -1, max: 2", "14: days must have min <= max and none below 0, got -1 to 2"},
		{"no brackets", "brackets: [{up_to_g: 500, price: \"30\"}]", "brackets: []", "8: a service needs brackets"},
		{"bracket of nothing", "up_to_g: 1000", "up_to_g: 0", "16: brackets must ascend: 0 g follows 0 g"},
		{"brackets descend", "up_to_g: 2000", "up_to_g: 900", "17: brackets must ascend: 900 g follows 1000 g"},
		{"equal brackets", "up_to_g: 2000", "up_to_g: 1000", "17: brackets must ascend: 1000 g follows 1000 g"},
		{"price falls", `"5.00"`, `"3.49"`, "17: prices must not fall with weight: 3.49 follows 3.50"},
		{"price below zero", `"3.50"`, `"-3.50"`, "16: -3.50 is below zero"},
		{"price no amount", `"3.50"`, `"3,50"`, `16: not an amount like 59.80: "3,50"`},
		{"price with three decimals", `"3.50"`, `"3.505"`, `16: not an amount like 59.80: "3.505"`},
		{"no price", `, price: "3.50"`, "", `16: not an amount like 59.80: ""`},
		{"price a list", `"3.50"`, `[3]`, "16: must be text"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, strings.Replace(smallCard, row.old, row.wrong, 1))
			_, err := shipping.Load(path)
			if err == nil {
				t.Fatal("got no error")
			}
			if diff := gocmp.Diff(row.want, strings.ReplaceAll(err.Error(), path+":", "")); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllThatIsWrongWithACardIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("EUR", "USD", "country: NO", "country: NX", "free_from", "freefrom", `"3.50"`, `"-1"`, "2000", "10").Replace(smallCard)
	_, err := shipping.Load(write(t, text))
	if err == nil {
		t.Fatal("got no error")
	}
	if got := strings.Count(err.Error(), "\n") + 1; got != 5 {
		t.Errorf("got %d lines, want 5:\n%v", got, err)
	}
}

func TestAMissingCardIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := shipping.Load(filepath.Join(t.TempDir(), "none.yaml")); !os.IsNotExist(err) {
		t.Errorf("got %v, want an error that says that the file does not exist", err)
	}
}

func TestTheOrderRecordsTheCardThatPricedIt(t *testing.T) {
	t.Parallel()
	w := work("NO", "9170", order.Express, 100, 100)
	if err := shipping.New(load(t, smallCard)).Plan(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	want := &order.Shipping{
		Zone: "north", Service: order.Express, Price: order.EUR.Cents(3000), BillableGrams: 100, MinDays: 2, MaxDays: 3,
		Card: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(smallCard)))[:len("sha256:")+12],
	}
	if diff := gocmp.Diff(want, w.Progress.Shipping); diff != "" {
		t.Errorf("shipping (-want +got):\n%s", diff)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(smallCard))
	f.Add([]byte("zones: [{areas: [{}], services: {standard: {brackets: [{}, {}]}}}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("zones: &z\n  - <<: *z\n"))
	path := write(f, "")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		card, err := shipping.Load(path)
		if err != nil {
			return
		}
		for _, service := range []string{order.Standard, order.Express} {
			// Whether there is a price is the card's to say; that there is no panic is what this is about.
			_ = shipping.New(card).Plan(t.Context(), work("DE", "10115", service, 700, 4980))
		}
	})
}
