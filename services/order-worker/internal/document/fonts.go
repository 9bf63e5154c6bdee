package document

import (
	"embed"
	"fmt"
	"iter"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// fontFiles are what cut.py wrote: see there for what is in them.
//
//go:embed font/*.z
var fontFiles embed.FS

// weight is how bold a text is: an index into all that differs between faces.
type weight int

const (
	regular weight = iota
	bold
	weights
	eastern = weights // what only East Asia has, which is the same in texts of all weights
	faces   = eastern + 1
)

const (
	box     = '□'      // printed for what the faces lack
	noBreak = '\u00a0' // a space that holds two words together
)

// fonts are the faces. Regular and bold have the same characters, eastern has others. They are read only, and so may be
// shared.
type fonts struct {
	faces   [weights]*face
	eastern func() *face
	shapes  *shapes
}

// loadFonts textOf the faces once, for all documents. That of East Asia is twenty times as large as the others: it is read
// when a document first needs it.
func loadFonts() (*fonts, error) {
	f := &fonts{eastern: sync.OnceValue(loadEastern), shapes: newShapes()}
	for w, name := range [weights]string{"regular", "bold"} {
		var err error
		if f.faces[w], err = loadFace(name); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// loadEastern panics when the embedded file is damaged: render refuses each document that needs the face.
func loadEastern() *face {
	f, err := loadFace("eastern")
	if err != nil {
		panic(err)
	}
	return f
}

func loadFace(name string) (*face, error) {
	data, err := fontFiles.ReadFile("font/" + name + ".z")
	if err != nil {
		return nil, err
	}
	f, err := readFace(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// face is the face of a weight.
func (f *fonts) face(w weight) *face {
	if w == eastern {
		return f.eastern()
	}
	return f.faces[w]
}

// weightOf is the weight that a character is printed in within a text of a weight.
func (f *fonts) weightOf(r rune, w weight) weight {
	if isEastern(r) && !f.faces[w].has(r) && f.eastern().has(r) {
		return eastern
	}
	return w
}

// isEastern reports whether a character is in the ranges that the eastern face fills: symbols, Chinese characters, kana,
// Hangul and full-width forms. It keeps all other characters away from that face, so that they do not have it read.
func isEastern(r rune) bool {
	return 0x2160 <= r && (r < 0x2670 || 0x3000 <= r && r < 0xA000 || 0xAC00 <= r && r < 0xD7B0 ||
		0xF900 <= r && r < 0xFB00 || 0xFE30 <= r && r < 0xFE70 || 0xFF00 <= r && r < 0xFFF0)
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
		if r == 0 || !f.face(f.weightOf(r, regular)).has(r) {
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
		sum += f.advance(r, w)
	}
	return sum
}

// advance is how wide a character of a text is.
func (f *fonts) advance(r rune, w weight) int {
	if !isEastern(r) {
		return f.faces[w].advance(r)
	}
	return f.face(f.weightOf(r, w)).advance(r)
}

// runs are the parts of a text of a weight that are printed in one weight each.
func (f *fonts) runs(text string, w weight) iter.Seq2[weight, string] {
	return func(yield func(weight, string) bool) {
		begin, current := 0, w
		for i, r := range text {
			next := f.weightOf(r, w)
			if next == current {
				continue
			}
			if i > begin && !yield(current, text[begin:i]) {
				return
			}
			begin, current = i, next
		}
		yield(current, text[begin:])
	}
}
