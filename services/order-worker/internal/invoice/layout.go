package invoice

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"example.com/orders/shared/order"
)

// The page, in millimetres. What is above bottom (see layout) and below top is filled from top to bottom.
const (
	left   = 20.0
	right  = 190.0
	top    = 20.0
	middle = 112.0 // where the right part begins: facts above the table, totals below it
)

// How things look. Only what is the same on every invoice is bold: a text that is not Western European brings a font of
// its own into the document, 11 KB in each weight.
var (
	title   = style{bold, 20, 0}
	plain   = style{regular, 9, 0}
	address = style{regular, 10, 0}
	label   = style{regular, 9, 95}
	small   = style{regular, 7.5, 95}
	heading = style{bold, 8, 60}
	sum     = style{bold, 11, 0}
)

// column is a column of the table of lines. A column of numbers ends at its place and is never wrapped.
type column struct {
	name  string
	at    float64
	width float64 // 0: numbers
}

// columns leave room for a SKU of 18 characters on one line and for amounts of ten digits before the point.
var columns = []column{
	{"Pos.", 27, 0},
	{"SKU", 30, 36},
	{"Description", 68, 58},
	{"Qty", 137, 0},
	{"Unit price EUR", 163, 0},
	{"Net EUR", right - 1.5, 0},
}

// padding is the space above and below the text of a row.
const padding = 1.3

// layout draws one invoice, from the top of its first page to the foot of its last: y is how far it has come.
type layout struct {
	*sheet
	seller   Seller
	order    order.Order
	shipping order.Shipping
	invoice  order.Invoice
	y        float64
	bottom   float64 // where the foot of every page begins
	inTable  bool    // a new page repeats the headings of the table
}

// newLayout takes over all that the document is made of, so that nothing else can find its way into it.
func newLayout(s *Step, w *order.State) *layout {
	return &layout{
		sheet: newSheet(s.fonts), seller: s.seller,
		order: w.Order, shipping: *w.Progress.Shipping, invoice: *w.Progress.Invoice,
	}
}

// draw goes from top to bottom. The foot is set first, because its height says where pages end, and drawn last, because
// it says how many there are.
func (l *layout) draw() {
	foot := l.foot()
	l.bottom = a4 - 18 - float64(foot.height())*small.leading()
	l.sheet.addPage()
	l.y = top
	l.head()
	l.parties()
	l.table()
	l.totals()
	l.notes()
	l.feet(foot)
}

// head is the top of the first page: who sends it, and what it is.
func (l *layout) head() {
	l.y += 4
	l.textTo(right, l.y+1, title, "Invoice")
	for i, line := range l.wrap(l.seller.Name, sum, middle-left) {
		if i > 0 {
			l.y += sum.leading()
		}
		l.text(left, l.y, sum, line)
	}
	l.y += 4
	l.rule(left, l.y, 0.4, 0)
	l.y += 14
}

// parties are the buyer, on the left, and what identifies the invoice, on the right.
func (l *layout) parties() {
	below := l.identity(l.y)
	// Above the buyer, where the window of an envelope shows it: where to send back what cannot be delivered.
	sender := append([]string{l.seller.Name}, l.seller.Address...)
	l.paragraph(strings.Join(sender, " · "), small, middle-left-12)
	l.y += 2
	// Neither e-mail nor note: both may be edited when an order is replayed, after its invoice was issued.
	a := l.order.ShipTo
	for _, line := range []string{
		l.order.Customer.Name, a.Line1, a.Line2, strings.TrimSpace(a.PostalCode + " " + a.City), a.Region, country(a.Country),
	} {
		if line != "" {
			l.paragraph(line, address, middle-left-12)
		}
	}
	// A buyer that fills a page leaves the identity behind.
	if l.pdf.PageNo() == 1 {
		l.y = max(l.y, below)
	}
	l.y += 8
}

// day is a date with the month in words, because 02.03. and 03/02 are different days in different countries.
const day = "2 January 2006"

// identity prints the facts of the invoice from y on and returns where they end.
func (l *layout) identity(y float64) float64 {
	for _, fact := range [][2]string{
		{"Invoice number", l.invoice.Number},
		{"Invoice date", l.invoice.IssuedAt.UTC().Format(day)},
		{"Date of supply", supplied(l.invoice).Format(day)},
		{"Order", string(l.order.ID)},
		{"Order date", l.order.PlacedAt.UTC().Format(day)},
		{"Buyer's VAT ID", l.order.Customer.VATID},
	} {
		if fact[1] == "" {
			continue
		}
		l.text(middle, y, label, fact[0])
		l.textTo(right, y, plain, l.fonts.clean(fact[1]))
		y += 5.2
	}
	return y
}

