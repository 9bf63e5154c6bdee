package main

import (
	"maps"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"example.com/orders/services/order-api/client"
)

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
