package invoice

import (
	"io"
	"slices"
	"testing"

	"example.com/orders/shared/order"
)

// BenchmarkRender measures a document beside its floor: the same layout in fonts that every reader has, which are not
// embedded and know no name outside Western Europe, without XML.
func BenchmarkRender(b *testing.B) {
	for name, lines := range map[string]int{"3 lines": 3, "40 lines": 40} {
		b.Run(name, func(b *testing.B) {
			s, w := setup(b), planned(b, shipped(lines))
			b.ReportAllocs()
			for b.Loop() {
				document(b, s, w)
			}
			b.ReportMetric(float64(len(w.Document)), "bytes/doc")
		})
	}
	b.Run("mixed scripts", func(b *testing.B) {
		s, w := setup(b), mixed(b)
		b.ReportAllocs()
		for b.Loop() {
			document(b, s, w)
		}
		b.ReportMetric(float64(len(w.Document)), "bytes/doc")
	})
	for name, w := range map[string]*order.State{"floor of 3 lines": planned(b, shipped(3)), "floor of mixed scripts": mixed(b)} {
		b.Run(name, func(b *testing.B) {
			s := setup(b)
			s.fonts = withoutFonts(s.fonts)
			b.ReportAllocs()
			for b.Loop() {
				core(b, s, w)
			}
		})
	}
	b.Run("before it is a hybrid", func(b *testing.B) {
		s, w := setup(b), planned(b, shipped(3))
		b.ReportAllocs()
		for b.Loop() {
			l := newLayout(s, w)
			l.draw()
			if err := l.pdf.Output(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// withoutFonts are fonts that draw the same layout with two of those that every reader has.
func withoutFonts(f *fonts) *fonts {
	plain := *f
	plain.pages = slices.Clone(f.pages)
	for p := range plain.pages {
		plain.pages[p][regular].name, plain.pages[p][bold].name = "helvetica", "times"
	}
	return &plain
}

// core draws an invoice with fonts that are not embedded, and makes no hybrid of it.
func core(b *testing.B, s *Step, w *order.State) {
	b.Helper()
	l := newLayout(s, w)
	l.pdf.SetFont("helvetica", "", 9)
	l.pdf.SetFont("times", "", 9)
	l.draw()
	if err := l.pdf.Output(io.Discard); err != nil {
		b.Fatal(err)
	}
}
