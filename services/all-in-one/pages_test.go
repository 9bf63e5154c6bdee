package main

import (
	"context"
	_ "embed" // for axe
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"example.com/orders/services/order-api/client"
)

// axe is axe-core 4.14.1 of npm, with its licence in the same folder.
//
//go:embed testdata/axe/axe.min.js
var axe string

// site is a running application, as a browser sees it.
type site struct {
	url, inbox, smtp, brokers string
	api                       *client.Client
	admin                     string // the text of an API key of an administrator; or empty: there is no sign-in
}

// openSite runs the whole application until the test ends.
func openSite(t *testing.T, flags ...string) *site {
	t.Helper()
	s, _ := openSiteIn(t, unset, flags...)
	return s
}

// openSiteIn is openSite in an environment. The test can stop the application itself.
func openSiteIn(t *testing.T, env func(string) string, flags ...string) (s *site, stop func()) {
	t.Helper()
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	args := append([]string{
		"--http", "127.0.0.1:0", "--inbox", "127.0.0.1:0", "--smtp", "127.0.0.1:0", "--brokers", "127.0.0.1:0", "--health", "", "--data", t.TempDir(),
	}, flags...)
	go func() { // ends with cancel
		err := run(ctx, args, env, w, io.Discard)
		w.CloseWithError(io.EOF)
		done <- err
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	s = &site{}
	text := &strings.Builder{}
	addresses := regexp.MustCompile(`(?s)^Shop +(http://\S+)/\n.*?\n(?:Inbox +(http://\S+)/\n)?Mail server +(\S+)\n.*Kafka +(\S+)\n.*Press Ctrl-C`)
	for buffer := make([]byte, 4096); s.url == ""; {
		n, err := r.Read(buffer)
		if text.Write(buffer[:n]); err != nil {
			t.Fatalf("the program ended: %s", text)
		}
		if found := addresses.FindStringSubmatch(text.String()); found != nil {
			s.url, s.inbox, s.smtp, s.brokers = found[1], found[2], found[3], found[4]
		}
	}
	s.api = client.New(s.url, http.DefaultClient)
	return s, stop
}

// tab is a tab of Chromium, and what happened in it.
type tab struct {
	context.Context //nolint:containedctx // chromedp's context is the tab
	t               *testing.T
	site            *site

	mu       sync.Mutex
	messages []string // of the console
	requests []string // URLs
}

// browse opens Chromium.
func (s *site) browse(t *testing.T) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.WSURLReadTimeout(patience))
	allocator, free := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, leave := chromedp.NewContext(allocator)
	t.Cleanup(func() { leave(); free() })
	b := &tab{Context: ctx, t: t, site: s}
	b.listen()
	return b
}

// listen notes what happens in the tab.
func (b *tab) listen() {
	b.t.Helper()
	b.do(call(network.Enable, network.EnableParams{}), call(log.Enable, cdp.Empty{}))
	must(b.t, chromedp.Listen(b, b.note))
}

// call is a command of the DevTools protocol.
func call[P, R any](command cdp.Command[P, R], parameters P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, parameters)
		return err
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// note is called with each event of the tab.
func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		b.messages = append(b.messages, fmt.Sprintf("%s %v", e.Type, e.Args))
	case *runtime.EventExceptionThrown:
		b.messages = append(b.messages, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		// Chromium reports every answer with an error status: the tests ask for those.
		if !strings.Contains(e.Entry.Text, "the server responded with a status of") {
			b.messages = append(b.messages, e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b); err != nil { // starts the browser, which must not end with the limit below
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b, patience)
	defer cancel()
	must(b.t, chromedp.Do(ctx, steps...))
}

func (b *tab) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.site.url + path))
}

// js evaluates an expression in the page.
func js[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// await waits until an expression is true. It is evaluated with each change of the page.
func (b *tab) await(expression string) {
	b.t.Helper()
	if _, err := chromedp.Run(b, chromedp.Poll[bool](expression, chromedp.WithPollingMutation(), chromedp.WithPollingTimeout(patience))); err != nil {
		b.t.Fatalf("%s: %v\nthe page is %s", expression, err, js[string](b, "document.body.innerText"))
	}
}

// submit clicks on a link, or on a button that sends a form, and waits for what the next page has.
func (b *tab) submit(selector, then string) {
	b.t.Helper()
	js[int](b, `document.documentElement.classList.add("previous-page"), 0`) // this page may have it, too
	b.do(chromedp.Click(chromedp.CSS(selector)), chromedp.WaitVisible(chromedp.CSS("html:not(.previous-page) "+then)))
}

// choose clicks on something, and waits for what the same page has then.
func (b *tab) choose(selector, then string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)), chromedp.WaitVisible(chromedp.CSS(then)))
}

