package main

import (
	"fmt"
	"net/http"
	"net/smtp"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/embedded/inbox"
)

// shifts adds up what the layout of the page moved since it was opened, and names what moved.
const shifts = `window.shifted = {Sum: 0, Of: []}; new PerformanceObserver(list => list.getEntries().forEach(e => {
	shifted.Sum += e.value;
	shifted.Of.push(...e.sources.map(s => [e.value.toFixed(4), s.node?.id || s.node?.className || s.node?.textContent || s.node?.nodeName, s.previousRect.y, s.previousRect.height, "to", s.currentRect.y, s.currentRect.height].join(" ")));
})).observe({type: "layout-shift", buffered: true});`

// still fails the test if the page has moved by itself. Two frames later everything is laid out and observed. The
// sum of all layout shifts is at least the score of Core Web Vitals.
func (b *tab) still() {
	b.t.Helper()
	got := js[struct {
		Sum   float64
		Of    []string
		At    string
		Width int
	}](b, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done({...shifted, At: location.pathname, Width: innerWidth})))))`)
	if b.t.Logf("%s, %d px: the layout shifted by %.4f", got.At, got.Width, got.Sum); got.Sum >= 0.02 {
		b.t.Errorf("%s, %d px: the layout shifted by %.4f, want less than 0.02:\n%s", got.At, got.Width, got.Sum, strings.Join(got.Of, "\n"))
	}
	b.clean()
}

// watched opens windows of a wide and a narrow screen for each of some pages, and waits until they are live.
func (b *tab) watched(paths ...string) (all []*tab) {
	b.t.Helper()
	for _, path := range paths {
		for _, width := range []int64{1280, 390} {
			next := b.another(true)
			next.do(chromedp.EmulateViewport(width, 900), call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: shifts}))
			next.open(path)
			next.await(`document.querySelector("#live:not([hidden]):not(.stale)") != null`)
			all = append(all, next)
		}
	}
	return all
}

// show waits until each page shows what is wanted.
func show(all []*tab, wanted string) {
	for _, b := range all {
		b.t.Helper()
		b.await(wanted)
	}
}

// TestLivePagesDoNotMove looks at pages while they change: nothing on them may move by itself.
func TestLivePagesDoNotMove(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(*testing.T){
		"order": orderIsStill, "failing order": failingOrderIsStill, "operations": operationsAreStill, "desk": deskIsStill, "replay": replayIsStill, "inbox": inboxIsStill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			look(t)
		})
	}
}

// orderIsStill looks at an order while it is confirmed, as its customer, as an operator, and at the shop.
func orderIsStill(t *testing.T) {
	s, text := openSigned(t, "customer")
	buys := s.browse(t)
	buys.signsIn(text)
	buys.buys()
	path := js[string](buys, "location.pathname")
	all := append(buys.watched(path), s.operator(t).watched(path)...)
	s.work(t)
	show(all, `document.querySelectorAll(".way .ok-s").length == 4`)
	for _, b := range all {
		b.still()
	}
}

// operator is a browser with a session of an administrator.
func (s *site) operator(t *testing.T) *tab {
	t.Helper()
	b := s.browse(t)
	b.signsIn(s.admin)
	return b
}

// signsIn signs in with the text of an API key.
func (b *tab) signsIn(text string) {
	b.t.Helper()
	b.open("/sign-in")
	b.fill(map[string]string{"api_key": text})
	b.submit("main .btn.go", ".goods")
}

// failingOrderIsStill looks at an order whose mail is refused for now, then waits, and is refused for good.
func failingOrderIsStill(t *testing.T) {
	in := runInbox(t)
	s := openSite(t, "--workers", "0", "--embedded", "broker", "--smtp", in.SMTPAddr())
	b := s.browse(t)
	b.buys()
	all := b.watched(js[string](b, "location.pathname"))
	in.Behave(inbox.Behaviour{At: "RCPT", Code: 451})
	s.work(t)
	show(all, `document.querySelector(".way .retry-s, .way .wait-s") != null`)
	in.Behave(inbox.Behaviour{At: "RCPT", Code: 550})
	show(all, `document.querySelector(".way .dead-s") != null`)
	for _, b := range all {
		b.still()
	}
}

// operationsAreStill looks at the page of operations while workers start and stop, and under load.
func operationsAreStill(t *testing.T) {
	s := openSite(t, "--workers-as-processes", "--workers", "0")
	all := s.browse(t).watched("/ops")
	s.breaks(t, "workers", url.Values{"act": {"add"}}, http.StatusSeeOther)
	first := s.owners(t, 1, 0)[0]
	show(all, ownedBy(first))
	s.breaks(t, "workers", url.Values{"act": {"add"}}, http.StatusSeeOther)
	both := s.owners(t, 2, 0)
	show(all, ownedBy(both...))
	s.breaks(t, "load", url.Values{"orders": {"100"}, "rate": {"0"}}, http.StatusSeeOther)
	show(all, `document.querySelector("#break-load").innerText.includes("100 of 100 orders placed")`)
	s.breaks(t, "record", nil, http.StatusSeeOther)
	show(all, figure(dead)+` == "1"`)
	s.breaks(t, "workers", url.Values{"act": {"stop"}, "worker": {strconv.Itoa(first)}}, http.StatusSeeOther)
	show(all, ownedBy(s.owners(t, 1, first)...))
	for _, b := range all {
		b.still()
	}
}

// deskIsStill looks at the lists of the desk while a dead letter comes.
func deskIsStill(t *testing.T) {
	s := openSite(t, "--workers", "0")
	s.work(t)
	l, err := s.api.DeadLetter(t.Context(), s.deadOrder(t, "Zoë"))
	must(t, err)
	all := s.browse(t).watched("/desk", "/desk/groups/"+l.Cause, "/desk/dead-letters")
	s.deadOrder(t, "Ben")
	show(all, `document.querySelector("#news").textContent.startsWith("1 new dead letter since")`)
	for _, b := range all {
		b.still()
	}
}

// replayIsStill looks at a replay from its first dead letter, which no worker has replayed yet, to its end.
func replayIsStill(t *testing.T) {
	s := openSite(t, "--workers-as-processes", "--workers", "1")
	worker := s.owners(t, 1, 0)[0]
	for i := range 7 {
		s.deadOrder(t, fmt.Sprintf("Ada %d", i))
	}
	s.breaks(t, "workers", url.Values{"act": {"kill"}, "worker": {strconv.Itoa(worker)}}, http.StatusSeeOther)
	job, err := s.api.StartReplay(t.Context(), client.NewReplayJob{Selection: client.Selection{All: true}, Ramp: []int{1, 2}, Reason: "Try"})
	must(t, err)
	all := s.browse(t).watched("/desk/replays/" + job.ID)
	show(all, `document.querySelector("#ramp td:nth-child(3)").textContent == "1"`)
	s.breaks(t, "workers", url.Values{"act": {"add"}}, http.StatusSeeOther)
	show(all, `document.querySelector("#head").dataset.ended == "yes"`)
	for _, b := range all {
		b.still()
	}
}

// inboxIsStill looks at the inbox while a mail comes.
func inboxIsStill(t *testing.T) {
	s := openSite(t, "--workers", "0")
	send := func(subject string) {
		must(t, smtp.SendMail(s.smtp, nil, "ada@example.com", []string{"zoe@example.com"}, []byte("Subject: "+subject+"\r\n\r\nHello\r\n")))
	}
	send("first")
	all := (&site{url: s.inbox}).browse(t).watched("/")
	send("second")
	show(all, `document.querySelector("#new").textContent == "1 new mail · show"`)
	for _, b := range all {
		b.still()
	}
}
