package document

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"example.com/orders/services/order-worker/internal/pdftest"
)

// example returns a document of some rows.
func example(rows int) *Content {
	c := &Content{
		Title: "Invoice", Number: "INV-1", Issued: time.Unix(1, 0),
		Sender: []string{"Example Trail Goods GmbH", "Beispielweg 12", "10115 Berlin"}, Website: "shop.example.com",
		Recipient: []string{"Zoë Łukasiewicz", "Unter den Linden 1", "10117 Berlin", "Germany"},
		Facts:     [][2]string{{"Invoice number", "INV-1"}, {"Invoice date", "29 September 2026"}, {"Order", "ord_4k7m2p9x3c5v8b1n6q0w2e4r7t"}},
		Columns:   [6]string{"No.", "Description", "Qty", "Unit price", "VAT", "Net EUR"},
		Subtotal:  func(rows int) string { return fmt.Sprintf("%d.00", 100*rows) },
		Forward:   "Carried forward", Brought: "Brought forward",
		Totals:  [][2]string{{"Net amount", "100.00"}, {"VAT 19% on 100.00", "19.00"}, {"Total EUR", "119.00"}},
		Terms:   "Payable by 13 October 2026, without deduction.",
		Account: [][2]string{{"Payee", "Example Trail Goods GmbH"}, {"IBAN", "DE00 0000 0000 0000 0000 00"}, {"BIC", "EXAMDEXXXXX"}},
		BoxNote: "□ stands for a character that this document has no font for.",
		Footer:  [3][]string{{"Example Trail Goods GmbH", "Beispielweg 12", "10115 Berlin"}, {"billing@shop.example.com"}, {"VAT ID DE000000000"}},
		Page:    func(page, pages int) string { return fmt.Sprintf("Page %d of %d", page, pages) },
	}
	for i := range rows {
		c.AddRow([6]string{fmt.Sprint(i + 1), "Insulated bottle, 750 ml", "1\u00a0pc.", "100.00", "19%", "100.00"}, fmt.Sprintf("BOTTLE-%d", i))
	}
	return c
}

// exampleDesign has a logo and a colour.
var exampleDesign = Design{Logo: "M3 0 L21 0 C22.7 0 24 1.3 24 3 L24 21 L3 24 Z M3 19 L9.5 8 L13 13.5 L15.5 10.5 L21 19 Z", Colour: "1f5b4c"}

