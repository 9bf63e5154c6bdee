//go:build synctests

package httpapi_test

import (
	"bufio"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-api/internal/httpapi"
)

// liveOf is the URL of the event stream of a page.
func (b *reader) liveOf(path string) string {
	b.t.Helper()
	found := regexp.MustCompile(`data-live="([^"]+)"`).FindStringSubmatch(b.opened(path))
	if found == nil {
		b.t.Fatalf("%s has no event stream", path)
	}
	return html.UnescapeString(found[1])
}

// TestListsTellOfNewDeadLetters: those that failed before the page was read are not new, nor those that its filter leaves out; many
// are one event, and a client that connects again is told of all.
func TestListsTellOfNewDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, withPages(t))
		b := s.reader(t, "")
		l, err := s.view.DeadLetter(t.Context(), s.dead(t, 2)[0])
		must(t, err)
		want := map[string]string{
			b.liveOf("/desk"): `href="/desk"`, b.liveOf("/desk/dead-letters?step=shipping"): `href="/desk/dead-letters?step=shipping"`,
			b.liveOf("/desk/groups/" + l.CauseID): `href="/desk/groups/` + l.CauseID + `"`,
		}
		other := b.liveOf("/desk?step=email")
		streams := map[string]func(string) string{}
		for live := range want {
			streams[live] = s.events(t, live)
			if first := streams[live]("beat"); strings.Contains(first, "new") {
				t.Errorf("%s: at first got %q, want a heartbeat", live, first)
			}
		}
		began := time.Now()
		s.dead(t, 3)
		for live, link := range want {
			got := ""
			for !strings.Contains(got, "<b>3</b> new dead letters since") { // the first may be told alone
				got = streams[live]("cells")
			}
			if !strings.Contains(got, link) || !strings.Contains(got, `id="news"`) {
				t.Errorf("%s: got %q, want it with %s", live, got, link)
			}
			if took := time.Since(began); took > 11*time.Second {
				t.Errorf("%s: told after %v, want two events at most", live, took)
			}
			if again := s.events(t, live)("cells"); !strings.Contains(again, "<b>3</b> new") {
				t.Errorf("%s, again: got %q, want all", live, again)
			}
		}
		if got := s.events(t, other)("beat"); strings.Contains(got, "new") {
			t.Errorf("another step: got %q, want a heartbeat", got)
		}
		b.opened("/desk", `<span class="q">As of`) // what is shown is not new
	})
}

// events opens a stream; the result returns its next event of a kind.
func (s *shop) events(t *testing.T, path string) func(kind string) string {
	t.Helper()
	stream := s.send(t, s.raw, http.MethodGet, path, "")
	t.Cleanup(func() { _ = stream.Body.Close() })
	lines := bufio.NewScanner(stream.Body)
	lines.Buffer(nil, 1<<20)
	return func(kind string) (event string) {
		t.Helper()
		for lines.Scan() {
			if event += lines.Text() + "\n"; lines.Text() == "" {
				if strings.Contains(event, "event: "+kind) {
					return event
				}
				event = ""
			}
		}
		t.Fatalf("%s: got the end of the stream: %v", path, lines.Err())
		return ""
	}
}

// TestNewDeadLettersAreForThoseWhoMaySeeThem: also a search of what is masked is refused, and a position that is none.
func TestNewDeadLettersAreForThoseWhoMaySeeThem(t *testing.T) {
	t.Parallel()
	s := setup(t, withPages(t), func(c *httpapi.Config) { c.Auth, c.Guests = people(), true })
	live := s.reader(t, "Bearer viewer").liveOf("/desk")
	for _, row := range []struct {
		auth, path string
		want       int
	}{
		{"", live, 401},
		{"Bearer customer", live, 403},
		{"Bearer viewer", live, 200},
		{"Bearer viewer", live + "&q=zoe", 403},
		{"Bearer support", live + "&q=zoe", 200},
		{"Bearer viewer", live + "&state=odd", 400},
		{"Bearer viewer", live + "&what=1", 400},
		{"Bearer viewer", "/desk/events", 400},
		{"Bearer viewer", "/desk/events?view=causes&since=bnVsbA", 400},
		{"Bearer viewer", "/desk/events?view=causes&since=e30", 400},
		{"Bearer viewer", strings.Replace(live, "view=causes", "view=odd", 1), 400},
	} {
		got := s.send(t, s.raw, http.MethodHead, row.path, "", "Authorization", row.auth, "Accept", "text/event-stream")
		if got.StatusCode != row.want {
			t.Errorf("%q, %s: got %d, want %d", row.auth, row.path, got.StatusCode, row.want)
		}
	}
}
