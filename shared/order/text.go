package order

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// TextFault says what is wrong with a text that stands on an invoice, in a mail or on a page, or nothing. It is the one rule
// for texts of customers and for those of the shop's own files: what a file may say, an order can carry. A text has from
// least to most characters on one line, and where it is needed (least is not 0) one of them is visible.
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

// NotPlain is what is said of a text with characters that no text may have.
const NotPlain = "must not contain control characters, line breaks or text direction overrides"

// blank are runes that Unicode lists among letters and symbols and that leave no mark: the pattern of Braille without dots, the
// null notehead, the filler of Khitan, and the blanks of Egyptian hieroglyphs.
const blank = "\u2800\U0001D159\U00016FE4\U00013441\U00013442"

// visible reports whether a rune leaves a mark on an invoice. Spaces do not, nor do runes of no width, which some names need
// between others (Unicode TR 44, Default_Ignorable_Code_Point), nor those that are blank.
func visible(r rune) bool {
	return !unicode.IsSpace(r) && !strings.ContainsRune(blank, r) &&
		!unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// forbidden reports whether a rune changes the meaning of what is around it, or is no character: controls, line and
// paragraph separators, bidirectional overrides and isolates (Unicode UAX #9, section 2), and noncharacters, which XML, and
// so an invoice, cannot hold. A lone surrogate is no rune: Go reads it as bytes that are not UTF-8.
func forbidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point) ||
		r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}
