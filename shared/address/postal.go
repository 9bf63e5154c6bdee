package address

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Bare returns the letters and digits of a postal code: in upper case, without the country's prefix,
// without spaces and hyphens. "LV-1010", "1010" and "lv 1010" are the same, and so are "D-10115" and
// "１０１１５". Two codes of a country are of the same place if their bare codes are equal.
func Bare(country, code string) string {
	var b strings.Builder
	for _, r := range strings.ToUpper(norm.NFKC.String(code)) {
		if d := digit(r); d >= 0 {
			b.WriteByte(byte('0' + d))
		} else if unicode.IsLetter(r) && !unicode.Is(unicode.Lm, r) { // people write the Japanese long vowel mark for a hyphen
			b.WriteRune(r)
		}
	}
	bare := b.String()
	for _, prefix := range prefixes(country) {
		if rest, found := strings.CutPrefix(bare, prefix); found && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return rest
		}
	}
	return bare
}

// prefixes are what people of a country write before the digits of a postal code: the ISO code, or
// the code of vehicles, as the post recommended once.
func prefixes(country string) []string {
	const vehicles = "AT:A AX:FI AX:FIN BE:B DE:D EE:EST ES:E FI:FIN FI:SF FR:F HU:H IT:I LI:FL LU:L MC:F NO:N PT:P SE:S SI:SLO"
	all := []string{country}
	for pair := range strings.FieldsSeq(vehicles) {
		if prefix, found := strings.CutPrefix(pair, country+":"); found {
			all = append(all, prefix)
		}
	}
	return all
}

// digit is the value of a decimal digit of any script, or -1. The digits of a script follow each
// other.
func digit(r rune) int {
	for d := range rune(10) {
		if unicode.Is(unicode.Nd, r) && !unicode.Is(unicode.Nd, r-d-1) {
			return int(d)
		}
	}
	return -1
}
