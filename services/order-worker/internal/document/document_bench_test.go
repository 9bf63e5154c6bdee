package document

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jung-kurt/gofpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
)

// BenchmarkDocument measures documents and compares them with two floors of the same layout, whose
// texts gofpdf writes, without attachment. Floor core has standard fonts, which are not embedded
// and have Western European characters only. Floor utf8 has the embedded fonts of AddUTF8Font.
// drawn is the pages with their fonts. hybrid is the whole document.
//
// ratios measures them in turns and compares the shortest times, which other load on the machine
// does not change.
func BenchmarkDocument(b *testing.B) {
	r := renderer(b)
	for _, row := range measured() {
		ways := []func() int{
			func() int { return coreFonts(b, r, row.c) },
			func() int { return drawn(b, r, row.c) },
			func() int { return len(pdf(b, r, row.c)) },
			func() int { return utf8Fonts(b, r, row.c) },
		}
		for i, name := range []string{"floor core", "drawn", "hybrid", "floor utf8"} {
			measure(b, row.name+"/"+name, ways[i])
		}
		b.Run(row.name+"/ratios", func(b *testing.B) { compare(b, ways) })
	}
}

// kind is a kind of document.
type kind struct {
	name string
	c    *Content
}

// measured are the kinds that the benchmark measures.
func measured() []kind {
	of := func(name string, rows int, recipient ...string) kind {
		c := example(rows)
		if recipient != nil {
			c.Recipient = recipient
		}
		c.Attachment = []byte(strings.Repeat("<ram:ID>a line of an invoice</ram:ID>", 60+20*rows))
		return kind{name, c}
	}
	return []kind{
		of("latin", 4),
		of("greek", 4, "Παπαδόπουλος", "Λεωφόρος Αμαλίας 12", "1000 Αθήνα", "Greece"),
		of("cyrillic", 4, "Иванов, Димітър", "булевард Витоша 12", "1000 София", "Ukraine"),
		of("hebrew and arabic", 4, "רחל לוי، محمد علي", "רחוב הרצל 12", "1000 حيفا", "Israel"),
		of("chinese", 4, "王小明", "建国门外大街1号国贸大厦A座12层1201室", "100004 北京市", "朝阳区", "China"),
		of("40 rows", 41),
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

// compare measures the ways in turns, each after a garbage collection.
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
	b.ReportMetric(0, "ns/op") // of all together: meaningless
	b.ReportMetric(times(1, 0), "drawn/core")
	b.ReportMetric(times(2, 0), "hybrid/core")
	b.ReportMetric(times(3, 2), "utf8/hybrid")
}

// BenchmarkDocumentFonts measures the time to load the fonts and the memory that they keep: at the
// start of a process, and when a document first needs the East Asian font.
func BenchmarkDocumentFonts(b *testing.B) {
	for name, load := range map[string]func() any{
		"at start":      func() any { f, _ := loadFonts(); return f },
		"at first need": func() any { return loadLater("eastern", readFace)() },
	} {
		b.Run(name, func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var kept any
			for b.Loop() {
				kept = load()
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			runtime.KeepAlive(kept)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc), "bytes/kept")
		})
	}
}

// coreFonts draws a document with two fonts that are not embedded.
func coreFonts(b *testing.B, r *Renderer, c *Content) int {
	b.Helper()
	return byGofpdf(b, newLayout(r, c), blankA4(), "helvetica", "times")
}

// utf8Fonts draws a document with fonts that gofpdf subsets.
func utf8Fonts(b *testing.B, r *Renderer, c *Content) int {
	b.Helper()
	pdf := blankA4()
	// gofpdf modifies the font data.
	pdf.AddUTF8FontFromBytes("regular", "", bytes.Clone(goregular.TTF))
	pdf.AddUTF8FontFromBytes("bold", "", bytes.Clone(gobold.TTF))
	return byGofpdf(b, newLayout(r, c), pdf, "regular", "bold")
}

func blankA4() *gofpdf.Fpdf {
	pdf := gofpdf.New("P", "mm", "A4", "")
	pdf.SetAutoPageBreak(false, 0)
	pdf.SetCompression(false)
	return pdf
}

// byGofpdf has gofpdf write the texts. It sets fonts and colours only when they change.
func byGofpdf(b *testing.B, l *layout, pdf *gofpdf.Fpdf, regularName, boldName string) int {
	b.Helper()
	size := 0.0
	l.put = func(x, y float64, st style, text string) {
		for pdf.PageCount() < l.page {
			pdf.AddPage()
		}
		pdf.SetPage(l.page)
		// gofpdf writes to its page.
		l.unmark()
		pdf.RawWriteStr(string(l.content))
		l.content = l.content[:0]
		if st.ink != l.ink {
			// Both: if they differ, gofpdf sets the colour for each text and resets it.
			pdf.SetTextColor(st.ink.rgb(l.accent))
			pdf.SetFillColor(st.ink.rgb(l.accent))
			l.ink = st.ink
		}
		if st.weight != l.font || st.size != size {
			name := regularName
			if st.weight == bold {
				name = boldName
			}
			pdf.SetFont(name, "", st.size)
			l.font, size = st.weight, st.size
		}
		pdf.Text(x, y, text)
	}
	l.draw()
	var out bytes.Buffer
	if err := pdf.Output(&out); err != nil {
		b.Fatal(err)
	}
	return out.Len()
}

// drawn draws a document and its fonts, without sealing it.
func drawn(b *testing.B, r *Renderer, c *Content) int {
	b.Helper()
	l := newLayout(r, c)
	l.draw()
	contents, fonts := l.output()
	size := 0
	for _, content := range contents {
		size += len(content)
	}
	for _, f := range fonts {
		size += len(f.Program)
	}
	return size
}
