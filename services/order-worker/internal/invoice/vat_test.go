package invoice

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.com/orders/shared/order"
)

// The standard rates of the 27 member states, from the European Commission's list, not the file.
func TestRatesOfMemberStates(t *testing.T) {
	t.Parallel()
	r, err := loadRates()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"AT": 2000, "BE": 2100, "BG": 2000, "CY": 1900, "CZ": 2100, "DE": 1900, "DK": 2500, "EE": 2400, "ES": 2100,
		"FI": 2550, "FR": 2000, "GR": 2400, "HR": 2500, "HU": 2700, "IE": 2300, "IT": 2200, "LT": 2100, "LU": 1700,
		"LV": 2100, "MT": 1800, "NL": 2100, "PL": 2300, "PT": 2300, "RO": 2100, "SE": 2500, "SI": 2200, "SK": 2300,
	}
	if diff := cmp.Diff(want, r.members); diff != "" {
		t.Errorf("rates (-want +got):\n%s", diff)
	}
}

func TestShippingOutsideTheUnionIsAnExport(t *testing.T) {
	t.Parallel()
	r, err := loadRates()
	if err != nil {
		t.Fatal(err)
	}
	for _, country := range []string{"CH", "GB", "NO", "UA", "US", "JP", "AQ", "GP", "AX"} {
		if got := r.of(r.category("DE", order.Customer{}, country), country); got != 0 {
			t.Errorf("rate of %s: got %d, want 0", country, got)
		}
	}
}

// Package order, which reads no files, has the forms of VAT IDs too.
func TestVATIDFormatsMatchTheTable(t *testing.T) {
	t.Parallel()
	var data struct {
		Rates map[string]struct {
			Member  bool `json:"eu_member"`
			Pattern string
		}
	}
	if err := json.Unmarshal(vatData, &data); err != nil {
		t.Fatal(err)
	}
	forms, states := map[string]*regexp.Regexp{}, []string{}
	for state, c := range data.Rates {
		if c.Member {
			forms[state], states = regexp.MustCompile(c.Pattern), append(states, state)
		}
	}
	slices.Sort(states)
	rapid.Check(t, func(t *rapid.T) {
		state := rapid.SampledFrom(states).Draw(t, "state")
		id := []byte(rapid.StringMatching(data.Rates[state].Pattern).Draw(t, "VAT ID"))
		if rapid.Bool().Draw(t, "spoil") {
			id[rapid.IntRange(0, len(id)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("0A9Z+ x")).Draw(t, "byte")
		}
		want := ""
		for _, s := range states {
			if forms[s].Match(id) {
				want = s
			}
		}
		if got := (order.Customer{VATID: string(id)}).VATState(); got != want {
			t.Fatalf("%s: got %q, want %q", id, got, want)
		}
	})
}

func TestCategoryDependsOnDestinationAndBuyer(t *testing.T) {
	t.Parallel()
	r, err := loadRates()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, seller, vatID, to string
		want                    string
		rate                    int
	}{
		{"domestic", "DE", "", "DE", order.VATStandard, 1900},
		{"domestic business", "DE", "DE123456789", "DE", order.VATStandard, 1900},
		{"foreign business, goods stay", "DE", "ATU12345678", "DE", order.VATStandard, 1900},
		{"consumer in another member state", "DE", "", "AT", order.VATStandard, 2000},
		{"business in another member state", "DE", "ATU12345678", "AT", order.VATIntraCommunity, 0},
		{"business of a third member state", "DE", "EL123456789", "AT", order.VATIntraCommunity, 0},
		{"Greece, whose prefix is EL", "DE", "EL123456789", "GR", order.VATIntraCommunity, 0},
		{"Greek seller to itself", "GR", "EL123456789", "AT", order.VATStandard, 2000},
		{"business of the seller's own state", "DE", "DE123456789", "AT", order.VATStandard, 2000},
		{"a number that is none", "DE", "ATU1", "AT", order.VATStandard, 2000},
		{"export", "DE", "", "CH", order.VATExport, 0},
		{"export for a business of the Union", "DE", "ATU12345678", "US", order.VATExport, 0},
		{"seller outside the Union", "CH", "ATU12345678", "AT", order.VATStandard, 2000},
	} {
		got := r.category(tt.seller, order.Customer{VATID: tt.vatID}, tt.to)
		if rate := r.of(got, tt.to); got != tt.want || rate != tt.rate {
			t.Errorf("%s: got %s at %d, want %s at %d", tt.name, got, rate, tt.want, tt.rate)
		}
	}
}

func TestRatesHaveNoTrailingZeros(t *testing.T) {
	t.Parallel()
	for rate, want := range map[int]string{0: "0", 500: "5", 810: "8.1", 1900: "19", 2000: "20", 2550: "25.5", 1005: "10.05"} {
		if got := percent(rate); got != want {
			t.Errorf("rate %d: got %s, want %s", rate, got, want)
		}
	}
}
