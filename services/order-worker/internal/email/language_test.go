package email

import (
	"testing"

	"golang.org/x/text/message"
	"golang.org/x/text/number"
	"pgregory.net/rapid"

	"example.com/orders/shared/order"
)

func TestMoneyIsWrittenAsItsLanguageDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cents := rapid.Int64Range(0, 1e12).Draw(t, "cents")
		for name, l := range locales() {
			// x/text knows the locales too, but takes a float64 and a hundred times as long.
			want := message.NewPrinter(l.tag).Sprint(number.Decimal(float64(cents)/100, number.Scale(2))) + "\u00a0EUR"
			if got := l.money(order.EUR.Cents(cents)); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
			if got := l.money(order.EUR.Cents(-cents - 1)); got[0] != '-' || got[1:] != l.money(order.EUR.Cents(cents+1)) {
				t.Errorf("%s: got %q, want a minus and the amount", name, got)
			}
		}
	})
}

func TestNumbersGoWithTheirWords(t *testing.T) {
	t.Parallel()
	all := locales()
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
		if got := all[row.language].plural(row.n, "one", "few", "many"); got != row.want {
			t.Errorf("%s, %d: got %q, want %q", row.language, row.n, got, row.want)
		}
	}
	if got := all["pl"].plural(3, "one", "many"); got != "many" {
		t.Errorf("two words: got %q, want the last for a few", got)
	}
}

func TestCountriesHaveNames(t *testing.T) {
	t.Parallel()
	all := locales()
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
		if got := all[row.language].country(row.code); got != row.want {
			t.Errorf("%s, %q: got %q, want %q", row.language, row.code, got, row.want)
		}
	}
}
