package document

import (
	"encoding/binary"
	"hash/fnv"

	"example.com/orders/shared/pdfa"
)

// subset is the part of a face that one document uses. encode adds the glyphs of a text, and font
// makes a font of them. So the size of a document depends on its text, not on the size of the face.
type subset struct {
	face  *face
	codes []uint16 // by index in the face; 0 for what is not used
	used  []int    // indexes in the face, by code

	// Of a face with a shaper a glyph has a code for each text that it has had.
	spelled map[spelling]uint16
	texts   []string // by code

	tables [tables][]byte // of the font, reused
	file   []byte         // the font, reused
}

type spelling struct {
	glyph int
	text  string
}

// newSubset returns a subset that is reset.
func newSubset(f *face) *subset {
	c := &subset{face: f, used: make([]int, 0, 96)}
	if f.shaper != nil {
		c.spelled = make(map[spelling]uint16)
	} else {
		c.codes = make([]uint16, len(f.glyphs))
	}
	c.reset()
	return c
}

// reset leaves the glyph for missing characters only, which is the first of every font.
func (c *subset) reset() {
	for _, i := range c.used {
		if c.codes != nil {
			c.codes[i] = 0
		}
	}
	c.used = append(c.used[:0], 0)
	if c.spelled != nil {
		clear(c.spelled)
		c.texts = append(c.texts[:0], "")
	}
}

// encode appends a text as codes of the subset, two bytes each, escaped as in a PDF string (ISO
// 32000-1, 7.3.4.2).
func (c *subset) encode(out []byte, text string) []byte {
	for _, r := range text {
		i := c.face.of(r)
		if c.codes[i] == 0 {
			c.codes[i] = uint16(len(c.used))
			c.used = append(c.used, i)
		}
		out = appendCode(out, c.codes[i])
	}
	return out
}

// appendCode appends a code as two bytes of a PDF string.
func appendCode(out []byte, code uint16) []byte {
	for _, half := range [2]byte{byte(code >> 8), byte(code)} {
		switch half {
		case '(', ')', '\\':
			out = append(out, '\\', half)
		case '\r': // PDF reads a bare \r as \n
			out = append(out, `\r`...)
		default:
			out = append(out, half)
		}
	}
	return out
}

// code returns the code of a shaped glyph.
func (c *subset) code(glyph int, text string) uint16 {
	s := spelling{glyph, text}
	if code, known := c.spelled[s]; known {
		return code
	}
	code := uint16(len(c.used))
	c.spelled[s], c.used, c.texts = code, append(c.used, glyph), append(c.texts, text)
	return code
}

// textOf returns what to search and copy for a code.
func (c *subset) textOf(code int) string {
	if c.texts != nil {
		return c.texts[code]
	}
	return string(c.face.glyphs[c.used[code]].char)
}

// font returns the subset as a font to embed.
func (c *subset) font(w weight) pdfa.Font {
	d := c.face.description
	f := pdfa.Font{
		Resource: w.resource(),
		Ascent:   d.Ascent, Descent: d.Descent, CapHeight: d.CapHeight, Stem: d.Stem, Box: d.Box,
		Widths: make([]int, len(c.used)), Texts: make([]string, len(c.used)),
	}
	sum := fnv.New64a()
	for code, i := range c.used {
		g := c.face.glyphs[i]
		f.Widths[code], f.Texts[code] = g.advance, c.textOf(code)
		sum.Write([]byte(f.Texts[code]))
		sum.Write([]byte{byte(i >> 8), byte(i)})
	}
	// The name of a subset begins with six letters (ISO 32000-1, 9.6.4). They must differ between
	// subsets: some viewers identify fonts by name.
	letters := sum.Sum64()
	for range 6 {
		f.Name += string(rune('A' + letters%26))
		letters /= 26
	}
	f.Name += "+" + d.Name
	f.Program = c.program()
	return f
}

