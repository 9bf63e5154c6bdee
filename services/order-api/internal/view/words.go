package view

import (
	"regexp"
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

// idWord is the word by which a search finds a dead letter by its ID. No other word begins like this.
func idWord(id string) string { return strings.ToLower(id) + "/" }

// idForm is the form of the ID of a dead letter.
var idForm = regexp.MustCompile(`^(?:[A-Za-z0-9._-]+:)?[0-9]+-[0-9]+$`)

// sought are the words of a text that a search for dead letters looks for. An ID is one word.
func sought(text string) (all []string) {
	for field := range strings.FieldsSeq(text) {
		if idForm.MatchString(field) {
			all = append(all, idWord(field))
		} else {
			all = append(all, words(field)...)
		}
	}
	return all
}
