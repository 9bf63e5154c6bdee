package main

import (
	"maps"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// budget is what a page may cost before a reader can act. Times depend on the machine, and are logged; what makes them does not:
// how many bytes and files come, how much script there is to run, and what delays the first picture.
type budget struct {
	Bytes   float64 // received, with headers
	Files   int     // that the page names
	Scripts int     // bytes, not compressed
}

// loads is what Chromium tells of the files of a page.
type loads struct {
	Ready    float64  // when the page was interactive, in milliseconds
	Files    int      // started before that
	Scripts  int      // bytes of them, not compressed
	Blocking []string // files that the first picture waits for, apart from stylesheets and app.js, which writes the times
	Late     []string // files that another file asks for: each is one more way to the server
}

const loaded = `(() => {
	const ready = performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd;
	const files = performance.getEntriesByType("resource").filter(e => e.startTime < ready && new URL(e.name).pathname.startsWith("/assets/"));
	const named = new Set([...document.querySelectorAll("link[href], script[src]")].map(e => e.href || e.src));
	const paths = all => all.map(e => new URL(e.name).pathname);
	return {
		Ready: ready, Files: files.length, Scripts: files.filter(e => e.name.endsWith(".js")).reduce((sum, e) => sum + e.decodedBodySize, 0),
		Blocking: paths(files.filter(e => e.renderBlockingStatus == "blocking" && !e.name.endsWith(".css") && !e.name.includes("/app."))), Late: paths(files.filter(e => !named.has(e.name))),
	};
})()`

// TestPagesAreSmall adds up what Chromium receives and runs for the first page, and for the one with charts. All files are named by the page,
// so that it is interactive after two ways to the server.
func TestPagesAreSmall(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	s.placed(t, "DE", "accepted", "")
	for path, most := range map[string]budget{"/": {36_000, 3, 12_000}, "/ops": {61_000, 6, 70_000}} {
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
		got := js[loads](b, loaded)
		b.mu.Lock()
		received := maps.Clone(bytes)
		b.mu.Unlock()
		var sum float64
		for _, n := range received {
			sum += n
		}
		t.Logf("%s: %.0f bytes, interactive after %.0f ms, %+v: %v", path, sum, got.Ready, got, received)
		if received[path] == 0 || len(received) < 3 || sum > most.Bytes {
			t.Errorf("%s: received %.0f bytes with headers, want the page and its files in at most %.0f: %v", path, sum, most.Bytes, received)
		}
		if got.Files < 2 || got.Files > most.Files || got.Scripts == 0 || got.Scripts > most.Scripts || len(got.Blocking)+len(got.Late) > 0 {
			t.Errorf("%s: got %+v, want at most %d files and %d bytes of scripts, none of which is asked for by another file, and of which the first picture waits for stylesheets and app.js alone", path, got, most.Files, most.Scripts)
		}
		b.clean()
	}
}
