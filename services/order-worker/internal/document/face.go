package document

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
)

// face is a font. Its glyphs are those of characters, or those of a shaper.
type face struct {
	description
	shaper *shaper   // or nil
	tables [3][]byte // of a font of all glyphs: head, hhea, maxp
	glyphs []glyph
	index  map[rune]int // of a character's glyph
	// early is a table for of. It covers the first characters of Unicode up to Arabic, which most
	// texts use.
	early [0x700]int
}

// description is the metrics of a face for the PDF, in thousandths of the font size, and three
// tables in hex.
type description struct {
	Name      string `json:"name"`
	Ascent    int    `json:"ascent"`
	Descent   int    `json:"descent"`
	CapHeight int    `json:"cap_height"`
	Stem      int    `json:"stem"`
	Box       [4]int `json:"box"`
	Head      string `json:"head"`
	Hhea      string `json:"hhea"`
	Maxp      string `json:"maxp"`
}

// glyph is the glyph of a character. Character 0 has the glyph for missing characters. Glyphs of a
// shaper have no character.
type glyph struct {
	char    rune
	advance int // to the next character, in thousandths of the font size
	bearing int
	outline []byte
}

// unpack decompresses a file of cut.py.
func unpack(packed []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// readFace reads a file of cut.py that has the glyphs of characters.
func readFace(packed []byte) (*face, error) {
	data, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	line, data, _ := bytes.Cut(data, []byte("\n"))
	f := &face{index: make(map[rune]int)}
	if err := json.Unmarshal(line, &f.description); err != nil {
		return nil, err
	}
	for i, table := range []string{f.Head, f.Hhea, f.Maxp} {
		if f.tables[i], err = hex.DecodeString(table); err != nil {
			return nil, err
		}
	}
	return f, f.readGlyphs(data)
}

func (f *face) readGlyphs(data []byte) error {
	const row = 8
	number := func(at int) int { return int(binary.BigEndian.Uint16(data[at:])) }
	if len(data) < 2 || len(data) < 2+row*number(0) {
		return errors.New("cut short")
	}
	at := 2 + row*number(0)
	for i := range number(0) {
		r := 2 + row*i
		end := at + number(r+6)
		if end > len(data) {
			return errors.New("cut short")
		}
		g := glyph{rune(number(r)), number(r + 2), int(int16(number(r + 4))), data[at:end]}
		f.index[g.char] = len(f.glyphs)
		f.glyphs, at = append(f.glyphs, g), end
	}
	// A no-break space has the glyph of a space.
	f.index[noBreak] = f.index[' ']
	for r := range f.early {
		f.early[r] = f.find(rune(r))
	}
	return nil
}

func (f *face) has(r rune) bool {
	if f.shaper != nil {
		return f.shaper.has(r)
	}
	_, known := f.index[r]
	return known
}

// of returns the index of the glyph of a character. A missing character has the box.
func (f *face) of(r rune) int {
	if r < rune(len(f.early)) {
		return f.early[r]
	}
	return f.find(r)
}

func (f *face) find(r rune) int {
	if i, known := f.index[r]; known {
		return i
	}
	return f.index[box]
}

// advance returns the width of a character.
func (f *face) advance(r rune) int { return f.glyphs[f.of(r)].advance }