// The tables of a TrueType font that a PDF requires (ISO 32000-1, 9.9), and two more, in the order
// of their names.
const (
	cmap = iota
	glyf
	head
	hhea
	hmtx
	loca
	maxp
	post
	tables
)

const tableNames = "cmapglyfheadhheahmtxlocamaxppost"

// Tables that PDF does not require but some font readers do: a cmap without characters, in format
// 4, and a post without names.
const (
	noCharacters = "\x00\x00\x00\x01\x00\x03\x00\x01\x00\x00\x00\x0c" +
		"\x00\x04\x00\x18\x00\x00\x00\x02\x00\x02\x00\x00\x00\x00\xff\xff\x00\x00\xff\xff\x00\x01\x00\x00"
	noNames  = "\x00\x03\x00\x00" + fourteen + fourteen
	fourteen = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
)

// program returns the font file. It is valid until the subset is used again.
func (c *subset) program() []byte {
	t := &c.tables
	t[cmap], t[post] = append(t[cmap][:0], noCharacters...), append(t[post][:0], noNames...)
	c.headers()
	t[loca], t[hmtx], t[glyf] = t[loca][:0], t[hmtx][:0], t[glyf][:0]
	for _, i := range c.used {
		g := c.face.glyphs[i]
		t[loca] = binary.BigEndian.AppendUint32(t[loca], uint32(len(t[glyf])))
		t[hmtx] = binary.BigEndian.AppendUint16(t[hmtx], uint16(g.advance))
		t[hmtx] = binary.BigEndian.AppendUint16(t[hmtx], uint16(g.bearing))
		t[glyf] = append(t[glyf], g.outline...)
	}
	t[loca] = binary.BigEndian.AppendUint32(t[loca], uint32(len(t[glyf])))
	return c.assemble()
}

// headers writes three tables of the face, changed to the number of glyphs of the subset, an advance
// for each glyph, and a loca table with entries of four bytes.
func (c *subset) headers() {
	t := &c.tables
	for i, table := range [3]int{head, hhea, maxp} {
		t[table] = append(t[table][:0], c.face.tables[i]...)
	}
	binary.BigEndian.PutUint32(t[head][8:], 0) // checkSumAdjustment: assemble sets it
	binary.BigEndian.PutUint16(t[head][50:], 1)
	binary.BigEndian.PutUint16(t[hhea][34:], uint16(len(c.used)))
	binary.BigEndian.PutUint16(t[maxp][4:], uint16(len(c.used)))
}

// assemble writes the tables to one file, behind a directory.
func (c *subset) assemble() []byte {
	const headAt = 12 + 16*tables
	// Version, number of tables, and three numbers for a binary search of the directory.
	out := append(c.file[:0], "\x00\x01\x00\x00\x00\x08\x00\x80\x00\x03\x00\x00"...)
	out = append(out, make([]byte, headAt-len(out))...)
	adjustment := 0
	for i, table := range c.tables {
		if i == head {
			adjustment = len(out) + 8
		}
		row := out[12+16*i:]
		copy(row, tableNames[4*i:4*i+4])
		binary.BigEndian.PutUint32(row[8:], uint32(len(out)))
		binary.BigEndian.PutUint32(row[12:], uint32(len(table)))
		begin := len(out)
		out = append(out, table...)
		out = append(out, "\x00\x00\x00"[:(4-len(out)%4)%4]...)
		binary.BigEndian.PutUint32(out[12+16*i+4:], checksum(out[begin:]))
	}
	binary.BigEndian.PutUint32(out[adjustment:], 0xB1B0AFBA-checksum(out))
	c.file = out
	return out
}

// checksum is the TrueType checksum. The length of data must be a multiple of four.
func checksum(data []byte) uint32 {
	var sum uint32
	for ; len(data) >= 4; data = data[4:] {
		sum += binary.BigEndian.Uint32(data)
	}
	return sum
}
