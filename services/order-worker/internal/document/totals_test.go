package document

import (
	"fmt"
	"testing"
)

// Documents of all numbers of rows up to three pages, with and without a payment box: the totals
// are below a row, and on an earlier page there was no room for what follows.
func TestTotalsFollowARowAndMoveOnlyWhenTheyMust(t *testing.T) {
	t.Parallel()
	r := renderer(t)
	for rows := 1; rows <= 60; rows++ {
		for _, account := range [][][2]string{nil, example(1).Account} {
			c := example(rows)
			c.Account = account
			l := newLayout(r, c)
			last, carried := map[string]place{}, place{}
			l.put = func(_, y float64, _ style, text string) {
				at := place{l.page, y}
				if text == c.Forward {
					carried = at
				}
				if _, known := last[text]; !known {
					last[text] = at
				}
			}
			l.draw()
			total, row := last["Total EUR"], last[fmt.Sprintf("BOTTLE-%d", rows-1)]
			if total.page != row.page || total.y < row.y || last[c.Terms].page != total.page {
				t.Errorf("%d rows: the last row is at %v, the total at %v, the terms at %v", rows, row, total, last[c.Terms])
			}
			before := last[fmt.Sprintf("BOTTLE-%d", rows-2)]
			if rows == 1 || before.page == row.page {
				continue
			}
			needed := plain.leading() + small.leading() + 2*padding + l.totalsHeight() + l.paymentHeight()
			if free := l.bottom - (carried.y - 4.4); carried.page != before.page || free >= needed {
				t.Errorf("%d rows: the last row moves to page %d with the totals, which need %.1f mm, and page %d has %.1f mm", rows, row.page, needed, before.page, free)
			}
		}
	}
}

type place struct {
	page int
	y    float64
}
