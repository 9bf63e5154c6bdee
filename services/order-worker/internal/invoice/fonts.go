package invoice

import (
	"bytes"
	"compress/zlib"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fontFiles are what cut.py wrote: see there for what is in them.
//
//go:embed font/*.z
var fontFiles embed.FS

// weight is how bold a text is: an index into all that differs between the two faces.
type weight int

const (
	regular weight = iota
	bold
	weights
)

const (
	box     = '□'      // printed for what the faces lack
	noBreak = '\u00a0' // a space that holds two words together
)

// fonts are the two faces, which have the same characters. They are read only, and so may be shared.
type fonts struct {
	faces  [weights]*face
	shapes *shapes
}

// face is a typeface in one weight.
type face struct {
	face   description
	tables [3][]byte // of a font of all glyphs: head, hhea, maxp
	glyphs []glyph
	index  map[rune]int // of a character's glyph
	// early has what index has for the characters that most texts are of: Latin, Greek, Cyrillic, Hebrew, Arabic.
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

// loadFonts reads the faces once, for all documents.
func loadFonts() (*fonts, error) {
	f := &fonts{shapes: newShapes()}
	for w, name := range []string{"regular", "bold"} {
		data, err := fontFiles.ReadFile("font/" + name + ".z")
		if err != nil {
			return nil, err
		}
		if f.faces[w], err = readFace(data); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return f, nil
}

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
	if err := json.Unmarshal(line, &f.face); err != nil {
		return nil, err
	}
	for i, table := range []string{f.face.Head, f.face.Hhea, f.face.Maxp} {
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

// clean makes a text printable: composed, on one line, and with a box for each character that the faces lack. Cleaning
// twice changes nothing.
func (f *fonts) clean(text string) string {
	if plainASCII(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		if r != noBreak && unicode.IsSpace(r) {
			return ' '
		}
		if _, known := f.faces[regular].index[r]; !known || r == 0 {
			return box
		}
		return r
	}, f.shapes.shape(norm.NFC.String(text)))
}

// plainASCII reports whether a text is clean, as most texts are.
func plainASCII(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// invisible reports whether a character only guides how others look or break, so that leaving it out loses nothing: the
// joiners and variation selectors of an emoji are no boxes of their own.
func invisible(r rune) bool {
	return r > unicode.MaxASCII &&
		unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// width is how wide a text is, in thousandths of the font size.
func (f *fonts) width(text string, w weight) int {
	sum := 0
	for _, r := range text {
		sum += f.faces[w].advance(r)
	}
	return sum
}

// advance is how wide a character is.
func (f *face) advance(r rune) int { return f.glyphs[f.of(r)].advance }

// wrap breaks a text into lines of at most so many thousandths of the font size: between words, and inside a word only
// where it is wider than a line. There is always a line.
func (f *fonts) wrap(text string, w weight, limit int) []string {
	var lines []string
	line, used := "", 0
	space := f.faces[w].advance(' ')
	for word := range strings.SplitSeq(text, " ") {
		width := f.width(word, w)
		if line != "" && used+space+width <= limit {
			line, used = line+" "+word, used+space+width
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for width > limit {
			head := f.fitting(word, w, limit)
			lines, word = append(lines, head), word[len(head):]
			width = f.width(word, w)
		}
		line, used = word, width
	}
	return append(lines, line)
}

// fitting is the longest beginning of a word that fits, and at least one character.
func (f *fonts) fitting(word string, w weight, limit int) string {
	_, first := utf8.DecodeRuneInString(word)
	sum := 0
	for i, r := range word {
		sum += f.faces[w].advance(r)
		if sum > limit && i >= first {
			return word[:i]
		}
	}
	return word
}
