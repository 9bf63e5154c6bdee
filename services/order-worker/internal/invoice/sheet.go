package invoice

import (
	"bytes"
	"strings"

	"github.com/jung-kurt/gofpdf"

	"example.com/orders/shared/pdfa"
)

// sheet is a document while it is drawn: it puts text in the cut fonts where it is told, in millimetres from the top left
// corner of the page. Of gofpdf it uses what draws, never its cells and page breaks, which know one font at a time.
type sheet struct {
	pdf   *gofpdf.Fpdf
	fonts *fonts
	cuts  [weights]*cut
	names [weights]string                 // of the fonts, as gofpdf knows them
	codes func(st style, t string) string // how a text is written in them
	// What the content of the current page has set: gofpdf forgets neither, but each page's content starts anew.
	font string
	size float64
	grey int
	// boxed reports whether anything that was printed holds a box.
	boxed bool
}

// style is how a text looks. Grey is 0 for black.
type style struct {
	weight weight
	size   float64 // points
	grey   int
}

const (
	// dot is one point in millimetres.
	dot = 25.4 / 72
	a4  = 297.0
)

// The fonts as gofpdf knows them: see use.
var (
	placeholders = [weights]string{"regular", "bold"}
	definitions  = [weights][]byte{[]byte(`{"Tp":"Core","Name":"regular"}`), []byte(`{"Tp":"Core","Name":"bold"}`)}
)

// newSheet returns a sheet without pages. Settings that gofpdf would take from its surroundings are made here.
func newSheet(f *fonts) *sheet {
	pdf := gofpdf.New("P", "mm", "A4", "")
	// A box is drawn where it is told to be, even at the foot of a page.
	pdf.SetAutoPageBreak(false, 0)
	// Deflating would halve a document and double the time.
	pdf.SetCompression(false)
	// Without it gofpdf writes fonts in the random order of its maps.
	pdf.SetCatalogSort(true)
	s := &sheet{pdf: pdf, fonts: f, cuts: [weights]*cut{newCut(f.faces[regular]), newCut(f.faces[bold])}, names: placeholders}
	s.codes = func(st style, text string) string { return s.cuts[st.weight].encode(text) }
	return s
}

// addPage begins a new page after the last one.
func (s *sheet) addPage() {
	s.pdf.AddPage()
	s.forget()
}

// turnTo goes to a page that exists already. Nothing can be drawn on a page after the document was written.
func (s *sheet) turnTo(page int) {
	s.pdf.SetPage(page)
	s.forget()
}

// forget makes the next text set its font and colour again.
func (s *sheet) forget() { s.font, s.size, s.grey = "", 0, -1 }

// text prints a line of clean text whose base line begins at x, y.
func (s *sheet) text(x, y float64, st style, text string) {
	if st.grey != s.grey {
		s.pdf.SetTextColor(st.grey, st.grey, st.grey)
		s.grey = st.grey
	}
	s.boxed = s.boxed || strings.ContainsRune(text, box)
	s.use(st)
	s.pdf.Text(x, y, s.codes(st, visual(text)))
}

// textTo prints a line of clean text whose base line ends at x, y.
func (s *sheet) textTo(x, y float64, st style, text string) {
	s.text(x-st.millimetres(s.fonts.width(text, st.weight)), y, st, text)
}

// use makes a font the current one, which enters the document when it is first used.
func (s *sheet) use(st style) {
	name := s.names[st.weight]
	if name == s.font && st.size == s.size {
		return
	}
	// To gofpdf it is one of the fonts that every reader has, of which it knows nothing else: the cut takes its place.
	s.pdf.AddFontFromBytes(name, "", definitions[st.weight], nil)
	s.pdf.SetFont(name, "", st.size)
	s.font, s.size = name, st.size
}

// output returns what gofpdf has drawn, and the fonts that are to be embedded in it.
func (s *sheet) output() ([]byte, []pdfa.Font, error) {
	var out bytes.Buffer
	out.Grow(1 << 14)
	if err := s.pdf.Output(&out); err != nil {
		return nil, nil, err
	}
	var fonts []pdfa.Font
	for w, c := range s.cuts {
		if len(c.used) > 1 {
			fonts = append(fonts, c.font(placeholders[w]))
		}
	}
	return out.Bytes(), fonts, nil
}

// wrap cleans a text and breaks it into lines of at most a width.
func (s *sheet) wrap(text string, st style, width float64) []string {
	return s.fonts.wrap(s.fonts.clean(text), st.weight, int(width/dot/st.size*1000))
}

// rule draws a horizontal line to the right margin.
func (s *sheet) rule(from, y, thickness float64, grey int) {
	s.pdf.SetDrawColor(grey, grey, grey)
	s.pdf.SetLineWidth(thickness)
	s.pdf.Line(from, y, right, y)
}

// band fills a rectangle.
func (s *sheet) band(from, to, y, height float64, grey int) {
	s.pdf.SetFillColor(grey, grey, grey)
	s.pdf.Rect(from, y, to-from, height, "F")
}

// millimetres converts a width from thousandths of the font size.
func (st style) millimetres(thousandths int) float64 {
	return float64(thousandths) * st.size / 1000 * dot
}

// leading is the distance between two lines.
func (st style) leading() float64 { return st.size * 1.36 * dot }
