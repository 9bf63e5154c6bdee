package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
)

// looks is what a list shows, where it is on the screen, and what is selected.
const looks = `JSON.stringify([scrollY, [...document.querySelectorAll("main tbody tr")].map(row => {
	const timeless = row.cloneNode(true); // relative times grow
	timeless.querySelectorAll("time").forEach(time => time.remove());
	return [timeless.textContent, row.getBoundingClientRect().top, row.querySelector(":checked") != null];
})])`

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

// undecodable are records that are no orders, each for another cause.
var undecodable = []string{`{`, `[]`, `"order"`, `true`, `1`, `order`, `{"id": 1}`}

// becomeDead appends so many undecodable records, of all causes in turn, and waits until the desk has so many in all.
func (s *site) becomeDead(t *testing.T, n, all int) {
	t.Helper()
	cl, err := kafka.Config{Brokers: []string{s.brokers}}.Connect(t.Context())
	must(t, err)
	defer cl.Close()
	var records []*kgo.Record
	for i := range n {
		records = append(records, &kgo.Record{Topic: "orders", Key: fmt.Append(nil, i), Value: []byte(undecodable[i%len(undecodable)])})
	}
	must(t, cl.ProduceSync(t.Context(), records...).FirstErr())
	for now, err := range s.api.WatchStats(t.Context()) {
		must(t, err)
		if now.DeadLetters != nil && now.DeadLetters.Open == all {
			return
		}
	}
}

// TestDeskOfManyDeadLettersIsShort: 10,000 dead letters of 7 causes are 7 rows, and 50 on the list of all. New ones are announced while a
// reader has scrolled and selected: both stay.
func TestDeskOfManyDeadLettersIsShort(t *testing.T) {
	t.Parallel()
	const n = 10_000
	s := openSite(t, "--workers", "0")
	s.work(t)
	s.becomeDead(t, n, n)
	desk := s.browse(t)
	list := desk.another(true)
	for b, rows := range map[*tab]int{desk: 7, list: 50} {
		b.do(chromedp.EmulateViewport(1280, 400))
		b.open(map[*tab]string{desk: "/desk", list: "/desk/dead-letters"}[b])
		b.await(`document.querySelector("#live").textContent == "Live" && !document.querySelector("#live").hidden`)
		b.has("h1 + .answer", "10,000 dead letters")
		if got := js[int](b, `document.querySelectorAll("main tbody tr").length`); got != rows {
			t.Errorf("got %d rows, want %d", got, rows)
		}
		js[int](b, `[...document.querySelectorAll("main tbody input")].slice(20, 30).forEach(box => box.checked = true), scrollTo(0, 300), 0`)
	}
	desk.has("h1 + .answer", "7 causes")
	before := []string{js[string](desk, looks), js[string](list, looks)}
	s.becomeDead(t, 7, n+7)
	for i, b := range []*tab{desk, list} {
		b.await(`document.querySelector("#news").textContent.startsWith("7 new dead letters since")`)
		if got := js[string](b, looks); got != before[i] || !strings.HasPrefix(got, "[300,") {
			t.Errorf("the page has changed from\n%.2000s to\n%.2000s", before[i], got)
		}
		b.clean()
	}
	list.submit("#news a", "#news .q")
	list.has("h1 + .answer", "10,007 dead letters")
}