// renderer returns a new renderer.
func renderer(t testing.TB) *Renderer {
	t.Helper()
	r, err := exampleDesign.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// pdf renders a document.
func pdf(t testing.TB, r *Renderer, c *Content) []byte {
	t.Helper()
	out, _, err := r.Render(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A document has nothing of those before, whose buffers it uses.
func TestADocumentIsTheSameAfterOthers(t *testing.T) {
	t.Parallel()
	r, other := renderer(t), example(60)
	other.Code, other.CodeAlt = [][]bool{{true}}, "QR code for the bank transfer"
	for _, rows := range []int{1, 40} {
		want := pdf(t, r, example(rows))
		pdf(t, r, other)
		if got := pdf(t, r, example(rows)); !bytes.Equal(got, want) {
			t.Errorf("%d rows: the document differs after another one", rows)
		}
	}
}

func TestNamesAreReadBackInTheirOwnScript(t *testing.T) {
	t.Parallel()
	all := slices.Concat(names, easternNames)
	for w := marked; w < faces; w++ {
		if len(shapedNames[w]) == 0 {
			t.Errorf("%s has no name", scriptFiles[w-marked])
		}
		all = append(all, shapedNames[w]...)
	}
	c := example(len(all))
	for i, name := range all {
		c.rows[i].cells[1] = name
	}
	// pdftotext reads the points of Hebrew and Thaana before their letters.
	points := func(r rune) rune {
		if s := scriptOf(r); (s == hebrew || s == thaana) && unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}
	got := norm.NFC.String(strings.Map(points, pdftest.Text(t, pdf(t, renderer(t), c))))
	for _, name := range all {
		if !strings.Contains(got, strings.Map(points, name)) {
			t.Errorf("%q is not read back from\n%s", name, got)
		}
	}
	if strings.ContainsRune(got, box) {
		t.Errorf("there is a box in\n%s", got)
	}
}

func TestLongTextsStayInTheirPlace(t *testing.T) {
	t.Parallel()
	c := example(3)
	long := func(r string) string { return strings.Repeat(r, 200) }
	c.Recipient = []string{long("W"), long("Щ"), long("ab "), "WWWWWWWWWWWWWWWW " + long("Ω"), long("王"), "South Georgia & South Sandwich Islands"}
	c.rows[0].cells[1], c.rows[0].note = long("M"), strings.Repeat("Q", 64)
	c.rows[1].cells[1] = strings.Repeat("higher than a page ", 400)
	c.rows[2].cells = [6]string{"3", "Socks", "1,000,000\u00a0pc.", "9,999,999,999.99", "19%", "9,999,999,999.99"}
	for _, b := range pdftest.Words(t, pdf(t, renderer(t), c)) {
		if b.XMin < left/dot-1 || b.XMax > right/dot+1 || b.YMin < 40 || b.YMax > a4/dot-15 {
			t.Errorf("%q is outside the margins: %+v", b.Text, b)
		}
		if (strings.HasPrefix(b.Text, "QQ") || strings.HasPrefix(b.Text, "MM")) && b.XMax > (itemAt+itemWidth)/dot+1 {
			t.Errorf("%q is outside its column: %+v", b.Text, b)
		}
	}
}

func TestTextLoadsOnlyTheFontsThatItNeeds(t *testing.T) {
	t.Parallel()
	r, c := renderer(t), example(len(names))
	for w := eastern; w < faces; w++ {
		r.fonts.more[w] = func() *face { panic("it is loaded") }
	}
	for i, name := range names {
		c.rows[i].cells[1] = name
	}
	c.Recipient[0] = "ᠮᠣᠩ 👩‍🚀 ❤️ 𠮷"
	pdf(t, r, c)
}

func TestRunsOfOneLineFollowEachOtherWithoutAGap(t *testing.T) {
	t.Parallel()
	r, c := renderer(t), example(1)
	const before, after = "Lee 王小明, 김민수 ", "END"
	c.Recipient[0] = before + after
	want := left/dot + float64(r.fonts.width(before, address.weight))*address.size/1000
	found := slices.IndexFunc(pdftest.Words(t, pdf(t, r, c)), func(b pdftest.Word) bool { return b.Text == after && math.Abs(b.XMin-want) < 0.1 })
	if found < 0 {
		t.Errorf("%q does not begin at %.2f points", after, want)
	}
}

func TestDamagedEastAsianFontFailsEachDocument(t *testing.T) {
	t.Parallel()
	r, c := renderer(t), example(1)
	r.fonts.more[eastern] = sync.OnceValue(func() *face { panic(errors.New("eastern: cut short")) })
	c.Recipient[0] = "王小明"
	for range 2 {
		const want = "panic: eastern: cut short"
		if _, _, err := r.Render(c); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestNoScriptMakesRenderingFail(t *testing.T) {
	t.Parallel()
	r := renderer(t)
	for script, table := range unicode.Scripts {
		var letters []rune
		for _, r := range table.R16 {
			letters = append(letters, rune(r.Lo), '王', rune(r.Hi), ' ')
		}
		for _, r := range table.R32 {
			letters = append(letters, rune(r.Lo), '王', rune(r.Hi), ' ')
		}
		c := example(1)
		c.Recipient[0], c.rows[0].cells[1] = string(letters), script+string(letters)+"😀"
		c.Recipient[2] = string(letters[:3])
		if got := pdf(t, r, c); len(got) < 20_000 {
			t.Errorf("%s: got %d bytes, want a document with its fonts", script, len(got))
		}
	}
}
