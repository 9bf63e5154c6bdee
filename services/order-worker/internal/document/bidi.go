package document

import (
	"slices"
	"strings"
	"unicode"
)

// isRTL reports whether a character is written from right to left: Hebrew, Arabic and Thaana letters,
// but not digits.
func isRTL(r rune) bool {
	return 0x590 <= r && r <= 0x8FF && !unicode.IsDigit(r) || 0xFB1D <= r && r <= 0xFDFF || 0xFE70 <= r && r <= 0xFEFC
}

// segment is a part of a line in one direction, in logical order.
type segment struct {
	text []rune
	rtl  bool
}

// visual returns the segments of a line from left to right. It implements the part of Unicode's
// bidirectional algorithm (UAX 9) that names and addresses need, in a left-to-right line:
// right-to-left words with numbers between them.
func visual(letters []rune) (line []segment) {
	begin := 0
	for i := 0; i < len(letters); i++ {
		if !isRTL(letters[i]) {
			continue
		}
		end := runEnd(letters, i)
		if i > begin {
			line = append(line, segment{letters[begin:i], false})
		}
		line = append(line, reversed(letters[i:end])...)
		begin, i = end, end-1
	}
	if begin < len(letters) {
		line = append(line, segment{letters[begin:], false})
	}
	return line
}

// runEnd returns the end of the right-to-left run that begins at i: after its last letter or number
// before a left-to-right letter.
func runEnd(letters []rune, i int) int {
	end := i + 1
	for j := end; j < len(letters); j++ {
		switch r := letters[j]; {
		case isRTL(r) || unicode.IsDigit(r) || isJoiner(r) || r == ')' && slices.Contains(letters[i:j], '('):
			end = j + 1
		case unicode.IsLetter(r):
			return end
		}
	}
	return end
}

// reversed returns the segments of a right-to-left run from left to right. Its numbers run from left
// to right.
func reversed(run []rune) (line []segment) {
	begin := 0
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
		if i > begin {
			line = append(line, segment{run[begin:i], true})
		}
		line = append(line, segment{run[i:end], false})
		begin, i = end, end-1
	}
	if begin < len(run) {
		line = append(line, segment{run[begin:], true})
	}
	slices.Reverse(line)
	return line
}

// mirrored returns a text without letters of a right-to-left segment from left to right.
func mirrored(text []rune) string {
	text = slices.Clone(text)
	slices.Reverse(text)
	brackets := strings.NewReplacer(
		"(", ")", ")", "(", "[", "]", "]", "[", "{", "}", "}", "{", "<", ">", ">", "<", "«", "»", "»", "«",
	)
	return brackets.Replace(string(text))
}
