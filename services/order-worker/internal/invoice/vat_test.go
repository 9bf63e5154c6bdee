package invoice

import (
	"slices"
	"strings"
	"testing"

	"example.com/orders/services/order-worker/internal/einvoice"
	"example.com/orders/shared/order"
)

// Package vat decides; here its ruling reaches the progress.
func TestTheInvoiceHasTheVATOfItsPlaceAndBuyer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, vatID, country, code string
		want                       order.Tax
	}{
		{"a consumer at home", "", "DE", "10115", order.Tax{Category: order.VATStandard, Rate: 1900, Net: order.EUR.Cents(490), Tax: order.EUR.Cents(93)}},
		{"a business abroad", "atu 1234 5678", "AT", "1010", order.Tax{Category: order.VATIntraCommunity, Net: order.EUR.Cents(490), Tax: order.EUR.Cents(0)}},
		{"the own state's VAT ID", "DE123456789", "AT", "1010", order.Tax{Category: order.VATStandard, Rate: 1900, Net: order.EUR.Cents(490), Tax: order.EUR.Cents(93)}},
		{"the Canary Islands", "", "ES", "E-35001", order.Tax{Category: order.VATExport, Net: order.EUR.Cents(490), Tax: order.EUR.Cents(0)}},
		{"Madeira", "", "PT", "9000-001", order.Tax{Category: order.VATStandard, Rate: 2200, Net: order.EUR.Cents(490), Tax: order.EUR.Cents(108)}},
	} {
		w := shipped(0)
		w.Order.Customer.VATID, w.Order.ShipTo.Country, w.Order.ShipTo.PostalCode = tt.vatID, tt.country, tt.code
		if got := planned(t, w).Progress.Invoice.Taxes; !slices.Equal(got, []order.Tax{tt.want}) {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// BT-48 needs the prefix of a country (BR-CO-09), so another number is the buyer's identifier, BT-46.
func TestANumberOfAnotherCountryIsKeptAsAReference(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]einvoice.Party{
		"12-3456789":           {ID: "12-3456789"},
		"CHE-123.456.789 MWST": {ID: "CHE-123.456.789 MWST"},
		"de 123 456 789":       {VATID: "DE123456789"},
	} {
		w := shipped(1)
		w.Order.Customer.VATID = id
		planned(t, w)
		got := setup(t).data(w).Buyer
		if got.ID != want.ID || got.VATID != want.VATID {
			t.Errorf("%q: got identifier %q and VAT ID %q, want %q and %q", id, got.ID, got.VATID, want.ID, want.VATID)
		}
		if page := strings.Join(read(t, w), "\n"); !strings.Contains(page, want.ID+want.VATID) {
			t.Errorf("%q: %q is not on the page", id, want.ID+want.VATID)
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
