package vat_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.com/orders/shared/order"
	"example.com/orders/shared/vat"
)

func load(t testing.TB) *vat.Table {
	t.Helper()
	table, err := vat.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// addressOf reads "ES 35001".
func addressOf(text string) order.Address {
	country, code, _ := strings.Cut(text, " ")
	return order.Address{Country: country, PostalCode: code}
}

func dayOf(t *testing.T, text string) time.Time {
	t.Helper()
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return day
}

// TestPlacesHaveTheVATOfTheirLaw reads testdata/places.csv: seller, VAT ID, destination and day, what is
// charged, and the law or list that says so.
func TestPlacesHaveTheVATOfTheirLaw(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/places.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	table := load(t)
	for _, row := range rows[1:] {
		seller, id, to, day, source := row[1], row[2], row[3], row[4], row[9]
		if err := table.Check(addressOf(seller)); err != nil {
			t.Errorf("%s: %v", row[0], err)
		}
		r := table.Rule(vat.Supply{Seller: addressOf(seller), Buyer: order.Customer{VATID: id}, To: addressOf(to), On: dayOf(t, day)})
		percent := fmt.Sprintf("%d.%02d", r.Rate/100, r.Rate%100)
		got := []string{r.Category, strings.TrimSuffix(strings.TrimRight(percent, "0"), "."), r.State, r.Article}
		if want := row[5:9]; !slices.Equal(got, want) || source == "" {
			t.Errorf("%s: %s to %s, VAT ID %q, on %s: got %q, want %q", row[0], seller, to, id, day, got, want)
		}
	}
	if len(rows) < 61 {
		t.Errorf("got %d rows, want at least 60", len(rows)-1)
	}
}

// data is the list that others keep: PyPI's eu-vat-rates-data, unchanged. To update it, replace the file.
type data struct {
	Version string
	Rates   map[string]struct {
		Member   bool    `json:"eu_member"`
		Standard float64 // percent
		Pattern  string  // of VAT IDs
	}
}

func others(t *testing.T) (d data) {
	t.Helper()
	text, err := os.ReadFile("testdata/eu_vat_rates_data.json")
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestRatesAreThoseOfTheListOfItsDay(t *testing.T) {
	t.Parallel()
	table, list := load(t), others(t)
	var states []string
	for state, c := range list.Rates {
		if !c.Member && state != "XI" {
			continue
		}
		states = append(states, state)
		at := order.Address{Country: state}
		if state == "XI" {
			at = addressOf("GB BT1 5GS")
		}
		if got := table.Home(at, dayOf(t, list.Version)); got != int(math.Round(c.Standard*100)) {
			t.Errorf("%s on %s: got %d, want %g %%", state, list.Version, got, c.Standard)
		}
	}
	slices.Sort(states)
	if got := table.States(); !slices.Equal(got, states) {
		t.Errorf("got states %q, want %q", got, states)
	}
}

// changes reads testdata/changes.csv, of PyPI's duty27-eu-vat: by state and day, the rate from that day on.
func changes(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/changes.csv")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]string{}
	for line := range strings.Lines(string(text)) {
		row := strings.Split(strings.TrimSpace(line), ",")
		if all[row[0]] == nil {
			all[row[0]] = map[string]string{}
		}
		all[row[0]][row[1]] = row[2]
	}
	delete(all, "state") // the heading
	return all
}

func TestRatesAreThoseOfTheListOnEveryDay(t *testing.T) {
	t.Parallel()
	table, list := load(t), changes(t)
	if len(list) != len(table.States())-1 { // without XI
		t.Errorf("the list has %d states", len(list))
	}
	for state, byDay := range list {
		var want order.Money
		for day := dayOf(t, "2016-01-01"); day.Before(dayOf(t, "2026-10-04")); day = day.AddDate(0, 0, 1) {
			if percent, changed := byDay[day.Format(time.DateOnly)]; changed {
				want, _ = order.EUR.Parse(percent)
			}
			if got := table.Home(order.Address{Country: state}, day); int64(got) != want.Minor || got == 0 {
				t.Fatalf("%s on %s: got %d, want %d", state, day.Format(time.DateOnly), got, want.Minor)
			}
		}
	}
}

func TestEveryRateBeginsOnItsDay(t *testing.T) {
	t.Parallel()
	table := load(t)
	for _, tt := range []struct {
		at, from      string
		before, after int
	}{
		{"DE", "2020-07-01", 1900, 1600},
		{"DE", "2021-01-01", 1600, 1900},
		{"IE", "2020-09-01", 2300, 2100},
		{"IE", "2021-03-01", 2100, 2300},
		{"LU", "2023-01-01", 1700, 1600},
		{"LU", "2024-01-01", 1600, 1700},
		{"EE", "2024-01-01", 2000, 2200},
		{"EE", "2025-07-01", 2200, 2400},
		{"FI", "2024-09-01", 2400, 2550},
		{"SK", "2025-01-01", 2000, 2300},
		{"RO", "2025-08-01", 1900, 2100},
		{"PT 9500-001", "2021-07-01", 1800, 1600},
	} {
		day := dayOf(t, tt.from)
		if got := table.Home(addressOf(tt.at), day.Add(-time.Nanosecond)); got != tt.before {
			t.Errorf("%s the day before %s: got %d, want %d", tt.at, tt.from, got, tt.before)
		}
		for _, later := range []time.Duration{0, 24*time.Hour - time.Nanosecond} {
			if got := table.Home(addressOf(tt.at), day.Add(later)); got != tt.after {
				t.Errorf("%s at %s: got %d, want %d", tt.at, day.Add(later), got, tt.after)
			}
		}
	}
}

// outside are all postal codes of the territories outside the VAT area, as the posts of the countries list
// them, apart from the table.
var outside = map[string]string{
	"Mount Athos": "GR 630 ?8[67]", "Canary Islands": "ES (35|38)[0-9]{3}", "Ceuta": "ES 51[0-9]{3}", "Melilla": "ES 52[0-9]{3}",
	"Åland": "(FI|AX) (AX-)?22[0-9]{3}", "Livigno": "IT (I-)?23041", "Campione d'Italia": "IT 22061", "Büsingen": "DE (D-)?78266",
	"Heligoland": "DE 27498", "French overseas departments": "FR 97[12346] ?[0-9]{2}", "Saint Martin": "FR 97 ?8[0-9]{2}",
	"French overseas collectivities": "FR 9(7[57]|8[46-9])[0-9]{2}", "Greenland": "(DK|GL) 39[0-9]{2}",
	"San Marino": "(IT|SM) (I-)?4789[0-9]", "Vatican City": "(IT|VA) 00120",
}

func TestGoodsToEveryCodeOfATerritoryOutsideAreExports(t *testing.T) {
	t.Parallel()
	table, names := load(t), slices.Sorted(maps.Keys(outside))
	sellers := slices.DeleteFunc(table.States(), func(state string) bool { return state == "XI" })
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "territory")
		to := addressOf(rapid.StringMatching(outside[name]).Draw(t, "address"))
		r := table.Rule(vat.Supply{
			Seller: order.Address{Country: rapid.SampledFrom(sellers).Draw(t, "seller")},
			Buyer:  order.Customer{VATID: rapid.SampledFrom([]string{"", "ATU12345678", "DE123456789", "CHE-123.456.789"}).Draw(t, "VAT ID")},
			To:     to, On: time.Unix(rapid.Int64Range(1_600_000_000, 2_000_000_000).Draw(t, "time"), 0),
		})
		if r.Category != order.VATExport || r.Rate != 0 || r.State != "" {
			t.Fatalf("%v: got %+v, want an export", to, r)
		}
		if inside, territory := table.Inside(to); inside || territory != name {
			t.Fatalf("%v: inside %t, in %q; want %q, outside", to, inside, territory, name)
		}
		if table.Check(to) == nil {
			t.Fatalf("%v: a seller there is accepted", to)
		}
	})
}

