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

// face is a typeface in one weight.
type face struct {
	description
	tables [3][]byte // of a font of all glyphs: head, hhea, maxp
	glyphs []glyph
	index  map[rune]int // of a character's glyph
	// early has what of finds for the first characters of Unicode, in which most texts are: up to Cyrillic, Hebrew, Arabic.
	early [0x700]int
}

// description is what a PDF says about a face, in thousandths of the font size, and three tables in hex.
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

// glyph is one character, or for character 0 what is shown where a reader lacks one.
type glyph struct {
	char    rune
	advance int // to the next character, in thousandths of the font size
	bearing int
	outline []byte
}

// readFace textOf what cut.py wrote: see there for what is in it.
func readFace(packed []byte) (*face, error) {
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(z)
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
	// It looks like a space: only wrap tells them apart.
	f.index[noBreak] = f.index[' ']
	for r := range f.early {
		f.early[r] = f.find(rune(r))
	}
	return nil
}

// has reports whether a character can be printed.
func (f *face) has(r rune) bool {
	_, known := f.index[r]
	return known
}

// of is the index of the glyph that a character is printed with: a box if there is none.
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

// advance is how wide a character is.
func (f *face) advance(r rune) int { return f.glyphs[f.of(r)].advance }
