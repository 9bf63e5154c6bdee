package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"example.com/orders/services/order-api/client"
)

// deadOrder places an order that no carrier takes, and returns the ID of its dead letter.
func (s *site) deadOrder(t *testing.T, name string) string {
	t.Helper()
	o, err := s.api.Place(t.Context(), client.NewOrder{
		Customer: client.Customer{Name: name, Email: "zoe@example.com"}, Service: "standard", Note: "<script>alert(1)</script>",
		ShipTo: client.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "AQ"},
		Items:  []client.Item{{SKU: "BOTTLE-750", Quantity: 2}},
	}, "", 0)
	must(t, err)
	s.ends(t, o.ID, "dead")
	got, err := s.api.Order(t.Context(), o.ID)
	must(t, err)
	return got.DeadLetter.ID
}

// TestDeskFromEditToConfirmed is the way of an operator in a real browser, with JavaScript and without:
// causes, dead letter, edit, preview, save and replay; then a replay of another one by a job.
func TestDeskFromEditToConfirmed(t *testing.T) {
	t.Parallel()
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSite(t, "--workers", "0")
			s.work(t)
			first, second := s.deadOrder(t, "Zoë <b>Łukasiewicz</b>"), s.deadOrder(t, "Jörg")
			b := s.browse(t)
			b.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts}))
			b.repairs(first)
			b.replays(second, scripts)
			b.clean()
		})
	}
}

// repairs edits a dead letter, and replays it.
func (b *tab) repairs(id string) {
	b.t.Helper()
	b.open("/desk")
	b.has("h1 + .answer", "2 dead letters, 1 cause.")
	b.submit(".causes .name a", ".letters")
	b.submit(`.letters a[href$="/`+id+`"]`, ".sticky")
	b.has(".sticky", "A replay resumes at shipping.")
	b.submit(`.sticky a[href$="/edit"]`, "textarea")
	draft, err := json.Marshal(strings.ReplaceAll(js[string](b, `document.querySelector("textarea").value`), `"AQ"`, `"UK"`))
	must(b.t, err)
	js[int](b, `document.querySelector("textarea").value = `+string(draft)+`, 0`)
	b.submit("[value=preview]", ".strip.dead")
	b.has(".strip.dead", "/ship_to/country")
	js[int](b, `(t => (t.value = t.value.replace('"UK"', '"DE"'), 0))(document.querySelector("textarea"))`)
	b.submit("[value=preview]", ".ins")
	b.has(".ins", `"country": "DE"`)
	b.submit("[value=replay]", ".strip.run")
	b.has(".strip.run", "The replay was requested.")
	l, err := b.site.api.DeadLetter(b.t.Context(), id)
	must(b.t, err)
	b.site.ends(b.t, l.Order, "confirmed")
	b.open("/desk/dead-letters/" + id)
	b.has("h1", "closed")
	b.has(".tl", "Replay 1: confirmed")
}

// replays starts a job, in which the dead letter fails again. The page follows by itself, or after a
// reload.
func (b *tab) replays(id string, scripts bool) {
	b.t.Helper()
	b.open("/desk/dead-letters")
	b.choose(`.letters [value="`+id+`"]`, ".letters")
	b.submit(`.letters + .more button:not([formaction])`, "#start")
	b.submit(`[value=start]`, "#sum")
	if scripts {
		b.await(`document.querySelector("#head").dataset.ended == "yes"`)
	} else {
		job := js[string](b, "location.pathname")
		for p, err := range b.site.api.WatchReplay(b.t.Context(), job[strings.LastIndexByte(job, '/')+1:], -1) {
			must(b.t, err)
			if p.Phase == "done" || p.Phase == "halted" {
				break
			}
		}
		b.open(job)
	}
	b.has("#again", "No shipping route to the address")
}

// TestDeskIsAccessible checks every page of the desk with axe-core.
func TestDeskIsAccessible(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	s.work(t)
	b := s.browse(t)
	b.open("/desk")
	b.accessible("/desk, empty")
	id := s.deadOrder(t, "Zoë <b>Łukasiewicz</b>")
	l, err := s.api.DeadLetter(t.Context(), id)
	must(t, err)
	_, err = s.api.Edit(t.Context(), id, client.NewEdit{Value: json.RawMessage(strings.Replace(string(l.Edit.Value), "Berlin", "Bonn", 1)), Reason: "Typo"})
	must(t, err)
	job, err := s.api.StartReplay(t.Context(), client.NewReplayJob{Selection: client.Selection{IDs: []string{id}}, Reason: "Try", StopAbove: 0.05})
	must(t, err)
	for p, err := range s.api.WatchReplay(t.Context(), job.ID, -1) {
		must(t, err)
		if p.Phase == "done" || p.Phase == "halted" {
			break
		}
	}
	at := "/desk/dead-letters/" + id
	for _, path := range []string{
		"/desk", "/desk?step=invoice", "/desk/groups/" + l.Cause, "/desk/dead-letters", "/desk/dead-letters?cause=" + l.Cause, at, at + "/edit", at + "/discard", at + "/replay",
		"/desk/replays", "/desk/replays/new", "/desk/replays/new?cause=" + l.Cause, "/desk/replays/" + job.ID, "/desk/replays/" + job.ID + "/rate", "/desk/audit", "/desk/audit?act=none",
	} {
		b.open(path)
		b.accessible(path)
	}
	b.open(at + "/edit")
	js[int](b, `document.querySelector("textarea").value = "{", 0`)
	b.submit("[value=save]", ".strip.dead")
	b.accessible("faults of the editor")
	b.open("/desk/groups/" + l.Cause)
	b.choose(`a[href$="#f-patch"]`, "#f-patch") // the browser opens what it leads to
	js[int](b, `document.querySelector("#f-patch").value = '[{"op": "replace", "path": "/ship_to/country", "value": "DE"}]', 0`)
	b.submit("[value=preview]", "#preview")
	b.has("#preview", "would change")
	b.accessible("preview of a rule")
	b.open(at + "/discard")
	b.submit("main .btn.go", "[aria-invalid=true]")
	b.accessible("faults of a question")
	b.clean()
}
