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
	eastern = weights // East Asian characters, in texts of any weight; scripts.go has more of this kind
)

const (
	box     = '□'      // printed for characters that the faces lack
	noBreak = '\u00a0' // a space at which a line does not end
)

// fonts are the faces. Regular and bold have the same characters, the others have others. They are
// read-only and shared by all documents.
type fonts struct {
	faces [weights]*face
	more  [faces]func() *face // from eastern on: each is read when a document first needs it
}

// loadFonts reads regular and bold. The other faces are up to twenty times as large, and few
// documents need them.
func loadFonts() (*fonts, error) {
	f := &fonts{}
	for w, name := range [weights]string{"regular", "bold"} {
		var err error
		if f.faces[w], err = loadFace(name, readFace); err != nil {
			return nil, err
		}
	}
	f.more[eastern] = loadLater("eastern", readFace)
	for i, name := range scriptFiles {
		f.more[marked+weight(i)] = loadLater(name, func(packed []byte) (*face, error) { return readShaped(name, packed) })
	}
	return f, nil
}

// loadLater returns a function that reads a face once. It panics if the embedded file is damaged.
// Render returns the panic as an error of each document that needs the face.
func loadLater(name string, read func([]byte) (*face, error)) func() *face {
	return sync.OnceValue(func() *face {
		f, err := loadFace(name, read)
		if err != nil {
			panic(err)
		}
		return f
	})
}

func loadFace(name string, read func([]byte) (*face, error)) (*face, error) {
	data, err := fontFiles.ReadFile("font/" + name + ".z")
	if err != nil {
		return nil, err
	}
	f, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

func (f *fonts) face(w weight) *face {
	if w < weights {
		return f.faces[w]
	}
	return f.more[w]()
}

// weightOf returns the weight in which a character of a text is printed.
func (f *fonts) weightOf(r rune, w weight) weight {
	other := eastern
	if !isEastern(r) {
		other = scriptOf(r)
	}
	if other != regular && !f.faces[w].has(r) && f.face(other).has(r) {
		return other
	}
	return w
}

// isEastern reports whether a character is in the ranges of the eastern face: symbols, Chinese
// characters, kana, Hangul and full-width forms. Other characters do not cause the face to be read.
func isEastern(r rune) bool {
	return 0x2160 <= r && (r < 0x2670 || 0x3000 <= r && r < 0xA000 || 0xAC00 <= r && r < 0xD7B0 ||
		0xF900 <= r && r < 0xFB00 || 0xFE30 <= r && r < 0xFE70 || 0xFF00 <= r && r < 0xFFF0)
}

// maxMarks is how many marks a letter keeps. No orthography needs more, and each takes as much of a
// document as ten letters.
const maxMarks = 8

// clean makes a text printable: composed, on one line, with a box for each character that the faces
// lack. It is idempotent.
func (f *fonts) clean(text string) string {
	if plainASCII(text) {
		return text
	}
	before, marks := rune(0), 0
	return strings.Map(func(r rune) rune {
		if ' ' <= r && r <= '~' { // at once: most are
			before, marks = r, 0
			return r
		}
		joins := isJoiner(r) && scriptOf(before) != regular && !unicode.IsDigit(before)
		before = r
		if marks++; !unicode.Is(unicode.Mn, r) {
			marks = 0
		}
		switch {
		case marks > maxMarks:
			return -1
		case joins:
			return r
		case invisible(r):
			return -1
		case r != noBreak && unicode.IsSpace(r):
			return ' '
		case f.lacks(r):
			return box
		}
		return r
	}, norm.NFC.String(text))
}

func (f *fonts) lacks(r rune) bool { return r == 0 || !f.face(f.weightOf(r, regular)).has(r) }

// missing returns the characters of a text that clean replaces by boxes.
func (f *fonts) missing(text string) (chars []rune) {
	for _, r := range norm.NFC.String(text) {
		if !invisible(r) && !unicode.IsSpace(r) && f.lacks(r) {
			chars = append(chars, r)
		}
	}
	return chars
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
	sum, face := 0, f.faces[w]
	for _, r := range text {
		switch {
		case r < firstMark: // at once: most are
			sum += face.advance(r)
		case needsShaping(r):
			return f.shapedWidth(text, w)
		default:
			sum += f.advance(r, w)
		}
	}
	return sum
}

func (f *fonts) shapedWidth(text string, w weight) int {
	sum := 0
	for _, p := range f.parts(text, w) {
		sum += p.width
	}
	return sum
}

// advance returns the width of a character of a text that needs no shaping.
func (f *fonts) advance(r rune, w weight) int {
	if !isEastern(r) {
		return f.faces[w].advance(r)
	}
	return f.face(f.weightOf(r, w)).advance(r)
}

// runs splits a text that needs no shaping into parts that are printed in one face each.
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
