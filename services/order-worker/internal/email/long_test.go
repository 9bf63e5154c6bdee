//go:build synctests

package email_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/order"
)

// gmail is the size in bytes above which Gmail cuts the HTML of a mail.
const gmail = 102 << 10

// long returns an order of n lines, all texts with a single word of the maximum length that becomes
// as long as possible in HTML, and the highest amounts.
func long(n int, l locale.Language) *order.Work {
	w := sentTo("DE")
	word := strings.Repeat(`"`, 200)
	w.Order.Customer.Name, w.Progress.Shipping.Carrier = word, word
	a := &w.Order.ShipTo
	a.Line1, a.Line2, a.City, a.Region = word, word, word, word
	line := order.Line{SKU: "S", Name: word, Quantity: order.MaxQuantity, UnitPrice: order.EUR.Cents(order.MaxPrice)}
	w.Order.Lines = slices.Repeat([]order.Line{line}, n)
	i := w.Progress.Invoice
	i.Language, i.Net = l.String(), w.Order.ItemsTotal()
	i.Taxes[0].Net, i.Taxes[0].Tax, i.Total = i.Net, i.Net.Percent(1900), i.Net.Plus(i.Net.Percent(1900))
	return w
}

// more matches how many lines are not shown, in all languages.
var more = regexp.MustCompile(`[ >](?:and|und|et|i jeszcze|και|і ще) (\d+)[ ,]`)

func TestLongOrdersAreNotCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, inShop)
		for i, row := range []struct{ lines, shown, more int }{{40, 40, 0}, {41, 40, 1}, {160, 40, 120}, {400, 40, 360}} {
			for n, l := range locale.All() {
				id := fmt.Sprint(1 + i*len(locale.All()) + n)
				w := long(row.lines, l)
				w.Order.ID = order.ID("ord_" + id)
				if err := s.mail(t.Context(), w); err != nil {
					t.Fatal(err)
				}
				got := s.taken(t, id)
				if len(got.html) > gmail {
					t.Errorf("%s, %d lines: the HTML has %d bytes, want %d at most", l, row.lines, len(got.html), gmail)
				}
				if found := strings.Count(got.text, " × "); found != row.shown {
					t.Errorf("%s, %d lines: got %d in the text, want %d", l, row.lines, found, row.shown)
				}
				for name, part := range map[string]string{"text": got.text, "HTML": got.html} {
					found := more.FindStringSubmatch(part)
					if said := strings.Join(found[min(1, len(found)):], ""); said != fmt.Sprint(row.more) && row.more > 0 || said != "" && row.more == 0 {
						t.Errorf("%s, %d lines: the %s says %q, want %d more", l, row.lines, name, found, row.more)
					}
				}
				if first, last := strings.Index(got.text, "EUR"), strings.Index(got.text, "×"); first > last {
					t.Errorf("%s: the total is behind the lines", l)
				}
			}
		}
	})
}

// The page test of all-in-one opens this mail on a narrow screen.
func TestWidestMailMatchesGoldenFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, inShop)
		if err := s.mail(t.Context(), long(2, locale.Of("de"))); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, "testdata/widest.html", s.taken(t, "1").html)
	})
}

// exempted returns an order with free delivery and without VAT.
func exempted(language, category string) *order.Work {
	w := sentTo("DE")
	w.Progress.Shipping.Price = order.EUR.Cents(0)
	i := w.Progress.Invoice
	i.Language, i.Total = language, i.Net
	i.Taxes = []order.Tax{{Category: category, Net: i.Net, Tax: order.EUR.Cents(0)}}
	return w
}

func TestFreeDeliveryAndNoVATAreSaidInWords(t *testing.T) {
	t.Parallel()
	categories := [3]string{order.VATExport, order.VATIntraCommunity, "E"}
	synctest.Test(t, func(t *testing.T) {
		s, id := setup(t, inShop), 0
		for _, row := range []struct {
			language, free string
			exempt         [3]string // by category
		}{
			{"en", "free", [3]string{"Exempt from VAT (export)", "Exempt from VAT (intra-Community supply)", "No VAT is charged"}},
			{"de", "kostenlos", [3]string{"Umsatzsteuerfrei (Ausfuhrlieferung)", "Umsatzsteuerfrei (innergemeinschaftliche Lieferung)", "Ohne Umsatzsteuer"}},
			{"fr", "offerte", [3]string{"Exonération de TVA (exportation)", "Exonération de TVA (livraison intracommunautaire)", "TVA non applicable"}},
			{"pl", "gratis", [3]string{"Bez VAT (eksport towarów)", "Bez VAT (dostawa wewnątrzwspólnotowa)", "Bez podatku VAT"}},
			{"el", "δωρεάν", [3]string{"Χωρίς ΦΠΑ (εξαγωγή)", "Χωρίς ΦΠΑ (ενδοκοινοτική παράδοση)", "Χωρίς ΦΠΑ"}},
			{"uk", "безкоштовно", [3]string{"Без ПДВ (експорт)", "Без ПДВ (постачання в межах Співтовариства)", "ПДВ не нараховується"}},
		} {
			for i, category := range categories {
				id++
				w := exempted(row.language, category)
				w.Order.ID = order.ID(fmt.Sprint("ord_", id))
				if err := s.mail(t.Context(), w); err != nil {
					t.Fatal(err)
				}
				got := s.taken(t, fmt.Sprint(id))
				for _, want := range [][2]string{
					{got.text, " " + row.free + "  "}, {got.text, "  " + row.exempt[i] + "\n"}, {got.html, ">" + row.free + "</td>"}, {got.html, ">" + row.exempt[i] + "</td>"},
				} {
					if !strings.Contains(want[0], want[1]) {
						t.Errorf("%s, %s: %q is not in\n%s", row.language, category, want[1], want[0])
					}
				}
				if strings.Contains(got.text+got.html, "0\u00a0%") {
					t.Errorf("%s, %s: a rate of 0 is in\n%s", row.language, category, got.text)
				}
			}
		}
	})
}
