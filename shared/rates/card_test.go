package rates_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
)

// smallCard is a valid card. The tests of invalid ones change one thing per row.
const smallCard = `currency: EUR
step_g: 100
carriers:
  - name: Stork
    most_g: 2000
    most_mm: [600, 300, 100]
    fill_percent: 80
    volumetric_divisor: 9000
    fuel_percent: "10"
    remote_a_parcel: "2.50"
    oversize: {over_mm: 500, a_parcel: "4"}
  - {name: Falcon, most_g: 500, most_mm: [100, 100, 100], fill_percent: 100, volumetric_divisor: 5000}
remote:
  areas:
    - {country: DE, postal_prefixes: ["264"]}
zones:
  - name: north
    areas:
      - {country: NO, postal_prefixes: ["9"]}
    tariffs:
      - {carrier: Falcon, days: {min: 2, max: 3}, brackets: [{up_to_g: 500, price: "30"}]}
  - name: home
    countries: [DE, NO]
    free_from: "50.00"
    express_days: 1
    tariffs:
      - carrier: Stork
        days: {min: 1, max: 2}
        brackets:
          - {up_to_g: 1000, price: "3.50"}
          - {up_to_g: 2000, price: "5.00"}
      - {carrier: Falcon, days: {min: 1, max: 1}, brackets: [{up_to_g: 500, price: "9.00"}]}
`

const northTariffs = `    tariffs:
      - {carrier: Falcon, days: {min: 2, max: 3}, brackets: [{up_to_g: 500, price: "30"}]}
`

