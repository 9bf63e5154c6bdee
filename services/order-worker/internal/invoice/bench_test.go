package invoice

import (
	"bytes"
	"io"
	"testing"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"

	"example.com/orders/shared/order"
)

// BenchmarkInvoice measures documents beside two floors, all of the same layout. Floor core: fonts that every reader has,
// which are not embedded and know no name outside Western Europe, without XML. Floor utf8: gofpdf's own way to print any
// name, AddUTF8Font, without XML either. drawn is what is drawn with its fonts embedded; hybrid is all of it.
func BenchmarkInvoice(b *testing.B) {
	s := setup(b)
	for _, row := range []struct {
		name string
		w    *order.State
	}{
		{"latin", planned(b, shipped(3))},
		{"greek", sentTo(b, "Παπαδόπουλος", "Λεωφόρος Αμαλίας 12", "Αθήνα", "GR")},
		{"cyrillic", sentTo(b, "Иванов, Димитър", "булевард Витоша 12", "София", "BG")},
		{"mixed", mixed(b)},
		{"40 lines", planned(b, shipped(40))},
	} {
		measure(b, row.name+"/floor core", func() int { return coreFonts(b, s, row.w) })
		measure(b, row.name+"/drawn", func() int { return drawn(b, s, row.w) })
		measure(b, row.name+"/hybrid", func() int { return len(document(b, s, row.w)) })
		measure(b, row.name+"/floor utf8", func() int { return utf8Fonts(b, s, row.w) })
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

// sentTo is a planned order of three lines to somebody.
func sentTo(b *testing.B, name, line, city, country string) *order.State {
	b.Helper()
	w := shipped(3)
	w.Order.Customer.Name, w.Order.ShipTo = name, order.Address{Line1: line, City: city, PostalCode: "1000", Country: country}
	return planned(b, w)
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
	return io.Discard.Write(p)
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
