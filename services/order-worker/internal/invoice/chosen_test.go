package invoice

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/orders/shared/order"
)

var keep = flag.String("keep", "", "folder that the chosen invoices are left in, for scripts/validate")

// chosen are orders of every kind that an invoice tells apart.
func chosen() map[string]*order.State {
	change := func(lines int, how func(*order.State)) *order.State {
		w := shipped(lines)
		how(w)
		return w
	}
	to := func(country, vatID string) *order.State {
		return change(3, func(w *order.State) { w.Order.ShipTo.Country, w.Order.Customer.VATID = country, vatID })
	}
	return map[string]*order.State{
		"domestic":          to("DE", ""),
		"domestic-business": to("DE", "DE123456789"),
		"consumer":          to("FI", ""),
		"business":          to("FR", "FRXX123456789"),
		"business-of-third": to("AT", "EL123456789"),
		"export":            to("CH", ""),
		"export-business":   to("US", "ATU12345678"),
		"40-lines":          shipped(40),
		"200-lines":         shipped(order.MaxLines),
		"mixed":             change(3, manyScripts),
		"boxes":             change(1, func(w *order.State) { w.Order.Customer.Name = "王小明 👩‍🚀 שלום <&>" }),
		"free": change(2, func(w *order.State) {
			w.Order.Lines[0].UnitPrice, w.Progress.Shipping.Price = order.EUR.Cents(0), order.EUR.Cents(0)
		}),
		"nothing-to-pay": change(1, func(w *order.State) {
			w.Order.Lines[0].UnitPrice, w.Progress.Shipping.Price = order.EUR.Cents(0), order.EUR.Cents(0)
		}),
		"long": change(2, func(w *order.State) {
			w.Order.Customer.Name = strings.Repeat("Wołodymyr Щ ", 16)
			w.Order.ShipTo = order.Address{
				Line1: strings.Repeat("Ω", 200), Line2: strings.Repeat("ab ", 66), City: strings.Repeat("M", 200),
				Region: strings.Repeat("r", 200), PostalCode: strings.Repeat("9", 16), Country: "GR",
			}
			w.Order.Lines[0].Name, w.Order.Lines[0].SKU = strings.Repeat("W", 200), strings.Repeat("Q", 64)
			w.Order.Lines[1].Name = ""
			w.Order.Lines[1].UnitPrice, w.Order.Lines[1].Quantity = order.EUR.Cents(order.MaxPrice), order.MaxQuantity
		}),
	}
}

func TestChosenInvoicesAreSoundPDFs(t *testing.T) {
	t.Parallel()
	for name, w := range chosen() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sound(t, name, w)
		})
	}
}

// sound has qpdf look at an order's invoice, and leaves it in the folder of -keep.
func sound(t *testing.T, name string, w *order.State) {
	t.Helper()
	s := setup(t)
	if err := s.Plan(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	w.Progress.Invoice.IssuedAt = time.Date(2026, 9, 29, 8, 15, 43, 0, time.UTC)
	folder := *keep
	if folder == "" {
		folder = t.TempDir()
	}
	file := filepath.Join(folder, name+".pdf")
	if err := os.WriteFile(file, document(t, s, w), 0o600); err != nil {
		t.Fatal(err)
	}
	external(t, "qpdf", nil, "qpdf", "--check", "--no-warn", file)
}
