package document

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/language"
)

// writing are scripts by their code in ISO 15924: their name in Unicode, and the part of their
// letters that the fonts need at least, in percent. Fonts lack letters of historic texts.
var writing = map[string]struct {
	name  string
	least int
}{
	"Latn": {"Latin", 60}, "Grek": {"Greek", 70}, "Cyrl": {"Cyrillic", 60}, "Armn": {"Armenian", 100}, "Hebr": {"Hebrew", 95}, "Arab": {"Arabic", 70},
	"Thaa": {"Thaana", 100}, "Deva": {"Devanagari", 90}, "Beng": {"Bengali", 95}, "Guru": {"Gurmukhi", 95}, "Gujr": {"Gujarati", 95}, "Orya": {"Oriya", 95},
	"Taml": {"Tamil", 70}, "Telu": {"Telugu", 90}, "Knda": {"Kannada", 95}, "Mlym": {"Malayalam", 95}, "Sinh": {"Sinhala", 95}, "Thai": {"Thai", 100},
	"Laoo": {"Lao", 70}, "Tibt": {"Tibetan", 95}, "Mymr": {"Myanmar", 60}, "Geor": {"Georgian", 95}, "Ethi": {"Ethiopic", 90}, "Cher": {"Cherokee", 95},
	"Cans": {"Canadian_Aboriginal", 95}, "Khmr": {"Khmer", 95}, "Olck": {"Ol_Chiki", 95}, "Tfng": {"Tifinagh", 95}, "Mtei": {"Meetei_Mayek", 95},
	"Hang": {"Hangul", 90}, "Kore": {"Hangul", 90}, "Hira": {"Hiragana", 30}, "Jpan": {"Katakana", 30}, "Hans": {"Han", 5}, "Hant": {"Han", 5},
}

// further are official scripts of countries besides the one that CLDR takes for the likeliest.
var further = map[string]string{
	"AZ": "Cyrl", "BA": "Cyrl", "BG": "Cyrl", "CA": "Cans", "CN": "Tibt Arab", "CY": "Latn", "DJ": "Latn", "DZ": "Tfng", "ER": "Ethi Arab", "HK": "Latn",
	"IL": "Arab", "IN": "Beng Guru Gujr Orya Taml Telu Knda Mlym Mtei Olck Arab", "IQ": "Arab", "JP": "Hira Hans", "KZ": "Latn", "LK": "Taml", "MA": "Tfng",
	"ME": "Cyrl", "MY": "Arab Taml Hans", "RS": "Latn", "SG": "Taml Hans", "TW": "Hant", "US": "Cher", "UZ": "Cyrl", "XK": "Cyrl",
}

func TestFontsHaveTheScriptsOfTheCountriesThatTheDefaultCardShipsTo(t *testing.T) {
	t.Parallel()
	card, err := os.ReadFile("../../../../shared/rates/card.yaml")
	if err != nil {
		t.Fatal(err)
	}
	fonts, seen, countries := renderer(t).fonts, map[string]bool{}, 0
	_, zones, _ := strings.Cut(string(card), "\nzones:")
	for _, lists := range regexp.MustCompile(`(?s)countries: \[(.*?)\]|country: (..)`).FindAllStringSubmatch(zones, -1) {
		for _, country := range regexp.MustCompile(`[A-Z]{2}`).FindAllString(lists[1]+lists[2], -1) {
			countries++
			for script := range strings.FieldsSeq(likely(t, country) + " " + further[country]) {
				if _, known := writing[script]; !known {
					t.Errorf("%s: script %s has no font", country, script)
				}
				seen[script] = true
			}
		}
	}
	if countries < 200 || len(seen) < 28 {
		t.Errorf("got %d scripts of %d countries, want more of the default card", len(seen), countries)
	}
	for code := range seen {
		has(t, fonts, code)
	}
}

// likely returns the script that most texts of a country have, by CLDR.
func likely(t *testing.T, country string) string {
	t.Helper()
	region, err := language.ParseRegion(country)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := language.Compose(region)
	if err != nil {
		t.Fatal(err)
	}
	script, _ := tag.Script()
	return script.String()
}

// has reports a script of which too few letters are printed.
func has(t *testing.T, fonts *fonts, code string) {
	t.Helper()
	all, printed := 0, 0
	for r := rune(0); r < 0x10000; r++ {
		if unicode.Is(unicode.Scripts[writing[code].name], r) && unicode.IsLetter(r) {
			all++
			if fonts.clean(string(r)) != string(box) {
				printed++
			}
		}
	}
	if all == 0 || 100*printed < all*writing[code].least {
		t.Errorf("%s: %d of %d letters are printed, want %d %%", code, printed, all, writing[code].least)
	}
}
