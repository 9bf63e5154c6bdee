package document

import "strconv"

// quiet is the white margin of a QR code, in modules (ISO/IEC 18004).
const quiet = 4

// code draws the QR code in a square, with its margin. Dark modules of a row that touch are one rectangle.
func (l *layout) code(x, y, side float64) {
	modules := float64(len(l.Code) + 2*quiet)
	scale := side / dot / modules
	l.content = append(l.content, "q\n"...)
	l.op("cm", scale, 0, 0, -scale, x/dot, (a4-y)/dot)
	l.fill(white)
	l.op("re f", 0, 0, modules, modules)
	l.fill(black)
	out := l.content
	for row, cells := range l.Code {
		for from := 0; from < len(cells); from++ {
			to := from
			for to < len(cells) && cells[to] {
				to++
			}
			if to > from {
				for _, n := range [3]int{from + quiet, row + quiet, to - from} {
					out = append(strconv.AppendInt(out, int64(n), 10), ' ')
				}
				out = append(out, "1 re\n"...)
				from = to
			}
		}
	}
	l.content = append(out, "f Q\n"...)
	l.ink = unset // Q restored the colour from before q
}