// has fails the test unless an element shows a text.
func (b *tab) has(selector, text string) {
	b.t.Helper()
	got, err := chromedp.Run(b, chromedp.Text(chromedp.CSS(selector)))
	must(b.t, err)
	if !strings.Contains(got, text) {
		b.t.Errorf("%s shows %q, want %q", selector, got, text)
	}
}

// fill sets the fields of a form by their names.
func (b *tab) fill(values map[string]string) {
	b.t.Helper()
	text, err := json.Marshal(values)
	must(b.t, err)
	js[int](b, "Object.entries("+string(text)+`).forEach(([name, value]) => document.querySelector("main form [name=" + name + "]").value = value), 0`)
}

// clean fails the test if the console has a message, or if a request went to another host.
func (b *tab) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.messages {
		b.t.Errorf("the console has: %s", m)
	}
	for _, r := range b.requests {
		if !strings.HasPrefix(r, b.site.url+"/") && !strings.HasPrefix(r, "data:") && !strings.HasPrefix(r, "chrome") && !strings.HasPrefix(r, "about:") {
			b.t.Errorf("a request was sent to %s", r)
		}
	}
}

var buyer = map[string]string{"name": "Zoë Łukasiewicz", "email": "zoe@example.com", "line1": "1 Main Street", "city": "Berlin", "postal_code": "10115"}

// TestPagesFromShopToInvoice is the way of a customer in a real browser, with JavaScript and without.
// No worker runs until the page of the order is open.
func TestPagesFromShopToInvoice(t *testing.T) {
	t.Parallel()
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSite(t, "--workers", "0")
			b := s.browse(t)
			b.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts}))
			b.buys()
			orders, _, err := s.api.Orders(t.Context(), client.OrderQuery{})
			must(t, err)
			if len(orders) != 1 {
				t.Fatalf("got %d orders after a double click, want one", len(orders))
			}
			b.seesItsOrder(scripts)
			b.clean()
		})
	}
}

// buys fills the basket, corrects a form with faults, and places the order with a double click.
func (b *tab) buys() {
	b.t.Helper()
	b.open("/")
	b.submit("#p-BOTTLE-750 .btn", "#p-BOTTLE-750 output")
	b.submit("#p-MUG-ENAMEL .btn", "#p-MUG-ENAMEL output")
	b.open("/") // the basket survives
	b.has("#basket", "2 pieces")
	b.open("/checkout")
	b.fill(map[string]string{"name": "", "email": "zoe@", "line1": "1 Main Street", "city": "", "postal_code": "1011"})
	b.submit("main .btn.go", "[aria-invalid=true]")
	if !js[bool](b, `document.querySelector("[role=alert]").parentElement === document.activeElement`) {
		b.t.Error("the focus is not on what is wrong")
	}
	b.has("main", "Must not be empty.")
	b.has("main", "Must be a postal code of Germany, such as 26133: DE has five digits, not four")
	if got := js[map[string]string](b, `Object.fromEntries(new FormData(document.querySelector("main form")))`); got["line1"] != "1 Main Street" || got["email"] != "zoe@" || got["postal_code"] != "1011" {
		b.t.Errorf("got %v, want the draft kept", got)
	}
	b.fill(buyer)
	b.do(chromedp.DoubleClick(chromedp.CSS("main .btn.go")), chromedp.WaitReady(chromedp.CSS(".way")))
	b.has("h1", "We have received your order.")
}

// seesItsOrder starts a worker, and sees the stages: they fill by themselves, or after a reload.
func (b *tab) seesItsOrder(scripts bool) {
	b.t.Helper()
	path := strings.TrimPrefix(js[string](b, "location.href"), b.site.url)
	id := strings.TrimPrefix(path, "/orders/")
	b.site.work(b.t)
	if scripts {
		b.await(`document.querySelectorAll(".way .ok-s").length == 4`)
		b.await(`document.title.startsWith("Your order is confirmed.")`)
	} else {
		b.site.ends(b.t, id, "confirmed")
		b.open(path)
	}
	b.has("h1", "Your order is confirmed.")
	b.has(".way", "Invoice issued")
	b.has("#docs", "View PDF")
	document, err := http.Get(b.site.url + js[string](b, `document.querySelector("#docs a").getAttribute("href")`))
	must(b.t, err)
	defer document.Body.Close()
	content, err := io.ReadAll(document.Body)
	must(b.t, err)
	if kind := document.Header.Get("Content-Type"); kind != "application/pdf" || !strings.HasPrefix(string(content), "%PDF-") {
		b.t.Errorf("got %s of %d bytes, want the invoice", kind, len(content))
	}
}

// TestPagesAreAccessible checks every page and state with axe-core, light and dark, on wide and narrow
// screens, and that nothing is wider than the screen.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	s.work(t)
	b := s.browse(t)
	paths := s.states(t)
	b.open("/")
	b.submit("#p-BOTTLE-750 [value=add]", "#p-BOTTLE-750 output")
	for _, path := range paths {
		b.open(path)
		b.accessible(path)
	}
	b.open("/checkout")
	b.submit("main .btn.go", "[aria-invalid=true]")
	b.accessible("faults of /checkout")
	b.clean()
}

