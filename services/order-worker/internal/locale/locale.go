// Package locale knows the languages that we write in: which of them is spoken in a country, and what a language needs
// beside words. Invoice and mail of an order therefore name the same amounts and dates in the same way.
//
// Numbers and dates are written as Unicode's CLDR has it (cldr.go), names of countries and the choice of a word by number
// are those of golang.org/x/text. The words themselves are where they are printed: in packages invoice and email.
package locale

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"example.com/orders/shared/order"
)

// Language is one of those that All returns. The spaces in the numbers that it writes do not break over lines.
type Language uint8

// English is the zero Language: that of Great Britain, for those whose own is none of ours.
const English Language = 0

// format is how a language writes dates and numbers.
type format struct {
	name        string
	date        string // of day, month and year, as fmt takes them
	months      [12]string
	decimal     string
	group       string
	groupedFrom int    // digits before the point that a number has at least, to be grouped
	percent     string // what follows the number
}

// All returns the languages, English first. Whoever has words has them in all of these.
func All() []Language {
	all := make([]Language, len(formats))
	for i := range all {
		all[i] = Language(i)
	}
	return all
}

// Of is the language of a name, such as "de". Of a name that is not known it is English.
func Of(name string) Language {
	return Language(max(0, slices.IndexFunc(formats[:], func(f format) bool { return f.name == name })))
}

// In is the language that most people in a country speak, as CLDR's likely subtags have it: German for "AT". It is English
// where that is none of ours, and for what is no code of a country.
func In(country string) Language {
	region, err := language.ParseRegion(country)
	if err != nil {
		return English
	}
	tag, err := language.Compose(region)
	if err != nil {
		return English
	}
	base, _ := tag.Base()
	return Of(base.String())
}

// String is the name by which Of finds the language again.
func (l Language) String() string { return formats[l].name }

// Date has the month in words, because 02.03. and 03/02 are different days in different countries. It is that of UTC.
func (l Language) Date(at time.Time) string {
	year, month, day := at.UTC().Date()
	return fmt.Sprintf(formats[l].date, day, formats[l].months[month-1], year)
}

// Money is an amount without its currency.
func (l Language) Money(m order.Money) string {
	whole, cents, _ := strings.Cut(m.String(), ".")
	digits, negative := strings.CutPrefix(whole, "-")
	sign := ""
	if negative {
		sign = "−"
	}
	return sign + l.grouped(digits) + formats[l].decimal + cents
}

// grouped puts a mark between each three digits.
func (l Language) grouped(digits string) string {
	if len(digits) < formats[l].groupedFrom {
		return digits
	}
	out := digits[:(len(digits)-1)%3+1]
	for i := len(out); i < len(digits); i += 3 {
		out += formats[l].group + digits[i:i+3]
	}
	return out
}

// Percent writes hundredths of a percent without needless zeros: 1900 is "19%", 550 is "5.5%".
func (l Language) Percent(hundredths int) string {
	number := strconv.FormatFloat(float64(hundredths)/100, 'f', -1, 64)
	return strings.Replace(number, ".", formats[l].decimal, 1) + formats[l].percent
}

// Country is the name of a country, or the code itself where it is none.
func (l Language) Country(code string) string {
	if region, err := language.ParseRegion(code); err == nil {
		if name := display.Regions(l.tag()).Name(region); name != "" {
			return name
		}
	}
	return code
}

// Plural picks the word that goes with a number: the first is for one, the last for many, and one between them for a few.
func (l Language) Plural(n int, words ...string) string {
	last := len(words) - 1
	switch plural.Cardinal.MatchPlural(l.tag(), n, 0, 0, 0, 0) {
	case plural.One:
		return words[0]
	case plural.Few:
		return words[min(1, last)]
	default:
		return words[last]
	}
}

func (l Language) tag() language.Tag { return language.Make(formats[l].name) }
