package invoice

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-worker/internal/pdftest"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/order"
)

// read renders an order and returns the text of each page.
func read(t testing.TB, w *order.Work) []string {
	t.Helper()
	text := pdftest.Text(t, render(t, setup(t), planned(t, w)))
	return strings.Split(strings.TrimSuffix(text, "\f"), "\f")
}

// squeeze reduces gaps, whose width depends on the version of poppler.
func squeeze(text string) string {
	text = regexp.MustCompile(` {2,}`).ReplaceAllString(text, "  ")
	return regexp.MustCompile(`\n{2,}`).ReplaceAllString(text, "\n")
}

func TestInvoiceTextMatchesGoldenFile(t *testing.T) {
	t.Parallel()
	w := shipped(3)
	w.Order.ShipTo.Country = "FI"
	golden.Compare(t, "testdata/invoice.txt", squeeze(strings.Join(read(t, w), "\f")))
}

func TestBoxesAreExplained(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, want string }{
		{"𠮷野 Lee", "□野 Lee"},
		{"Ann 👩‍🚀", "Ann □□"},
		{"ᠮᠣᠩ", "□□□"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := shipped(1)
			w.Order.Customer.Name = tt.name
			got := strings.Join(read(t, w), "")
			for _, want := range []string{tt.want + " ", "□ stands for a character that this document has no font for."} {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
		})
	}
}

// The log names the order and the code points, each once, and no text.
func TestCharactersWithoutAFontAreLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := setup(t)
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	render(t, s, plannedBy(t, s, shipped(3)))
	if log.Len() > 0 {
		t.Errorf("a name in Latin letters: got %s", &log)
	}
	w := shipped(3)
	w.Order.Customer.Name, w.Order.Lines[0].Name = "Ann 👩\u200d🚀 ᠮ", "Cap 🚀"
	render(t, s, plannedBy(t, s, w))
	_, got, _ := strings.Cut(log.String(), " ")
	want := `level=WARN msg="characters printed as boxes: the fonts of invoices lack them" order=` + string(w.Order.ID) + ` characters="U+182E U+1F469 U+1F680"` + "\n"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// rows matches the rows of the table and the totals.
var rows = regexp.MustCompile(`(?m)^ *(\d+ +\S+ .*|Shipping.*) (\d+)(?:[ \x{a0}]pc\.)? +([\d,]+\.\d\d) +19% +([\d,]+\.\d\d)$|^ *(Net amount|VAT|Total EUR).* ([\d,]+\.\d\d)$`)

func TestTotalsEqualAnIndependentSumOfTheRows(t *testing.T) {
	t.Parallel()
	cents := func(amount string) int64 {
		n, err := strconv.ParseInt(strings.NewReplacer(".", "", ",", "").Replace(amount), 10, 64)
		if err != nil {
			t.Error(err)
		}
		return n
	}
	for _, lines := range []int{1, 40, 200} {
		t.Run(strconv.Itoa(lines), func(t *testing.T) {
			t.Parallel()
			var count int
			var net int64
			got := map[string]int64{}
			for _, m := range rows.FindAllStringSubmatch(strings.Join(read(t, shipped(lines)), "\n"), -1) {
				if m[5] != "" {
					got[m[5]] = cents(m[6])
					continue
				}
				count++
				net += cents(m[4])
				if want := cents(m[2]) * cents(m[3]); cents(m[4]) != want {
					t.Errorf("row %q: got %s, want %s × %s", m[0], m[4], m[2], m[3])
				}
			}
			tax := (net*19 + 50) / 100
			want := map[string]int64{"Net amount": net, "VAT": tax, "Total EUR": net + tax}
			if diff := cmp.Diff(want, got); diff != "" || count != lines+1 {
				t.Errorf("%d rows, want %d; totals (-want +got):\n%s", count, lines+1, diff)
			}
		})
	}
}

