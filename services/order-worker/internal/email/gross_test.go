package email_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"example.com/orders/shared/golden"
	"example.com/orders/shared/order"
)

// inclVAT makes the prices of an order include VAT: at a rate in hundredths of a percent, or 0 if none is charged.
func inclVAT(w *order.Work, rate int) *order.Work {
	w.Order.Gross = true
	prices := w.Order.ItemsTotal().Plus(w.Progress.Shipping.Price)
	i := w.Progress.Invoice
	i.Included = 1900
	i.Net, i.Tax = prices.Plus(prices.Included(1900).Times(-1)), order.EUR.Cents(0)
	category := order.VATExport
	if rate > 0 {
		category, i.Tax = order.VATStandard, prices.Included(1900)
	}
	i.Total = i.Net.Plus(i.Tax)
	i.Taxes = []order.Tax{{Category: category, Rate: rate, Net: i.Net, Tax: i.Tax}}
	return w
}

func TestMailOfGrossPricesStatesThemWithVAT(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, inShop)
		if err := s.mail(t.Context(), inclVAT(sentTo("IE"), 1900)); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, "testdata/en-gross.txt", s.received(t, "1").Text)
	})
}

func TestMailOfAnExemptOrderStatesNetPrices(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, inShop)
		if err := s.mail(t.Context(), inclVAT(sentTo("US"), 0)); err != nil {
			t.Fatal(err)
		}
		got := s.received(t, "1")
		for _, text := range []string{"Net, without VAT", "50.25\u00a0EUR", "1,068.91\u00a0EUR", "Exempt from VAT (export)", "1,123.28\u00a0EUR"} {
			if !strings.Contains(got.Text, text) || !strings.Contains(got.HTML, text) {
				t.Errorf("want %q in\n%s", text, got.Text)
			}
		}
		if strings.Contains(strings.ToLower(got.Text), "incl") {
			t.Errorf("got a text that says that VAT is included:\n%s", got.Text)
		}
	})
}
