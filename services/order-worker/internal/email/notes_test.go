//go:build synctests

package email_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/order"
)

// A further step needs only words to tell the customer its result.
func TestMailShowsResultsThatHaveWords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		words, err := os.ReadFile(filepath.Join("templates", "de.tmpl"))
		if err != nil {
			t.Fatal(err)
		}
		dir := folder(t, "de.tmpl", string(words)+`{{define "step-gift"}}Sie erhalten {{.}} Geschenke & mehr.{{end}}`)
		s := setup(t, func(c *email.Config) { c.Templates = dir })
		w := invoiced("1", "Zoë", "zoe@example.com")
		w.Progress.Others = map[order.Step]json.RawMessage{
			"gift":     json.RawMessage(`22370000000`),
			"polish":   json.RawMessage(`{"of": "another version"}`),
			"shipping": json.RawMessage(`{"added": true}`),
		}
		if err := s.mail(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		m := s.taken(t, "1")
		for name, row := range map[string][2]string{
			"text": {m.text, "Sie erhalten 22370000000 Geschenke & mehr."},
			"HTML": {m.html, ">Sie erhalten 22370000000 Geschenke &amp; mehr.</p>"},
		} {
			if !strings.Contains(row[0], row[1]) || strings.Contains(row[0], "another version") {
				t.Errorf("%s: got %s, want %q in it and no other result", name, row[0], row[1])
			}
		}
	})
}

func TestLanguagesHaveTheSameWords(t *testing.T) {
	t.Parallel()
	words := func(l locale.Language) (names []string) {
		text, err := os.ReadFile(filepath.Join("templates", l.String()+".tmpl"))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\{\{-? ?define "([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
		slices.Sort(names)
		return names
	}
	want := words(locale.All()[0])
	for _, l := range locale.All() {
		if diff := cmp.Diff(want, words(l)); diff != "" || len(want) == 0 {
			t.Errorf("words of %s (-%s +%s):\n%s", l, locale.All()[0], l, diff)
		}
	}
}
