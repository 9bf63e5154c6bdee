// Package spoken says what language to write in to somebody in a country: invoice and mail of an order must not differ.
package spoken

import "golang.org/x/text/language"

// English is the language of those whose country is not known.
const English = "en"

// In is the language that most people in a country speak, as CLDR's likely subtags have it: "de" for "AT". What is no
// code of a country is English.
func In(country string) string {
	region, err := language.ParseRegion(country)
	if err != nil {
		return English
	}
	tag, err := language.Compose(region)
	if err != nil {
		return English
	}
	base, _ := tag.Base()
	return base.String()
}
