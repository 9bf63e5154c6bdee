package invoice

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.com/orders/services/order-worker/internal/einvoice"
	"example.com/orders/services/order-worker/internal/pdftest"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/order"
)

// refunded returns the next refund of an invoiced order: of quantities by line, and of shipping.
// Without both it refunds everything that is left.
func refunded(t rapid.TB, w *order.Work, before []order.Order, shipping bool, quantities ...int) *order.Work {
	t.Helper()
	var items []order.Line
	for i, n := range quantities {
		if n > 0 {
			items = append(items, order.Line{SKU: w.Order.Lines[i].SKU, Quantity: n})
		}
	}
	o, wrong := w.Refund(items, shipping, before)
	if len(wrong) > 0 {
		t.Fatalf("refund is refused: %v", wrong)
	}
	o.PlacedAt, o.Refund.Key = time.Date(2026, 10, 7, 12, 0, 0, 0, time.UTC), "ab"
	return new(o.Begin(order.Origin{Incarnation: "7KQ2MX", Partition: 3, Offset: 200 + int64(len(before))}).Work)
}

// broken returns a refund of one line of three, with a reason.
func broken(t testing.TB, s *Step) *order.Work {
	t.Helper()
	w := refunded(t, plannedBy(t, s, shipped(3)), nil, false, 0, 1)
	w.Order.Refund.Reason = "Two poles arrived broken"
	return w
}

func TestCreditNoteKeepsRateAndLanguageOfInvoice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		w := broken(t, s)
		// The rate has changed since. The credit note has that of the invoice.
		w.Order.Refund.Invoice.Taxes[0].Rate, w.Order.Refund.Invoice.VATTable, w.Order.Refund.Invoice.Language = 1600, "of then", "el"
		if err := s.Plan(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		net, tax := order.EUR.Cents(34900), order.EUR.Cents(6631)
		want := &order.Invoice{
			Number: "CRN-7KQ2MX-03-0000200", IssuedAt: time.Now().UTC(), VATTable: "of then", Language: "el",
			Taxes: []order.Tax{{Category: order.VATStandard, Rate: 1600, Net: net, Tax: tax}}, Net: net, Tax: tax, Total: order.EUR.Cents(41531),
		}
		if diff := cmp.Diff(want, w.Progress.Invoice); diff != "" {
			t.Errorf("planned credit note (-want +got):\n%s", diff)
		}
		time.Sleep(time.Hour)
		if err := s.Plan(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, w.Progress.Invoice); diff != "" {
			t.Errorf("planned again (-first +second):\n%s", diff)
		}
	})
}

func TestInvalidRefundFailsPermanently(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for name, spoil := range map[string]func(*order.Refund){
		"an invoice with two rates":  func(r *order.Refund) { r.Invoice.Taxes = append(r.Invoice.Taxes, order.Tax{Rate: 700}) },
		"an invoice without VAT":     func(r *order.Refund) { r.Invoice.Taxes = nil },
		"shipping in other currency": func(r *order.Refund) { r.Shipping = order.Money{Minor: 1, Currency: "USD"} },
		"VAT in another currency":    func(r *order.Refund) { r.Tax.Currency = "USD" },
	} {
		w := broken(t, s)
		spoil(w.Order.Refund)
		err := s.Plan(t.Context(), w)
		if class, reason := failure.Of(err); class != failure.Permanent || reason != failure.RenderRefused || w.Progress.Invoice != nil {
			t.Errorf("%s: got %v and invoice %+v, want a permanent failure", name, err, w.Progress.Invoice)
		}
	}
}

func TestCreditNoteMatchesGoldenFiles(t *testing.T) {
	t.Parallel()
	s := setup(t)
	w := broken(t, s)
	golden.Compare(t, "testdata/credit-note.txt", squeeze(strings.Join(read(t, w), "\f")))
	golden.Compare(t, "testdata/credit-note.xml", strings.ReplaceAll(string(einvoice.Write(s.data(w))), "><", ">\n<"))
}

