package invoice

import (
	"bytes"
	"encoding/csv"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"example.com/orders/services/order-worker/internal/einvoice"
	"example.com/orders/services/order-worker/internal/pdftest"
	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
	"example.com/orders/shared/pdfa"
)

// For scripts/validate, which checks the invoices with external tools.
var (
	keep = flag.String("keep", "", "folder to keep the invoices in")
	all  = flag.Bool("all", false, "keep those of the sample orders too")
)

// chosen returns an order of each kind of invoice.
func chosen() map[string]*order.Work {
	change := func(lines int, how func(*order.Work)) *order.Work {
		w := shipped(lines)
		how(w)
		return w
	}
	to := func(country, vatID string) *order.Work {
		return change(3, func(w *order.Work) { w.Order.ShipTo.Country, w.Order.Customer.VATID = country, vatID })
	}
	at := func(country, postal, number string) *order.Work {
		return change(3, func(w *order.Work) {
			w.Order.ShipTo.Country, w.Order.ShipTo.PostalCode, w.Order.Customer.VATID = country, postal, number
		})
	}
	return map[string]*order.Work{
		"northern-ireland":  at("GB", "BT1 5GS", ""),
		"business-as-xi":    at("GB", "BT1 5GS", "xi 123 456 789"),
		"monaco":            at("MC", "98000", ""),
		"canary-islands":    at("ES", "35001", "ESB12345678"),
		"azores":            at("PT", "9500-001", "12-3456789"),
		"own-id-abroad":     at("AT", "1010", "de 123.456.789"),
		"swiss-number":      at("CH", "8001", "CHE-123.456.789 MWST"),
		"domestic":          to("DE", ""),
		"domestic-business": to("DE", "DE123456789"),
		"consumer":          to("FI", ""),
		"business":          to("FR", "FRXX123456789"),
		"business-of-third": to("AT", "EL123456789"),
		"export":            to("CH", ""),
		"export-business":   to("US", "ATU12345678"),
		"billed":            change(3, toHeadOffice),
		"billed-name":       change(3, func(w *order.Work) { toHeadOffice(w); w.Order.BillTo.Company, w.Order.BillTo.VATID = "", "" }),
		"billed-abroad":     change(3, func(w *order.Work) { toHeadOffice(w); w.Order.ShipTo.Country = "PL" }),
		"company":           change(3, func(w *order.Work) { w.Order.Customer.Company = "Example Studio" }),
		"paid":              paidBy(0, order.Card),
		"part-paid":         paidBy(-10_000, order.PayPal),
		"paid-in-parts":     paidBy(0, order.Transfer, order.Cash, order.OtherMethod),
		"overpaid":          paidBy(1, order.DirectDebit),
		"gross-home":        gross("DE", ""),
		"gross-abroad":      gross("AT", ""),
		"gross-business":    gross("FR", "FRXX123456789"),
		"gross-export":      gross("CH", ""),
		"gross-cent":        atPrices(gross("DE", ""), 3, 1, 0),
		"gross-screws":      atPrices(gross("FR", "FRXX123456789"), 3, order.MaxQuantity, 490),
		"gross-40-lines":    inclVAT(shipped(40)),
		"gross-paid":        paid(gross("DE", ""), 79_20),
		"40-lines":          shipped(40),
		"200-lines":         shipped(order.MaxLines),
		"mixed":             change(3, manyScripts),
		"shaped":            change(len(shapedNames), func(w *order.Work) { inShapedScripts(w, "Ẹ̀kọ́ Ọláwálé") }),
		"georgian":          change(3, func(w *order.Work) { inShapedScripts(w, "გიორგი ბერიძე") }),
		"kurdish":           change(3, func(w *order.Work) { inShapedScripts(w, "ئارام ڕەسووڵ، شەقامی گوڵان ۆ ڵ ێ") }),
		"chinese":           change(3, inChinese),
		"japanese":          change(3, inJapanese),
		"korean":            change(3, inKorean),
		"boxes":             change(1, func(w *order.Work) { w.Order.Customer.Name = "𠮷 王小明 👩‍🚀 שלום <&>" }),
		"free": change(2, func(w *order.Work) {
			w.Order.Lines[0].UnitPrice, w.Progress.Shipping.Price = order.EUR.Cents(0), order.EUR.Cents(0)
		}),
		"nothing-to-pay": change(1, func(w *order.Work) {
			w.Order.Lines[0].UnitPrice, w.Progress.Shipping.Price = order.EUR.Cents(0), order.EUR.Cents(0)
		}),
		"long": change(2, func(w *order.Work) {
			w.Order.Customer.Name = strings.Repeat("Wołodymyr Щ ", 16)
			w.Order.ShipTo = order.Address{
				Line1: strings.Repeat("Ω", 200), Line2: strings.Repeat("ab ", 66), City: strings.Repeat("M", 200),
				Region: strings.Repeat("r", 200), PostalCode: strings.Repeat("9", 16), Country: "GR",
			}
			w.Order.BillTo = &order.BillTo{Company: strings.Repeat("Ж", 200), Name: strings.Repeat("Q ", 100), Address: w.Order.ShipTo}
			w.Order.Reference, w.Order.BuyerReference, w.Order.PurchaseOrder = strings.Repeat("W", 100), strings.Repeat("王", 100), strings.Repeat("a ", 50)
			w.Order.Lines[0].Name, w.Order.Lines[0].SKU = strings.Repeat("W", 200), strings.Repeat("Q", 64)
			w.Order.Lines[1].Name = ""
			w.Order.Lines[1].UnitPrice, w.Order.Lines[1].Quantity = order.EUR.Cents(order.MaxPrice), order.MaxQuantity
		}),
	}
}

