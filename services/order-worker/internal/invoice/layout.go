package invoice

import (
	"strings"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/order"
)

// The page, in millimetres. What is above bottom (see layout) and below top is filled from top to bottom.
const (
	left   = 20.0
	right  = 190.0
	top    = 20.0
	middle = 112.0 // where the right part begins: facts above the table, totals below it
)

// How things look.
var (
	title   = style{bold, 22, accent}
	brand   = style{bold, 13, black}
	plain   = style{regular, 9, black}
	strong  = style{bold, 9, black}
	address = style{regular, 10, black}
	label   = style{regular, 9, grey}
	note    = style{regular, 8, black}
	small   = style{regular, 7.5, grey}
	heading = style{bold, 8, white}
	sum     = style{bold, 11, white}
)

// layout draws one document, from the top of its first page to the foot of its last: y is how far it has come.
type layout struct {
	*sheet
	*tongue
	seller  Seller
	order   order.Order
	about   matter
	invoice order.Invoice // or credit note
	y       float64
	bottom  float64     // where the foot of every page begins
	inTable bool        // a new page repeats the headings of the table
	carried order.Money // sum of the rows so far
}

// newLayout takes over all that the document is made of, so that nothing else can find its way into it.
func newLayout(s *Step, w *order.State) *layout {
	return &layout{
		sheet: newSheet(s.fonts, s.seller.accent), tongue: s.speak(w), seller: s.seller,
		order: w.Order, about: matterOf(w), invoice: *w.Progress.Invoice, carried: order.EUR.Cents(0),
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
	l.correction()
	l.table()
	l.totals()
	l.payment()
	l.notes()
	l.feet(foot)
}

// head is the top of the first page: who sends it, and what it is.
func (l *layout) head() {
	from := left
	if l.seller.mark != "" {
		const side = 14
		l.logo(left, l.y, side)
		from += side + 5
	}
	l.y += 6.4
	// What a document is called is longer in some languages than its half of the page.
	fits := title
	fits.size *= min(1, (right-middle-4)/title.millimetres(l.fonts.width(l.Invoice, title.weight)))
	l.textTo(right, l.y+1.6, fits, l.Invoice)
	for i, line := range l.wrap(l.seller.Name, brand, middle-from) {
		if i > 0 {
			l.y += brand.leading()
		}
		l.text(from, l.y, brand, line)
	}
	l.y += 5.2
	l.text(from, l.y, label, l.fonts.clean(l.seller.Website))
	l.y += 24
}

// parties are the buyer, on the left, and what identifies the invoice, on the right.
func (l *layout) parties() {
	below := l.identity(l.y)
	// Above the buyer, where the window of an envelope shows it: where to send back what cannot be delivered.
	sender := append([]string{l.seller.Name}, l.seller.Address...)
	l.paragraph(strings.Join(sender, " · "), small, middle-left-12)
	l.y += 2
	// Neither e-mail nor note: both may be edited when an order is replayed, after its invoice was issued. The country is in
	// English, which carriers everywhere read.
	a := l.order.ShipTo
	for _, line := range []string{
		l.order.Customer.Name, a.Line1, a.Line2, strings.TrimSpace(a.PostalCode + " " + a.City), a.Region, locale.English.Country(a.Country),
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

// identity prints the facts of the document from y on and returns where they end.
func (l *layout) identity(y float64) float64 {
	placed := ""
	if !l.about.placed.IsZero() {
		placed = l.Language.Date(l.about.placed)
	}
	for _, fact := range [][2]string{
		{l.words.Number, l.invoice.Number},
		{l.words.Date, l.Language.Date(l.invoice.IssuedAt)},
		{l.Supply, l.Language.Date(l.about.supplied)},
		{l.Order, string(l.about.order)},
		{l.OrderDate, placed},
		{l.BuyerVAT, l.order.Customer.VATID},
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
	bottom := l.bottom
	if l.inTable {
		bottom -= carryHeight
	}
	if l.y+height <= bottom || height > bottom-top-40 {
		return
	}
	if l.inTable {
		l.carry(l.Forward)
	}
	// A page that gets separated from the others tells where it belongs.
	l.sheet.addPage()
	l.y = top
	l.text(left, l.y, label, l.fonts.clean(l.seller.Name))
	l.textTo(right, l.y, label, l.Invoice+" "+l.invoice.Number)
	l.y += 3
	l.rule(left, l.y, 0.1, line)
	l.y += 6
	if l.inTable {
		l.headings()
		l.carry(l.Brought)
	}
}
