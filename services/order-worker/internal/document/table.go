package document

import "example.com/orders/shared/pdfa"

// column is a column of the table. Numbers end at its position and are not wrapped. Texts begin at
// its position.
type column struct {
	at      float64
	numbers bool
}

// Positions of columns. They leave room for amounts with ten digits before the decimal point.
const (
	itemAt    = 31.0
	itemWidth = 69.0
	netAt     = right - 2
)

// columns are the columns of the table, in the order of Content.Columns.
func columns() [6]column {
	return [6]column{{28, true}, {itemAt, false}, {118, true}, {144, true}, {159, true}, {netAt, true}}
}

const (
	padding     = 1.7 // above and below the text of a row
	carryHeight = 6.5 // of a subtotal
)

func (l *layout) table() {
	grid := l.tags.Add(pdfa.Document, pdfa.Table)
	l.headings(l.tags.Add(grid, pdfa.TR))
	l.inTable, l.below = true, carryHeight
	last := len(l.rows) - 1
	for _, r := range l.rows[:last] {
		l.row(grid, r)
	}
	// The totals and the payment box need a row above them on their page: the last row moves
	// with them, if they do not fit below it.
	l.below = l.totalsHeight() + l.paymentHeight()
	l.row(grid, l.rows[last])
	l.inTable, l.below = false, 0
}

// headings draws the headings. row is an element, or artifact if they are repeated.
func (l *layout) headings(row int) {
	height := heading.leading() + 2*padding
	l.band(left, l.y, height, accent)
	base := l.y + padding + heading.size*dot
	for i, c := range columns() {
		if row != artifact {
			l.element = l.tags.Add(row, pdfa.TH)
		}
		l.cell(c, base, heading, l.Columns[i])
	}
	l.y += height
}

// cell draws one line of a cell. Numbers are aligned right: all digits of Noto Sans have the same
// width.
func (l *layout) cell(c column, y float64, st style, text string) {
	if c.numbers {
		l.textTo(c.at, y, st, text)
		return
	}
	l.text(c.at, y, st, text)
}

// row draws a row on one page if it fits on any, and adds it to the element of the table.
func (l *layout) row(grid int, r row) {
	item := l.wrap(r.cells[1], plain, itemWidth)
	var note []string
	if r.note != "" {
		note = l.wrap(r.note, small, itemWidth)
	}
	l.room(float64(len(item))*plain.leading() + float64(len(note))*small.leading() + 2*padding)
	l.y += padding
	r.cells[1] = item[0]
	tr, described := l.tags.Add(grid, pdfa.TR), 0
	for i, c := range columns() {
		l.element = l.tags.Add(tr, pdfa.TD)
		if i == 1 {
			described = l.element
		}
		l.cell(c, l.y+plain.size*dot, plain, r.cells[i])
	}
	l.y += plain.leading()
	l.element = described
	l.lines(item[1:], plain)
	l.lines(note, small)
	l.y += padding
	l.rule(left, l.y, 0.1, line)
	l.done++
}

// lines draws the lines of a row after its first. A row that is higher than a page is continued on
// the next.
func (l *layout) lines(texts []string, st style) {
	for _, text := range texts {
		l.room(st.leading())
		l.text(itemAt, l.y+st.size*dot, st, text)
		l.y += st.leading()
	}
}

// carry draws the subtotal of the rows so far, at the end of a page or at the beginning of the
// next.
func (l *layout) carry(name string) {
	base := l.y + 4.4
	l.textTo(159, base, label, name)
	l.textTo(netAt, base, label, l.Subtotal(l.done))
	l.y += carryHeight
	l.rule(left, l.y, 0.1, line)
}

func (l *layout) totals() {
	l.y += 4
	last := len(l.Totals) - 1
	for _, t := range l.Totals[:last] {
		l.y += plain.leading()
		l.tag(pdfa.P)
		l.text(middle, l.y, plain, t[0])
		l.textTo(netAt, l.y, plain, t[1])
		l.y += 1.2
	}
	l.y += 1.4
	l.band(middle-3, l.y, 9, accent)
	l.tag(pdfa.P)
	l.text(middle, l.y+6.2, sum, l.Totals[last][0])
	l.textTo(netAt, l.y+6.2, sum, l.Totals[last][1])
	l.y += 9
}

func (l *layout) totalsHeight() float64 {
	return 14.4 + float64(len(l.Totals)-1)*(plain.leading()+1.2)
}

// The height of the payment box without and with a code, and of the gap above it or above the terms.
const (
	paymentBox = 17.0
	codeBox    = 27.0
	paymentGap = 9.0
)

// paymentHeight is the height of what payment draws.
func (l *layout) paymentHeight() float64 {
	switch {
	case len(l.Account) == 0:
		return paymentGap + float64(len(l.wrap(l.Terms, plain, right-left)))*plain.leading()
	case l.Code != nil:
		return paymentGap + codeBox
	}
	return paymentGap + paymentBox
}

// payment draws the terms and, in a box with them, the account and the code.
func (l *layout) payment() {
	l.y += paymentGap
	if len(l.Account) == 0 {
		l.paragraph(l.Terms, plain, right-left)
		return
	}
	height, end := l.paymentHeight()-paymentGap, right
	l.room(height)
	l.band(left, l.y, height, shade)
	if l.Code != nil {
		end = right - height
	}
	l.tag(pdfa.P)
	l.text(left+4, l.y+6, strong, l.clean(l.Terms))
	at, y := left+4.0, l.y
	for _, fact := range l.Account {
		if fact[1] == "" {
			continue
		}
		value := l.clean(fact[1])
		width := max(28, note.millimetres(l.fonts.width(value, note.weight))+5)
		if l.Code != nil && at+width > end && at > left+4 {
			at, y = left+4, y+9.6
		}
		l.tag(pdfa.P)
		l.text(at, y+10.8, small, fact[0])
		l.text(at, y+14.4, note, value)
		at += width
	}
	if l.Code != nil {
		l.figure(l.CodeAlt, end, l.y, height)
		l.code(end, l.y, height)
	}
	l.y += height
}
