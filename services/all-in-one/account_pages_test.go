package main

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"example.com/orders/services/order-api/client"
)

// key creates an API key with ordersctl keys, and returns its text.
func key(t *testing.T, file, role string) string {
	t.Helper()
	out, err := exec.Command("go", "run", "example.com/orders/services/order-api/cmd/ordersctl", "keys", "create", "--file", file, "--role", role, "--name", "Ann").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return regexp.MustCompile(`ok_\w+`).FindString(string(out))
}

// openSigned runs the application with API keys, and returns one of a role for browsers.
func openSigned(t *testing.T, role string) (s *site, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys.yaml")
	text = key(t, file, role)
	admin := key(t, file, "admin")
	s = openSite(t, "--workers", "0", "--auth", "keys", "--api-keys", file)
	s.admin = admin
	var err error
	s.api, err = client.New(s.url, http.DefaultClient).WithToken(admin, false)
	must(t, err)
	return s, text
}

// TestSignInAndOutWithAKey is the way of an operator who has a key, with JavaScript and without.
func TestSignInAndOutWithAKey(t *testing.T) {
	t.Parallel()
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, text := openSigned(t, "operator")
			b := s.browse(t)
			b.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts}))
			b.open("/desk?step=email")
			b.do(chromedp.WaitVisible(chromedp.CSS("#f-api_key")))
			b.fill(map[string]string{"api_key": "ok_wrong_key"})
			b.submit("main .btn.go", "[aria-invalid=true]")
			if got := js[string](b, `document.querySelector("#f-api_key").value`); got != "" {
				t.Error("the page has the wrong key")
			}
			b.fill(map[string]string{"api_key": text})
			b.submit("main .btn.go", ".filters")
			if got := js[string](b, "location.pathname + location.search"); got != "/desk?step=email" {
				t.Errorf("arrived at %s, want the page that was asked for", got)
			}
			b.submit(".me a", "[value=all]")
			b.has("h1 + .answer", "with the role operator")
			b.choose("[name=theme][value=dark]", "[name=theme][value=dark]")
			b.submit(`form[action="/account"] .btn`, `[name=theme][value=dark]`)
			if got := js[string](b, "getComputedStyle(document.documentElement).colorScheme"); got != "dark" {
				t.Errorf("the page is %s, want it dark", got)
			}
			b.submit(`[action="/sign-out"] button`, "#f-api_key")
			b.has(".strip.run", "You are signed out.")
			b.open("/account")
			b.has("h1 + .answer", "You are not signed in.")
			for _, r := range b.requests {
				if strings.Contains(r, text) {
					t.Errorf("the key is in the URL %s", r)
				}
			}
			b.clean()
		})
	}
}

// TestAccountIsAccessible checks sign-in and account in each state with axe-core.
func TestAccountIsAccessible(t *testing.T) {
	t.Parallel()
	s, text := openSigned(t, "admin")
	b := s.browse(t)
	for _, path := range []string{"/sign-in", "/account"} {
		b.open(path)
		b.accessible(path + ", guest")
	}
	b.open("/sign-in")
	b.submit("main .btn.go", "[aria-invalid=true]")
	b.accessible("a wrong key")
	b.fill(map[string]string{"api_key": text})
	b.submit("main .btn.go", "#basket")
	for _, path := range []string{"/account", "/sign-in"} {
		b.open(path)
		b.accessible(path + ", signed in")
	}
	b.open("/account")
	b.submit(`[action="/sign-out"] button`, ".strip.run")
	b.accessible("signed out")
	b.clean()
	open := openSite(t, "--workers", "0").browse(t)
	for _, path := range []string{"/account", "/sign-in"} {
		open.open(path)
		open.accessible(path + ", without sign-in")
	}
}

// clock lets a test say when the session ends, and notes for when timers are set.
const clock = `window.timers = [];
const later = window.setTimeout, ask = window.fetch;
window.setTimeout = (act, ms, ...more) => { timers.push(ms); return later(act, ms, ...more); };
window.fetch = (url, ...more) => url === "/sign-in/left" && window.left ? Promise.resolve(new Response(window.left)) : ask(url, ...more);`

// TestSessionWarnsBeforeItEnds: two minutes before, without moving the page; the session is kept by a click, or after a new
// sign-in in another tab. What was typed stays.
func TestSessionWarnsBeforeItEnds(t *testing.T) {
	t.Parallel()
	s, text := openSigned(t, "operator")
	b := s.browse(t)
	b.signsIn(text)
	b.do(call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: shifts + clock}))
	b.open("/orders")
	if !js[bool](b, `timers.some(ms => ms > 27 * 60 * 1000 && ms <= 28 * 60 * 1000)`) { // the page may have been made slowly
		t.Errorf("got timers after %v ms, want one 2 minutes before the end", js[[]float64](b, "timers"))
	}
	ends := func(left, words string) {
		t.Helper()
		js[int](b, `document.querySelector("#find").value = "typed", window.left = "`+left+`", document.dispatchEvent(new Event("visibilitychange")), 0`)
		b.await(`!document.querySelector("#expiry").hidden && document.querySelector("#expires").textContent.includes("` + words + `")`)
	}
	ends("100 1800", "because it was not used")
	b.still()
	b.accessible("a session that ends soon")
	b.do(chromedp.Click(chromedp.CSS("#expiry button")))
	b.await(`document.querySelector("#expiry").hidden && document.querySelector("#status").textContent == "You stay signed in."`)
	ends("100 100", "Sign in again in a new tab")
	b.do(chromedp.WaitVisible(chromedp.CSS("#expiry a[target=_blank]")))
	ends("0 0", "Your session has ended.")
	b.accessible("a session that has ended")
	if got := js[string](b, `document.querySelector("#find").value`); got != "typed" {
		t.Errorf("got %q, want what was typed", got)
	}
	b.clean()
}

// TestAFormIsKeptWhenTheSessionHasEnded sends a form after a sign-out in another tab, with JavaScript and without.
func TestAFormIsKeptWhenTheSessionHasEnded(t *testing.T) {
	t.Parallel()
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, text := openSigned(t, "operator")
			s.work(t)
			l, err := s.api.DeadLetter(t.Context(), s.deadOrder(t, "Zoë"))
			must(t, err)
			b := s.browse(t)
			b.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts}))
			b.signsIn(text)
			b.open("/desk/groups/" + l.Cause)
			other := b.another(true)
			other.open("/account")
			other.submit(`[action="/sign-out"] button`, "#f-api_key")
			const note = "Ask <b>Ben</b> about \"it\""
			b.fill(map[string]string{"text": note})
			b.submit(`form[action$="/note"] .btn`, "#f-api_key")
			b.has(".strip.retry", "What you sent was not done.")
			b.fill(map[string]string{"api_key": text})
			b.submit("main .btn.go", "#h-draft")
			b.has("main dl", note)
			if scripts {
				b.accessible("what a form sent")
			}
			b.submit("main .btn.go", "blockquote")
			b.has("blockquote", note)
			b.clean()
		})
	}
}
