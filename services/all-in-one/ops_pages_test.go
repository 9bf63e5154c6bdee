package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"example.com/orders/shared/embedded/inbox"
)

// openOps opens the page of operations, which follows the system.
func (b *tab) openOps() {
	b.t.Helper()
	b.open("/ops")
	b.await(`document.querySelector("#live:not([hidden]):not(.stale)") != null`)
}

// figure is an expression for one of the seven figures.
func figure(n int) string {
	return fmt.Sprintf(`document.querySelector("#now div:nth-child(%d) dd").textContent`, n)
}

const waiting, dead = 6, 7

// TestOperationsFollowTheSystem looks at the page while the mail server is down, and while a worker is killed.
func TestOperationsFollowTheSystem(t *testing.T) {
	t.Parallel()
	in := runInbox(t)
	s := openSite(t, "--workers-as-processes", "--embedded", "broker", "--smtp", in.SMTPAddr())
	pids := s.owners(t, 2, 0)
	b := s.browse(t)
	b.openOps()
	in.Behave(inbox.Behaviour{Down: true})
	ids := s.placeMany(t, 20)
	b.await(figure(waiting) + ` == "20"`)
	b.await(`document.querySelector("#head").innerText.includes("Mail server is down since")`)
	b.has("#strips .wait", "They continue by themselves when it is back.")
	b.has("#dependencies", "next probe")
	if got := js[string](b, figure(dead)); got != "0" {
		t.Errorf("got %s dead while the mail server is down, want 0", got)
	}
	b.accessible("/ops, the mail server is down")
	in.Behave(inbox.Behaviour{})
	for _, id := range ids {
		s.ends(t, id, "confirmed")
	}
	b.await(figure(waiting) + ` == "0" && !document.querySelector("#head").innerText.includes("is down")`)
	b.await(ownedBy(pids[0], pids[1]))
	must(t, syscall.Kill(pids[0], syscall.SIGKILL))
	s.owners(t, 1, pids[0])
	b.await(ownedBy(pids[1]))
	b.has("#owners", "0 without an owner")
	b.has("#changes", "moved to")
	b.clean()
}

// ownedBy is an expression: each of 12 partitions stands under one of some processes, each of which has some.
func ownedBy(pids ...int) string {
	all := strings.ReplaceAll(fmt.Sprint(pids), " ", ",")
	return `((all, want) => all.length == 12 && !document.getElementById("unowned") && all.every(pid => want.includes(pid)) && want.every(pid => all.includes(pid)))(
		[...document.querySelectorAll(".cell:not(.gone)")].map(c => Number(/\/(\d+) /.exec(c.closest("[id]").querySelector(".of").textContent)?.[1])), ` + all + `)`
}

// TestOperationsAreAccessible checks a system without workers, with one, and without JavaScript.
func TestOperationsAreAccessible(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	b := s.browse(t)
	b.openOps()
	b.has("#strips", "No worker is running")
	b.accessible("/ops without workers")
	s.deadLetterOf(t)
	b.await(`document.querySelectorAll(".cell").length == 12 && !document.getElementById("unowned")`)
	b.await(figure(dead) + ` == "1"`)
	b.do(chromedp.Click(chromedp.CSS(".plots summary")))
	b.accessible("/ops with a worker")
	if got := js[int](b, `document.querySelectorAll(".plot canvas").length`); got != 2 {
		t.Errorf("got %d charts, want 2", got)
	}
	b.clean()
}

// TestBreakItWithoutScripts uses the forms of the section in a browser without JavaScript.
func TestBreakItWithoutScripts(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers-as-processes", "--workers", "0")
	b := s.browse(t)
	b.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.open("/ops")
	b.has("#strips", "No worker is running")
	b.submit(`form[action="/ops/break/workers"] [value=add]`, `#break-worker`)
	b.do(chromedp.Click(chromedp.CSS(`form[action="/ops/break/mail"] [value=busy]`)))
	b.submit(`form[action="/ops/break/mail"] .btn`, `form[action="/ops/break/mail"] [value=busy][checked]`)
	b.do(chromedp.Click(chromedp.CSS(`form[action="/ops/break/mail"] [value=works]`)))
	b.submit(`form[action="/ops/break/mail"] .btn`, `form[action="/ops/break/mail"] [value=works][checked]`)
	b.submit(`form[action="/ops/break/load"] [name=orders][value="100"] ~ .btn`, "#break-load p")
	for _, err := range s.api.WatchStats(t.Context()) { // looks again with each event
		must(t, err)
		b.open("/ops")
		if strings.Contains(js[string](b, `document.querySelector("#break-load").innerText`), "100 of 100 orders placed") {
			break
		}
	}
	b.submit(`form[action="/ops/break/workers"] [value=kill]`, "#break-workers")
	b.clean()
}

// deadLetterOf runs a worker, and an order that becomes a dead letter.
func (s *site) deadLetterOf(t *testing.T) {
	t.Helper()
	s.work(t)
	s.deadOrder(t, "Zoë <b>Łukasiewicz</b>")
}

// TestAnHourOfOperationsKeepsThePageFlat gives the page's scripts an hour of events, with times of their own.
func TestAnHourOfOperationsKeepsThePageFlat(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	b := s.browse(t)
	b.do(call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `window.EventSource = class extends EventTarget {
		constructor() { super(); window.fake = this; }
		close() {}
	};`}))
	b.open("/ops")
	b.await(`window.fake && document.querySelector(".plot canvas") != null`)
	type held struct{ Points, Nodes int }
	got := js[[]held](b, `(async () => {
		const emit = (type, data) => fake.dispatchEvent(new MessageEvent(type, {data}));
		const begin = Math.floor(Date.now() / 5000) * 5 + 3600, held = [];
		const point = at => '<tr role="row" data-point="' + at + ' 20.5 ' + at % 7 + ' 0.5"><td role="cell"><time datetime="' + new Date(at * 1000).toISOString() + '">12:00:00 UTC</time></td><td></td><td></td><td></td></tr>';
		const now = document.getElementById("now").outerHTML, map = document.getElementById("map").outerHTML;
		for (let second = 1; second <= 3600; second++) {
			if (second % 5 == 0) emit("points", point(begin + second) + point(begin + second));
			emit("cells", now.replace(/<dd>[^<]*/, "<dd>" + second) + (second % 60 ? "" : map.replace("12 partitions", second + " partitions")));
			if (second % 900) continue;
			await new Promise(requestAnimationFrame);
			held.push({Points: document.getElementById("points").rows.length, Nodes: document.getElementsByTagName("*").length});
		}
		return held;
	})()`)
	for _, h := range got {
		if h.Points != 180 || h.Nodes != got[0].Nodes {
			t.Errorf("got %+v, want 180 points and a constant number of elements", got)
			break
		}
	}
	if last := js[string](b, `document.querySelector("#now dd").textContent`); len(got) != 4 || last != "3600" {
		t.Errorf("got %d looks and %q, want the last event shown", len(got), last)
	}
	b.clean()
}
