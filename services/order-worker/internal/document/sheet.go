package document

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"example.com/orders/shared/pdfa"
)

// sheet draws text, lines and areas at positions in millimetres from the top left corner of the
// page. gofpdf writes the pages without their content, and pdfa the fonts. sheet writes the content
// of the pages itself, because gofpdf formats numbers and colours with package fmt, which takes longer
// than everything else.
type sheet struct {
	fonts   *fonts
	subsets [faces]*subset                            // nil until they are used
	put     func(x, y float64, st style, text string) // draws a text; benchmarks replace it
	accent  colour                                    // of the design
	boxed   bool                                      // a box was printed
	missing []rune                                    // for which boxes were printed
	element int                                       // of the texts that are drawn next, or artifact

	*buffers
	page    int    // number of the current page; 0 without pages
	content []byte // of the current page
	// The state of the current page.
	marked    int // element of what is drawn, artifact, or unmarked
	font      weight
	size      float64
	ink       colour
	stroke    colour
	thickness float64
}

// buffers grow to the size of a document. The next sheet uses those of one that is done.
type buffers struct {
	contents [][]byte // of the pages, but for the current one
	tags     pdfa.Tags
	spare    [faces]*subset // nil until a document has used the face
}

type style struct {
	weight weight
	size   float64 // points
	ink    colour
}

// colour is red, green and blue, one byte each.
type colour int

// The colours of a document. Accent is replaced by the colour of the design.
const (
	unset  colour = -2
	accent colour = -1
	white  colour = 0xFFFFFF
	black  colour = 0x1B2226
	grey   colour = 0x667077
	line   colour = 0xD5DADD
	shade  colour = 0xF2F5F5
)

// rgb returns the parts of a colour. own replaces accent.
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

// newSheet returns a sheet without pages. own is the colour of the design. Nothing else may use the
// buffers.
func newSheet(f *fonts, own colour, b *buffers) *sheet {
	b.contents = b.contents[:0]
	b.tags.Reset()
	s := &sheet{fonts: f, accent: own, element: artifact, marked: unmarked, buffers: b}
	s.put = s.write
	return s
}

func (s *sheet) subset(w weight) *subset {
	switch {
	case s.subsets[w] != nil:
	case s.spare[w] != nil:
		s.subsets[w] = s.spare[w]
		s.subsets[w].reset()
	default:
		s.subsets[w] = newSubset(s.fonts.face(w))
		s.spare[w] = s.subsets[w]
	}
	return s.subsets[w]
}

func (s *sheet) addPage() {
	s.leave()
	s.page = len(s.contents) + 1
	s.contents = slices.Grow(s.contents, 1)[:s.page]
	s.content = s.contents[s.page-1][:0]
	s.resetState()
}

// turnTo continues a page.
func (s *sheet) turnTo(page int) {
	if page != s.page {
		s.leave()
		s.page, s.content = page, s.contents[page-1]
		s.resetState()
	}
}

// leave keeps the content of the current page, if there is one.
func (s *sheet) leave() {
	s.unmark()
	if s.page > 0 {
		s.contents[s.page-1] = s.content
	}
}

// resetState forgets the current font and colours. Each page starts without them.
func (s *sheet) resetState() { s.font, s.ink, s.stroke = faces, unset, unset }

// text draws a line of clean text. Its baseline begins at x, y.
func (s *sheet) text(x, y float64, st style, text string) {
	if text == "" {
		return
	}
	if s.element != artifact && s.tags.Begun(s.element) {
		// Read aloud, the texts of an element are one text.
		x, text = x-st.millimetres(s.fonts.width(" ", st.weight)), " "+text
	}
	if !strings.ContainsFunc(text, func(r rune) bool { return r >= firstMark }) { // most are in one face
		s.put(x, y, st, text)
		return
	}
	s.boxed = s.boxed || strings.ContainsRune(text, box)
	if isComplex(text) {
		s.shaped(x, y, st, text)
		return
	}
	for w, run := range s.fonts.runs(text, st.weight) {
		s.put(x, y, style{w, st.size, st.ink}, run)
		x += st.millimetres(s.fonts.width(run, st.weight))
	}
}

// shaped draws a text of scripts that are shaped, with marks on its letters, or in both directions.
func (s *sheet) shaped(x, y float64, st style, text string) {
	for _, p := range s.fonts.parts(text, st.weight) {
		in := style{p.face, st.size, st.ink}
		if p.glyphs == nil {
			s.put(x, y, in, p.text)
		} else {
			s.place(x, y, in, p.glyphs)
		}
		x += st.millimetres(p.width)
	}
}