func TestEveryPageHasHeadingsAndNumber(t *testing.T) {
	t.Parallel()
	w := shipped(200)
	pages := read(t, w)
	if len(pages) < 5 {
		t.Fatalf("got %d pages, want more for 200 lines", len(pages))
	}
	for i, page := range pages {
		for _, want := range []string{
			"No. +Description +Qty", "INV-7KQ2MX-03-0000124", "VAT ID DE0", fmt.Sprintf("Page %d of %d\n", i+1, len(pages)),
		} {
			if !regexp.MustCompile(want).MatchString(page) {
				t.Errorf("page %d has no %q:\n%s", i+1, want, page)
			}
		}
	}
	for i := range pages[1:] {
		carried := regexp.MustCompile(`Carried forward +([\d,.]+)\n`).FindStringSubmatch(pages[i])
		if carried == nil || !regexp.MustCompile(`Brought forward +`+regexp.QuoteMeta(carried[1])+"\n").MatchString(pages[i+1]) {
			t.Errorf("page %d carries %q, which page %d does not begin with", i+1, carried, i+2)
		}
	}
	all := strings.Join(pages, "")
	for i, l := range w.Order.Lines {
		if !regexp.MustCompile(fmt.Sprintf(`(?m)^ +%d .*\n(?:.*\n){0,4}? +%s$`, i+1, l.SKU)).MatchString(all) {
			t.Errorf("line %d, %s, is on no page", i+1, l.SKU)
		}
	}
}

func TestTotalsHaveARowOnTheirPage(t *testing.T) {
	t.Parallel()
	for lines := 20; lines < 32; lines++ {
		pages := read(t, shipped(lines))
		last := pages[len(pages)-1]
		if !strings.Contains(last, "Total EUR") || !strings.Contains(last, "Shipping, standard") {
			t.Errorf("%d lines: totals without a row on the last page:\n%s", lines, last)
		}
	}
}

func TestEmailAndNoteAreNotPrinted(t *testing.T) {
	t.Parallel()
	w := shipped(1)
	got := strings.Join(read(t, w), "")
	for _, text := range []string{w.Order.Note, w.Order.Customer.Email} {
		if strings.Contains(got, text) {
			t.Errorf("%q is printed", text)
		}
	}
}

func TestReasonForNoVATIsPrinted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		country, vatID string
		want           []string
	}{
		{"DE", "", nil},
		{"DE", "ATU12345678", []string{"ATU12345678"}},
		{"CH", "", []string{"Export of goods out of the VAT area of the European Union"}},
		{"AQ", "", []string{"Export of goods out of the VAT area of the European Union"}},
		{"AT", "ATU12345678", []string{"Intra-Community supply: exempt from VAT (Article 138", "ATU12345678"}},
	} {
		w := shipped(1)
		w.Order.ShipTo.Country, w.Order.Customer.VATID = tt.country, tt.vatID
		text := strings.Join(read(t, w), "")
		var got []string
		for _, words := range []string{"Export of goods out of the VAT area of the European Union", "Intra-Community supply: exempt from VAT (Article 138", "ATU12345678"} {
			if strings.Contains(text, words) {
				got = append(got, words)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s %s: explained (-want +got):\n%s", tt.country, tt.vatID, diff)
		}
	}
}