func TestCreditNoteHasNoPaymentRequest(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for name, other := range s.translations {
		w := broken(t, s)
		w.Order.Refund.Invoice.Language = name.String()
		got := strings.ReplaceAll(strings.Join(read(t, w), ""), "\u00a0", " ")
		for _, want := range []string{
			other.CreditNote, other.CreditNumber, other.CreditNet, other.CreditTotal,
			fill(other.ClaimReduced, "amount", other.Money(w.Progress.Invoice.Total)),
			fill(other.Corrects, "number", "INV-7KQ2MX-03-0000124", "date", other.Language.Date(w.Order.Refund.Invoice.IssuedAt)),
			fill(other.Reason, "reason", "Two poles arrived broken"), "CRN-7KQ2MX-03-0000200", string(w.Order.Refund.Of),
		} {
			if !strings.Contains(got, strings.ReplaceAll(want, "\u00a0", " ")) {
				t.Errorf("%s: %q is not in\n%s", name, want, got)
			}
		}
		for _, no := range []string{
			other.Account, other.terms(s.seller, *w.Progress.Invoice, settlement{due: w.Progress.Invoice.Total}), other.Shipping + ",", other.OrderDate, "-refund-", "-0.", "-3", "−",
		} {
			if strings.Contains(got, strings.ReplaceAll(no, "\u00a0", " ")) {
				t.Errorf("%s: %q is in\n%s", name, no, got)
			}
		}
	}
}

// credited returns credit notes of every kind and in every language.
func credited(t *testing.T, s *Step) map[string]*order.Work {
	t.Helper()
	of := func(name, country, language string, lines int) *order.Work {
		w := shipped(lines)
		w.Order.Customer.Name, w.Order.ShipTo.Country = name, country
		if country == "PL" {
			w.Order.Customer.VATID = "PL1234567890"
		}
		plannedBy(t, s, w).Progress.Invoice.Language = language
		return w
	}
	because := func(w *order.Work, reason string) *order.Work {
		w.Order.Refund.Reason = reason
		return w
	}
	// The VAT of one pair is 0.21 EUR and that of two 0.41: the second refund is 0.20.
	cents := of("Zoë Łukasiewicz", "DE", "de", 3)
	cents.Order.Lines[2].UnitPrice = order.EUR.Cents(108)
	cents.Progress.Invoice = nil
	plannedBy(t, s, cents).Progress.Invoice.Language = "de"
	first := refunded(t, cents, nil, false, 0, 0, 1)
	second := refunded(t, cents, []order.Order{first.Order}, false, 0, 0, 1)
	if exact := second.Order.Refunded().Percent(1900); second.Order.Refund.Tax == exact {
		t.Errorf("got VAT of %s, want a sample that is a cent off", exact)
	}
	return map[string]*order.Work{
		"credit-all":             because(refunded(t, of("Zoë Łukasiewicz", "DE", "de", 3), nil, false), "Vertrag widerrufen"),
		"credit-lines":           because(refunded(t, of("Seán Ó Briain", "IE", "en", 3), nil, false, 0, 1), "Two poles arrived broken"),
		"credit-lines-shipping":  refunded(t, of("Zoé Lefèvre", "FR", "fr", 5), nil, true, 1, 0, 2),
		"credit-shipping":        because(refunded(t, of("Zoë Łukasiewicz", "DE", "de", 2), nil, true), "Lieferung kam zu spät"),
		"credit-cent":            second,
		"credit-intra-community": because(refunded(t, of("Żółw sp. z o.o.", "PL", "pl", 3), nil, true, 1), "Zwrot towaru"),
		"credit-export":          refunded(t, of("Ürs Müller", "CH", "de", 3), nil, false),
		"credit-greek":           because(refunded(t, of("Σοφία Παπαδοπούλου", "GR", "el", 3), nil, false, 1, 1), "Το πακέτο έφτασε ανοιχτό"),
		"credit-ukrainian":       because(refunded(t, of("Оксана Їжакевич", "UA", "uk", 3), nil, false, 1), "Не підійшов розмір"),
		"credit-arabic":          because(refunded(t, of("محمد عبد الله", "EG", "en", 3), nil, false, 1), "وصلت مكسورة"),
		"credit-40-lines":        refunded(t, of("Siobhán Ní Dhomhnaill", "IE", "en", 40), nil, false),
		"credit-paid":            refunded(t, plannedBy(t, s, paidBy(0, order.Card)), nil, false, 1),
		"credit-part-paid":       refunded(t, plannedBy(t, s, paidBy(-10_000, order.Transfer)), nil, false),
		"credit-gross":           refunded(t, plannedBy(t, s, inclVAT(shipped(3))), nil, true, 0, 1),
		"credit-gross-rest":      lastOfTwo(t, plannedBy(t, s, inclVAT(shipped(3)))),
		"credit-gross-export":    lastOfTwo(t, plannedBy(t, s, gross("CH", ""))),
		"credit-gross-paid":      refunded(t, plannedBy(t, s, paid(gross("DE", ""), 79_20)), nil, true),
		"credit-long":            because(refunded(t, of("王小明 👩‍🚀 <&>", "US", "en", 1), nil, true), strings.Repeat("<&> {date} Щ", 16)),
	}
}

