package invoice

import (
	"slices"
	"strings"
	"testing"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/services/order-worker/internal/pdftest"
	"example.com/orders/shared/order"
)

// A document without VAT says so in words, between which and the amount there is a gap, and gives
// the reason in its own language and in that of the seller.
func TestNoVATIsSaidInWordsAndExplainedInBothLanguages(t *testing.T) {
	t.Parallel()
	s := setup(t)
	home := s.translations[locale.In(s.seller.Country)]
	for language, in := range s.translations {
		for category, want := range map[string]string{
			order.VATExport: in.NoTaxOut, order.VATIntraCommunity: in.NoTaxIn, "Z": in.NoTax,
		} {
			w := plannedBy(t, s, shipped(1))
			i := w.Progress.Invoice
			i.Language, i.Tax, i.Total = language.String(), order.EUR.Cents(0), i.Net
			i.Taxes = []order.Tax{{Category: category, Net: i.Net, Tax: i.Tax}}
			document := render(t, s, w)
			text := strings.Join(strings.Fields(pdftest.Text(t, document)), " ")
			reason, _ := in.exemption(category)
			translated, _ := home.exemption(category)
			for _, part := range []string{want, reason, translated} {
				if !strings.Contains(text, strings.Join(strings.Fields(part), " ")) {
					t.Errorf("%s, %s: %q is not in\n%s", language, category, part, text)
				}
			}
			if label := fill(in.TaxOf, "rate", in.Percent(0), "net", in.Money(i.Net)); strings.Contains(text, strings.Join(strings.Fields(label), " ")) {
				t.Errorf("%s, %s: %q is in\n%s", language, category, label, text)
			}
			last := want[strings.LastIndex(want, " ")+1:]
			words := pdftest.Words(t, document)
			at := slices.IndexFunc(words, func(b pdftest.Word) bool { return b.Text == last && b.XMin > 112*72/25.4 })
			if at < 0 || (words[at+1].XMin-words[at].XMax)*25.4/72 < 2 {
				t.Errorf("%s, %s: %q leaves no gap to its amount", language, category, want)
			}
		}
	}
}
