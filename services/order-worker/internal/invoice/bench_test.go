package invoice

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"

	"example.com/orders/services/order-worker/internal/spoken"
	"example.com/orders/shared/order"
)

// BenchmarkInvoice measures documents beside two floors, all of the same layout. Floor core: fonts that every reader has,
// which are not embedded and know no name outside Western Europe, without XML. Floor utf8: gofpdf's own way to print any
// name, AddUTF8Font, without XML either. drawn is what is drawn with its fonts embedded; hybrid is all of it.
//
// ratios takes turns, and compares the shortest times: what else a machine does makes no draw shorter.
func BenchmarkInvoice(b *testing.B) {
	s := setup(b)
	for _, row := range []struct {
		name string
		w    *order.State
	}{
		{"latin", planned(b, shipped(3))},
		{"greek", sentTo(b, "Παπαδόπουλος", "Λεωφόρος Αμαλίας 12", "Αθήνα", "GR")},
		{"cyrillic", sentTo(b, "Иванов, Димітър", "булевард Витоша 12", "София", "UA")},
		{"mixed", mixed(b)},
		{"40 lines", planned(b, shipped(40))},
	} {
		ways := []func() int{
			func() int { return coreFonts(b, s, row.w) },
			func() int { return drawn(b, s, row.w) },
			func() int { return len(document(b, s, row.w)) },
			func() int { return utf8Fonts(b, s, row.w) },
		}
		for i, name := range []string{"floor core", "drawn", "hybrid", "floor utf8"} {
			measure(b, row.name+"/"+name, ways[i])
		}
		b.Run(row.name+"/ratios", func(b *testing.B) { compare(b, ways) })
	}
}

func measure(b *testing.B, name string, draw func() int) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		size := 0
		for b.Loop() {
			size = draw()
		}
		b.ReportMetric(float64(size), "bytes/doc")
	})
}

// compare measures the ways by turns, each without the garbage of the one before.
func compare(b *testing.B, ways []func() int) {
	const often = 5
	took := make([]time.Duration, len(ways))
	for b.Loop() {
		for i, draw := range ways {
			runtime.GC()
			begun := time.Now()
			for range often {
				draw()
			}
			if d := time.Since(begun); took[i] == 0 || d < took[i] {
				took[i] = d
			}
		}
	}
	times := func(way, floor int) float64 { return float64(took[way]) / float64(took[floor]) }
	b.ReportMetric(0, "ns/op") // of all together: it says nothing
	b.ReportMetric(times(1, 0), "drawn/core")
	b.ReportMetric(times(2, 0), "hybrid/core")
	b.ReportMetric(times(3, 2), "utf8/hybrid")
}

// sentTo is an order of three lines that is planned, and written in the language of its country.
func sentTo(b *testing.B, name, line, city, country string) *order.State {
	b.Helper()
	w := shipped(3)
	w.Order.Customer.Name, w.Order.ShipTo = name, order.Address{Line1: line, City: city, PostalCode: "1000", Country: country}
	planned(b, w).Progress.Invoice.Language = spoken.In(country).String()
	return w
}

// coreFonts draws an invoice with two fonts that are not embedded.
func coreFonts(b *testing.B, s *Step, w *order.State) int {
	b.Helper()
	l := newLayout(s, w)
	l.names = [weights]string{"helvetica", "times"}
	l.pdf.SetFont("helvetica", "", 9)
	l.pdf.SetFont("times", "", 9)
	l.codes = func(_ style, text string) string { return text }
	return written(b, l)
}

// utf8Fonts draws an invoice with fonts that gofpdf cuts.
func utf8Fonts(b *testing.B, s *Step, w *order.State) int {
	b.Helper()
	l := newLayout(s, w)
	// gofpdf writes into what it is given.
	l.pdf.AddUTF8FontFromBytes("regular", "", bytes.Clone(goregular.TTF))
	l.pdf.AddUTF8FontFromBytes("bold", "", bytes.Clone(gobold.TTF))
	l.codes = func(_ style, text string) string { return text }
	return written(b, l)
}

func written(b *testing.B, l *layout) int {
	b.Helper()
	l.draw()
	var count counter
	if err := l.pdf.Output(&count); err != nil {
		b.Fatal(err)
	}
	return int(count)
}

// counter counts what is written.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// drawn draws an invoice and makes its fonts, without the hybrid.
func drawn(b *testing.B, s *Step, w *order.State) int {
	b.Helper()
	l := newLayout(s, w)
	l.draw()
	out, fonts, err := l.output()
	if err != nil {
		b.Fatal(err)
	}
	size := len(out)
	for _, f := range fonts {
		size += len(f.Program)
	}
	return size
}
