package invoice

import (
	_ "embed"
	"encoding/json"
	"errors"
	"math"
)

// vatData is PyPI's eu-vat-rates-data, unchanged. To update it, replace the file: its version goes on every invoice.
//
//go:embed vat/eu_vat_rates_data.json
var vatData []byte

// rates are the standard VAT rates of the member states of the European Union.
type rates struct {
	version string
	members map[string]int // by country, in hundredths of a percent
}

// loadRates keeps what is needed of the table. It also has countries outside the Union and reduced rates.
func loadRates() (*rates, error) {
	var data struct {
		Version string
		Rates   map[string]struct {
			Member   bool    `json:"eu_member"`
			Standard float64 `json:"standard"` // percent
		}
	}
	if err := json.Unmarshal(vatData, &data); err != nil {
		return nil, err
	}
	r := &rates{"eu-vat-rates-data " + data.Version, make(map[string]int)}
	for country, c := range data.Rates {
		if c.Member {
			// Rounded, because 8.1 has no exact float64.
			r.members[country] = int(math.Round(c.Standard * 100))
		}
	}
	if data.Version == "" || len(r.members) == 0 {
		return nil, errors.New("no version or no member state")
	}
	return r, nil
}

// of is the rate of what is shipped to a country: 0 outside the European Union.
func (r *rates) of(country string) int { return r.members[country] }
