package invoice

import (
	"strconv"
	"strings"

	"example.com/orders/shared/order"
)

// column is a column of the table of lines. Numbers end at its place and are never wrapped; texts begin there.
type column struct {
	name    string
	at      float64
	numbers bool
}

// The table leaves room for amounts of ten digits before the point.
const (
	itemAt    = 31.0
	itemWidth = 69.0
	netAt     = right - 2
)

func (l *layout) columns() [6]column {
	return [6]column{
		{l.Pos, 28, true}, {l.Item, itemAt, false}, {l.Quantity, 118, true}, {l.Price, 144, true}, {l.VAT, 159, true}, {l.words.Net, netAt, true},
	}
}

// padding is the space above and below the text of a row; carryHeight is what a subtotal at the end of a page takes.
const (
	padding     = 1.7
	carryHeight = 6.5
)

// row is a row of the table: a line, or shipping.
type row struct {
	pos, item, note, quantity string
	price, net                order.Money
}

// table lists the lines and, as the last row, shipping.
func (l *layout) table() {
	l.headings()
	l.inTable = true
	rows := l.rows()
	for _, r := range rows[:len(rows)-1] {
		l.row(r, 0)
	}
	// Totals and payment never stand alone on a page: at least the last row goes with them.
	l.row(rows[len(rows)-1], l.totalsHeight()+paymentHeight)
	l.inTable = false
}

// rows are the lines, and shipping if it has a part in the document.
func (l *layout) rows() (rows []row) {
	for i, o := range l.order.Lines {
		note := o.SKU
		if o.Name == "" {
			note = ""
			o.Name = o.SKU
		}
		rows = append(rows, row{strconv.Itoa(i + 1), o.Name, note, strconv.Itoa(o.Quantity) + string(noBreak) + l.Piece, o.UnitPrice, o.Net()})
	}
	if s := l.about.shipping; s != nil {
		rows = append(rows, row{"", l.Shipping + ", " + l.service(s.Service), l.shippingNote(s), "1", s.Price, s.Price})
	}
	return rows
}

// shippingNote says who carries the parcels, and what the price includes beside that of weight and size.
func (l *layout) shippingNote(s *order.Shipping) string {
	var parts, surcharges []string
	for _, part := range []struct {
		name   string
		amount order.Money
	}{{l.Fuel, s.Fuel}, {l.Remote, s.Remote}, {l.Oversize, s.Oversize}} {
		if part.amount.Minor != 0 {
			surcharges = append(surcharges, part.name+" "+l.Money(part.amount))
		}
	}
	if s.Carrier != "" {
		parts = append(parts, s.Carrier)
	}
	if len(surcharges) > 0 {
		parts = append(parts, fill(l.Includes, "list", strings.Join(surcharges, " + ")))
	}
	return strings.Join(parts, " · ")
}

// headings are the first row of the table, on each of its pages.
func (l *layout) headings() {
	height := heading.leading() + 2*padding
	l.band(left, l.y, height, accent)
	base := l.y + padding + heading.size*dot
	for _, c := range l.columns() {
		l.cell(c, base, heading, c.name)
	}
	l.y += height
}

// cell prints one line of a cell. Numbers end at the same place, so that their digits stand below each other: in Noto
// Sans all digits are equally wide.
func (l *layout) cell(c column, y float64, st style, text string) {
	if c.numbers {
		l.textTo(c.at, y, st, text)
		return
	}
	l.text(c.at, y, st, text)
}

// row prints a row of the table, on one page if it fits on any, together with what must stand below it.
func (l *layout) row(r row, below float64) {
	item := l.wrap(r.item, plain, itemWidth)
	var note []string
	if r.note != "" {
		note = l.wrap(r.note, small, itemWidth)
	}
	l.room(float64(len(item))*plain.leading() + float64(len(note))*small.leading() + 2*padding + below)
	l.y += padding
	cells := [6]string{r.pos, item[0], r.quantity, l.Money(r.price), l.Percent(l.invoice.Taxes[0].Rate), l.Money(r.net)}
	for i, c := range l.columns() {
		l.cell(c, l.y+plain.size*dot, plain, cells[i])
	}
	l.y += plain.leading()
	l.lines(item[1:], plain)
	l.lines(note, small)
	l.y += padding
	l.rule(left, l.y, 0.1, line)
	l.carried = l.carried.Plus(r.net)
}

// lines prints what follows the first line of a row. Only a row that is higher than a page is broken.
func (l *layout) lines(texts []string, st style) {
	for _, text := range texts {
		l.room(st.leading())
		l.text(itemAt, l.y+st.size*dot, st, text)
		l.y += st.leading()
	}
}

// carry prints the sum of all rows so far, at the end of a page or at the beginning of the next.
func (l *layout) carry(name string) {
	base := l.y + 4.4
	l.textTo(159, base, label, name)
	l.textTo(netAt, base, label, l.Money(l.carried))
	l.y += carryHeight
	l.rule(left, l.y, 0.1, line)
}

// totals are the net amount, the VAT of each rate and the total.
func (l *layout) totals() {
	l.y += 4
	amount := func(name string, m order.Money) {
		l.y += plain.leading()
		l.text(middle, l.y, plain, name)
		l.textTo(netAt, l.y, plain, l.Money(m))
		l.y += 1.2
	}
	amount(l.NetTotal, l.invoice.Net)
	for _, t := range l.invoice.Taxes {
		amount(fill(l.TaxOf, "rate", l.Percent(t.Rate), "net", l.Money(t.Net)), t.Tax)
	}
	l.y += 1.4
	l.band(middle-3, l.y, 9, accent)
	l.text(middle, l.y+6.2, sum, l.Total)
	l.textTo(netAt, l.y+6.2, sum, l.Money(l.invoice.Total))
	l.y += 9
}

// totalsHeight is what totals takes.
func (l *layout) totalsHeight() float64 {
	return 14.4 + float64(1+len(l.invoice.Taxes))*(plain.leading()+1.2)
}

// What payment takes, and what is above it.
const (
	paymentHeight = 26.0
	paymentGap    = 9.0
)

// payment says until when and to whom to pay, or that nothing is to be paid.
func (l *layout) payment() {
	l.y += paymentGap
	terms := l.tongue.terms(l.seller, l.invoice)
	if l.seller.IBAN == "" || l.about.corrects != nil {
		l.paragraph(terms, plain, right-left)
		return
	}
	const height = paymentHeight - paymentGap
	l.room(height)
	l.band(left, l.y, height, shade)
	l.text(left+4, l.y+6, strong, l.fonts.clean(terms))
	at := left + 4.0
	for _, fact := range [][2]string{{l.Account, l.seller.Name}, {"IBAN", l.seller.IBAN}, {"BIC", l.seller.BIC}, {l.Reference, l.invoice.Number}} {
		if fact[1] == "" {
			continue
		}
		value := l.fonts.clean(fact[1])
		l.text(at, l.y+10.8, small, fact[0])
		l.text(at, l.y+14.4, note, value)
		at += max(28, note.millimetres(l.fonts.width(value, note.weight))+5)
	}
	l.y += height
}

// notes explain what is unusual about this invoice.
func (l *layout) notes() {
	l.y += 7
	for _, t := range l.invoice.Taxes {
		// Taken from what was settled, not from the country: the table of today may have another member state.
		if reason, _ := l.exemption(categoryOf(t)); reason != "" {
			l.paragraph(reason, plain, right-left)
		}
	}
	if l.boxed {
		l.paragraph(l.Box, small, right-left)
	}
}
