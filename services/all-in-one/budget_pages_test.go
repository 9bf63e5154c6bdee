package main

import (
	"maps"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"example.com/orders/services/order-api/client"
)

// shifts adds up what the layout of the page moved without an act of the user, and names what moved.
const shifts = `window.shifted = {Sum: 0, Of: []}; new PerformanceObserver(list => list.getEntries().filter(e => !e.hadRecentInput).forEach(e => {
	shifted.Sum += e.value;
	shifted.Of.push(...e.sources.map(s => (s.node?.id || s.node?.className || s.node?.nodeName) + " " + e.value));
})).observe({type: "layout-shift", buffered: true});`

// steady fails the test if the page has moved by itself. Two frames later everything is laid out and observed.
func (b *tab) steady(what string) {
	b.t.Helper()
	got := js[struct {
		Sum float64
		Of  []string
	}](b, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(shifted)))))`)
	if b.t.Logf("%s: the layout shifted by %.4f", what, got.Sum); got.Sum >= 0.02 {
		b.t.Errorf("%s: the layout shifted by %.4f, want less than 0.02: %v", what, got.Sum, got.Of)
	}
}

// TestShopAndDeskDoNotMove looks at the shop, and at the desk while it announces a dead letter, on wide and narrow
// screens. The sum of all layout shifts is at least the score of Core Web Vitals.
func TestShopAndDeskDoNotMove(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	var shops, desks []*tab
	for _, width := range []int64{1280, 390} {
		shop := s.browse(t)
		desk := shop.another(true)
		for _, b := range []*tab{shop, desk} {
			b.do(chromedp.EmulateViewport(width, 900), call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: shifts}))
		}
		shop.open("/")
		desk.open("/desk")
		desk.await(`document.querySelector("#live:not([hidden]):not(.stale)") != null`)
		shops, desks = append(shops, shop), append(desks, desk)
	}
	s.deadLetterOf(t)
	for i, desk := range desks {
		desk.await(`document.querySelector("#news").textContent.startsWith("1 new dead letter since")`)
		desk.steady("/desk")
		shops[i].steady("/")
		desk.clean()
		shops[i].clean()
	}
}

// TestPagesAreSmall adds up what Chromium receives for the first page, and for the one with charts.
func TestPagesAreSmall(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	_, err := s.api.Place(t.Context(), client.NewOrder{
		Customer: client.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"}, Service: "standard",
		ShipTo: client.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Items:  []client.Item{{SKU: "BOTTLE-750", Quantity: 2}},
	}, "", 0)
	must(t, err)
	for path, most := range map[string]float64{"/": 36_000, "/ops": 61_000} {
		b := s.browse(t) // with an empty cache
		urls, bytes := map[network.RequestID]string{}, map[string]float64{}
		must(t, chromedp.Listen(b, func(event any) {
			b.mu.Lock()
			defer b.mu.Unlock()
			switch e := event.(type) {
			case *network.EventResponseReceived:
				urls[e.RequestID] = strings.TrimPrefix(e.Response.URL, s.url)
			case *network.EventLoadingFinished:
				bytes[urls[e.RequestID]] += e.EncodedDataLength
			}
		}))
		b.open(path)
		b.await(`document.readyState == "complete"`)
		ready := js[float64](b, `performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd`)
		b.mu.Lock()
		received := maps.Clone(bytes)
		b.mu.Unlock()
		var sum float64
		for _, n := range received {
			sum += n
		}
		t.Logf("%s: %.0f bytes, interactive after %.0f ms: %v", path, sum, ready, received)
		if received[path] == 0 || len(received) < 3 || sum > most {
			t.Errorf("%s: received %.0f bytes with headers, want the page and its files in at most %.0f: %v", path, sum, most, received)
		}
		b.clean()
	}
}
