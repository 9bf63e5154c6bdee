package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
)

// another opens a further tab of the same browser, in front of the others or in a window of its own.
func (b *tab) another(newWindow bool) *tab {
	b.t.Helper()
	ctx, leave := chromedp.NewContext(b, chromedp.WithNewWindow(newWindow))
	b.t.Cleanup(leave)
	next := &tab{Context: ctx, t: b.t, site: b.site}
	next.listen()
	return next
}

// TestEightTabsDoNotBlockAPost: a browser has six connections to a host. Eight tabs follow an order that no
// worker takes, so that no stream ends; then a ninth buys. Windows side by side are all visible.
func TestEightTabsDoNotBlockAPost(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	id := s.placed(t, "DE", "accepted", "")
	for name, windows := range map[string]bool{"windows": true, "tabs of a window": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tabs := []*tab{s.browse(t)}
			for range 8 {
				last := tabs[len(tabs)-1]
				last.open("/orders/" + id)
				last.await(`document.querySelector("#live").textContent == "Live"`)
				tabs = append(tabs, tabs[0].another(windows))
			}
			tabs[8].buys()
			for n, b := range tabs {
				if hidden := js[bool](b, "document.hidden"); hidden != (n < 8 && !windows) {
					t.Errorf("tab %d of 9: got hidden %v", n+1, hidden)
				}
				b.clean()
			}
		})
	}
}

// TestPagesSayThatTheyAreStaleAndResume: the API goes away and comes back. Meanwhile the order is confirmed, which the page
// shows after that by itself.
func TestPagesSayThatTheyAreStaleAndResume(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	front := s.behindProxy(t)
	b := s.browse(t)
	b.buys()
	b.await(`document.querySelector("#live").textContent == "Live"`)
	front.down()
	b.await(`document.querySelector("#live").textContent.startsWith("Stale") && !document.querySelector("#stale").hidden`)
	b.has("h1", "We have received your order.")
	s.work(t)
	id := js[string](b, `location.pathname.split("/").pop()`)
	s.ends(t, id, "confirmed")
	front.up()
	b.await(`document.querySelectorAll(".way .ok-s").length == 4 && document.querySelector("#stale").hidden`)
}

// proxy is a proxy before the API, as in production. While it is down it answers 502, as a proxy does whose
// server is killed.
type proxy struct {
	*httptest.Server
	gone atomic.Bool
}

// behindProxy puts a proxy before the pages. The site's own client does not use it.
func (s *site) behindProxy(t *testing.T) *proxy {
	t.Helper()
	target, err := url.Parse(s.url)
	must(t, err)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, FlushInterval: -1}
	p := &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.gone.Load() {
			http.Error(w, fmt.Sprintf("%s does not answer", target), http.StatusBadGateway)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { p.down(); p.Close() })
	s.url = p.URL
	return p
}

func (p *proxy) down() {
	p.gone.Store(true)
	p.CloseClientConnections()
}

func (p *proxy) up() { p.gone.Store(false) }
