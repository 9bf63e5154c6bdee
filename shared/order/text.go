package order

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// TextFault returns what is wrong with a text for an invoice, a mail or a page, or "". The same rule
// applies to texts of customers and to the shop's own files, so an order can hold every text of a
// file. A text is one line of least to most characters. If least is not 0, one of them is visible.
func TextFault(text string, least, most int) string {
	n := utf8.RuneCountInString(text)
	switch {
	case n > most:
		return fmt.Sprintf("must have at most %d characters", most)
	case n < least || least > 0 && !strings.ContainsFunc(text, visible):
		return "must not be empty"
	case strings.ContainsFunc(text, forbidden) || !utf8.ValidString(text):
		return NotPlain
	}
	return ""
}

// NotPlain is the fault of a text with characters that no text may have.
const NotPlain = "must not contain control characters, line breaks or text direction overrides"

// blank are the runes that Unicode lists among letters and symbols although they are invisible: the
// Braille pattern without dots, the null notehead, the Khitan filler, and the Egyptian blanks.
const blank = "\u2800\U0001D159\U00016FE4\U00013441\U00013442"

// visible reports whether a rune is visible on an invoice. Not visible are spaces, blank runes, and
// runes without a width, which some names need between others (Unicode TR 44,
// Default_Ignorable_Code_Point).
func visible(r rune) bool {
	if r <= unicode.MaxASCII { // most text
		return !unicode.IsSpace(r)
	}
	return !unicode.IsSpace(r) && !strings.ContainsRune(blank, r) &&
		!unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// forbidden reports whether a rune changes the meaning of the text around it, or is not a character:
// controls, line and paragraph separators, bidirectional overrides and isolates (Unicode UAX #9,
// section 2), and noncharacters, which are not allowed in the XML of an invoice. A lone surrogate is
// not a rune: Go reads it as invalid UTF-8.
func forbidden(r rune) bool {
	if r <= unicode.MaxASCII { // most text
		return unicode.IsControl(r)
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point) ||
		r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}
