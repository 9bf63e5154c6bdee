package main

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestListsAnnounceNewDeadLetters: nothing moves on an open list, the selection and the place in the list stay, until the reader
// follows "show".
func TestListsAnnounceNewDeadLetters(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	s.work(t)
	var first string
	for i := range 12 {
		first = s.deadOrder(t, fmt.Sprintf("Ada %d", i))
	}
	l, err := s.api.DeadLetter(t.Context(), first)
	must(t, err)
	b := s.browse(t)
	var tabs []*tab
	for _, path := range []string{"/desk", "/desk/groups/" + l.Cause, "/desk/dead-letters"} {
		if len(tabs) > 0 {
			b = tabs[0].another(true)
		}
		tabs = append(tabs, b)
		b.do(chromedp.EmulateViewport(1280, 400))
		b.open(path)
		b.await(`document.querySelector("#live").textContent == "Live" && !document.querySelector("#live").hidden`)
		b.has("#news", "As of")
		js[int](b, `[...document.querySelectorAll("main tbody input")].slice(2, 4).forEach(box => box.checked = true), scrollTo(0, 150), 0`)
	}
	const looks = `JSON.stringify([scrollY, [...document.querySelectorAll("main tbody tr")].map(row => [row.innerText, row.getBoundingClientRect().top, row.querySelector(":checked") != null])])`
	var before []string
	for _, b := range tabs {
		before = append(before, js[string](b, looks))
	}
	s.deadOrder(t, "Ben")
	s.deadOrder(t, "Zoë")
	for i, b := range tabs {
		b.await(`document.querySelector("#news").textContent.startsWith("2 new dead letters since")`)
		b.await(`document.querySelector("#status").textContent.startsWith("2 new dead letters since")`)
		if got := js[string](b, looks); got != before[i] {
			t.Errorf("the list has changed from\n%s to\n%s", before[i], got)
		}
	}
	last := tabs[2]
	last.accessible("new dead letters")
	last.submit("#news a", "#news .q")
	if got := js[int](last, `document.querySelectorAll(".letters tbody tr").length`); got != 14 {
		t.Errorf("got %d rows, want the new ones too", got)
	}
	last.has(".letters tbody tr", "Zoë")
	for _, b := range tabs {
		b.clean()
	}
}
