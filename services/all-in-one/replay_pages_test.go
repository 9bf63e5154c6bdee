package main

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/order"
)

// sums notes the counts of a replay, the number of selected ones first, with each change of its page.
const sums = `window.sums = []; new MutationObserver(() => {
	const now = [...document.querySelectorAll("#sum dd")].map(dd => Number(dd.textContent));
	if (document.readyState != "loading" && now.length) sums.push(now);
}).observe(document, {childList: true, subtree: true});`

// follows opens a further window with a replay, and waits until it is live.
func (b *tab) follows(s *site, path string) *tab {
	b.t.Helper()
	next := b.another(true)
	next.site = s
	next.do(call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: sums}))
	next.open(path)
	return next
}

// adds fails the test unless the counts added up to the selection at each event since the page was opened.
func (b *tab) adds() {
	b.t.Helper()
	seen := map[string]bool{}
	for _, n := range js[[][]int](b, "sums") {
		sum := 0
		for _, part := range n[1:] {
			sum += part
		}
		if seen[fmt.Sprint(n)] = true; sum != n[0] {
			b.t.Errorf("the counts %v add up to %d, want %d", n[1:], sum, n[0])
		}
	}
	if len(seen) < 2 {
		b.t.Errorf("got the counts %v, want those of several events", seen)
	}
}

// counted is an expression: so many are selected, confirmed, in progress, failed again, and not sent yet.
func counted(total, confirmed, progress, failed, rest int) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#sum dd")].map(dd => dd.textContent).join() == "%d,%d,%d,%d,0,0,0,0,%d"`, total, confirmed, progress, failed, rest)
}

// facts are what a page says about a replay.
func (b *tab) facts() string {
	b.t.Helper()
	return js[string](b, `["head", "sum", "ramp", "again", "log"].map(id => document.getElementById(id).innerText).join("\n")`)
}

// TestReplayInABrowser replays 16 dead letters from the page that starts it, in two windows at two APIs. The ramp is 1, 3. Its
// second step stops it. When it has been resumed, both APIs are killed before the first step is worked on. No worker runs while
// the windows are looked at: it would wait for a mail server for 30 s, which a busy machine may need.
func TestReplayInABrowser(t *testing.T) {
	t.Parallel()
	const total = 16
	d := openDesk(t)
	d.dies(t, total)
	var sites [2]*site
	for i, a := range d.apis {
		sites[i] = &site{url: "http://" + a.address, api: a.Client}
		sites[i].behindProxy(t)
	}
	first := sites[0].browse(t)
	b := first.follows(sites[0], "/desk")
	d.rests(t)
	b.submit(".causes .act a", "#start")
	b.has(".sticky", "Starting sends 1 dead letter.")
	js[int](b, `Object.entries({ramp: "1, 3", stop_above: "70"}).forEach(([name, value]) => document.getElementById("f-" + name).value = value), 0`)
	b.submit("[value=start]", "#start")
	b.has(".strip", "Nothing was started: the steps have changed.")
	b.submit("[value=start]", "#sum")
	b.await(counted(total, 0, 1, 0, total-1))
	path := js[string](b, "location.pathname")
	both := []*tab{b, first.follows(sites[1], path)}
	show(both, counted(total, 0, 1, 0, total-1))

	d.sends(t, 1)
	d.mails.Behave(inbox.Behaviour{At: "RCPT", Code: 550})
	show(both, counted(total, 1, 0, 3, total-4)+` && document.querySelector("#head").innerText.includes("Stopped at")`)
	b.has("#head", "3 of 3 of a step failed again")
	b.has("#ramp tbody tr:nth-child(2)", "stopped")
	b.has("#log", "The stop rule stopped the replay")
	agree(t, both)
	for _, b := range both {
		b.adds()
		b.clean()
	}
	d.diesWithAMail(both)
	agree(t, both)
	for _, b := range both {
		b.adds()
	}
	must(t, chromedp.Cancel(both[0]))
	agree(t, append(both[1:], first.follows(sites[0], path)))
	d.sentOnce(t, total, 3)
}

// rests ends both workers, which have nothing to do.
func (d *desk) rests(t *testing.T) {
	t.Helper()
	for _, name := range workerNames {
		if state := d.programs[name].end(syscall.SIGTERM); state.ExitCode() != 0 {
			t.Fatalf("%s: %s", name, state)
		}
	}
}

// sends starts both workers, and returns when the mail server has stored the next mail, which is number n. It answers when it
// behaves in another way.
func (d *desk) sends(t *testing.T, n int) {
	t.Helper()
	d.mails.Behave(inbox.Behaviour{At: ".", Late: time.Minute, Times: 1})
	for _, name := range workerNames {
		d.work(t, name, d.flags()...)
	}
	pages := httptest.NewServer(d.mails)
	defer pages.Close()
	stream, err := http.Get(pages.URL + "/events")
	must(t, err)
	defer stream.Body.Close()
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
		if lines.Text() == fmt.Sprint("data: ", n) {
			return
		}
	}
	t.Fatal("the mail server ended")
}

// diesWithAMail resumes the replay, and kills both APIs when its first step is sent. Its mail arrives while none runs.
func (d *desk) diesWithAMail(both []*tab) {
	b, t := both[0], both[0].t
	t.Helper()
	d.rests(t)
	b.submit(`form[action$="/resume"] .btn`, ".strip.run")
	show(both, counted(16, 1, 1, 3, 11))
	for _, a := range d.apis {
		a.end(os.Kill)
	}
	show(both, `document.querySelector("#live").textContent.startsWith("Stale") && !document.querySelector("#stale").hidden`)
	show(both, counted(16, 1, 1, 3, 11))
	d.sends(t, 2)
	d.mails.Behave(inbox.Behaviour{})
	for _, a := range d.apis {
		d.startAPI(t, a)
	}
	show(both, counted(16, 13, 0, 3, 0)+` && document.querySelector("#stale").hidden && document.querySelector("#head").dataset.ended == "yes"`)
}

// agree fails the test unless the pages say the same.
func agree(t *testing.T, all []*tab) {
	t.Helper()
	want := all[0].facts()
	for _, b := range all[1:] {
		if got := b.facts(); got != want {
			t.Errorf("one page says\n%s\nand another one\n%s", want, got)
		}
	}
}

// sentOnce checks that each dead letter was replayed once, and that each mail arrived once.
func (d *desk) sentOnce(t *testing.T, total, failed int) {
	t.Helper()
	d.requestedOnce(t, total)
	dead := 0
	for id, s := range d.kafka.States(t) {
		if s.Replays != 1 {
			t.Errorf("%s: got %d replays, want one", id, s.Replays)
		}
		if s.Status == order.Dead {
			dead++
		}
	}
	mails := d.mails.Deliveries()
	for id, n := range mails {
		if n != 1 {
			t.Errorf("mail %s was delivered %d times", id, n)
		}
	}
	if len(mails) != total-failed || dead != failed {
		t.Errorf("got %d mails and %d dead orders, want %d and %d", len(mails), dead, total-failed, failed)
	}
}