func TestAllOtherCodesAreInside(t *testing.T) {
	t.Parallel()
	table := load(t)
	all := regexp.MustCompile("^(" + strings.Join(slices.Collect(maps.Values(outside)), "|") + ")$")
	for _, state := range []string{"DE", "ES", "FI", "FR", "GR", "IT"} {
		for n := 0; n < 100_000; n += 11 { // the codes next to the territories are in places.csv
			a := order.Address{Country: state, PostalCode: fmt.Sprintf("%05d", n)}
			want := !all.MatchString(state + " " + a.PostalCode)
			if inside, _ := table.Inside(a); inside != want {
				t.Fatalf("%s %s: inside %t, want %t", state, a.PostalCode, inside, want)
			}
		}
	}
}

func TestSellersOutsideAreRefused(t *testing.T) {
	t.Parallel()
	table := load(t)
	for _, at := range []string{"CH 8001", "US 10001", "GB SW1A 1AA", "GB BT1 5GS", "NO 0150", "LI 9490", "AX 22100", "ES 35001", "DE 27498", "IT 23041", "RE 97400"} {
		if err := table.Check(addressOf(at)); err == nil || !strings.Contains(err.Error(), "must be in a member state of the European Union") {
			t.Errorf("%s: got %v, want a refusal", at, err)
		}
	}
	for _, at := range []string{"DE 10115", "MC 98000", "PT 9000-001", "AT 6991", "GR 10431", "IE"} {
		if err := table.Check(addressOf(at)); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// Package order, which reads no files, has the forms of VAT IDs.
func TestVATIDsOfTheListAreKnown(t *testing.T) {
	t.Parallel()
	list := others(t)
	states := load(t).States()
	rapid.Check(t, func(t *rapid.T) {
		state := rapid.SampledFrom(states).Draw(t, "state")
		id := rapid.StringMatching(strings.ReplaceAll(list.Rates[state].Pattern, "$|^", "|")).Draw(t, "VAT ID")
		if got := (order.Customer{VATID: id}).VATState(); got != state {
			t.Fatalf("%s: got %q, want %q", id, got, state)
		}
	})
}

func TestFaultsOfATableHaveALine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"states: [{state: DE, rates: [{from: 2007-01-01, percent: \"19\"}, {from: 2006-01-01, percent: \"16\"}]}]": "after that of the rate before",
		"states: [{state: DE, rates: [{from: 2007-13-01, percent: \"19\"}]}]":                                      "from must be a day",
		"states: [{state: DE, rates: [{from: 2007-01-01, percent: \"190\"}]}]":                                     "percent must be above 0",
		"states: [{state: de, rates: [{from: 2007-01-01, percent: \"19\"}]}]":                                      `"de" must be a country`,
		"territories: [{name: Nowhere, countries: [SM], vat_of: IT, source: none}]":                                `territory "Nowhere" needs`,
		"territories: [{name: A, countries: [SM], source: x}, {name: B, countries: [SM], source: x}]":              "overlap",
	} {
		path := filepath.Join(t.TempDir(), "vat.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := vat.Load(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "vat.yaml:1: ") {
			t.Errorf("%s: got %v, want %q with the line", text, err, want)
		}
	}
}
