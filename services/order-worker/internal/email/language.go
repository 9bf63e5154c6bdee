package email

import (
	"strconv"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"example.com/orders/services/order-worker/internal/spoken"
	"example.com/orders/shared/order"
)

// locale is how a language writes what no template can: numbers, names of countries, and one of something or several.
type locale struct {
	tag    language.Tag
	group  string // between thousands
	point  string // before decimals
	places display.Namer
}

// locales are the languages that mails are written in: each has its words in templates.
func locales() map[string]locale {
	all := make(map[string]locale)
	for _, l := range [][3]string{
		{spoken.English, ",", "."}, {"de", ".", ","}, {"fr", noBreak, ","}, {"pl", noBreak, ","}, {"el", ".", ","}, {"uk", noBreak, ","},
	} {
		tag := language.Make(l[0])
		all[l[0]] = locale{tag, l[1], l[2], display.Regions(tag)}
	}
	return all
}

const noBreak = "\u00a0"

// money is an amount with its currency, such as 1,234.50 EUR. It never breaks over lines.
func (l locale) money(m order.Money) string {
	whole, cents, _ := strings.Cut(m.String(), ".")
	sign := ""
	if digits, negative := strings.CutPrefix(whole, "-"); negative {
		sign, whole = "-", digits
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + l.group + whole[i:]
	}
	return sign + whole + l.point + cents + noBreak + string(m.Currency)
}

// percent writes hundredths of a percent: 1900 is "19 %", 550 is "5.5 %".
func (l locale) percent(hundredths int) string {
	number := strconv.FormatFloat(float64(hundredths)/100, 'f', -1, 64)
	return strings.Replace(number, ".", l.point, 1) + noBreak + "%"
}

// country is the name of a country, or the code itself where it is none.
func (l locale) country(code string) string {
	if region, err := language.ParseRegion(code); err == nil {
		if name := l.places.Name(region); name != "" {
			return name
		}
	}
	return code
}

// plural picks the word that goes with a number: the first is for one, the last for many, and one between them for a few.
func (l locale) plural(n int, words ...string) string {
	last := len(words) - 1
	switch plural.Cardinal.MatchPlural(l.tag, n, 0, 0, 0, 0) {
	case plural.One:
		return words[0]
	case plural.Few:
		return words[min(1, last)]
	default:
		return words[last]
	}
}