func write(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "card.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, text string) *rates.Card {
	t.Helper()
	card, err := rates.Load(write(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return card
}

func TestACardShipsOrdersWithItsKindOfPrices(t *testing.T) {
	t.Parallel()
	net, gross := load(t, smallCard), load(t, "prices: gross\n"+smallCard)
	o := parcel("DE", "10115", order.Standard, 100, 1000)
	if net.Gross() || !gross.Gross() {
		t.Errorf("got gross prices %t without a word and %t with one", net.Gross(), gross.Gross())
	}
	for _, row := range []struct {
		card  *rates.Card
		gross bool
		fault string
	}{
		{net, false, ""},
		{gross, true, ""},
		{net, true, "the rate card has net prices, the order has gross ones"},
		{gross, false, "the rate card has gross prices, the order has net ones"},
	} {
		o.Gross = row.gross
		_, err := row.card.Ship(o)
		refused, _ := errors.AsType[*rates.Refused](err)
		if got := fmt.Sprint(refused); row.fault != "" && (refused == nil || got != row.fault || refused.Pointer != "/prices") || row.fault == "" && err != nil {
			t.Errorf("got %v, want %q", err, row.fault)
		}
	}
}

func TestInvalidCardIsRefusedWithItsLine(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, old, wrong, want string }{
		{"empty file", smallCard, "", "1: is empty"},
		{"no YAML", smallCard, "zones: [", "1: did not find expected node content"},
		{"another currency", "EUR", "USD", "1: currency must be EUR, as in the catalogue"},
		{"prices that are no word", "currency: EUR\n", "currency: EUR\nprices: brutto\n", "2: prices must be net or gross, got \"brutto\""},
		{"no currency", "currency: EUR\n", "", "1: currency must be EUR, as in the catalogue"},
		{"no step", "step_g: 100\n", "", "1: step_g must be from 1 to 1000000"},
		{"step below zero", "step_g: 100", "step_g: -5", "2: step_g must be from 1 to 1000000"},
		{"nameless carrier", "name: Stork", "name: ", `4: carrier 1 needs a unique name, got ""` + "\n" + `27: the card has no carrier "Stork"`},
		{"two carriers of one name", "name: Falcon", "name: Stork", `12: carrier 2 needs a unique name, got "Stork"` + "\n" + `21: the card has no carrier "Falcon"` + "\n" + `32: the card has no carrier "Falcon"`},
		{"no weight", "most_g: 2000", "most_g: 0", "5: most_g must be from 1 to 1000000"},
		{"two sides", "[600, 300, 100]", "[600, 300]", "6: most_mm must be length, width and height, got 2 numbers"},
		{"sides ascend", "[600, 300, 100]", "[600, 100, 300]", "6: a side must be from 1 to 10000 mm, and sides must be in descending order, got 300"},
		{"filled to more than the brim", "fill_percent: 80", "fill_percent: 101", "7: fill_percent must be from 1 to 100"},
		{"divisor 0", "9000", "0", "8: volumetric_divisor must be from 1 to 1000000 cubic centimetres a kilogram"},
		{"divisor no number", "9000", "many", "8: must be a whole number"},
		{"fuel no number", `"10"`, `"10 %"`, `9: not an amount like 59.80: "10 %"`},
		{"too much fuel", `"10"`, `"100.01"`, "9: fuel_percent must be at most 100"},
		{"remote below zero", `"2.50"`, `"-2.50"`, "10: -2.50 must be from 0.00 to 1000000.00"},
		{"oversize without a length", "over_mm: 500, ", "", "11: oversize needs over_mm and a_parcel"},
		{"oversize without a price", `, a_parcel: "4"`, "", "11: oversize needs over_mm and a_parcel"},
		{"unknown country of a remote area", "country: DE", "country: UK", `15: "UK" is not an ISO 3166-1 alpha-2 country code in upper case`},
		{"remote prefix within another one", `["264"]`, `["264", "26465"]`, `15: "remote" already has DE 26465 through DE 264`},
		{"no zones", smallCard[strings.Index(smallCard, "zones:"):], "zones: []\n", "16: the card has no zones"},
		{"unknown key", "free_from:", "free_form:", `24: unknown key "free_form"`},
		{"unknown carrier", "- carrier: Stork", "- carrier: Dodo", `27: the card has no carrier "Dodo"`},
		{"zone with a line separator", "name: home", `name: "home\u2028"`, "22: name " + order.NotPlain},
		{"carrier with a direction override", "name: Stork", `name: "St\u202eork"`, "4: name " + order.NotPlain + "\n" + `27: the card has no carrier "Stork"`},
		{"zone without a name", "name: home", "name: ", `22: zone 2 needs a unique name, got ""`},
		{"two zones of one name", "name: home", "name: north", `22: zone 2 needs a unique name, got "north"`},
		{"zone without places", "    countries: [DE, NO]\n", "", `22: zone "home" has no countries and no areas`},
		{"unknown country", "[DE, NO]", "[DE, XX]", `23: "XX" is not an ISO 3166-1 alpha-2 country code in upper case`},
		{"country in lower case", "[DE, NO]", "[de, NO]", `23: "de" is not an ISO 3166-1 alpha-2 country code in upper case`},
		{"unknown country of an area", "country: NO", "country: NN", `19: "NN" is not an ISO 3166-1 alpha-2 country code in upper case`},
		{"country twice", "[DE, NO]", "[DE, NO, DE]", `23: "home" and "home" overlap: both have DE`},
		{"country in two zones", `    areas:
      - {country: NO, postal_prefixes: ["9"]}`, "    countries: [DE]", `22: "north" and "home" overlap: both have DE`},
		{"prefix in two zones", "    countries: [DE, NO]", `    areas: [{country: NO, postal_prefixes: ["9"]}]`, `23: "north" and "home" overlap: both have NO 9`},
		{"prefix within another one", `["9"]`, `["91", "9"]`, `19: "north" already has NO 91 through NO 9`},
		{"prefix of a zone that has the country", "    countries: [DE, NO]", `    countries: [DE, NO]
    areas: [{country: DE, postal_prefixes: ["1"]}]`, `24: "home" already has DE 1 through DE`},
		{"area without prefixes", `["9"]`, `[]`, "19: an area needs postal_prefixes; to cover all of NO, list it under countries"},
		{"empty prefix", `["9"]`, `[" "]`, "19: an empty prefix covers all of NO: list the country under countries"},
		{"zone without tariffs", northTariffs, "", `17: zone "north" has no tariffs`},
		{"carrier twice in a zone", "- {carrier: Falcon, days: {min: 1", "- {carrier: Stork, days: {min: 1", `32: zone "home" already has a tariff of "Stork"` + "\n" +
			`32: the last bracket ends at 500 g, but the billable weight of a parcel of "Stork" can be 2000 g`},
		{"free from no amount", `"50.00"`, `"much"`, `24: not an amount like 59.80: "much"`},
		{"free from below zero", `"50.00"`, `"-1"`, "24: -1.00 must be from 0.00 to 1000000.00"},
		{"express without a fast carrier", northTariffs, "    express_days: 2\n" + northTariffs, `20: no tariff of zone "north" arrives within 2 days`},
		{"days the wrong way round", "min: 1, max: 2", "min: 3, max: 2", "28: days must have min <= max, and be from 0 to 1000, got 3 to 2"},
		{"days below zero", "min: 1, max: 2", "min: -1, max: 2", "28: days must have min <= max, and be from 0 to 1000, got -1 to 2"},
		{"no brackets", "brackets: [{up_to_g: 500, price: \"30\"}]", "brackets: []", `21: the last bracket ends at 0 g, but the billable weight of a parcel of "Falcon" can be 500 g`},
		{"a gap at the end", "{up_to_g: 2000, price: \"5.00\"}", "{up_to_g: 1900, price: \"5.00\"}", `29: the last bracket ends at 1900 g, but the billable weight of a parcel of "Stork" can be 2000 g`},
		{"a gap at the end by volume", "9000", "8000", `29: the last bracket ends at 2000 g, but the billable weight of a parcel of "Stork" can be 2300 g`},
		{"bracket of nothing", "up_to_g: 1000", "up_to_g: 0", "30: brackets must be in ascending order and multiples of 100 g: 0 g follows 0 g"},
		{"bracket within a step", "up_to_g: 1000", "up_to_g: 1050", "30: brackets must be in ascending order and multiples of 100 g: 1050 g follows 0 g"},
		{"equal brackets", "up_to_g: 1000", "up_to_g: 2000", "31: brackets must be in ascending order and multiples of 100 g: 2000 g follows 2000 g"},
		{"price falls", `"5.00"`, `"3.49"`, "31: prices must not fall with weight: 3.49 follows 3.50"},
		{"price below zero", `"3.50"`, `"-3.50"`, "30: -3.50 must be from 0.00 to 1000000.00"},
		{"price beyond all", `"5.00"`, `"1000000.01"`, "31: 1000000.01 must be from 0.00 to 1000000.00"},
		{"price no amount", `"3.50"`, `"3,50"`, `30: not an amount like 59.80: "3,50"`},
		{"no price", `, price: "3.50"`, "", `30: not an amount like 59.80: ""`},
		{"price a list", `"3.50"`, `[3]`, "30: must be text"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, strings.Replace(smallCard, row.old, row.wrong, 1))
			_, err := rates.Load(path)
			if err == nil {
				t.Fatal("got no error")
			}
			if diff := gocmp.Diff(row.want, strings.ReplaceAll(err.Error(), path+":", "")); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllFaultsOfACardAreReported(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("EUR", "USD", "country: NO", "country: NX", "free_from", "freefrom", `"3.50"`, `"-1"`, "most_g: 2000", "most_g: -1").Replace(smallCard)
	_, err := rates.Load(write(t, text))
	if err == nil {
		t.Fatal("got no error")
	}
	if got := strings.Count(err.Error(), "\n") + 1; got != 5 {
		t.Errorf("got %d lines, want 5:\n%v", got, err)
	}
}

func TestMissingCardIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := rates.Load(filepath.Join(t.TempDir(), "none.yaml")); !os.IsNotExist(err) {
		t.Errorf("got %v, want an error that says that the file does not exist", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(smallCard))
	f.Add([]byte("zones: [{areas: [{}], tariffs: [{brackets: [{}, {}]}]}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("zones: &z\n  - <<: *z\n"))
	path := write(f, "")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		card, err := rates.Load(path)
		if err != nil {
			return
		}
		for _, service := range []string{order.Standard, order.Express} {
			o := basket("DE", "26465", service, thing(700, 90, 80, 70), thing(1, 500, 1, 1))
			o.Lines[0].Quantity = 17
			// Whether there is a price is the card's to say; that it is right is what this is
			// about.
			if s, err := card.Ship(o); err == nil {
				sound(t, o, s)
			}
		}
	})
}