func TestDocumentInformation(t *testing.T) {
	t.Parallel()
	got := pdftest.Run(t, "poppler-utils", render(t, setup(t), planned(t, shipped(1))), "pdfinfo", "-isodates", "-")
	for _, want := range []string{
		"Title: +Invoice INV-7KQ2MX-03-0000124\n", "Author: +Example Trail Goods GmbH\n", "Pages: +1\n", `Page size: +595.\d+ x 841.\d+ pts \(A4\)`,
		"CreationDate: +2026-09-29T08:15:43", "ModDate: +2026-09-29T08:15:43",
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// The largest invoice fits into a record of orders.invoices, 1.25 MiB.
func TestLargestInvoiceFitsIntoItsRecord(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ideographs := s.renderer.Densest(1000)
	for name, text := range map[string]func(n int) string{
		"letters":    func(int) string { return strings.Repeat("ЖŁΩọǺ", 40) },
		"marks":      func(int) string { return strings.Repeat("A"+strings.Repeat("\u0301\u0302", 4), 22) },
		"Urdu":       func(int) string { return strings.Repeat("پَّچِ", 40) },
		"ideographs": func(n int) string { return string(ideographs[200*n : 200*n+200]) },
	} {
		w := shipped(order.MaxLines)
		w.Order.Customer.Name = text(0)
		w.Order.BillTo = &order.BillTo{Name: text(1), Company: text(2), Address: w.Order.ShipTo}
		w.Order.ShipTo = order.Address{Line1: text(1), Line2: text(2), City: text(3), Region: text(4), PostalCode: "WWWWWWWWWWWWWWWW", Country: "GS"}
		for i := range w.Order.Lines {
			w.Order.Lines[i].Name, w.Order.Lines[i].SKU = strings.Repeat("Żółty but żeglarski ", 10), strings.Repeat("S", 64)
			if name != "ideographs" {
				w.Order.Lines[i].Name = text(0)
			}
		}
		if got := len(render(t, s, plannedBy(t, s, w))); got > 1<<20 {
			t.Errorf("%s: got %d bytes, want at most 1 MiB", name, got)
		}
	}
}

func TestOrdinaryInvoicesAreSmall(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for name, w := range chosen() {
		if got := len(render(t, s, plannedBy(t, s, w))); len(w.Order.Lines) <= 40 && name != "long" && name != "shaped" && got > 105_000 {
			t.Errorf("%s: got %d bytes, want at most 105,000", name, got)
		}
	}
}

func FuzzRender(f *testing.F) {
	f.Add("Zoë Łukasiewicz", "1 Main Street", "BOTTLE-750", "Bottle", "DE")
	f.Add("👩‍🚀 שלום", "a\x00b\xff(\\)", "\u202e", "王小明 x\u0301", "AQ")
	f.Add("{address}", "{number}", "{", "}", "{}")
	f.Add("{nb}", strings.Repeat("W", 10_000), "", "\n\n\n", "")
	f.Add("\u00a0", "\u200b", " ", "\ufffd", "��")
	f.Add("髙橋 𠮷子", "東京都千代田区丸の内１丁目９−１", "㈱-★", "（「ッー、。」）", "JP")
	f.Add("김민수 \u1100\u1161\u11a8", "محمد 王 שלום 가 Łé", "\u3099\u0301", "\xed\xa0\x80 ﷺ ㏂ 鿿", "KR")
	s := setup(f)
	f.Fuzz(func(t *testing.T, name, line, sku, product, country string) {
		w := shipped(1)
		w.Order.Customer.Name, w.Order.ShipTo = name, order.Address{Line1: line, City: name, PostalCode: line, Country: country}
		w.Order.Lines[0].SKU, w.Order.Lines[0].Name = sku, product
		w.Order.BillTo, w.Order.Reference = &order.BillTo{Name: line, Company: name, Address: w.Order.ShipTo}, sku
		w.Order.BuyerReference, w.Order.PurchaseOrder, w.Order.Customer.Company = product, line, product
		if err := s.Plan(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if got := render(t, s, w); len(got) < 20_000 {
			t.Errorf("got %d bytes, want an invoice with its fonts", len(got))
		}
		r := refunded(t, w, nil, false)
		r.Order.Refund.Reason, r.Order.Refund.Invoice.Number, r.Order.Refund.Invoice.Language = name, sku, country
		if err := s.Plan(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := render(t, s, r); len(got) < 20_000 {
			t.Errorf("got %d bytes, want a credit note with its fonts", len(got))
		}
	})
}

func TestShippingRowListsCarrierAndSurcharges(t *testing.T) {
	t.Parallel()
	w := shipped(1)
	w.Progress.Shipping.Fuel, w.Progress.Shipping.Remote = order.EUR.Cents(120), order.EUR.Cents(1500)
	got, want := squeeze(read(t, w)[0]), "Parcel Post · incl. fuel surcharge 1.20 + remote area\n  surcharge 15.00\n"
	if !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, got)
	}
}
