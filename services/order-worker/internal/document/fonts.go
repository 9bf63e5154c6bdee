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

// fontFiles are written by cut.py, which describes their format.
//
//go:embed font/*.z
var fontFiles embed.FS

// weight selects a face.
type weight int

const (
	regular weight = iota
	bold
	weights
	eastern = weights // East Asian characters, in texts of any weight
	faces   = eastern + 1
)

const (
	box     = '□'      // printed for characters that the faces lack
	noBreak = '\u00a0' // a space at which a line does not end
)

// fonts are the faces. Regular and bold have the same characters, eastern has others. They are
// read-only and shared by all documents.
type fonts struct {
	faces   [weights]*face
	eastern func() *face
	shapes  *shapes
}

// loadFonts reads regular and bold. The eastern face is twenty times as large and is read when a
// document first needs it.
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

// loadEastern panics if the embedded file is damaged. Render returns the panic as an error of each
// document that needs the face.
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

func (f *fonts) face(w weight) *face {
	if w == eastern {
		return f.eastern()
	}
	return f.faces[w]
}

// weightOf returns the weight in which a character of a text is printed.
func (f *fonts) weightOf(r rune, w weight) weight {
	if isEastern(r) && !f.faces[w].has(r) && f.eastern().has(r) {
		return eastern
	}
	return w
}

// isEastern reports whether a character is in the ranges of the eastern face: symbols, Chinese
// characters, kana, Hangul and full-width forms. Other characters do not cause the face to be read.
func isEastern(r rune) bool {
	return 0x2160 <= r && (r < 0x2670 || 0x3000 <= r && r < 0xA000 || 0xAC00 <= r && r < 0xD7B0 ||
		0xF900 <= r && r < 0xFB00 || 0xFE30 <= r && r < 0xFE70 || 0xFF00 <= r && r < 0xFFF0)
}

// clean makes a text printable: composed, on one line, with a box for each character that the faces
// lack. It is idempotent.
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

// plainASCII reports whether a text is printable ASCII, which is clean. Most texts are.
func plainASCII(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// invisible reports whether a character only controls the look or the breaks of others and can be
// left out. Joiners and variation selectors of an emoji become no boxes.
func invisible(r rune) bool {
	return r > unicode.MaxASCII &&
		unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// width returns the width of a text in thousandths of the font size.
func (f *fonts) width(text string, w weight) int {
	sum := 0
	for _, r := range text {
		sum += f.advance(r, w)
	}
	return sum
}

// advance returns the width of a character of a text.
func (f *fonts) advance(r rune, w weight) int {
	if !isEastern(r) {
		return f.faces[w].advance(r)
	}
	return f.face(f.weightOf(r, w)).advance(r)
}

// runs splits a text into parts that are printed in one weight each.
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
