package document

import (
	"strings"

	"example.com/orders/shared/pdfa"
)

// Margins and the middle of the page, in millimetres from its top left corner.
const (
	left   = 20.0
	right  = 190.0
	top    = 20.0
	middle = 112.0 // left edge of the facts and the totals
)

// The styles of a document.
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

type layout struct {
	*sheet
	*Content
	logo    string
	y       float64 // how far the current page is filled
	bottom  float64 // top edge of the footer
	inTable bool    // a new page repeats the headings of the table
	below   float64 // what room keeps free below the row that is drawn
	done    int     // number of complete rows
}

func newLayout(r *Renderer, c *Content) *layout {
	b, used := r.idle.Get().(*buffers)
	if !used {
		b = &buffers{}
	}
	return &layout{sheet: newSheet(r.fonts, r.accent, b), Content: c, logo: r.logo}
}

// draw draws all pages. The footer is wrapped first, because its height limits the pages, and drawn
// last, because it has the number of pages.
func (l *layout) draw() {
	footer := l.footer()
	l.bottom = a4 - 18 - float64(footer.height())*small.leading()
	l.addPage()
	l.y = top
	l.head()
	l.parties()
	l.subject()
	l.table()
	l.totals()
	l.payment()
	l.notes()
	l.drawFooters(footer)
}

// head draws the top of the first page: the sender and the title.
func (l *layout) head() {
	from := left
	if l.logo != "" {
		const side = 14
		l.figure(l.Sender[0], left, l.y, side)
		l.drawLogo(left, l.y, side)
		from += side + 5
	}
	l.y += 6.4
	// In some languages the title is wider than its half of the page.
	fits := title
	fits.size *= min(1, (right-middle-4)/title.millimetres(l.fonts.width(l.Title, title.weight)))
	l.tag(pdfa.H1)
	l.textTo(right, l.y+1.6, fits, l.Title)
	l.tag(pdfa.P)
	for i, line := range l.wrap(l.Sender[0], brand, middle-from) {
		if i > 0 {
			l.y += brand.leading()
		}
		l.text(from, l.y, brand, line)
	}
	l.y += 5.2
	l.text(from, l.y, label, l.clean(l.Website))
	l.y += 24
}

func (l *layout) parties() {
	below := l.facts(l.y)
	// The return address, above the recipient, where the window of an envelope shows it.
	l.paragraph(strings.Join(l.Sender, " · "), small, middle-left-12)
	l.y += 2
	l.tag(pdfa.P)
	for _, line := range l.Recipient {
		if line != "" {
			l.flow(line, address, middle-left-12)
		}
	}
	// A recipient that fills the page ends on a later one than the facts.
	if l.page == 1 {
		l.y = max(l.y, below)
	}
	l.y += 8
}

// facts draws the facts from y down and returns where they end.
func (l *layout) facts(y float64) float64 {
	for _, fact := range l.Facts {
		if fact[1] == "" {
			continue
		}
		l.tag(pdfa.P)
		l.text(middle, y, label, fact[0])
		width := right - middle - 4 - label.millimetres(l.fonts.width(fact[0], label.weight))
		for i, text := range l.wrap(fact[1], plain, width) {
			if i > 0 {
				y += plain.leading()
			}
			l.textTo(right, y, plain, text)
		}
		y += 5.2
	}
	return y
}

func (l *layout) subject() {
	if l.Delivery != "" {
		l.paragraph(l.Delivery, plain, right-left)
		l.y += 4
	}
	st := strong
	for _, text := range l.Subject {
		if text != "" {
			l.paragraph(text, st, right-left)
		}
		st = plain
	}
	if len(l.Subject) > 0 {
		l.y += 4
	}
}

// notes draws the notes, and explains boxes.
func (l *layout) notes() {
	l.y += 7
	for _, text := range l.Notes {
		if text != "" {
			l.paragraph(text, plain, right-left)
		}
	}
	if l.boxed {
		l.paragraph(l.BoxNote, small, right-left)
	}
}

// paragraph draws a text as an element of its own.
func (l *layout) paragraph(text string, st style, width float64) {
	l.tag(pdfa.P)
	l.flow(text, st, width)
}

// flow draws a text on as many lines as it needs.
func (l *layout) flow(text string, st style, width float64) {
	for _, line := range l.wrap(text, st, width) {
		l.room(st.leading())
		l.text(left, l.y, st, line)
		l.y += st.leading()
	}
}

// room begins a new page if a height does not fit on the current one. A height that fits on no page
// stays on this one.
func (l *layout) room(height float64) {
	if l.y+height+l.below <= l.bottom || height+l.below > l.bottom-top-40 {
		return
	}
	if l.inTable {
		l.asArtifact(func() { l.carry(l.Forward) })
	}
	l.addPage()
	l.asArtifact(l.continued)
}

// continued draws the top of a later page. It names the sender and the document, in case it is separated
// from the first.
func (l *layout) continued() {
	l.y = top
	l.text(left, l.y, label, l.clean(l.Sender[0]))
	l.textTo(right, l.y, label, l.Title+" "+l.Number)
	l.y += 3
	l.rule(left, l.y, 0.1, line)
	l.y += 6
	if l.inTable {
		l.headings(artifact)
		l.carry(l.Brought)
	}
}
