package document

import "example.com/orders/shared/pdfa"

// footer is the wrapped footer: columns of lines.
type footer [][]string

func (l *layout) footer() footer {
	f := make(footer, len(l.Footer))
	for i, column := range l.Footer {
		for _, text := range column {
			if text != "" {
				f[i] = append(f[i], l.wrap(text, small, footWidth-4)...)
			}
		}
	}
	return f
}

const footWidth = (right - left) / 3

// height is the number of lines of the longest column.
func (f footer) height() int {
	most := 0
	for _, column := range f {
		most = max(most, len(column))
	}
	return most
}

// drawFooters draws footer and page number on every page, after the number of pages is known. Only the
// last footer is read aloud. The
// placeholder that gofpdf offers for that number would also be replaced in a customer's text.
func (l *layout) drawFooters(f footer) {
	pages := len(l.contents)
	for p := 1; p <= pages; p++ {
		l.turnTo(p)
		l.rule(left, l.bottom+3, 0.1, line)
		for i, column := range f {
			l.element = artifact
			if p == pages {
				l.tag(pdfa.P)
			}
			for n, text := range column {
				l.text(left+float64(i)*footWidth, l.bottom+7+float64(n)*small.leading(), small, text)
			}
		}
		l.element = artifact
		l.text(left, a4-8, small, l.Number)
		l.textTo(right, a4-8, small, l.Page(p, pages))
	}
}
