package document

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/jung-kurt/gofpdf"

	"example.com/orders/shared/pdfa"
)

// sheet is a document while it is drawn: it puts text in the subset fonts where it is told, in millimetres from the top left
// corner of the page. Of gofpdf it uses what makes a document of pages and fonts. The content of a page it writes itself: to
// format each of its numbers and colours by package fmt takes gofpdf longer than all the rest of an invoice.
type sheet struct {
	pdf     *gofpdf.Fpdf
	fonts   *fonts
	subsets [faces]*subset                            // nil until they are used
	put     func(x, y float64, st style, text string) // how a text comes to its place
	// content is what gofpdf does not have yet of the current page. What it has set since the page was turned to:
	content   []byte
	font      weight
	ink       colour
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
	// A box is drawn where it is told to be, even at the footer of a page.
	pdf.SetAutoPageBreak(false, 0)
	// Deflating would halve a document and double the time.
	pdf.SetCompression(false)
	// Without it gofpdf writes fonts in the random order of its maps.
	pdf.SetCatalogSort(true)
	s := &sheet{pdf: pdf, fonts: f, accent: own}
	s.put = s.write
	return s
}

// subset is the subset of a face.
func (s *sheet) subset(w weight) *subset {
	if s.subsets[w] == nil {
		s.subsets[w] = newSubset(s.fonts.face(w))
	}
	return s.subsets[w]
}

// addPage begins a new page after the last one.
func (s *sheet) addPage() {
	s.flush()
	s.pdf.AddPage()
	s.resetState()
}

// turnTo goes to a page that exists already. Nothing can be drawn on a page after the document was written.
func (s *sheet) turnTo(page int) {
	s.flush()
	s.pdf.SetPage(page)
	s.resetState()
}

// flush hands gofpdf what was written.
func (s *sheet) flush() {
	if len(s.content) > 0 {
		s.pdf.RawWriteStr(string(s.content))
		s.content = s.content[:0]
	}
}

// resetState makes what is drawn next set its font and colour again.
func (s *sheet) resetState() { s.font, s.ink, s.stroke = faces, unset, unset }

// text prints a line of clean text whose base line begins at x, y.
func (s *sheet) text(x, y float64, st style, text string) {
	if plainASCII(text) {
		s.put(x, y, st, text)
		return
	}
	s.boxed = s.boxed || strings.ContainsRune(text, box)
	for w, run := range s.fonts.runs(visual(text), st.weight) {
		s.put(x, y, style{w, st.size, st.ink}, run)
		x += st.millimetres(s.fonts.width(run, st.weight))
	}
}

// textTo prints a line of clean text whose base line ends at x, y.
func (s *sheet) textTo(x, y float64, st style, text string) {
	s.text(x-st.millimetres(s.fonts.width(text, st.weight)), y, st, text)
}

// write puts a text at x, y, from left to right, all in one face.
func (s *sheet) write(x, y float64, st style, text string) {
	s.use(st.weight)
	s.fill(st.ink)
	s.content = append(s.content, "BT "...)
	s.op("Tm", st.size, 0, 0, st.size, x/dot, (a4-y)/dot)
	s.content = s.subset(st.weight).encode(append(s.content, '('), text)
	s.content = append(s.content, ") Tj ET\n"...)
}

// use makes a font the current one, one point high. It enters the document when it is first used.
func (s *sheet) use(w weight) {
	if w == s.font {
		return
	}
	s.flush()
	// To gofpdf it is one of the fonts that every reader has, of which it knows nothing else: the subset takes its place.
	s.pdf.AddFontFromBytes(placeholders[w], "", definitions[w], nil)
	s.pdf.SetFont(placeholders[w], "", 1)
	s.font = w
}

// fill makes a colour that of texts and areas.
func (s *sheet) fill(c colour) {
	if c != s.ink {
		s.colour("rg", c)
		s.ink = c
	}
}

// rule draws a horizontal line to the right margin.
func (s *sheet) rule(from, y, thickness float64, ink colour) {
	if ink != s.stroke || thickness != s.thickness {
		s.colour("RG", ink)
		s.op("w", thickness/dot)
		s.stroke, s.thickness = ink, thickness
	}
	s.op("m", from/dot, (a4-y)/dot)
	s.op("l S", right/dot, (a4-y)/dot)
}

// band fills a rectangle that ends at the right margin.
func (s *sheet) band(from, y, height float64, ink colour) {
	s.fill(ink)
	s.op("re f", from/dot, (a4-y)/dot, (right-from)/dot, -height/dot)
}

// colour writes an operator that takes a colour.
func (s *sheet) colour(name string, c colour) {
	red, green, blue := c.rgb(s.accent)
	s.op(name, float64(red)/255, float64(green)/255, float64(blue)/255)
}

// op writes an operator of PDF (ISO 32000-1, annex A) behind the numbers that it takes, in thousandths.
func (s *sheet) op(name string, numbers ...float64) {
	for _, n := range numbers {
		thousandths := int64(math.Round(n * 1000))
		if thousandths < 0 {
			s.content, thousandths = append(s.content, '-'), -thousandths
		}
		s.content = strconv.AppendInt(s.content, thousandths/1000, 10)
		if rest := thousandths % 1000; rest != 0 {
			s.content = append(s.content, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
		}
		s.content = append(s.content, ' ')
	}
	s.content = append(append(s.content, name...), '\n')
}

// output returns what gofpdf has drawn, and the fonts that are to be embedded in it.
func (s *sheet) output() ([]byte, []pdfa.Font, error) {
	s.flush()
	var out bytes.Buffer
	if err := s.pdf.Output(&out); err != nil {
		return nil, nil, err
	}
	var fonts []pdfa.Font
	for w, c := range s.subsets {
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

// millimetres converts a width from thousandths of the font size.
func (st style) millimetres(thousandths int) float64 {
	return float64(thousandths) * st.size / 1000 * dot
}

// leading is the distance between two lines.
func (st style) leading() float64 { return st.size * 1.36 * dot }
