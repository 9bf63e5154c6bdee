package invoice

import (
	"embed"
	"encoding/json"
	"fmt"
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fontFiles are what cut.py wrote: see there for what a page is.
//
//go:embed font/pages.txt font/*.json font/*.z
var fontFiles embed.FS

// weight is how bold a text is: an index into all that differs between the two faces.
type weight int

const (
	regular weight = iota
	bold
	weights
)

const (
	box       = '□'         // printed for what no page has; code 127 of every page
	noBreak   = '\u00a0'    // a space that holds two words together
	unnamed   = "ȚțǸǹẞЍѝЀѐ" // the characters that go by a borrowed name in the cuts: see cut.py
	maxPages  = 16
	upperHalf = 128 // where the characters that differ between pages begin
)

// fonts are the cut fonts. They are read only, and so may be shared.
type fonts struct {
	pages  [][weights]font
	glyphs map[rune]glyph
}

// font is one cut: a page in one weight.
type font struct {
	name       string // as gofpdf knows it
	definition []byte // what gofpdf reads: metrics and glyph names
	data       []byte // the font itself, deflated
	widths     []int  // by code, in thousandths of the font size
}

// glyph is one character: in which pages it is (bit p is page p), under which code in each, and how wide.
type glyph struct {
	pages uint16
	code  [maxPages]byte
	width [weights]int
}

// run is a stretch of text that one page covers.
type run struct {
	page  int
	text  string
	codes string
	width int // in thousandths of the font size
}

// loadFonts reads the cut fonts once, for all documents.
func loadFonts() (*fonts, error) {
	table, err := fontFiles.ReadFile("font/pages.txt")
	if err != nil {
		return nil, err
	}
	f := &fonts{glyphs: make(map[rune]glyph)}
	for line := range strings.Lines(string(table)) {
		name, upper, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if len(f.pages) == maxPages {
			return nil, fmt.Errorf("more than %d pages", maxPages)
		}
		if err := f.addPage(name, []rune(upper)); err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
	}
	// No page has it, because it looks like a space: only wrap tells them apart.
	f.glyphs[noBreak] = f.glyphs[' ']
	return f, nil
}

// addPage adds a page in both weights. Upper are its characters from code 128 on, a space where it has none.
func (f *fonts) addPage(name string, upper []rune) error {
	var faces [weights]font
	for w, suffix := range []string{"-regular", "-bold"} {
		var err error
		if faces[w], err = readFont(name + suffix); err != nil {
			return err
		}
	}
	p := len(f.pages)
	f.pages = append(f.pages, faces)
	add := func(r rune, code byte) {
		g := f.glyphs[r]
		g.pages |= 1 << p
		g.code[p] = code
		g.width = [weights]int{faces[regular].widths[code], faces[bold].widths[code]}
		f.glyphs[r] = g
	}
	for r := ' '; r <= '~'; r++ {
		add(r, byte(r))
	}
	add(box, '~'+1)
	for i, r := range upper {
		if r != ' ' {
			add(r, byte(upperHalf+i))
		}
	}
	return nil
}

// readFont reads one cut. Its metrics are read here as well, because gofpdf tells widths only of the font that it uses
// at the moment.
func readFont(name string) (font, error) {
	definition, err := fontFiles.ReadFile("font/" + name + ".json")
	if err != nil {
		return font{}, err
	}
	data, err := fontFiles.ReadFile("font/" + name + ".z")
	if err != nil {
		return font{}, err
	}
	var metrics struct{ Cw []int }
	if err := json.Unmarshal(definition, &metrics); err != nil {
		return font{}, err
	}
	if len(metrics.Cw) != 256 {
		return font{}, fmt.Errorf("%s.json has %d widths, want 256", name, len(metrics.Cw))
	}
	return font{name, definition, data, metrics.Cw}, nil
}

// clean makes a text printable: composed, on one line, and with a box for each character that no page has. Cleaning
// twice changes nothing.
func (f *fonts) clean(text string) string {
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		if r != noBreak && unicode.IsSpace(r) {
			return ' '
		}
		if _, known := f.glyphs[r]; !known {
			return box
		}
		return r
	}, norm.NFC.String(text))
}

// glyph is how a character is printed: a box if no page has it.
func (f *fonts) glyph(r rune) glyph {
	if g, known := f.glyphs[r]; known {
		return g
	}
	return f.glyphs[box]
}

// invisible reports whether a character only guides how others look or break, so that leaving it out loses nothing: the
// joiners and variation selectors of an emoji are no boxes of their own.
func invisible(r rune) bool {
	return r > unicode.MaxASCII &&
		unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) &&
		!unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// runs splits a text into as few runs as there can be: each goes as far as any page covers it. Where several do, the
// first in pages.txt is taken, so that plain English stays in one font.
func (f *fonts) runs(text string, w weight) []run {
	var runs []run
	for text != "" {
		shared, end, width := ^uint16(0), len(text), 0
		for i, r := range text {
			g := f.glyph(r)
			if shared&g.pages == 0 {
				end = i
				break
			}
			shared &= g.pages
			width += g.width[w]
		}
		page := bits.TrailingZeros16(shared)
		runs = append(runs, run{page, text[:end], f.encode(text[:end], page), width})
		text = text[end:]
	}
	return runs
}

// encode is a text in the codes of a page that covers it.
func (f *fonts) encode(text string, page int) string {
	codes := make([]byte, 0, len(text))
	for _, r := range text {
		codes = append(codes, f.glyph(r).code[page])
	}
	return string(codes)
}

// width is how wide a text is, in thousandths of the font size. A character is as wide in all pages.
func (f *fonts) width(text string, w weight) int {
	sum := 0
	for _, r := range text {
		sum += f.glyph(r).width[w]
	}
	return sum
}

// wrap breaks a text into lines of at most so many thousandths of the font size: between words, and inside a word only
// where it is wider than a line. There is always a line.
func (f *fonts) wrap(text string, w weight, limit int) []string {
	var lines []string
	line, used := "", 0
	space := f.glyphs[' '].width[w]
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
		sum += f.glyph(r).width[w]
		if sum > limit && i >= first {
			return word[:i]
		}
	}
	return word
}
