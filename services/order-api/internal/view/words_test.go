package view

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWordsAreWhatPeopleSearchFor(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                          nil,
		" -@. ":                     nil,
		"Zoë ŁUKASIEWICZ":           {"zoë", "łukasiewicz"},
		"zoe.l+shop@Mail-1.test":    {"zoe", "l", "shop", "mail", "1", "test"},
		"山田 花子":                     {"山", "田", "花", "子"},
		"O'Brien, Obrien & O'Brien": {"o", "brien", "obrien"},
	} {
		if diff := cmp.Diff(want, words(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}