// table lists the lines and, as the last row, shipping.
func (l *layout) table() {
	l.headings()
	l.inTable = true
	for i, o := range l.order.Lines {
		l.row([]string{
			strconv.Itoa(i + 1), o.SKU, o.Name, strconv.Itoa(o.Quantity), o.UnitPrice.String(), o.Net().String(),
		}, 0)
	}
	price := l.shipping.Price.String()
	// The totals never stand alone on a page: at least shipping goes with them.
	l.row([]string{"", "", "Shipping, " + l.shipping.Service, "1", price, price}, l.totalsHeight())
	l.inTable = false
}

// headings are the first row of the table, on each of its pages.
func (l *layout) headings() {
	height := heading.leading() + 2*padding
	l.band(left, right, l.y, height, 238)
	base := l.y + padding + heading.size*dot
	for _, c := range columns {
		l.cell(c, base, heading, c.name)
	}
	l.y += height
}

// cell prints one line of a cell. Numbers end at the same place, so that their digits stand below each other: in Noto
// Sans all digits are equally wide.
func (l *layout) cell(c column, y float64, st style, text string) {
	if c.width == 0 {
		l.textTo(c.at, y, st, text)
		return
	}
	l.text(c.at, y, st, text)
}

// row prints a row of the table, on one page if it fits on any, together with what must stand below it.
func (l *layout) row(cells []string, below float64) {
	wrapped, lines := make([][]string, len(columns)), 1
	for i, c := range columns {
		wrapped[i] = []string{cells[i]}
		if c.width > 0 {
			wrapped[i] = l.wrap(cells[i], plain, c.width)
		}
		lines = max(lines, len(wrapped[i]))
	}
	l.room(float64(lines)*plain.leading() + 2*padding + below)
	l.y += padding
	for n := range lines {
		// Breaks only a row that is higher than a page.
		l.room(plain.leading())
		for i, c := range columns {
			if n < len(wrapped[i]) {
				l.cell(c, l.y+plain.size*dot, plain, wrapped[i][n])
			}
		}
		l.y += plain.leading()
	}
	l.y += padding
	l.rule(left, l.y, 0.1, 200)
}

// totals are the net amount, the VAT of each rate and the total.
func (l *layout) totals() {
	l.y += 5
	line := func(st style, name string, m order.Money) {
		l.y += st.leading()
		l.text(middle, l.y, st, name)
		l.textTo(right-1.5, l.y, st, m.String())
		l.y += 1
	}
	line(plain, "Net amount", l.invoice.Net)
	for _, t := range l.invoice.Taxes {
		line(plain, fmt.Sprintf("VAT %s %% on %s", percent(t.Rate), t.Net), t.Tax)
	}
	l.y += 1
	l.rule(middle, l.y, 0.3, 0)
	l.y += 0.8
	line(sum, "Total "+string(order.EUR), l.invoice.Total)
	l.y += 1
	l.rule(middle, l.y, 0.3, 0)
}

// totalsHeight is what totals takes at most.
func (l *layout) totalsHeight() float64 {
	return 9 + sum.leading() + float64(1+len(l.invoice.Taxes))*(plain.leading()+1)
}

// notes explain what is unusual about this invoice.
func (l *layout) notes() {
	l.y += 8
	l.paragraph(l.seller.terms(l.invoice), plain, right-left)
	for _, t := range l.invoice.Taxes {
		// Taken from what was settled, not from the country: the table of today may have another member state.
		if reason, _ := exemption(categoryOf(t)); reason != "" {
			l.paragraph(reason, plain, right-left)
		}
	}
	if l.boxed {
		l.paragraph("□ stands for a character that this document has no font for.", small, right-left)
	}
}

// paragraph prints a text over as many lines as it needs.
func (l *layout) paragraph(text string, st style, width float64) {
	for _, line := range l.wrap(text, st, width) {
		l.room(st.leading())
		l.text(left, l.y, st, line)
		l.y += st.leading()
	}
}

// room begins a new page when a height does not fit on this one, unless it would fit on none.
func (l *layout) room(height float64) {
	if l.y+height <= l.bottom || height > l.bottom-top-30 {
		return
	}
	// A page that gets separated from the others tells where it belongs.
	l.sheet.addPage()
	l.y = top
	l.text(left, l.y, label, l.fonts.clean(l.seller.Name))
	l.textTo(right, l.y, label, "Invoice "+l.invoice.Number)
	l.y += 3
	l.rule(left, l.y, 0.1, 200)
	l.y += 6
	if l.inTable {
		l.headings()
	}
}

// percent writes a rate without needless zeros: 19, 25.5.
func percent(rate int) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%02d", rate/100, rate%100), "0"), ".")
}

// country is the English name of a country, which carriers everywhere read, or the code of one that nobody knows.
func country(code string) string {
	region, err := language.ParseRegion(code)
	if err != nil {
		return code
	}
	return display.English.Regions().Name(region)
}
