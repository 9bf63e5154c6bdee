package pdfa

import (
	"fmt"
	"strconv"
	"unicode/utf16"
)

// Font is a TrueType subset that Seal embeds. Text in it is written as codes of two bytes, the numbers
// of its glyphs.
type Font struct {
	Resource  string // its name in the content of the pages
	Name      string // unique in the document
	Ascent    int    // this and all measures below in thousandths of the font size
	Descent   int
	CapHeight int
	Stem      int
	Box       [4]int
	Widths    []int    // by code
	Texts     []string // by code: the text to search and copy; empty for code 0, which is not used, and for parts of a letter
	Program   []byte   // the font file
}

// resources writes the resources of all pages: the fonts.
func (w *writer) resources(fonts []Font) {
	w.offsets[resourcesObject-1] = len(w.out)
	w.out = append(w.out, "2 0 obj\n<< /Font <<"...)
	for i, f := range fonts {
		w.out = fmt.Appendf(w.out, " /%s %d 0 R", f.Resource, len(w.offsets)+1+i*fontObjects)
	}
	w.out = append(w.out, " >> >>\nendobj\n"...)
}

// fontObjects is how many objects a font has.
const fontObjects = 5

// embed writes the objects of a font.
func (w *writer) embed(f Font) {
	program := w.program(f)
	next := len(w.offsets) + 2
	w.object("<< /Type /Font /Subtype /Type0 /BaseFont /%s /Encoding /Identity-H /DescendantFonts [%d 0 R] /ToUnicode %d 0 R >>", f.Name, next, next+1)
	w.object("<< /Type /Font /Subtype /CIDFontType2 /BaseFont /%s /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"+
		" /CIDToGIDMap /Identity /FontDescriptor %d 0 R /W [0 %s] >>", f.Name, next+2, numbers(f.Widths))
	w.stream("", f.unicode())
	w.object("<< /Type /FontDescriptor /FontName /%s /Flags 4 /FontBBox %s /ItalicAngle 0 /Ascent %d /Descent %d /CapHeight %d"+
		" /StemV %d /FontFile2 %d 0 R >>", f.Name, numbers(f.Box[:]), f.Ascent, f.Descent, f.CapHeight, f.Stem, next+3)
	w.stream(program.filter+" /Length1 "+strconv.Itoa(len(f.Program)), program.data)
}

// stream is data as it is stored, and its filter.
type stream struct {
	filter string
	data   []byte
}

// large is the size above which a font, and the content of all pages, are compressed. Without that, a document whose
// texts have thousands of ideographs, or marks on each letter of 200 lines, would not fit into a record. Compressing
// takes longer than drawing.
const large = 256 << 10

func (s *Sealer) program(f Font) stream {
	if len(f.Program) < large {
		return stream{"", f.Program}
	}
	return stream{" /Filter /FlateDecode", s.pack(f.Program)}
}

// The frame of a ToUnicode CMap, which maps codes to text (ISO 32000-1, 9.10.3).
const (
	mapBegin = "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n" +
		"/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n" +
		"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
	mapEnd     = "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
	mapSection = 100 // maximum number of rows in a section
)

// unicode returns the ToUnicode CMap.
func (f Font) unicode() []byte {
	out := make([]byte, 0, len(mapBegin)+len(mapEnd)+40+15*len(f.Texts))
	out = append(out, mapBegin...)
	left := len(f.Texts) - 1
	row := 0 // of the section
	for code, text := range f.Texts {
		if code == 0 {
			continue
		}
		if row == 0 {
			out = append(strconv.AppendInt(out, int64(min(left, mapSection)), 10), " beginbfchar\n"...)
		}
		out = append(hex(append(out, '<'), uint16(code)), "> <"...)
		for _, unit := range utf16.Encode([]rune(text)) {
			out = hex(out, unit)
		}
		out = append(out, ">\n"...)
		left, row = left-1, row+1
		if row == mapSection || left == 0 {
			out, row = append(out, "endbfchar\n"...), 0
		}
	}
	return append(out, mapEnd...)
}

// hex appends four digits.
func hex(out []byte, unit uint16) []byte {
	const digits = "0123456789ABCDEF"
	return append(out, digits[unit>>12], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
}
