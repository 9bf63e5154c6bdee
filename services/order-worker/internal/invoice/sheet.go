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
	cuts  [faces]*cut                     // nil until they are used
	names [faces]string                   // of the fonts, as gofpdf knows them
	codes func(st style, t string) string // how a text is written in them
	// What the content of the current page has set: gofpdf forgets neither, but each page's content starts anew.
	font string
	size float64
	ink  colour

	stroke    colour
	thickness float64
	// accent is the seller's colour.
	accent colour
	// boxed reports whether anything that was printed holds a box.
	boxed bool
}

// style is how a text looks.
type style struct {
	weight weight
	size   float64 // points
	ink    colour
}

// colour is red, green and blue, a byte each.
type colour int

// The colours of an invoice. Accent stands for the seller's own.
const (
	unset  colour = -2
	accent colour = -1
	white  colour = 0xFFFFFF
	black  colour = 0x1B2226
	grey   colour = 0x667077
	line   colour = 0xD5DADD
	shade  colour = 0xF2F5F5
)

// rgb are the parts of a colour, where accent is the one that is given.
func (c colour) rgb(own colour) (red, green, blue int) {
	if c == accent {
		c = own
	}
	return int(c >> 16 & 255), int(c >> 8 & 255), int(c & 255)
}

const (
	// dot is one point in millimetres.
	dot = 25.4 / 72
	a4  = 297.0
)

// The fonts as gofpdf knows them: see use.
var (
	placeholders = [faces]string{"regular", "bold", "eastern"}
	definitions  = [faces][]byte{
		[]byte(`{"Tp":"Core","Name":"regular"}`), []byte(`{"Tp":"Core","Name":"bold"}`), []byte(`{"Tp":"Core","Name":"eastern"}`),
	}
)

// newSheet returns a sheet without pages, for a seller with a colour of its own. Settings that gofpdf would take from its surroundings are made here.
func newSheet(f *fonts, own colour) *sheet {
	pdf := gofpdf.New("P", "mm", "A4", "")
	// A box is drawn where it is told to be, even at the foot of a page.
	pdf.SetAutoPageBreak(false, 0)
	// Deflating would halve a document and double the time.
	pdf.SetCompression(false)
	// Without it gofpdf writes fonts in the random order of its maps.
	pdf.SetCatalogSort(true)
	s := &sheet{pdf: pdf, fonts: f, names: placeholders, accent: own}
	s.codes = func(st style, text string) string { return s.cut(st.weight).encode(text) }
	return s
}

// cut is the cut of a face.
func (s *sheet) cut(w weight) *cut {
	if s.cuts[w] == nil {
		s.cuts[w] = newCut(s.fonts.face(w))
	}
	return s.cuts[w]
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

// forget makes what is drawn next set its font and colour again.
func (s *sheet) forget() { s.font, s.size, s.ink, s.stroke = "", 0, unset, unset }

// text prints a line of clean text whose base line begins at x, y.
func (s *sheet) text(x, y float64, st style, text string) {
	if st.ink != s.ink {
		// Both: where they differ, gofpdf sets the colour for each text and takes it back again.
		s.pdf.SetTextColor(st.ink.rgb(s.accent))
		s.pdf.SetFillColor(st.ink.rgb(s.accent))
		s.ink = st.ink
	}
	s.boxed = s.boxed || strings.ContainsRune(text, box)
	text = visual(text)
	if !strings.ContainsFunc(text, isEastern) {
		s.run(x, y, st, text)
		return
	}
	for w, run := range s.fonts.runs(text, st.weight) {
		s.run(x, y, style{w, st.size, st.ink}, run)
		x += st.millimetres(s.fonts.width(run, st.weight))
	}
}

// run prints a text that is all in one face.
func (s *sheet) run(x, y float64, st style, text string) {
	s.use(st)
	s.pdf.Text(x, y, s.codes(st, text))
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
		if c != nil && len(c.used) > 1 {
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
func (s *sheet) rule(from, y, thickness float64, ink colour) {
	if ink != s.stroke || thickness != s.thickness {
		s.pdf.SetDrawColor(ink.rgb(s.accent))
		s.pdf.SetLineWidth(thickness)
		s.stroke, s.thickness = ink, thickness
	}
	s.pdf.Line(from, y, right, y)
}

// band fills a rectangle that ends at the right margin.
func (s *sheet) band(from, y, height float64, ink colour) {
	s.pdf.SetFillColor(ink.rgb(s.accent))
	s.pdf.Rect(from, y, right-from, height, "F")
	s.ink = unset
}

// millimetres converts a width from thousandths of the font size.
func (st style) millimetres(thousandths int) float64 {
	return float64(thousandths) * st.size / 1000 * dot
}

// leading is the distance between two lines.
func (st style) leading() float64 { return st.size * 1.36 * dot }