func TestCreditNotesOfEveryKindAreSoundPDFs(t *testing.T) {
	t.Parallel()
	for name, w := range credited(t, setup(t)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sound(t, name, w)
		})
	}
}

func TestTitleStaysRightOfTheSellersName(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.seller.Name = strings.Repeat("Nam e ", 10)
	for _, w := range credited(t, s) {
		words := pdftest.Words(t, render(t, s, plannedBy(t, s, w)))
		title, _, _ := strings.Cut(s.translation(w).Invoice, " ")
		at := slices.IndexFunc(words, func(b pdftest.Word) bool { return b.Text == title })
		if at < 0 || words[at].XMin < (112+4)*72/25.4-1 {
			t.Errorf("%s: got title %q at %d of the words %+v, want it right of the middle", w.Progress.Invoice.Language, title, at, words[:20])
		}
	}
}

func TestTotalLeavesAGapToItsLabel(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for language, w := range s.translations {
		for _, name := range []string{w.Total, w.CreditTotal} {
			c := s.content(plannedBy(t, s, shipped(1)))
			c.Totals[len(c.Totals)-1] = [2]string{name, w.Money(order.EUR.Cents(999_999_999_999))}
			words, label := pdftest.Words(t, rendered(t, s, c)), strings.Fields(name)
			first := slices.IndexFunc(words, func(w pdftest.Word) bool { return w.Text == label[0] && w.YMax-w.YMin > 14 && w.YMin > 300 })
			if first < 0 {
				t.Fatalf("%s: %q is not in %+v", language, name, words)
			}
			last, amount := words[first+len(label)-1], words[first+len(label)]
			if gap := (amount.XMin - last.XMax) * 25.4 / 72; gap < 2 || amount.YMin != last.YMin {
				t.Errorf("%s: %.1f mm between %q and its amount, want at least 2.0", language, gap, name)
			}
		}
	}
}

