package invoice

import (
	"context"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.com/orders/services/order-worker/internal/einvoice"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/order"
)

// inclVAT makes the prices of an order include VAT.
func inclVAT(w *order.Work) *order.Work {
	w.Order.Gross = true
	return w
}

// gross returns an order to a country at 79.20 with VAT: 74.30, and 4.90 for shipping.
func gross(country, vatID string) *order.Work {
	w := inclVAT(shipped(1))
	w.Order.ShipTo.Country, w.Order.Customer.VATID = country, vatID
	return atPrices(w, 74_30, 1, 4_90)
}

// atPrices sets the unit price and the quantity of the first line, and the price of shipping, in cents.
func atPrices(w *order.Work, price int64, quantity int, shipping int64) *order.Work {
	w.Order.Lines[0].UnitPrice, w.Order.Lines[0].Quantity = order.EUR.Cents(price), quantity
	w.Progress.Shipping.Price = order.EUR.Cents(shipping)
	return w
}

// paid returns an order that so many cents were paid for.
func paid(w *order.Work, amount int64) *order.Work {
	w.Payments = []order.Payment{{Method: order.Card, Reference: "1", PaidAt: paidOn, Amount: order.EUR.Cents(amount)}}
	return w
}

// lastOfTwo refunds one piece of the first line or the shipping, and returns the refund of the rest.
func lastOfTwo(t rapid.TB, w *order.Work) *order.Work {
	t.Helper()
	first := refunded(t, w, nil, true)
	return refunded(t, w, []order.Order{first.Order}, false)
}

func TestAGrossPriceIsTheTotalOfEveryTaxedOrder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, country, vatID string
		net, tax, total      string
		says                 []string
	}{
		{"a consumer at home", "DE", "", "66.55", "12.65", "79.20", []string{"Gross EUR", "19% 74.30", "incl. VAT 19% on 66.55 12.65"}},
		{"a consumer in Austria", "AT", "", "66.00", "13.20", "79.20", []string{"Gross EUR", "20% 74.30", "incl. VAT 20% on 66.00 13.20"}},
		{"a consumer in Hungary", "HU", "", "62.36", "16.84", "79.20", []string{"incl. VAT 27% on 62.36 16.84"}},
		{"a business at home", "DE", "DE123456789", "66.55", "12.65", "79.20", []string{"Gross EUR"}},
		{"the seller's own VAT ID abroad", "AT", "DE123456789", "66.55", "12.65", "79.20", []string{"incl. VAT 19% on 66.55 12.65"}},
		{"a business abroad", "FR", "FRXX123456789", "66.55", "0.00", "66.55", []string{"Net EUR", "62.43 0% 62.43", "1 4.12 0% 4.12", "Net amount 66.55"}},
		{"an export", "CH", "", "66.55", "0.00", "66.55", []string{"Net EUR", "62.43 0% 62.43", "Net amount 66.55"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := planned(t, gross(tt.country, tt.vatID))
			i := w.Progress.Invoice
			if diff := cmp.Diff([]string{tt.net, tt.tax, tt.total}, []string{i.Net.String(), i.Tax.String(), i.Total.String()}); diff != "" {
				t.Errorf("net, VAT and total (-want +got):\n%s", diff)
			}
			x, err := parseXML(setup(t), w)
			if err != nil || x.broken() != nil || x.Totals.BT112.FloatString(2) != tt.total || x.Totals.BT115.FloatString(2) != tt.total {
				t.Errorf("got %v, BT-112 %v, broken rules %v", err, x.Totals.BT112, x.broken())
			}
			page := strings.Join(strings.Fields(strings.Join(read(t, w), " ")), " ")
			for _, text := range append(tt.says, "Total EUR "+tt.total) {
				if !strings.Contains(page, text) {
					t.Errorf("want %q in\n%s", text, page)
				}
			}
		})
	}
}

func TestAGrossInvoiceMatchesItsGoldenFiles(t *testing.T) {
	t.Parallel()
	s, w := setup(t), planned(t, inclVAT(shipped(3)))
	golden.Compare(t, "testdata/gross.txt", strings.Join(read(t, w), "\f"))
	golden.Compare(t, "testdata/gross.xml", strings.ReplaceAll(string(einvoice.Write(s.data(w))), "><", ">\n<"))
}

// A unit price below a cent of VAT must not decide the total of ten thousand pieces.
func TestTheUnitPriceOfAnExemptOrderIsNotRoundedBeforeItIsMultiplied(t *testing.T) {
	t.Parallel()
	w := planned(t, atPrices(gross("FR", "FRXX123456789"), 3, order.MaxQuantity, 0))
	if got := w.Progress.Invoice.Total.String(); got != "252.10" {
		t.Errorf("got %s for 10,000 pieces at 0.03 with 19%% VAT, want 252.10", got)
	}
	if page := strings.Join(strings.Fields(strings.Join(read(t, w), " ")), " "); !strings.Contains(page, "0.0252 0% 252.10") {
		t.Errorf("want a unit price of 0.0252 in\n%s", page)
	}
}

