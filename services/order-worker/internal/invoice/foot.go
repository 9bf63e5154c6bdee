package invoice

import (
	"strconv"

	"example.com/orders/services/order-worker/internal/locale"
)

// foot is what stands at the foot of every page: columns of lines about the seller.
type foot [][]string

// foot wraps what is known about the seller into three columns.
func (l *layout) foot() foot {
	s := l.seller
	texts := [][]string{
		append(append([]string{s.Name}, s.Address...), locale.English.Country(s.Country)),
		{s.Email, s.Website, s.Register},
		{named(l.SellerVAT, s.VATID), named("IBAN", s.IBAN), named("BIC", s.BIC)},
	}
	f := make(foot, len(texts))
	for i, column := range texts {
		for _, text := range column {
			if text != "" {
				f[i] = append(f[i], l.wrap(text, small, l.footWidth(len(texts))-4)...)
			}
		}
	}
	return f
}

// footWidth is how wide one of so many columns is.
func (l *layout) footWidth(columns int) float64 { return (right - left) / float64(columns) }

// height is how many lines the longest column has.
func (f foot) height() int {
	most := 0
	for _, column := range f {
		most = max(most, len(column))
	}
	return most
}

// feet puts the foot and "Page 1 of 3" on every page, now that their number is known. gofpdf's own way, a placeholder in
// the text, would also replace what a customer happens to have written.
func (l *layout) feet(f foot) {
	pages := l.pdf.PageCount()
	for p := 1; p <= pages; p++ {
		l.turnTo(p)
		l.rule(left, l.bottom+3, 0.1, line)
		for i, column := range f {
			for n, text := range column {
				l.text(left+float64(i)*l.footWidth(len(f)), l.bottom+7+float64(n)*small.leading(), small, text)
			}
		}
		l.text(left, a4-8, small, l.invoice.Number)
		l.textTo(right, a4-8, small, fill(l.Page, "page", strconv.Itoa(p), "pages", strconv.Itoa(pages)))
	}
}

// named is a value with its name, or nothing where there is no value.
func named(name, value string) string {
	if value == "" {
		return ""
	}
	return name + " " + value
}