// TestCreditNotesAddUpExactly refunds orders in parts, and then the rest.
func TestCreditNotesAddUpExactly(t *testing.T) {
	t.Parallel()
	s := setup(t)
	rapid.Check(t, func(t *rapid.T) {
		w := randomOrder(t, s)
		before, left := []order.Order(nil), *w.Progress.Invoice
		refund := func(items []order.Line, shipping bool) {
			o, wrong := w.Refund(items, shipping, before)
			if len(wrong) > 0 {
				return // nothing is left to refund
			}
			before = append(before, o)
			i := creditNote(t, s, new(o.Begin(order.Origin{Incarnation: "7KQ2MX", Offset: int64(len(before))}).Work))
			left.Net, left.Tax, left.Total = left.Net.Plus(i.Net.Times(-1)), left.Tax.Plus(i.Tax.Times(-1)), left.Total.Plus(i.Total.Times(-1))
			if min(left.Net.Minor, left.Tax.Minor, left.Total.Minor) < 0 {
				t.Fatalf("got %s net, %s VAT, %s in all that are left of the invoice, want none below 0.00", left.Net, left.Tax, left.Total)
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "refunds") {
			var items []order.Line
			for _, l := range w.Order.Lines {
				if n := rapid.IntRange(0, 2).Draw(t, "asked"); n > 0 {
					items = append(items, order.Line{SKU: l.SKU, Quantity: n})
				}
			}
			refund(items, rapid.Bool().Draw(t, "shipping too"))
		}
		refund(nil, false)
		if max(left.Net.Minor, left.Tax.Minor, left.Total.Minor) > 0 {
			t.Fatalf("all is refunded but for %s net, %s VAT, %s in all", left.Net, left.Tax, left.Total)
		}
	})
}

// randomOrder returns an invoiced order with small amounts, where rounding matters most.
func randomOrder(t *rapid.T, s *Step) *order.Work {
	w := shipped(rapid.IntRange(1, 4).Draw(t, "lines"))
	w.Order.Customer.VATID = rapid.SampledFrom([]string{"", "ATU12345678"}).Draw(t, "VAT ID")
	w.Order.ShipTo.Country = rapid.SampledFrom(strings.Fields("AT DE FI FR GR HU PL CH UA AQ")).Draw(t, "country")
	for i := range w.Order.Lines {
		w.Order.Lines[i].UnitPrice = order.EUR.Cents(rapid.Int64Range(0, 999).Draw(t, "price"))
		w.Order.Lines[i].Quantity = rapid.IntRange(1, 5).Draw(t, "quantity")
	}
	w.Progress.Shipping.Price = order.EUR.Cents(rapid.Int64Range(0, 999).Draw(t, "shipping"))
	if err := s.Plan(context.Background(), w); err != nil {
		t.Fatal(err)
	}
	return w
}

// creditNote plans the credit note of a refund and checks that lines, shipping and VAT add up to
// its total, and that pages and data say the same.
func creditNote(t *rapid.T, s *Step, w *order.Work) *order.Invoice {
	if err := s.Plan(context.Background(), w); err != nil {
		t.Fatal(err)
	}
	i, r := w.Progress.Invoice, w.Order.Refund
	net := r.Shipping.Minor
	for _, l := range w.Order.Lines {
		net += l.UnitPrice.Minor * int64(l.Quantity)
	}
	want := sums{fmt.Sprint(net), fmt.Sprint(r.Tax.Minor), fmt.Sprint(net + r.Tax.Minor)}
	if diff := cmp.Diff(want, figures(i)); diff != "" {
		t.Fatalf("figures (-want +got):\n%s", diff)
	}
	data, err := parseXML(s, w)
	if err != nil || data.Type != einvoice.CreditNote || data.broken() != nil {
		t.Fatalf("got type %s, %v, broken rules %q; want a credit note that breaks none", data.Type, err, data.broken())
	}
	c := s.content(w)
	told := []string{s.translation(w).NetTotal}
	for _, term := range []decimal{data.Totals.BT109, data.Totals.BT110, data.Totals.BT112} {
		m, err := order.EUR.Parse(term.FloatString(2))
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, s.translation(w).Money(m))
	}
	if diff := cmp.Diff(told, []string{c.Totals[0][0], c.Totals[0][1], c.Totals[1][1], c.Totals[2][1]}); diff != "" {
		t.Fatalf("totals (-data +pages):\n%s", diff)
	}
	return i
}
