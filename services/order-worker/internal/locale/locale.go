// Package locale provides the languages of invoices and mails: the language of a country, and the
// formats of dates, numbers and amounts. So the invoice and the mail of an order format amounts and
// dates alike.
//
// Formats of numbers and dates are from Unicode's CLDR (cldr.go). Country names and plural rules
// are from golang.org/x/text. The translations themselves are in packages invoice and email.
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

// Language is one of the languages of All. Numbers contain no-break spaces, so they stay on one
// line.
type Language uint8

// English is the zero Language: British English, for countries whose own language is not supported.
const English Language = 0

type format struct {
	name        string
	date        string // fmt verbs for day, month and year
	months      [12]string
	decimal     string
	group       string
	groupedFrom int    // minimum number of digits before the decimal point for grouping
	percent     string // what follows the number
}

// All returns the languages, English first. Every translation exists in all of them.
func All() []Language {
	all := make([]Language, len(formats))
	for i := range all {
		all[i] = Language(i)
	}
	return all
}

// Of returns the language of a code such as "de", and English for an unknown code.
func Of(name string) Language {
	return Language(max(0, slices.IndexFunc(formats[:], func(f format) bool { return f.name == name })))
}

// In returns the language that most people in a country speak, by CLDR's likely subtags: German for
// "AT". It returns English if that language is not supported or the code is unknown.
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

// String returns the code of the language, for Of.
func (l Language) String() string { return formats[l].name }

// Date formats the date in the time zone of at. The month is a word: 02/03 means different days in different
// countries.
func (l Language) Date(at time.Time) string {
	year, month, day := at.Date()
	return fmt.Sprintf(formats[l].date, day, formats[l].months[month-1], year)
}

// Money formats an amount without its currency.
func (l Language) Money(m order.Money) string { return l.Decimal(m.String()) }

// Decimal formats a number such as "-1234.56", which has decimals.
func (l Language) Decimal(text string) string {
	whole, decimals, _ := strings.Cut(text, ".")
	digits, negative := strings.CutPrefix(whole, "-")
	sign := ""
	if negative {
		sign = "−"
	}
	return sign + l.grouped(digits) + formats[l].decimal + decimals
}

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

// Percent formats hundredths of a percent without trailing zeros: 1900 is "19%", 550 is "5.5%".
func (l Language) Percent(hundredths int) string {
	number := strconv.FormatFloat(float64(hundredths)/100, 'f', -1, 64)
	return strings.Replace(number, ".", formats[l].decimal, 1) + formats[l].percent
}

// Country returns the name of a country, or the code itself if it is unknown.
func (l Language) Country(code string) string {
	if region, err := language.ParseRegion(code); err == nil {
		if name := display.Regions(l.tag()).Name(region); name != "" {
			return name
		}
	}
	return code
}

// Plural returns the plural form for a number. words are the forms for one, optionally few, and
// other, in this order.
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
