//go:build synctests

package httpapi_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/web"
	"example.com/orders/shared/order"
)

// withPages adds the pages to an API.
func withPages(t *testing.T) func(*httpapi.Config) {
	t.Helper()
	pages, err := web.New(web.Config{Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	return func(c *httpapi.Config) { c.Web = pages }
}

// reader is a browser without JavaScript.
type reader struct {
	*http.Client
	t    *testing.T
	url  string
	auth string // Authorization header; or empty
}

func (s *shop) reader(t *testing.T, auth string) *reader {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &reader{&http.Client{Transport: s.raw.Transport, Jar: jar, CheckRedirect: stay}, t, s.url, auth}
}

// get returns the status, the body, and where the answer redirects to.
func (b *reader) get(path string) (int, string, string) {
	b.t.Helper()
	return b.do(http.MethodGet, path, nil)
}

func (b *reader) post(path string, form url.Values) (int, string, string) {
	b.t.Helper()
	return b.do(http.MethodPost, path, form)
}

func (b *reader) do(method, path string, form url.Values) (int, string, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(form.Encode()))
	must(b.t, err)
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.auth != "" {
		r.Header.Set("Authorization", b.auth)
	}
	resp, err := b.Do(r)
	must(b.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(b.t, err)
	b.safe(method+" "+path, resp, string(body))
	return resp.StatusCode, string(body), resp.Header.Get("Location")
}

// inline are scripts and styles that the policy of the pages forbids.
var inline = regexp.MustCompile(`(?i)<style|\sstyle=|<script(>| [^s][^>]*>)|<script[^>]*>[^<]|\son[a-z]+\s*=\s*["']`)

// safe holds each page to the policy: it has one, and nothing inside that the policy forbids.
func (b *reader) safe(what string, resp *http.Response, body string) {
	b.t.Helper()
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || strings.HasPrefix(resp.Request.URL.Path, "/docs") {
		return
	}
	const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
	if h := resp.Header; h.Get("Content-Security-Policy") != policy || h.Get("Referrer-Policy") != "same-origin" || h.Get("X-Content-Type-Options") != "nosniff" {
		b.t.Errorf("%s: got headers %v, want the policies of pages", what, h)
	}
	if regexp.MustCompile(`(?i)(href|src|action)="\s*javascript:`).MatchString(body) {
		b.t.Errorf("%s has a link that is a script", what)
	}
	markup := regexp.MustCompile(`"[^"]*"`).ReplaceAllStringFunc(body, func(quoted string) string {
		if strings.HasPrefix(quoted, `"/assets/`) || quoted == `"module"` {
			return quoted
		}
		return `""` // values of attributes are escaped: TestPagesShowHostileTextAsText
	})
	if found := inline.FindString(strings.ReplaceAll(markup, `<script type="module" src="/assets/`, `<script src="/assets/`)); found != "" {
		b.t.Errorf("%s has %q", what, found)
	}
}

// field returns the value of a hidden field of a page.
func field(body, name string) string {
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(body)
	if found == nil {
		return ""
	}
	return strings.ReplaceAll(found[1], "&amp;", "&")
}

// order fills the basket and returns the form of the checkout.
func (b *reader) form(change map[string]string) url.Values {
	b.t.Helper()
	for range 2 {
		if status, _, to := b.post("/basket", url.Values{"sku": {"BOTTLE-750"}, "act": {"add"}, "from": {"goods"}}); status != http.StatusSeeOther || to != "/#p-BOTTLE-750" {
			b.t.Errorf("add: got %d to %q, want the shop", status, to)
		}
	}
	_, body, _ := b.get("/checkout")
	form := url.Values{
		"key": {field(body, "key")}, "basket": {field(body, "basket")}, "act": {"place"}, "name": {"Zoë Łukasiewicz"}, "email": {"zoe@example.com"},
		"line1": {"1 Main Street"}, "city": {"Berlin"}, "postal_code": {"10115"}, "country": {"DE"}, "service": {"standard"},
	}
	for name, value := range change {
		form.Set(name, value)
	}
	return form
}

func TestEveryPageSaysWhatItRequires(t *testing.T) {
	t.Parallel()
	cfg := httpapi.Config{Log: slog.New(slog.DiscardHandler)}
	withPages(t)(&cfg)
	public := regexp.MustCompile(`^/(assets|docs|healthz|sign-in|sign-out|metrics|openapi.yaml)`)
	pages := 0
	for _, r := range httpapi.New(cfg, nil, nil, nil, nil, nil).(*echo.Echo).Routes() {
		if strings.HasPrefix(r.Path, "/v1/") {
			continue
		}
		pages++
		if known := identity.Admin.Has(identity.Permission(r.Name)); !known && (r.Name != "public" || !public.MatchString(r.Path)) {
			t.Errorf("%s %s requires %q, want a permission", r.Method, r.Path, r.Name)
		}
	}
	if pages < 15 {
		t.Errorf("got %d routes, want the pages", pages)
	}
}

func TestShopWithoutJavaScript(t *testing.T) {
	t.Parallel()
	s := setup(t, withPages(t))
	b := s.reader(t, "")
	form := b.form(nil)
	_, body, _ := b.get("/")
	for _, want := range []string{"2 pieces", "49.80", "Postal code", "/checkout"} {
		if !strings.Contains(body, want) {
			t.Errorf("the shop lacks %q", want)
		}
	}
	if status, body, _ := b.post("/basket", url.Values{"act": {"ship"}, "country": {"PL"}, "postal_code": {"1"}, "service": {"standard"}}); status != http.StatusSeeOther {
		t.Errorf("ship: got %d %s", status, body)
	}
	if _, body, _ := b.get("/"); !strings.Contains(body, "Must be a postal code of Poland, such as 00-950: PL has five digits, not one.") {
		t.Error("the shop does not show the wrong postal code")
	}
	b.post("/basket", url.Values{"act": {"ship"}, "country": {"PL"}, "postal_code": {"00-950"}, "service": {"express"}})
	if _, body, _ := b.get("/"); !strings.Contains(body, `value="express" checked`) || !strings.Contains(body, "Total without VAT") {
		t.Error("the shop does not show the services")
	}
	before := len(s.Records(t, s.Topics.Orders))
	_, _, first := b.post("/checkout", form)
	status, _, second := b.post("/checkout", form)
	if got := len(s.Records(t, s.Topics.Orders)) - before; status != http.StatusSeeOther || second != first+"?again=yes" || got != 1 || !strings.HasPrefix(first, "/orders/ord_") {
		t.Errorf("a form sent twice: got %d to %q and %q, and %d orders; want one", status, first, second, got)
	}
	if _, body, _ := b.get(second); !strings.Contains(body, "Already placed.") {
		t.Error("the page after a double submit does not tell that the order was placed before")
	}
	if _, body, _ := b.get(first); strings.Contains(body, "Already placed.") {
		t.Error("the page after the first submit tells that the order was placed before")
	}
	form.Set("city", "Hamburg")
	if status, body, _ := b.post("/checkout", form); status != http.StatusUnprocessableEntity || !strings.Contains(body, "This form has placed an order already") || field(body, "key") == form.Get("key") || strings.Contains(body, "..") {
		t.Errorf("a form sent again with another city: got %d, want the form with another key", status)
	}
	if _, body, _ := b.get("/"); !strings.Contains(body, "Nothing is in the basket") {
		t.Error("the basket is not empty after the order")
	}
	if status, _, _ := b.post("/basket", url.Values{"act": {"steal"}}); status != http.StatusBadRequest {
		t.Errorf("unknown act: got %d, want 400", status)
	}
}

func TestEachWrongFieldIsShownWithTheDraft(t *testing.T) {
	t.Parallel()
	s := setup(t, withPages(t))
	b := s.reader(t, "")
	status, body, _ := b.post("/checkout", b.form(map[string]string{"name": "", "email": "zoe@", "city": "", "postal_code": "1011", "vat_id": "de 1", "note": "kept <as it is>"}))
	if status != http.StatusUnprocessableEntity {
		t.Errorf("got %d, want 422", status)
	}
	if !strings.Contains(body, "The order was not placed.") || !strings.Contains(body, "5 fields below need a change.") {
		t.Error("the page does not begin with what was not done")
	}
	for _, name := range []string{"name", "email", "city", "postal_code", "vat_id"} {
		if !regexp.MustCompile(`name="`+name+`"[^>]*aria-invalid="true" aria-describedby="e-`+name+`"`).MatchString(body) || !strings.Contains(body, `id="e-`+name+`"`) {
			t.Errorf("%s is not shown as wrong", name)
		}
	}
	for _, kept := range []string{`value="zoe@"`, `value="1 Main Street"`, `value="1011"`, "kept &lt;as it is&gt;</textarea>"} {
		if !strings.Contains(body, kept) {
			t.Errorf("the draft lost %s", kept)
		}
	}
	status, body, _ = b.post("/checkout", b.form(map[string]string{"act": "update", "country": "US"}))
	if status != http.StatusOK || strings.Contains(body, "was not placed") || !strings.Contains(body, "ZIP code") || !strings.Contains(body, `value="Zoë Łukasiewicz"`) {
		t.Errorf("another country: got %d, want its fields and the draft", status)
	}
	status, body, _ = b.post("/checkout", b.form(map[string]string{"country": "AQ", "postal_code": "", "service": "teleport"}))
	if status != http.StatusUnprocessableEntity || !strings.Contains(body, "Must be standard or express.") {
		t.Errorf("unknown service: got %d, want it named", status)
	}
}

// TestPagesShowHostileTextAsText: a page with hostile text has the same markup as one with harmless text.
func TestPagesShowHostileTextAsText(t *testing.T) {
	t.Parallel()
	s := setup(t, withPages(t))
	markup := func(text string) string {
		b := s.reader(t, "")
		form := b.form(map[string]string{
			"name": text, "line1": text, "line2": text, "city": text, "region": text, "note": text, "company": text, "purchase_order": text, "buyer_reference": text,
			"bill_name": text, "bill_company": text, "bill_line1": text, "bill_line2": text, "bill_city": text, "bill_region": text, "bill_postal_code": "10115", "bill_country": "DE",
		})
		status, _, path := b.post("/checkout", form)
		if status != http.StatusSeeOther {
			t.Fatalf("%q: got %d, want an order", text, status)
		}
		form.Set("email", text) // is refused, and shown in the form
		_, refused, _ := b.post("/checkout", form)
		_, page, _ := b.get(path)
		_, list, _ := b.get("/orders?status=discarded&q=" + url.QueryEscape(text)) // none
		_, category, _ := b.get("/?category=" + url.QueryEscape(text))
		all := refused + page + list + category
		counts := ""
		for _, c := range []string{"<", ">", `"`, "'", "<a ", "<input"} {
			counts += fmt.Sprintf("%s: %d ", c, strings.Count(all, c))
		}
		return counts
	}
	want := markup("Zoe")
	for _, text := range []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "' onmouseover='alert(1)", "</textarea><script>alert(1)</script>", "{{.}}", "${alert(1)}",
		"<!--", "]]>", "&lt;b&gt;", "javascript:alert(1)", "</title><svg onload=alert(1)>", `\"><b>`, "data: x", "%3Cscript%3E", "＜script＞",
	} {
		if got := markup(text); got != want {
			t.Errorf("%q changes the markup: got %s, want %s", text, got, want)
		}
	}
}

func TestOrderPageShowsWhatTheVisitorMaySee(t *testing.T) {
	t.Parallel()
	s := setup(t, withPages(t), func(c *httpapi.Config) { c.Auth, c.Guests = people(), true })
	guest := s.reader(t, "")
	_, _, path := guest.post("/checkout", guest.form(nil))
	if !strings.Contains(path, "?token=") {
		t.Fatalf("got %q, want a link with the token", path)
	}
	bare, _, _ := strings.Cut(path, "?")
	for auth, row := range map[string]struct {
		path   string
		status int
		want   string
	}{
		"":          {path, 200, "Zoë Łukasiewicz"},
		"guest":     {bare, 401, "Sign-in required"},
		"customer":  {bare, 404, "Order not found"},
		"viewer":    {bare, 200, "Cancelling orders of others needs the role operator"},
		"operator":  {bare, 200, "Zoë Łukasiewicz"},
		"customer2": {path, 200, "Cancel the order"},
	} {
		credentials := "Bearer " + strings.TrimSuffix(auth, "2")
		if auth == "" || auth == "guest" {
			credentials = ""
		}
		status, body, _ := s.reader(t, credentials).get(row.path)
		if status != row.status || !strings.Contains(body, row.want) {
			t.Errorf("%q: got %d, want %d with %q", auth, status, row.status, row.want)
		}
		if auth == "viewer" && (strings.Contains(body, "zoe@example.com") || strings.Contains(body, "Łukasiewicz")) {
			t.Error("the page of a viewer has personal data")
		}
	}
	if status, _, _ := s.reader(t, "Bearer viewer").post(bare+"/cancel", url.Values{}); status != http.StatusForbidden {
		t.Errorf("cancel by a viewer: got %d, want 403", status)
	}
	if status, _, _ := guest.post(bare+"/cancel?"+strings.SplitN(path, "?", 2)[1], url.Values{"reason": {strings.Repeat("x", 201)}}); status != http.StatusUnprocessableEntity {
		t.Errorf("a long reason: got %d, want 422", status)
	}
	before := len(s.Records(t, s.Topics.Replay))
	status, _, to := guest.post(bare+"/cancel?"+strings.SplitN(path, "?", 2)[1], url.Values{"reason": {"bought twice"}})
	if got := len(s.Records(t, s.Topics.Replay)) - before; status != http.StatusSeeOther || !strings.HasPrefix(to, bare+"?asked=cancel&token=") || got != 1 {
		t.Errorf("cancel: got %d to %q and %d requests, want one", status, to, got)
	}
}

// TestOrderPageShowsEachStatus: the first sentence, the stages and the acts, for each status.
func TestOrderPageShowsEachStatus(t *testing.T) {
	t.Parallel()
	s := setup(t, withPages(t))
	b := s.reader(t, "")
	state := s.place(t, wanted())
	see := func(want ...string) {
		t.Helper()
		status, body, _ := b.get("/orders/" + string(state.Order.ID))
		for _, w := range want {
			if status != http.StatusOK || !strings.Contains(body, w) {
				t.Errorf("%s: got %d, want %q in the page", state.Status, status, w)
			}
		}
	}
	see("We have received your order.", "Cancel the order", "/events")
	s.advance(t, &state, order.Change{Status: order.Retrying, Step: order.StepShipping, Reason: "bug"})
	see("Your order is delayed.", "Shipping delayed", "retry-s", "shipping · bug")
	s.work(t, &state)
	see("The confirmation mail is on its way.", "INV-1", "invoice.pdf", "VAT 19", "can no longer be cancelled", "Mail in progress")
	s.advance(t, &state, order.Change{Status: order.Waiting, Step: order.StepEmail, Reason: "mail-away"})
	see("The confirmation mail is delayed.", "The mail server is not responding.", "Mail waiting", "wait-s")
	id := s.failDead(t, &state)
	see("Your order has stopped.", "Mail stopped", "dead letter")
	_, err := s.client.Discard(t.Context(), id, "test order")
	must(t, err)
	see("Your order was closed.", "Mail stopped")
	if o, err := s.client.Order(t.Context(), string(state.Order.ID)); err != nil || o.Status != "dead" || !o.DeadLetter.Discarded {
		t.Errorf("discarded: got %s with %+v and %v, want it dead, and its dead letter discarded", o.Status, o.DeadLetter, err)
	}
	_, err = s.client.Restore(t.Context(), id, "")
	must(t, err)
	see("Your order has stopped.")
	cancelled := s.place(t, wanted())
	s.advance(t, &cancelled, order.Change{Status: order.Cancelled})
	state = cancelled
	see("Your order is cancelled.", "there is nothing to cancel")
	if _, body, _ := b.get("/orders"); strings.Count(body, `href="/orders/ord_`) != 2 {
		t.Error("the list does not have both orders")
	}
	if _, body, _ := b.get("/orders?status=cancelled"); strings.Count(body, `href="/orders/ord_`) != 1 {
		t.Error("the list of cancelled orders does not have the one")
	}
	if status, _, _ := b.get("/orders?status=lost"); status != http.StatusBadRequest {
		t.Errorf("unknown status: got %d, want 400", status)
	}
	if status, _, to := b.get("/orders?q=" + string(state.Order.ID)); status != http.StatusSeeOther || to != "/orders/"+string(state.Order.ID) {
		t.Errorf("search of an ID: got %d to %q, want its page", status, to)
	}
}

// TestOrderStreamSendsCells: the first event has the page as it is, a later one what changed.
func TestOrderStreamSendsCells(t *testing.T) {
	t.Parallel()
	s := setup(t, withPages(t))
	state := s.place(t, wanted())
	stream := s.send(t, s.raw, "GET", "/orders/"+string(state.Order.ID)+"/events", "")
	s.advance(t, &state, order.Change{Status: order.Confirmed})
	got := text(t, stream) // ends, because no change can follow
	events := withPrefix(got, "event: cells")
	if len(events) == 0 || !strings.Contains(got, "Your order is confirmed.") || !strings.Contains(got, `data-ended="yes"`) || strings.Contains(got, "\n<") {
		t.Errorf("got %d events in %.200q, want the cells of each change", len(events), got)
	}
	if resp := s.send(t, s.raw, "GET", "/orders/"+string(state.Order.ID)+"/events", "", "Last-Event-ID", "1"); resp.StatusCode != http.StatusNoContent {
		t.Errorf("after the last event: got %s, want 204", resp.Status)
	}
}

// TestPagesAreSmallAndKept: assets are compressed and kept for ever, pages are revalidated.
func TestPagesAreSmallAndKept(t *testing.T) {
	t.Parallel()
	s := setup(t, withPages(t))
	page := s.send(t, s.raw, "GET", "/", "", "Accept-Encoding", "gzip")
	body, tag := text(t, page), page.Header.Get("ETag")
	if page.Header.Get("Content-Encoding") != "gzip" || tag == "" {
		t.Errorf("got headers %v, want a compressed page with an ETag", page.Header)
	}
	if again := s.send(t, s.raw, "GET", "/", "", "If-None-Match", tag); again.StatusCode != http.StatusNotModified {
		t.Errorf("again: got %s, want 304", again.Status)
	}
	total := len(body)
	_, plain, _ := s.reader(t, "").get("/")
	for _, path := range regexp.MustCompile(`/assets/[^"]+`).FindAllString(plain, -1) {
		resp := s.send(t, s.raw, "GET", path, "", "Accept-Encoding", "gzip")
		small := len(text(t, resp))
		if total += small; !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") || strings.HasSuffix(path, ".js") && small > 8<<10 {
			t.Errorf("%s: got %d bytes and %v, want at most 8 KiB of script, kept for ever", path, small, resp.Header)
		}
	}
	if total > 36_000 {
		t.Errorf("got %d bytes for the first page, want at most 36 kB", total)
	}
	if resp := s.send(t, s.raw, "GET", "/assets/pages.css", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an asset without its hash: got %s, want 404", resp.Status)
	}
}

// TestNotKnownIsSaid: Kafka does not answer after it got the order.
func TestNotKnownIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		form := b.form(nil)
		back := s.Away()
		status, body, _ := b.post("/checkout", form)
		if status != http.StatusServiceUnavailable && status != http.StatusGatewayTimeout {
			t.Fatalf("got %d, want an outage", status)
		}
		want := "Nothing was done."
		if status == http.StatusGatewayTimeout {
			want = "It is not known whether this was done."
		}
		if !strings.Contains(body, want) || field(body, "key") != form.Get("key") || !strings.Contains(body, `value="1 Main Street"`) {
			t.Errorf("%d: got %s, want %q, the draft and the same key", status, body, want)
		}
		back()
		if status, _, to := b.post("/checkout", form); status != http.StatusSeeOther {
			t.Errorf("again: got %d to %q, want the order", status, to)
		}
	})
}
