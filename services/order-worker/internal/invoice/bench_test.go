package invoice

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jung-kurt/gofpdf"
)

// BenchmarkRender measures a document beside its floor: the same text in one of the fonts that every reader has, which
// are not embedded and know no name outside Western Europe.
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
	b.Run("floor of 3 lines", func(b *testing.B) {
		text, err := os.ReadFile("testdata/invoice.txt")
		if err != nil {
			b.Fatal(err)
		}
		cells := strings.FieldsFunc(strings.ReplaceAll(string(text), "  ", "\n"), func(r rune) bool { return r == '\n' })
		b.ReportAllocs()
		for b.Loop() {
			core(b, cells)
		}
	})
}

// core draws texts in Helvetica, as many calls of gofpdf as an invoice takes.
func core(b *testing.B, cells []string) {
	b.Helper()
	pdf := gofpdf.New("P", "mm", "A4", "")
	pdf.SetCompression(false)
	pdf.SetCreationDate(time.Unix(1, 0))
	pdf.AddPage()
	pdf.SetFont("Helvetica", "", 9)
	for i, c := range cells {
		pdf.Text(20, 20+float64(i)*4, c)
	}
	if err := pdf.Output(io.Discard); err != nil {
		b.Fatal(err)
	}
}