// textTo draws a line of clean text. Its baseline ends at x, y.
func (s *sheet) textTo(x, y float64, st style, text string) {
	s.text(x-st.millimetres(s.fonts.width(text, st.weight)), y, st, text)
}

// write writes the operators for a text in one face, from left to right.
func (s *sheet) write(x, y float64, st style, text string) {
	s.begin(x, y, st)
	s.content = s.subset(st.weight).encode(append(s.content, '('), text)
	s.content = append(s.content, ") Tj ET\n"...)
}

// place writes the operators for the glyphs of a face. Numbers between them move the next one to the
// left, in thousandths (ISO 32000-1, 9.4.3).
func (s *sheet) place(x, y float64, st style, glyphs []placed) {
	s.begin(x, y, st)
	c := s.subset(st.weight)
	s.content = append(s.content, '[')
	left, raised := 0, 0
	for _, g := range glyphs {
		if g.y != raised {
			s.content = append(s.content, "]TJ "...)
			s.op("Ts", float64(g.y)*st.size/1000)
			s.content, raised = append(s.content, '['), g.y
		}
		if left -= g.x; left != 0 {
			s.content = strconv.AppendInt(s.content, int64(left), 10)
		}
		s.content = append(appendCode(append(s.content, '('), c.code(g.glyph, g.text)), ')')
		left = g.x + c.face.glyphs[g.glyph].advance - g.advance
	}
	s.content = append(s.content, "]TJ "...)
	if raised != 0 {
		s.op("Ts", 0)
	}
	s.content = append(s.content, "ET\n"...)
}

// begin begins a text object (ISO 32000-1, 9.4).
func (s *sheet) begin(x, y float64, st style) {
	s.mark(s.element)
	if st.weight != s.font || st.size != s.size {
		s.content = append(append(append(s.content, '/'), st.weight.resource()...), ' ')
		s.op("Tf", st.size)
		s.font, s.size = st.weight, st.size
	}
	s.fill(st.ink)
	s.content = append(s.content, "BT "...)
	s.op("Td", x/dot, (a4-y)/dot)
}

// resource is the name of a face in the content of pages.
func (w weight) resource() string { return "F" + strconv.Itoa(int(w)) }

// fill sets the colour of texts and areas.
func (s *sheet) fill(c colour) {
	if c != s.ink {
		s.colour("rg", c)
		s.ink = c
	}
}

// rule draws a horizontal line to the right margin.
func (s *sheet) rule(from, y, thickness float64, ink colour) {
	s.mark(artifact)
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
	s.mark(artifact)
	s.fill(ink)
	s.op("re f", from/dot, (a4-y)/dot, (right-from)/dot, -height/dot)
}

// colour writes an operator that takes a colour.
func (s *sheet) colour(name string, c colour) {
	red, green, blue := c.rgb(s.accent)
	s.op(name, float64(red)/255, float64(green)/255, float64(blue)/255)
}

// op writes a PDF operator (ISO 32000-1, annex A) after its operands, which are rounded to
// thousandths.
func (s *sheet) op(name string, numbers ...float64) {
	out := s.content
	for _, n := range numbers {
		thousandths := int64(math.Round(n * 1000))
		if thousandths < 0 {
			out, thousandths = append(out, '-'), -thousandths
		}
		out = strconv.AppendInt(out, thousandths/1000, 10)
		if rest := thousandths % 1000; rest != 0 {
			out = append(out, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
		}
		out = append(out, ' ')
	}
	s.content = append(append(out, name...), '\n')
}

// output returns the content of all pages and the fonts.
func (s *sheet) output() ([][]byte, []pdfa.Font) {
	s.leave()
	var fonts []pdfa.Font
	for w, c := range s.subsets {
		if c != nil {
			fonts = append(fonts, c.font(weight(w)))
		}
	}
	return s.contents, fonts
}

// clean makes a text printable, and keeps which characters are missing.
func (s *sheet) clean(text string) string {
	cleaned := s.fonts.clean(text)
	if cleaned != text && strings.ContainsRune(cleaned, box) {
		s.missing = append(s.missing, s.fonts.missing(text)...)
	}
	return cleaned
}

// wrap cleans a text and breaks it into lines that are at most width wide.
func (s *sheet) wrap(text string, st style, width float64) []string {
	return s.fonts.wrap(s.clean(text), st.weight, int(width/dot/st.size*1000))
}

// millimetres converts a width from thousandths of the font size.
func (st style) millimetres(thousandths int) float64 {
	return float64(thousandths) * st.size / 1000 * dot
}

// leading is the distance between two lines.
func (st style) leading() float64 { return st.size * 1.36 * dot }
