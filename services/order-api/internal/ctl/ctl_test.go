package ctl_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/ctl"
)

// shop stands in for the API where it must fail in ways that the real one cannot be made to. What goes right is in the stories.
type shop struct {
	t     *testing.T
	url   string
	mu    sync.Mutex
	fails map[string][]int    // statuses to answer with first, by path or by key; 0 hangs up
	keys  []string            // of the placements that came, in their order
	sent  []string            // letters that were replayed
	walk  map[string][]string // the changes of an order, as the data of its events
}

func open(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, fails: map[string][]int{}, walk: map[string][]string{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// ServeHTTP takes every order and every replay, unless it is told to fail.
func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := filepath.Base(filepath.Dir(r.URL.Path))
	key := r.Header.Get("Idempotency-Key")
	if r.URL.Path == "/v1/orders" {
		s.keys = append(s.keys, key)
	}
	if s.fail(w, r.URL.Path) || s.fail(w, key) {
		return
	}
	switch {
	case r.URL.Path == "/v1/orders":
		s.answer(w, client.Order{ID: "ord_" + strings.ToLower(key[:2]), Status: "confirmed", Total: &client.Money{Amount: "1.19", Currency: "EUR"}})
	case strings.HasSuffix(r.URL.Path, "/events"):
		w.Header().Set("Content-Type", "text/event-stream")
		for _, change := range s.walk[id] {
			fmt.Fprintf(w, "data: %s\n\n", change)
		}
		if len(s.walk[id]) == 0 {
			// Nothing has happened yet, and nothing will.
			s.mu.Unlock()
			<-r.Context().Done()
			s.mu.Lock()
		}
	case strings.HasSuffix(r.URL.Path, "/replay"):
		s.sent = append(s.sent, id)
		s.answer(w, map[string]int{"replay": 2})
	case r.URL.Path == "/v1/letters":
		// One letter a page.
		next := map[string]string{"": "b", "b": "c"}[r.FormValue("cursor")]
		s.answer(w, map[string]any{"letters": []client.Letter{letter("0-" + r.FormValue("cursor"))}, "next": next})
	default:
		s.answer(w, letter(filepath.Base(r.URL.Path)))
	}
}

func (s *shop) fail(w http.ResponseWriter, what string) bool {
	if len(s.fails[what]) == 0 {
		return false
	}
	status := s.fails[what][0]
	s.fails[what] = s.fails[what][1:]
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	s.answer(w, client.Problem{Title: "told to fail", Detail: fmt.Sprintf("told to answer %d", status)})
	return true
}

func (s *shop) answer(w io.Writer, v any) {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.t.Error(err)
	}
}

func letter(id string) client.Letter {
	return client.Letter{ID: id, State: "open", Order: "ord" + id, Step: "shipping", Class: "permanent", Reason: "no-route", Message: "no route", Attempts: 1}
}

// run calls ordersctl and returns what it printed and how it ended.
func (s *shop) run(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs strings.Builder
	err = ctl.Run(t.Context(), append(args, "--api", s.url), func(string) string { return "" }, strings.NewReader(stdin), &out, &errs)
	return out.String(), errs.String(), err
}

// file writes a file of orders, NDJSON, with a key each.
func file(t *testing.T, keys ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "o.ndjson")
	var text strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&text, "{\"order\": %q}\n", key)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPlaceTriesAgainWhatPasses(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			s := open(t)
			s.fails["/v1/orders"] = []int{status}
			stdout, _, err := s.run(t, `{"note": ""}`, "place", "-")
			if err != nil || !strings.Contains(stdout, "confirmed 1.19 EUR\n") {
				t.Errorf("got %q, %v; want it confirmed at the second attempt", stdout, err)
			}
			// Without a key of its own the order has one for this run: else the second attempt could be a second order.
			if len(s.keys) != 2 || s.keys[0] != s.keys[1] || s.keys[0] == "" {
				t.Errorf("got keys %q, want one key twice", s.keys)
			}
		})
	}
}

func TestPlaceTellsOfEachOrderInTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.fails["k2"] = []int{http.StatusUnprocessableEntity}
	s.fails["k1"] = []int{http.StatusServiceUnavailable}
	path := file(t, "k1", "k2", "k3")
	stdout, stderr, err := s.run(t, "", "place", path)
	want := fmt.Sprintf("%[1]s:1 k1 ord_k1 confirmed 1.19 EUR\n%[1]s:2 k2 failed\n%[1]s:3 k3 ord_k3 confirmed 1.19 EUR\n", path)
	if diff := cmp.Diff(want, stdout); diff != "" {
		t.Errorf("stdout (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(fmt.Sprintf("ordersctl: %s:2: told to answer 422\n", path), stderr); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
	if got := fmt.Sprint(err); got != "1 of 3 orders failed" {
		t.Errorf("got error %s, want 1 of 3 orders failed", got)
	}
	stdout, _, err = s.run(t, "", "place", "--json", file(t, "k4"))
	var line struct {
		File  string
		Line  int
		Key   string
		Order client.Order
	}
	if err2 := json.Unmarshal([]byte(stdout), &line); err != nil || err2 != nil || line.Key != "k4" || line.Order.ID != "ord_k4" {
		t.Errorf("got %s, %v, %v; want a line of JSON with key and order", stdout, err, err2)
	}
}

func TestPlaceStopsWhenNobodyAnswers(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.url = "http://127.0.0.1:1"
	stdout, stderr, err := s.run(t, "", "place", "--concurrency", "1", file(t, "k1", "k2", "k3"))
	if got := fmt.Sprint(err); got != "1 of 3 orders failed, and 2 were not tried" {
		t.Errorf("got error %s", got)
	}
	if strings.Count(stdout, "\n") != 1 || !strings.Contains(stderr, "connection refused\nhint: is the API running?") {
		t.Errorf("got %q and %q, want one line that failed, and a hint", stdout, stderr)
	}
}

func TestNothingIsPlacedOfFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"place", "nowhere.csv"}, "open nowhere.csv: no such file or directory"},
		{"{", []string{"place", file(t, "k1"), "-"}, "stdin:1: is not a JSON object: unexpected end of JSON input (several orders: one a line, in a file that ends in .ndjson)"},
		{"", []string{"place", "--key", "k", file(t, "k1", "k2")}, "--key is for one order, and there are 2"},
		{"", []string{"place", "--wait", "61s", "-"}, "--concurrency must be at least 1, and --wait at most 60s"},
		{"", []string{"place"}, `expected "<files> ..."`},
		{"", []string{"dlq", "replay"}, "give the IDs of letters, or --all, which --step and --reason narrow"},
		{"", []string{"dlq", "replay", "--all", "0-1"}, "give the IDs of letters, or --all, which --step and --reason narrow"},
		{"", []string{"dlq", "replay", "--step", "email", "0-1"}, "give the IDs of letters, or --all, which --step and --reason narrow"},
	} {
		t.Run(strings.Join(row.args, " "), func(t *testing.T) {
			t.Parallel()
			s := open(t)
			_, _, err := s.run(t, row.stdin, row.args...)
			if got := fmt.Sprint(err); got != row.want || len(s.keys)+len(s.sent) != 0 {
				t.Errorf("got %s and %d placements, want %s and none", got, len(s.keys), row.want)
			}
		})
	}
}

func TestReplayCountsAddUp(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.fails["/v1/letters/0-1/replay"] = []int{http.StatusServiceUnavailable}
	s.fails["/v1/letters/0-2/replay"] = []int{http.StatusConflict}
	s.fails["/v1/letters/0-5/replay"] = []int{http.StatusInternalServerError}
	before := `{"rev":2,"status":"dead"}`
	s.walk["ord0-1"] = []string{before, `{"rev":3,"status":"working","replay":2}`, `{"rev":4,"status":"confirmed","replay":2}`}
	s.walk["ord0-3"] = []string{before, `{"rev":3,"status":"dead","reason":"no-route","replay":2}`}
	s.walk["ord0-4"] = []string{before, `{"rev":3,"status":"confirmed","replay":1}`, `{"rev":4,"status":"confirmed","reason":"already-done","replay":2}`}
	stdout, stderr, err := s.run(t, "", "dlq", "replay", "--wait", "1s", "0-1", "0-2", "0-3", "0-4", "0-5", "0-6")
	want := `0-1 ord0-1 confirmed
0-2 ord0-2 already done
0-3 ord0-3 failed again
0-4 ord0-4 already done
0-5 ord0-5 not sent
0-6 ord0-6 unfinished
`
	if diff := cmp.Diff(want, stdout); diff != "" {
		t.Errorf("stdout (-want +got):\n%s", diff)
	}
	if got := fmt.Sprint(err); got != "letters 6: already done 2, confirmed 1, failed again 1, not sent 1, unfinished 1" {
		t.Errorf("got error %s, want the counts", got)
	}
	want = `ordersctl: letter 0-3: its order is dead again: no-route
ordersctl: letter 0-5: told to answer 500
ordersctl: letter 0-6: its order has not ended in time
`
	if diff := cmp.Diff(want, stderr); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
}

func TestReplayAllTakesEveryPage(t *testing.T) {
	t.Parallel()
	s := open(t)
	stdout, stderr, err := s.run(t, "", "dlq", "replay", "--all", "--reason", "no-route")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0-", "0-b", "0-c"}, s.sent); diff != "" {
		t.Errorf("letters (-want +got):\n%s", diff)
	}
	if want := "0- ord0- sent\n0-b ord0-b sent\n0-c ord0-c sent\n"; stdout != want || stderr != "ordersctl: letters 3: sent 3\n" {
		t.Errorf("got %q and %q, want %q and the counts", stdout, stderr, want)
	}
}

func TestHelpShowsEveryCommand(t *testing.T) {
	t.Setenv("COLUMNS", "110")
	s := open(t)
	var all strings.Builder
	for _, command := range []string{"", "place", "watch", "get", "invoice get", "dlq list", "dlq show", "dlq replay", "topics create", "topics check"} {
		stdout, _, err := s.run(t, "", append(strings.Fields(command), "--help")...)
		fmt.Fprintf(&all, "$ ordersctl %s --help\n%s", command, stdout)
		if err == nil {
			t.Errorf("%s --help: got no error, want config.ErrHelp", command)
		}
	}
	golden(t, "testdata/help.txt", all.String())
}

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
