package locale_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
	"pgregory.net/rapid"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/order"
)

func TestLanguageOfCountry(t *testing.T) {
	t.Parallel()
	for country, want := range map[string]string{
		"DE": "de", "AT": "de", "CH": "de", "FR": "fr", "LU": "fr", "PL": "pl", "GR": "el", "CY": "el", "UA": "uk", "IE": "en", "US": "en",
		"IT": "en", "AQ": "en", "JP": "en", "": "en", "x": "en", "??": "en", "\r\n": "en",
	} {
		if got := locale.In(country).String(); got != want {
			t.Errorf("spoken in %q: got %q, want %q", country, got, want)
		}
	}
}

func TestLanguageOfCode(t *testing.T) {
	t.Parallel()
	for _, l := range locale.All() {
		if got := locale.Of(l.String()); got != l {
			t.Errorf("%s: got %s", l, got)
		}
	}
	for _, unknown := range []string{"", "it", "DE", "de-AT"} {
		if got := locale.Of(unknown); got != locale.English {
			t.Errorf("%q: got %s, want English", unknown, got)
		}
	}
}

func TestFormatsOfDatesAndNumbers(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 5, 23, 30, 0, 0, time.FixedZone("", -3600)) // the sixth in UTC
	for name, want := range map[string]string{
		"en": "5 March 2026|25.5%|19%|1,234.50|1,234,567.00|0.05|−9,999.00",
		"de": "5. März 2026|25,5_%|19_%|1.234,50|1.234.567,00|0,05|−9.999,00",
		"fr": "5 mars 2026|25,5_%|19_%|1_234,50|1_234_567,00|0,05|−9_999,00",
		"pl": "5 marca 2026|25,5%|19%|1234,50|1_234_567,00|0,05|−9999,00",
		"el": "5 Μαρτίου 2026|25,5%|19%|1.234,50|1.234.567,00|0,05|−9.999,00",
		"uk": "5 березня 2026_р.|25,5%|19%|1_234,50|1_234_567,00|0,05|−9_999,00",
	} {
		l := locale.Of(name)
		parts := []string{l.Date(at), l.Percent(2550), l.Percent(1900)}
		for _, cents := range []int64{123450, 123456700, 5, -999900} {
			parts = append(parts, l.Money(order.EUR.Cents(cents)))
		}
		if got := strings.ReplaceAll(strings.Join(parts, "|"), "\u00a0", "_"); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestMoneyMatchesXText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cents := rapid.Int64Range(0, 1e12).Draw(t, "cents")
		for _, l := range locale.All() {
			// x/text needs a float64 and a hundred times as long, and groups four digits in Polish.
			want := message.NewPrinter(language.Make(l.String())).Sprint(number.Decimal(float64(cents)/100, number.Scale(2)))
			if l.String() == "pl" && cents < 1e6 {
				want = strings.Replace(want, "\u00a0", "", 1)
			}
			if got := l.Money(order.EUR.Cents(cents)); got != want {
				t.Errorf("%s: got %q, want %q", l, got, want)
			}
		}
	})
}

func TestPlural(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		language string
		n        int
		want     string
	}{
		{"en", 1, "one"},
		{"en", 2, "many"},
		{"en", 0, "many"},
		{"fr", 0, "one"},
		{"pl", 1, "one"},
		{"pl", 4, "few"},
		{"pl", 5, "many"},
		{"pl", 12, "many"},
		{"pl", 22, "few"},
		{"uk", 21, "one"},
		{"uk", 3, "few"},
		{"uk", 11, "many"},
	} {
		if got := locale.Of(row.language).Plural(row.n, "one", "few", "many"); got != row.want {
			t.Errorf("%s, %d: got %q, want %q", row.language, row.n, got, row.want)
		}
	}
	if got := locale.Of("pl").Plural(3, "one", "many"); got != "many" {
		t.Errorf("two words: got %q, want the last for a few", got)
	}
}

func TestCountriesHaveNames(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ language, code, want string }{
		{"en", "DE", "Germany"},
		{"de", "DE", "Deutschland"},
		{"el", "GR", "Ελλάδα"},
		{"uk", "UA", "Україна"},
		{"pl", "PL", "Polska"},
		{"fr", "CH", "Suisse"},
		{"en", "QX", "QX"},
		{"en", "", ""},
		{"en", "<b>", "<b>"},
	} {
		if got := locale.Of(row.language).Country(row.code); got != row.want {
			t.Errorf("%s, %q: got %q, want %q", row.language, row.code, got, row.want)
		}
	}
}
