package document

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// wrap breaks a text into lines of at most limit thousandths of the font size. Lines break between
// words, between East Asian characters, and inside a word only if it is wider than a line. The
// result has at least one line.
func (f *fonts) wrap(text string, w weight, limit int) []string {
	var lines []string
	space := f.advance(' ', w)
	begin, end, used := 0, 0, 0 // of the current line, and its width
	for from := 0; from <= len(text); {
		to := unitEnd(text, from)
		width := f.width(text[from:to], w)
		gap := (from - end) * space
		next := to
		if to == len(text) || text[to] == ' ' {
			next++
		}
		if end > begin && used+gap+width <= limit {
			end, used, from = to, used+gap+width, next
			continue
		}
		if end > begin {
			lines = append(lines, text[begin:end])
		}
		for width > limit {
			head := f.fitting(text[from:to], w, limit)
			lines, from = append(lines, head), from+len(head)
			width = f.width(text[from:to], w)
		}
		begin, end, used, from = from, to, width, next
	}
	return append(lines, text[begin:end])
}

// unitEnd returns the end of the unbreakable unit that begins at from: before a space, or next to a
// Chinese or Japanese character. Korean has spaces, and its words stay whole.
func unitEnd(text string, from int) int {
	before := noBreak
	for i, r := range text[from:] {
		if r == ' ' || (isIdeograph(before) || isIdeograph(r)) && breakable(before, r) {
			return from + i
		}
		before = r
	}
	return len(text)
}

// breakable reports whether a line may end between two characters: not after an opening bracket,
// and not before a closing bracket, punctuation, a combining mark or small kana.
func breakable(before, after rune) bool {
	return before != noBreak && after != noBreak && !unicode.In(before, unicode.Ps, unicode.Pi) &&
		!unicode.In(after, unicode.Pe, unicode.Pf, unicode.Po, unicode.Lm, unicode.Mn) &&
		!strings.ContainsRune("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ〜～", after)
}

// isIdeograph reports whether a character is Chinese or Japanese, including their punctuation and
// full-width forms.
func isIdeograph(r rune) bool {
	return 0x3000 <= r && (r < 0xA000 ||
		0xF900 <= r && r < 0xFB00 || 0xFE30 <= r && r < 0xFE70 || 0xFF00 <= r && r < 0xFFA0)
}

// fitting returns the longest prefix of a word that fits, but at least one character.
func (f *fonts) fitting(word string, w weight, limit int) string {
	if isComplex(word) {
		return f.fittingLetters(word, w, limit)
	}
	_, first := utf8.DecodeRuneInString(word)
	sum := 0
	for i, r := range word {
		sum += f.advance(r, w)
		if sum > limit && i >= first {
			return word[:i]
		}
	}
	return word
}

// fittingLetters is fitting for a word that is shaped. A letter keeps what belongs to it.
func (f *fonts) fittingLetters(word string, w weight, limit int) string {
	fits, before := "", rune(0)
	for i, r := range word {
		if i > 0 && !attached(r) && !isJoiner(before) && norm.NFC.PropertiesString(string(before)).CCC() != virama {
			if fits != "" && f.width(word[:i], w) > limit {
				return fits
			}
			fits = word[:i]
		}
		before = r
	}
	return cmp.Or(fits, word)
}

// virama is the combining class of the signs that join a consonant of an Indian script to the next.
const virama = 9
