package view

import (
	"slices"
	"strings"
	"unicode"
)

// words are the words of a text in lower case, without repeats. Scripts that write words without
// spaces have one for each character.
func words(text string) (all []string) {
	var word strings.Builder
	end := func() {
		if word.Len() > 0 && !slices.Contains(all, word.String()) {
			all = append(all, word.String())
		}
		word.Reset()
	}
	for _, r := range strings.ToLower(text) {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai):
			end()
			word.WriteRune(r)
			end()
		case unicode.In(r, unicode.Letter, unicode.Mark, unicode.Number):
			word.WriteRune(r)
		default:
			end()
		}
	}
	end()
	return all
}
