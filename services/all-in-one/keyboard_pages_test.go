package main

import (
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/kafka"
)

// presses sends keys one after the other.
func (b *tab) presses(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		b.do(chromedp.KeyEvent(k))
	}
}

// arrives waits for a page that has an element, and whose scripts listen to keys.
func (b *tab) arrives(selector string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.WaitReady(chromedp.CSS("#keys:not([hidden])")))
}

// goes sends the key g and that of a place. The page takes the second one for 1.5 s, so its clock is stopped: on a busy
// machine more time can pass between two keys.
func (b *tab) goes(place string) {
	b.t.Helper()
	js[int](b, `Date.now = () => 1e12, 0`)
	b.presses("g", place)
}

// TestDeskByKeyboard finds, selects, opens and edits dead letters with keys; and keys never act.
func TestDeskByKeyboard(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	s.work(t)
	for _, name := range []string{"Ada", "Ben", "Zoë"} {
		s.deadOrder(t, name)
	}
	b := s.browse(t)
	b.open("/desk")
	b.presses("j", "\r")
	b.arrives(".letters")
	checked := func(want int) {
		t.Helper()
		if got := js[int](b, `document.querySelectorAll(".letters :checked").length`); got != want {
			t.Errorf("%d dead letters are selected, want %d", got, want)
		}
	}
	b.presses("j", "x")
	checked(1)
	b.presses("j", "j", "X")
	checked(3)
	b.presses("k", "x")
	checked(2)
	b.presses("*")
	checked(3)
	b.presses("*")
	checked(0)
	id := js[string](b, `document.activeElement.textContent`)
	b.presses("\r")
	b.arrives(".sticky")
	b.has("h1", "Dead letter "+id)
	there, back := "next", "prev"
	if js[bool](b, `document.querySelector("a[rel=next]") == null`) {
		there, back = back, there
	}
	to := js[string](b, `document.querySelector("a[rel=`+there+`]").getAttribute("href")`)
	b.presses(there[:1])
	b.arrives(`a[rel=` + back + `][href$="/` + id + `"]`)
	b.presses(back[:1])
	b.arrives(`a[rel=` + there + `][href="` + to + `"]`)
	b.presses("e")
	b.do(chromedp.WaitVisible(chromedp.CSS("textarea")))
	b.do(chromedp.Focus(chromedp.CSS("textarea")))
	b.presses("j", "x") // in a field they are text
	if got := js[string](b, `document.querySelector("textarea").value.match(/jx/)[0]`); got != "jx" {
		t.Errorf("got %q, want the keys as text", got)
	}
	b.open("/desk/dead-letters")
	b.presses("/")
	if got := js[string](b, `document.activeElement.id`); got != "q" {
		t.Errorf("the focus is in %q, want the search", got)
	}
	b.open("/account")
	b.choose("[name=keys]", "[name=keys]")
	b.submit(`form[action="/account"] .btn`, "[name=keys]")
	b.open("/desk")
	b.presses("j", "?")
	if js[bool](b, `document.querySelector("#help").open || document.activeElement != document.body`) {
		t.Error("single keys work although they are switched off")
	}
	b.clean()
}

// TestKeysLeadToPlaces: the key g, and then that of a place.
func TestKeysLeadToPlaces(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	b := s.browse(t)
	for key, there := range map[string]string{"s": ".goods", "o": ".panel.empty", "p": "#strips", "d": ".sub", "i": "#q[placeholder^=Recipient]"} {
		b.open("/account")
		b.do(chromedp.WaitReady(chromedp.CSS("#keys:not([hidden])")))
		b.goes(key)
		b.do(chromedp.WaitReady(chromedp.CSS(there)))
	}
}

// TestReplayByKeyboard finds a dead letter, edits and saves it, and replays it, with keys alone.
func TestReplayByKeyboard(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	s.work(t)
	id := s.deadOrder(t, "Zoë")
	l, err := s.api.DeadLetter(t.Context(), id)
	must(t, err)
	b := s.browse(t)
	b.open("/")
	b.goes("d")
	b.arrives(".causes")
	b.presses("j", "\r")
	b.arrives(".letters")
	b.presses("j", "\r")
	b.arrives(".sticky")
	b.presses("e")
	b.arrives("textarea")
	b.tabsTo("textarea")
	b.do(chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	b.presses(strings.Split(strings.Replace(string(l.Edit.Value), `"AQ"`, `"DE"`, 1), "")...)
	replay := `.sticky form[action$="/replay"] .btn`
	b.do(chromedp.KeyEvent("\r", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.WaitVisible(chromedp.CSS(replay)))
	b.tabsTo(replay)
	b.presses("\r")
	b.do(chromedp.WaitVisible(chromedp.CSS(".strip.run")))
	s.ends(t, l.Order, "confirmed")
	b.clean()
}

// tabsTo moves the focus with the Tab key until an element has it, which shows it.
func (b *tab) tabsTo(selector string) {
	b.t.Helper()
	for range 100 {
		b.presses("\t")
		if js[bool](b, `document.activeElement.matches(`+strconv.Quote(selector)+`)`) {
			if js[string](b, `getComputedStyle(document.activeElement).outlineStyle`) == "none" {
				b.t.Errorf("%s does not show its focus", selector)
			}
			return
		}
	}
	b.t.Fatalf("Tab does not reach %s", selector)
}

// TestTopicPageIsAccessible has dead letters of another program.
func TestTopicPageIsAccessible(t *testing.T) {
	t.Parallel()
	kafkaOf := openSite(t, "--workers", "0").brokers
	cl, err := kafka.Config{Brokers: []string{kafkaOf}}.Connect(t.Context())
	must(t, err)
	defer cl.Close()
	_, err = kadm.NewClient(cl).CreateTopics(t.Context(), 1, 1, nil, "payments", "payments.dlt")
	must(t, err)
	s := openSite(t, "--workers", "0", "--embedded", "inbox", "--brokers", kafkaOf, "--prefix", "other", "--group", "other", "--dlq-topic", "payments.dlt")
	b := s.browse(t)
	b.open("/desk/topics/payments.dlt")
	b.accessible("/desk/topics, empty")
	must(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "payments.dlt", Value: []byte("10 EUR"), Headers: []kgo.RecordHeader{{Key: "kafka_dlt-original-topic", Value: []byte("payments")}}}).FirstErr())
	for _, err := range s.api.WatchStats(t.Context()) { // looks again with each event
		must(t, err)
		all, _, err := s.api.DeadLetters(t.Context(), client.DeadLetterQuery{DeadLetterFilter: client.DeadLetterFilter{Topic: "payments.dlt"}})
		must(t, err)
		if len(all) == 1 {
			break
		}
	}
	b.open("/desk/topics/payments.dlt")
	b.has(".answer", "1 dead letter, 1 cause.")
	b.accessible("/desk/topics")
	b.clean()
}