// Random orders with gross prices, of which everything is refunded in parts.
func TestGrossPricesAndTheirRefundsAddUpExactly(t *testing.T) {
	t.Parallel()
	s := setup(t)
	rapid.Check(t, func(t *rapid.T) {
		w := randomGross(t, s)
		x, err := parseXML(s, w)
		if err != nil || x.broken() != nil {
			t.Fatalf("got %v, broken rules %v", err, x.broken())
		}
		var before []order.Order
		left := *w.Progress.Invoice
		for range rapid.IntRange(0, 6).Draw(t, "refunds") {
			var items []order.Line
			for _, l := range w.Order.Lines {
				if n := rapid.IntRange(0, 3).Draw(t, "asked"); n > 0 {
					items = append(items, order.Line{SKU: l.SKU, Quantity: n})
				}
			}
			before = credit(t, s, w, &left, before, items, rapid.Bool().Draw(t, "shipping too"))
		}
		credit(t, s, w, &left, before, nil, false)
		if left.Net.Minor != 0 || left.Tax.Minor != 0 || left.Total.Minor != 0 {
			t.Fatalf("after all refunds %s net, %s VAT and %s in all are left", left.Net, left.Tax, left.Total)
		}
	})
}

// randomGross returns an invoiced order with gross prices, and checks its total with big numbers.
func randomGross(t *rapid.T, s *Step) *order.Work {
	w := inclVAT(shipped(rapid.IntRange(1, 5).Draw(t, "lines")))
	w.Order.Customer.VATID = rapid.SampledFrom([]string{"", "ATU12345678", "DE123456789"}).Draw(t, "VAT ID")
	w.Order.ShipTo.Country = rapid.SampledFrom(strings.Fields("AT DE FI FR GR HU LU PL CH UA AQ")).Draw(t, "country")
	most := rapid.SampledFrom([]int64{9, 999, order.MaxPrice}).Draw(t, "highest price")
	paid := int64(0)
	for i := range w.Order.Lines {
		l := &w.Order.Lines[i]
		l.UnitPrice = order.EUR.Cents(rapid.Int64Range(0, most).Draw(t, "price"))
		l.Quantity = rapid.IntRange(1, 7).Draw(t, "quantity")
		paid += l.UnitPrice.Minor * int64(l.Quantity)
	}
	w.Progress.Shipping.Price = order.EUR.Cents(rapid.Int64Range(0, 999).Draw(t, "shipping"))
	paid += w.Progress.Shipping.Price.Minor
	if err := s.Plan(context.Background(), w); err != nil {
		t.Fatal(err)
	}
	i := w.Progress.Invoice
	rate, total := int64(i.Taxes[0].Rate), paid
	if rate == 0 { // the seller is in Germany
		total -= included(paid, 1900)
	}
	if tax := included(paid, rate); i.Total.Minor != total || i.Tax.Minor != tax || i.Net.Minor != total-tax {
		t.Fatalf("got %s net, %s VAT, %s in all, want prices of %d cents with %d VAT, %d in all", i.Net, i.Tax, i.Total, paid, tax, total)
	}
	stated := order.EUR.Cents(0)
	amounts := w.Statement()
	for _, l := range append(amounts.Lines, amounts.Shipping) {
		stated = stated.Plus(l.Stated)
	}
	if stated != i.Total {
		t.Fatalf("the rows of the document add up to %s, want %s", stated, i.Total)
	}
	return w
}

// included is the VAT in an amount of cents, with big numbers.
func included(amount, rate int64) int64 {
	exact := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(amount), big.NewInt(rate)), big.NewInt(10_000+rate))
	rounded, _ := new(big.Int).SetString(exact.FloatString(0), 10)
	return rounded.Int64()
}

// credit plans the credit note of a refund, if anything is left of what is asked for, and takes it from
// what is left of the invoice.
func credit(t *rapid.T, s *Step, w *order.Work, left *order.Invoice, before []order.Order, items []order.Line, shipping bool) []order.Order {
	o, wrong := w.Refund(items, shipping, before)
	if len(wrong) > 0 {
		return before
	}
	if faults := o.Validate(); len(faults) > 0 {
		t.Fatalf("the refund is no valid order: %v", faults)
	}
	r := new(o.Begin(order.Origin{Incarnation: "7KQ2MX", Partition: 3, Offset: 200}).Work)
	if err := s.Plan(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	x, err := parseXML(s, r)
	if err != nil || x.broken() != nil {
		t.Fatalf("got %v, broken rules %v", err, x.broken())
	}
	i := r.Progress.Invoice
	left.Net, left.Tax, left.Total = left.Net.Plus(i.Net.Times(-1)), left.Tax.Plus(i.Tax.Times(-1)), left.Total.Plus(i.Total.Times(-1))
	if min(left.Net.Minor, left.Tax.Minor, left.Total.Minor, i.Net.Minor, i.Tax.Minor) < 0 || o.Refunded() != i.Net {
		t.Fatalf("refund of %s net and %s VAT, after which %s and %s are left", i.Net, i.Tax, left.Net, left.Tax)
	}
	return append(before, o)
}
