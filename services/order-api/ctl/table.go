package ctl

import (
	"strings"

	"github.com/mattn/go-runewidth"

	"example.com/orders/shared/config"
)

// table prints a line for each result, with aligned columns. On a terminal the lines fit its width,
// and the columns have titles: the last column is shortened, and then columns are left out, the
// right ones first. Elsewhere nothing is cut off, and there are no titles.
type table struct {
	p      *printer
	titles []string
	widths []int      // grow with each page, and never shrink
	rows   [][]string // not printed yet
	titled bool
}

// table returns an empty table with the given columns, the most important first.
func (p *printer) table(titles ...string) *table {
	return &table{p: p, titles: titles, widths: make([]int, len(titles))}
}

// row adds a result: its cells, or v as a line of JSON. Cells are printed by flush, JSON at once.
func (t *table) row(v any, cells ...string) error {
	if t.p.json {
		return t.p.result("", v)
	}
	for i, text := range cells {
		cells[i] = oneLine(text)
		t.widths[i] = max(t.widths[i], runewidth.StringWidth(cells[i]))
	}
	t.rows = append(t.rows, cells)
	return nil
}

// flush prints the rows that were added since the last flush, such as those of a page.
func (t *table) flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	if t.p.columns > 0 && !t.titled {
		t.titled = true
		for i, title := range t.titles {
			t.widths[i] = max(t.widths[i], len(title))
		}
		t.rows = append([][]string{t.titles}, t.rows...)
	}
	widths := t.fit()
	for _, cells := range t.rows {
		if err := t.p.result(line(cells, widths), nil); err != nil {
			return err
		}
	}
	t.rows = nil
	return nil
}

// gap is the number of spaces between columns; the last column is not made narrower than least.
const (
	gap   = 2
	least = 12
)

// fit returns the widths of the columns that fit.
func (t *table) fit() []int {
	if t.p.columns == 0 {
		return t.widths
	}
	left := t.p.columns
	for i, w := range t.widths {
		last := i == len(t.widths)-1
		switch {
		case w <= left:
		case i == 0 || last && left >= least:
			return append(t.widths[:i:i], left)
		default:
			return t.widths[:i:i]
		}
		left -= w + gap
	}
	return t.widths
}

// line pads the cells to the widths, except the last one, and cuts off what is too long.
func line(cells []string, widths []int) string {
	var b strings.Builder
	for i, w := range widths {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", gap))
		}
		text := runewidth.Truncate(cells[i], w, "…")
		b.WriteString(text)
		if i < len(widths)-1 {
			b.WriteString(strings.Repeat(" ", w-runewidth.StringWidth(text)))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// oneLine replaces control characters, and line breaks by spaces.
func oneLine(text string) string {
	return strings.ReplaceAll(config.Printable(text), "\n", " ")
}
