package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// The mails of the worker's golden files are not wider than the screen of a phone. The one with the longest texts and the
// highest amounts is accessible, on wide and narrow screens, light and dark.
func TestMailsFitNarrowScreens(t *testing.T) {
	t.Parallel()
	const folder = "../order-worker/internal/email/testdata"
	server := httptest.NewServer(http.FileServer(http.Dir(folder)))
	t.Cleanup(server.Close)
	mails, err := filepath.Glob(folder + "/*.html")
	must(t, err)
	if len(mails) < 11 {
		t.Fatalf("got %d mails, want one in each of six languages, credit notes and the widest", len(mails))
	}
	b := (&site{url: server.URL}).browse(t)
	for _, mail := range mails {
		b.do(chromedp.EmulateViewport(390, 900))
		b.open("/" + filepath.Base(mail))
		if over := js[float64](b, "document.documentElement.scrollWidth - 390"); over > 0 {
			t.Errorf("%s is %v px wider than the screen", filepath.Base(mail), over)
		}
	}
	b.open("/widest.html")
	b.accessible("the widest mail")
}
