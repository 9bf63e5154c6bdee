package invoice

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-worker/internal/document"
	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/services/order-worker/internal/pdftest"
)

// fields returns all texts of a translation.
func fields(w words) (all []string) {
	for _, v := range reflect.ValueOf(w).Fields() {
		all = append(all, v.String())
	}
	return all
}

var place = regexp.MustCompile(`\{\w+\}`)

// A missing placeholder would omit a date or an amount.
func TestTranslationsHaveTheSamePlaceholders(t *testing.T) {
	t.Parallel()
	s := setup(t)
	texts := func(w words) (all []string) {
		for _, v := range fields(w) {
			all = append(all, strings.Join(place.FindAllString(v, -1), " "))
		}
		return all
	}
	for l, other := range s.translations {
		if diff := cmp.Diff(texts(s.translations[locale.English].words), texts(other.words)); diff != "" {
			t.Errorf("%s: places (-en +%s):\n%s", l, l, diff)
		}
	}
}

func TestFontsHaveTheWordsOfAllLanguages(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for l, other := range s.translations {
		c := s.content(plannedBy(t, s, shipped(1)))
		box := other.Box
		other := *other
		other.Box = ""
		c.Notes = fields(other.words)
		if got := pdftest.Text(t, rendered(t, s, c)); strings.ContainsRune(got, '□') || !strings.ContainsRune(box, '□') {
			t.Errorf("%s: there is a box in\n%s", l, got)
		}
	}
}

// rendered renders a document from its content.
func rendered(t testing.TB, s *Step, c *document.Content) []byte {
	t.Helper()
	pdf, _, err := s.renderer.Render(c)
	if err != nil {
		t.Fatal(err)
	}
	return pdf
}

func TestInvoiceIsInThePlannedLanguage(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for l, other := range s.translations {
		w := plannedBy(t, s, shipped(40))
		w.Progress.Invoice.Language = l.String()
		got := pdftest.Text(t, render(t, s, w))
		for _, want := range []string{
			other.Invoice, other.Forward, other.Brought, other.Shipping + ", " + other.Standard, other.Total, other.Language.Date(w.Progress.Invoice.IssuedAt),
			fill(other.Page, "page", "2", "pages", "3"), other.terms(s.seller, *w.Progress.Invoice, settlementOf(w, time.UTC)),
		} {
			if !strings.Contains(strings.ReplaceAll(got, "\u00a0", " "), strings.ReplaceAll(want, "\u00a0", " ")) {
				t.Errorf("%s: %q is not in\n%s", l, want, got)
			}
		}
	}
}

// stumble matches typographic mistakes of all languages: two full stops, because a date may end in
// one, and straight quotation marks. french matches punctuation without a no-break space before it.
var stumble, french = regexp.MustCompile(`\.\.|['"]`), regexp.MustCompile(`[^\x{a0}][:;!?]`)

func TestTranslationsFollowTypographicRules(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 10, 13, 0, 0, 0, 0, time.UTC)
	for l, other := range setup(t).translations {
		for _, text := range fields(other.words) {
			text = fill(text, "date", l.Date(day))
			if stumble.MatchString(text) || l.String() == "fr" && french.MatchString(text) {
				t.Errorf("%s: %q has wrong punctuation or lacks a space", l, text)
			}
		}
	}
}

func TestPlaceholdersInValuesAreNotReplaced(t *testing.T) {
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
