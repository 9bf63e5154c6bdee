package main

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// TestPagesPrintBlackOnWhite looks at an order on paper: browsers print no backgrounds, so the text of a dark page must be dark, too.
// Nothing on it needs a click.
func TestPagesPrintBlackOnWhite(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	id := s.placed(t, "DE", "accepted", "")
	b := s.browse(t)
	b.open("/orders/" + id)
	for _, theme := range []string{"light", "dark"} {
		js[string](b, `document.documentElement.dataset.theme = "`+theme+`"`)
		b.do(call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print", Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}}))
		if got := js[string](b, `["color", "backgroundColor"].map(name => getComputedStyle(document.documentElement)[name]).join(" on ")`); got != "rgb(27, 31, 36) on rgb(255, 255, 255)" {
			t.Errorf("%s: got text in %s, want dark on white", theme, got)
		}
		if got := js[[]string](b, `[...document.querySelectorAll("a.btn, button, input")].filter(e => e.checkVisibility()).map(e => e.outerHTML)`); len(got) > 0 {
			t.Errorf("%s: the page on paper has %q", theme, got)
		}
	}
	b.clean()
}
