package invoice

import (
	_ "embed"
	"encoding/json"
	"errors"
	"math"

	"example.com/orders/shared/order"
)

// vatData is PyPI's eu-vat-rates-data, unchanged. To update it, replace the file. Every invoice
// records its version.
//
//go:embed vat/eu_vat_rates_data.json
var vatData []byte

// rates are the standard VAT rates of the member states of the European Union.
type rates struct {
	version string
	members map[string]int // by country, in hundredths of a percent
}

// loadRates reads the standard rates of the member states. The table also has reduced rates and
// other countries.
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
			// 8.1 has no exact float64.
			r.members[country] = int(math.Round(c.Standard * 100))
		}
	}
	if data.Version == "" || len(r.members) == 0 {
		return nil, errors.New("no version or no member state")
	}
	return r, nil
}

// category returns the VAT category of goods that a seller in one country ships to a customer.
// Goods that leave the seller's member state for another one, and whose buyer has a VAT ID of a
// member state other than the seller's, are an exempt intra-community supply (Article 138 of
// Directive 2006/112/EC), category K. That is not a reverse charge, category AE, which is for
// services and for goods that do not move.
func (r *rates) category(seller string, c order.Customer, to string) string {
	_, member := r.members[to]
	_, within := r.members[seller]
	state := c.VATState()
	switch {
	case !member:
		return order.VATExport
	case within && to != seller && state != "" && state != seller:
		return order.VATIntraCommunity
	default:
		return order.VATStandard
	}
}

func (r *rates) of(category string, country string) int {
	if category != order.VATStandard {
		return 0
	}
	return r.members[country]
}