func TestInvoicesOfEveryKindAreSoundPDFs(t *testing.T) {
	t.Parallel()
	for name, w := range chosen() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sound(t, name, w)
		})
	}
}

// sound checks an order's invoice with qpdf and keeps it in the folder of -keep.
func sound(t *testing.T, name string, w *order.Work) {
	t.Helper()
	folder := *keep
	if folder == "" {
		folder = t.TempDir()
	}
	file := filepath.Join(folder, name+".pdf")
	if err := os.WriteFile(file, render(t, setup(t), planned(t, w)), 0o600); err != nil {
		t.Fatal(err)
	}
	pdftest.Run(t, "qpdf", nil, "qpdf", "--check", "--no-warn", file)
}

func TestSampleOrdersMakeSoundPDFs(t *testing.T) {
	t.Parallel()
	s, countries := setup(t), map[string]bool{}
	for key, w := range samples(t) {
		plannedBy(t, s, w)
		countries[w.Order.ShipTo.Country] = true
		if i, err := parseXML(s, w); err != nil || i.broken() != nil {
			t.Errorf("%s: got %v, broken rules %v", key, err, i.broken())
		}
		if attached, err := pdfa.Extract(render(t, s, w)); err != nil || !bytes.Equal(attached, einvoice.Write(s.data(w))) {
			t.Errorf("%s: got %d bytes attached, %v; want its data", key, len(attached), err)
		}
		if *all {
			sound(t, key, w)
		}
	}
	if len(countries) < 35 {
		t.Errorf("got orders to %d countries, want 35 or more", len(countries))
	}
}

// samples returns the orders of deploy/sample by their keys, at the prices of the default catalogue
// and with a shipping price.
func samples(t *testing.T) map[string]*order.Work {
	t.Helper()
	const root = "../../../../"
	f, err := os.Open(root + "deploy/sample/orders.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	product, orders := catalogue(t, root), map[string]*order.Work{}
	for _, row := range rows[1:] {
		cell := func(name string) string { return row[column[name]] }
		w := orders[cell("order")]
		if w == nil {
			w = shipped(0)
			w.Order.Customer.Name = cell("name")
			w.Order.ShipTo = order.Address{
				Line1: cell("line1"), Line2: cell("line2"), City: cell("city"), Region: cell("region"),
				PostalCode: cell("postal_code"), Country: cell("country"),
			}
			orders[cell("order")] = w
		}
		line := product[cell("sku")]
		if line.Quantity, err = strconv.Atoi(cell("quantity")); err != nil {
			t.Fatal(err)
		}
		w.Order.Lines = append(w.Order.Lines, line)
	}
	return orders
}

// catalogue returns the products of the default catalogue, each as a line.
func catalogue(t *testing.T, root string) map[string]order.Line {
	t.Helper()
	var shop struct {
		Currency string `yaml:"currency"`
		Products []struct {
			SKU         string `yaml:"sku"`
			Name        string `yaml:"name"`
			Description string `yaml:"description"`
			Category    string `yaml:"category"`
			Price       string `yaml:"price"`
			Grams       int    `yaml:"weight_g"`
			Size        [3]int `yaml:"size_mm"`
		} `yaml:"products"`
	}
	if _, err := config.LoadYAML(root+"services/order-api/internal/catalogue/catalogue.yaml", nil, &shop, nil); err != nil {
		t.Fatal(err)
	}
	lines := map[string]order.Line{}
	for _, p := range shop.Products {
		price, err := order.EUR.Parse(p.Price)
		if err != nil {
			t.Fatal(err)
		}
		lines[p.SKU] = order.Line{SKU: p.SKU, Name: p.Name, UnitPrice: price}
	}
	return lines
}
