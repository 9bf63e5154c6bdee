package document

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// isArabicForm reports whether a character is a presentation form of an Arabic letter. shape
// chooses the forms.
func isArabicForm(r rune) bool { return 0xFB50 <= r && r <= 0xFDFF || 0xFE70 <= r && r <= 0xFEFC }

// isRTL reports whether a character is written from right to left: Hebrew and Arabic letters, but
// not digits.
func isRTL(r rune) bool {
	return 0x590 <= r && r <= 0x8FF && !unicode.IsDigit(r) || 0xFB1D <= r && r < 0xFB50 || isArabicForm(r)
}

// The forms of a letter, in the order of Unicode. A letter that joins on one side only has the
// first two.
const (
	isolated = iota
	final
	initial
	medial
	forms
)

const (
	tatweel = 'ـ' // joins on both sides and has one form
	lam     = 'ل' // forms a ligature with a following alef
)

type shapes struct {
	of        map[rune][]rune
	ligatures map[rune][]rune // of lam and an alef, by the alef
}

// newShapes derives the forms from Unicode's compatibility decompositions.
func newShapes() *shapes {
	s := &shapes{make(map[rune][]rune), make(map[rune][]rune)}
	for r := rune(0xFB50); r <= 0xFEFC; r++ {
		letters := []rune(norm.NFKC.String(string(r)))
		switch {
		case !isArabicForm(r), r == 0xFBE8, r == 0xFBE9: // duplicates: the letter has other forms
		case len(letters) == 1 && letters[0] != r && len(s.of[letters[0]]) < forms:
			s.of[letters[0]] = append(s.of[letters[0]], r)
		case len(letters) == 2 && letters[0] == lam && r >= 0xFEF5:
			s.ligatures[letters[1]] = append(s.ligatures[letters[1]], r)
		}
	}
	return s
}

// shape replaces Arabic letters with the forms that their neighbours require.
func (s *shapes) shape(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Arabic, r) }) {
		return text
	}
	var out []rune
	letters := []rune(text)
	joined := false // to the previous letter
	for i := 0; i < len(letters); i++ {
		r, next := letters[i], rune(0)
		if i+1 < len(letters) {
			next = letters[i+1]
		}
		if both := s.ligatures[next]; r == lam && len(both) == 2 {
			out = append(out, both[formOf(joined, false)])
			joined = false
			i++
			continue
		}
		of := s.of[r]
		joins := (len(of) == forms || r == tatweel) && (len(s.of[next]) > 1 || next == tatweel)
		if len(of) > 1 {
			r = of[formOf(joined, joins)]
		}
		out, joined = append(out, r), joins
	}
	return string(out)
}

// formOf returns the form of a letter that is joined to the letter before it, behind it, or both.
func formOf(before, behind bool) int {
	switch {
	case before && behind:
		return medial
	case before:
		return final
	case behind:
		return initial
	default:
		return isolated
	}
}

// visual returns a line in visual order. It implements the part of Unicode's bidirectional
// algorithm (UAX 9) that names and addresses need, in a left-to-right line: right-to-left words
// with numbers between them.
func visual(line string) string {
	if !strings.ContainsFunc(line, isRTL) {
		return line
	}
	letters := []rune(line)
	for i := 0; i < len(letters); i++ {
		if !isRTL(letters[i]) {
			continue
		}
		end := runEnd(letters, i)
		reverse(letters[i:end])
		i = end - 1
	}
	return string(letters)
}

// runEnd returns the end of the right-to-left run that begins at i: after its last letter or number
// before a left-to-right letter.
func runEnd(letters []rune, i int) int {
	end := i + 1
	for j := end; j < len(letters); j++ {
		switch r := letters[j]; {
		case isRTL(r) || unicode.IsDigit(r) || r == ')' && slices.Contains(letters[i:j], '('):
			end = j + 1
		case unicode.IsLetter(r):
			return end
		}
	}
	return end
}

// reverse reverses a run, but not its numbers, and mirrors brackets.
func reverse(run []rune) {
	slices.Reverse(run)
	mirror := strings.NewReplacer(
		"(", ")", ")", "(", "[", "]", "]", "[", "{", "}", "}", "{", "<", ">", ">", "<", "«", "»", "»", "«",
	)
	copy(run, []rune(mirror.Replace(string(run))))
	for i := 0; i < len(run); i++ {
		if !unicode.IsDigit(run[i]) {
			continue
		}
		end := i + 1
		for j := end; j < len(run) && (unicode.IsDigit(run[j]) || strings.ContainsRune(".,:/-", run[j])); j++ {
			if unicode.IsDigit(run[j]) {
				end = j + 1
			}
		}
		slices.Reverse(run[i:end])
		i = end
	}
}