// states places orders until there is one of each status that a page shows in its own way, and returns
// all paths.
func (s *site) states(t *testing.T) []string {
	t.Helper()
	paths := []string{"/", "/?category=Drink", "/?category=none", "/checkout", "/orders", "/orders?status=dead", "/orders?q=unknown@example.com", "/nowhere", "/orders/ord_aaaaaaaaaaaaaaaaaaaaaaaaaa"}
	for country, status := range map[string]string{"DE": "confirmed", "AQ": "dead"} {
		o, err := s.api.Place(t.Context(), client.NewOrder{
			Customer: client.Customer{Name: "Zoë <b>Łukasiewicz</b>", Email: "zoe@example.com"}, Service: "standard", Note: "<script>alert(1)</script>",
			ShipTo: client.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: country},
			Items:  []client.Item{{SKU: "BOTTLE-750", Quantity: 2}, {SKU: "TENT-2P", Quantity: 1}},
		}, "", 0)
		must(t, err)
		s.ends(t, o.ID, status)
		paths = append(paths, "/orders/"+o.ID, "/orders/"+o.ID+"/refund")
	}
	return paths
}

// accessible runs axe in the page, light and dark, on wide and narrow screens, and with forced colours. 320 px is a
// zoom of 400 %.
func (b *tab) accessible(what string) {
	b.t.Helper()
	type violation struct {
		ID    string
		Nodes []string
	}
	js[int](b, axe+";0")
	for _, scheme := range []string{"light", "dark", "forced"} {
		widths := []int64{1280, 390, 320}
		looks := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "forced-colors", Value: "none"}}
		if scheme == "forced" {
			looks[0].Value, looks[1].Value = "dark", "active"
			widths = widths[:1] // the colours are the same on all
		}
		b.do(call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: looks}))
		for _, width := range widths {
			b.do(chromedp.EmulateViewport(width, 900))
			for _, v := range js[[]violation](b, "axe.run({resultTypes: ['violations']}).then(r => r.violations.map(v => ({ID: v.id, Nodes: v.nodes.map(n => n.html)})))") {
				b.t.Errorf("%s, %s, %d px: axe finds %s at %.300q", what, scheme, width, v.ID, v.Nodes)
			}
			b.fits(fmt.Sprintf("%s, %s, %d px", what, scheme, width))
		}
	}
}

// fits fails the test if the page is wider than the screen.
func (b *tab) fits(what string) {
	b.t.Helper()
	if over := js[float64](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); over > 0 {
		b.t.Errorf("%s: the page is %v px wider than the screen", what, over)
	}
}

// work runs a worker until the test ends.
func (s *site) work(t *testing.T) {
	t.Helper()
	k := &kit{t: t, workdir: t.TempDir(), programs: map[string]*program{}}
	path, err := buildWorker()
	must(t, err)
	worker, err := k.launch("worker", path, "--brokers", s.brokers, "--smtp", s.smtp, "--health", "")
	must(t, err)
	t.Cleanup(func() { worker.end(os.Kill) })
}

// ends waits until an order has a status.
func (s *site) ends(t *testing.T, id, status string) {
	t.Helper()
	var last string
	for change, err := range s.api.Watch(t.Context(), id, -1) {
		must(t, err)
		if last = change.Status; last == status {
			return
		}
	}
	t.Fatalf("order %s ended as %s, want %s", id, last, status)
}

// TestBasketAndFormSurvive sends a form with a fault, and reloads the answer.
func TestBasketAndFormSurvive(t *testing.T) {
	t.Parallel()
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openSite(t, "--workers", "0").browse(t)
			b.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts}))
			b.open("/")
			b.submit("#p-MUG-ENAMEL .btn", "#p-MUG-ENAMEL output")
			b.open("/checkout")
			b.fill(buyer)
			b.fill(map[string]string{"city": ""})
			b.submit("main .btn.go", "[aria-invalid=true]")
			b.keepsForm()
			js[int](b, `document.documentElement.classList.add("previous-page"), 0`)
			b.do(call(page.Reload, page.ReloadParams{}), chromedp.WaitVisible(chromedp.CSS("html:not(.previous-page) [aria-invalid=true]")))
			b.keepsForm()
			b.clean()
		})
	}
}

// keepsForm fails the test unless the checkout has the basket and what was filled in.
func (b *tab) keepsForm() {
	b.t.Helper()
	b.has("ul.sums", "1 × ")
	if got := js[map[string]string](b, `Object.fromEntries(new FormData(document.querySelector("main form")))`); got["line1"] != buyer["line1"] || got["name"] != buyer["name"] || got["city"] != "" {
		b.t.Errorf("got %v, want the form as it was filled in", got)
	}
}
