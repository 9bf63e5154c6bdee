package invoice

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-worker/internal/spoken"
	"example.com/orders/shared/order"
)

func TestDatesAndNumbersAreWrittenAsTheLanguageHasThem(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 5, 23, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{
		"en": "5 March 2026|25.5%|1,234.50|1,234,567.00|0.05",
		"de": "5. März 2026|25,5 %|1.234,50|1.234.567,00|0,05",
		"fr": "5 mars 2026|25,5 %|1 234,50|1 234 567,00|0,05",
		"pl": "5 marca 2026|25,5%|1234,50|1 234 567,00|0,05",
		"el": "5 Μαρτίου 2026|25,5%|1.234,50|1.234.567,00|0,05",
		"uk": "5 березня 2026 р.|25,5%|1 234,50|1 234 567,00|0,05",
	} {
		w := setup(t).tongues[name]
		parts := []string{w.day(at), w.rate(2550), w.money(order.EUR.Cents(123450)), w.money(order.EUR.Cents(123456700)), w.money(order.EUR.Cents(5))}
		if got := strings.ReplaceAll(strings.Join(parts, "|"), "\u00a0", " "); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestTheLanguageIsThatOfTheCountry(t *testing.T) {
	t.Parallel()
	for country, want := range map[string]string{
		"DE": "de", "AT": "de", "CH": "de", "FR": "fr", "PL": "pl", "GR": "el", "CY": "el", "UA": "uk", "IE": "en", "US": "en",
		"IT": "en", "AQ": "en", "JP": "en", "": "en", "??": "en",
	} {
		if got := setup(t).languageOf(country); got != want {
			t.Errorf("%s: got %q, want %q", country, got, want)
		}
	}
}

// fields are all texts of a language.
func fields(w words) (all []string) {
	for _, v := range reflect.ValueOf(w).Fields() {
		all = append(all, v.String())
	}
	return all
}

var place = regexp.MustCompile(`\{\w+\}`)

// A place that a language lacks would lose a date or an amount.
func TestEveryLanguageHasThePlacesOfEnglish(t *testing.T) {
	t.Parallel()
	s := setup(t)
	texts := func(w words) (all []string) {
		for _, v := range fields(w) {
			all = append(all, strings.Join(place.FindAllString(v, -1), " "))
		}
		return all
	}
	for name, other := range s.tongues {
		if diff := cmp.Diff(texts(s.tongues[spoken.English].words), texts(other.words)); diff != "" {
			t.Errorf("%s: places (-en +%s):\n%s", name, name, diff)
		}
		for _, text := range fields(other.words) {
			if text != other.Box && strings.ContainsRune(s.fonts.clean(text), box) {
				t.Errorf("%s: %q cannot be printed", name, text)
			}
		}
	}
}

func TestAnInvoiceIsWrittenInTheLanguageThatWasSettled(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for name, other := range s.tongues {
		w := plannedBy(t, s, shipped(40))
		w.Progress.Invoice.Language = name
		got := poppler(t, document(t, s, w), "pdftotext", "-layout", "-", "-")
		for _, want := range []string{
			other.Invoice, other.Forward, other.Brought, other.Shipping + ", " + other.Standard, other.Total, other.day(w.Progress.Invoice.IssuedAt),
			fill(other.Page, "page", "2", "pages", "3"), other.terms(s.seller, *w.Progress.Invoice),
		} {
			if !strings.Contains(strings.ReplaceAll(got, "\u00a0", " "), strings.ReplaceAll(want, "\u00a0", " ")) {
				t.Errorf("%s: %q is not in\n%s", name, want, got)
			}
		}
	}
}

func TestValuesAreNotSearchedForPlaces(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ text, want string }{
		{"", ""},
		{"no place", "no place"},
		{"{a} of {b}", "{b} of 2"},
		{"{c}!", "!"},
		{"open {a", "open "},
	} {
		if got := fill(row.text, "a", "{b}", "b", "2"); got != row.want {
			t.Errorf("%q: got %q, want %q", row.text, got, row.want)
		}
	}
}
