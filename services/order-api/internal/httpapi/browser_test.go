package httpapi_test

import (
	"context"
	_ "embed" // for the page
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// attackPage sends every kind of request that a page can send: see the file.
//
//go:embed testdata/attack.html
var attackPage string

// proxy passes requests on to an API as they are, and notes the answers. It serves attackPage itself
// under /attack, on each host name, as a name that first led to the server of an attacker does (DNS
// rebinding).
type proxy struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string][]int // statuses by method and path
}

func proxyTo(t *testing.T, api string) *proxy {
	t.Helper()
	to, err := url.Parse(api)
	must(t, err)
	p := &proxy{answers: map[string][]int{}}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(r *http.Response) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			what := r.Request.Method + " " + r.Request.URL.Path
			p.answers[what] = append(p.answers[what], r.StatusCode)
			return nil
		},
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/attack" {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(attackPage)) // the browser may have left
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// browser starts Chromium, for which all names under .example are this machine.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.WSURLReadTimeout(3*time.Minute), // to start on a busy machine
		chromedp.Flag("host-resolver-rules", "MAP *.example 127.0.0.1"))
	allocator, free := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, leave := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		leave()
		free()
	})
	return ctx
}

// attacked is the result of a page.
type attacked struct {
	Sent int
	Read []string // what the page could read of the answers
}

// attackFrom opens the page under a base URL and lets it send all kinds of requests to paths of a target, each with
// a body. It returns
// how many it sent, and the answers that it could read.
func attackFrom(t *testing.T, ctx context.Context, base, target string, requests [][2]string) (sent int, read []string) { //nolint:revive // chromedp's context is the browser
	t.Helper()
	arguments, err := json.Marshal([]any{target, requests})
	must(t, err)
	tab, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	_, err = chromedp.Run(tab, chromedp.Navigate(base+"/attack"))
	must(t, err)
	result, err := chromedp.Run(tab, chromedp.Evaluate[attacked]("attack(..."+string(arguments)+")", chromedp.EvalAwaitPromise))
	must(t, err)
	return result.Sent, result.Read
}

// TestPagesOfOtherOriginsChangeNothing lets a real browser attack the API from a page of another
// site, from a page of another port of this machine, and under a host name that leads to this
// machine. Each attempt to change something is answered with 403 or 421.
func TestPagesOfOtherOriginsChangeNothing(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	s := setup(t)
	p, evil := proxyTo(t, s.url), proxyTo(t, s.url)
	dead, open := s.place(t, wanted()), s.place(t, wanted())
	letter := s.failDead(t, &dead)
	sold := s.place(t, wanted())
	s.work(t, &sold)
	body, err := json.Marshal(wanted())
	must(t, err)
	attacks := [][2]string{
		{"/v1/orders", string(body)},
		{"/v1/orders/" + string(open.Order.ID) + "/cancel", "{}"},
		{"/v1/orders/" + string(sold.Order.ID) + "/refund", "{}"},
		{"/v1/dead-letters/" + letter + "/replay", "{}"},
	}
	at := func(p *proxy, host string) string {
		_, port, err := net.SplitHostPort(p.Listener.Addr().String())
		must(t, err)
		return "http://" + net.JoinHostPort(host, port)
	}
	orders, requests := len(s.Records(t, s.Topics.Orders)), len(s.Records(t, s.Topics.Replay))
	for name, row := range map[string]struct{ page, target string }{
		"another site":           {at(evil, "evil.example"), at(p, "localhost")},
		"another port":           {at(evil, "localhost"), at(p, "localhost")},
		"rebinding of a name":    {at(p, "evil.example"), at(p, "evil.example")},
		"another name of theirs": {at(evil, "evil.example"), at(p, "rebound.example")},
	} {
		sent, read := attackFrom(t, ctx, row.page, row.target, attacks)
		if sent < 12*len(attacks) {
			t.Errorf("%s: got %d requests sent, want %d at least", name, sent, 12*len(attacks))
		}
		for _, answer := range read {
			if row.page != row.target || !strings.Contains(answer, " 421 ") {
				t.Errorf("%s: the page could read %s", name, answer)
			}
		}
	}
	if o, r := len(s.Records(t, s.Topics.Orders)), len(s.Records(t, s.Topics.Replay)); o != orders || r != requests {
		t.Errorf("got %d records of orders and %d of requests, want the %d and %d before", o, r, orders, requests)
	}
	p.refusedAllWrites(t)

	// The same page can do all of it from the origin itself, so the attacks were requests that could succeed.
	attackFrom(t, ctx, p.URL, p.URL, attacks)
	if len(s.Records(t, s.Topics.Orders)) == orders || len(s.Records(t, s.Topics.Replay)) < requests+2 {
		t.Error("a page of the origin could not place, cancel and replay")
	}
}

// refusedAllWrites fails the test unless every request that could change something was answered
// with 403 or 421.
func (p *proxy) refusedAllWrites(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	writes := 0
	for what, statuses := range p.answers {
		if method, _, _ := strings.Cut(what, " "); method == http.MethodGet || method == http.MethodOptions {
			continue
		}
		for _, status := range statuses {
			writes++
			if status != http.StatusForbidden && status != http.StatusMisdirectedRequest {
				t.Errorf("%s: got %d, want 403 or 421", what, status)
			}
		}
	}
	if writes < 100 {
		t.Errorf("got %d attempts to change something, want the attacks to arrive", writes)
	}
}
