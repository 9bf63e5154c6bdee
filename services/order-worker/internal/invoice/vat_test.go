package invoice

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/order"
)

// The standard rates of the 27 member states, typed from the European Commission's list, not from the file.
func TestRatesAreThoseOfTheMemberStates(t *testing.T) {
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

func TestOutsideTheUnionIsAnExport(t *testing.T) {
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

func TestRatesAreWrittenWithoutNeedlessZeros(t *testing.T) {
	t.Parallel()
	for rate, want := range map[int]string{0: "0", 500: "5", 810: "8.1", 1900: "19", 2000: "20", 2550: "25.5", 1005: "10.05"} {
		if got := percent(rate); got != want {
			t.Errorf("rate %d: got %s, want %s", rate, got, want)
		}
	}
}
