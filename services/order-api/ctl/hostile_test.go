package ctl_test

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	gocmp "github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// evil moves the cursor, sets the title in the one-byte form of ESC ], reverses what follows, and
// breaks a line invisibly.
const evil = "\x1b[2J\u009b31m\u202e\u2066\u200f\u061c\u2028\x7f\r"

// unsafe lists the control characters of a text.
func unsafe(text string) (found []rune) {
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)) {
			found = append(found, r)
		}
	}
	return found
}

// hostile is an API that puts evil into every text.
func hostile(t *testing.T, status int) *shop {
	t.Helper()
	o := client.Order{
		ID: evil, Status: evil, Customer: client.Customer{Name: evil, Email: evil}, ShipTo: client.Address{City: evil, Country: evil},
		Items: []client.Item{{SKU: evil, Name: evil}}, Total: &client.Money{Amount: evil, Currency: evil}, Invoice: &client.Invoice{Number: "../" + evil},
		Timeline: []client.Change{{Status: evil, Step: evil, Reason: evil}}, DeadLetter: &client.DeadLetterRef{ID: evil, Reason: evil},
	}
	l := evilDeadLetter()
	q := client.Quote{Service: evil, Services: []client.Shipping{{Service: evil, Carrier: evil, Zone: evil, Price: client.Money{Amount: evil, Currency: evil}}}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer any = o
		switch {
		case status >= http.StatusBadRequest:
			w.WriteHeader(status)
			answer = client.Problem{Title: evil, Detail: evil, Errors: []client.FieldError{{Pointer: evil, Detail: evil}}}
		case strings.HasPrefix(r.URL.Path, "/v1/replays"):
			evilReplays(w, r)
			return
		case r.URL.Path == "/v1/dead-letters/groups":
			answer = map[string]any{"groups": []client.Group{{ID: evil, Topic: evil, Reason: evil, Message: evil}}, "total": -7}
		case strings.HasSuffix(r.URL.Path, "/assign"):
			answer = map[string]any{"cause": evil, "assigned": client.Assigned{To: evil, By: evil}}
		case strings.HasPrefix(r.URL.Path, "/v1/dead-letters/groups/"):
			answer = client.GroupDetails{
				Group:  client.Group{ID: evil, Topic: evil, Reason: evil, Message: evil, Assigned: &client.Assigned{To: evil, By: evil}, Notes: []client.Note{{By: evil, Text: evil}}},
				Common: []client.Common{{Field: evil, Value: evil}}, Job: evil,
			}
		case r.URL.Path == "/v1/dead-letters/fix":
			answer = client.FixPreview{Changed: 1, DeadLetters: []client.FixResult{{ID: evil, Result: evil, Changes: evilChanges, Errors: []client.FieldError{{Pointer: evil, Detail: evil}}}}}
		case strings.HasSuffix(r.URL.Path, "/edit"):
			answer = client.EditResult{Changes: evilChanges}
		case r.URL.Path == "/v1/dead-letters/import":
			answer = client.ImportResult{ID: evil, Decision: evil, Result: evil, Problem: &client.Problem{Title: evil, Detail: evil}}
		case strings.HasSuffix(r.URL.Path, "/events"):
			change, _ := json.Marshal(o.Timeline[0])
			fmt.Fprintf(w, "data: %s\n\n", change)
			change, _ = json.Marshal(client.Change{Rev: 1, Status: "dead", Reason: evil})
			fmt.Fprintf(w, "data: %s\n\n", change)
			return
		case r.URL.Path == "/v1/quotes":
			answer = q
		case r.URL.Path == "/v1/dead-letters":
			answer = map[string]any{"dead_letters": []client.DeadLetter{l}}
		case strings.HasPrefix(r.URL.Path, "/v1/dead-letters/"):
			answer = l
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return &shop{t: t, url: server.URL}
}

// evilChanges are differences with evil in names and values.
var evilChanges = []client.ValueChange{{Pointer: evil, Before: json.RawMessage(`"` + "\u009b\u202e" + `"`), After: json.RawMessage(`"` + "\u2028" + `"`)}}

// evilDeadLetter has evil in every text.
func evilDeadLetter() client.DeadLetter {
	return client.DeadLetter{
		ID: evil, State: evil, Topic: evil, Order: evil, Cause: evil, Step: evil, Class: evil, Reason: evil, Message: evil, Worker: evil, TraceID: evil, Job: evil,
		Discarded: &client.Discarded{By: evil, Reason: evil}, Foreign: &client.Foreign{Dialect: evil, SourceTopic: evil, ReplayTo: evil},
		Record: &client.Record{Key: evil, Value: evil, Encoding: evil, Headers: []client.Header{{Name: evil, Value: evil}}},
		History: &client.History{
			Failures: []client.Failure{{Step: evil, Reason: evil, Message: evil}}, Replays: []client.Replay{{Result: evil, Job: evil}},
			Edits: []client.Edit{{By: evil, Reason: evil, Changes: evilChanges}}, Notes: []client.Note{{By: evil, Text: evil}},
		},
		Edit: &client.Editable{Value: json.RawMessage(`{}`), Locked: []string{evil}}, NextReplay: &client.NextReplay{Step: evil, Mail: evil, Documents: []string{evil}},
	}
}

// evilReplays answers requests for replay jobs: with evil in every text, and counts that add up to nothing.
func evilReplays(w http.ResponseWriter, r *http.Request) {
	left := -1e300
	j := client.ReplayJob{
		ID: evil, Kind: evil, Phase: evil, Rev: 1, By: evil, Reason: evil, Selection: evil, Topic: evil, ReplayTo: evil, Total: -3, Counts: client.ReplayCounts{Confirmed: 1 << 60},
		Skipped: map[string]int{evil: 1}, SecondsLeft: &left, Ramp: []client.RampStep{{Size: -1, State: "running"}}, FailedAgain: []client.FailedAgain{{Cause: evil, Step: evil, Reason: evil, Message: evil}},
		Runner: evil, Halted: &client.Halted{Why: evil},
	}
	var answer any = j
	switch {
	case strings.HasSuffix(r.URL.Path, "/events"):
		data, _ := json.Marshal(j)
		fmt.Fprintf(w, "data: %s\n\n", data)
		return
	case strings.HasSuffix(r.URL.Path, "/forecasts"):
		answer = client.Forecasts{
			Causes:    []client.CauseForecast{{Cause: evil}},
			Forecasts: []client.Forecast{{DeadLetter: evil, Cause: evil, Steps: []client.ForecastStep{{Step: evil, Outcome: "fails", Reason: evil, Message: evil}}}},
		}
	case r.Method == http.MethodGet && r.URL.Path == "/v1/replays":
		answer = map[string]any{"replays": []client.ReplayJob{j}}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// answered are all commands that print responses of the API.
var answered = []string{
	"get ord_1", "watch ord_1", "cancel ord_1", "refund ord_1", "place -", "place --wait 1s -", "quote -", "dlq list", "dlq show 0-1",
	"dlq list --state all", "dlq groups", "dlq groups c1", "dlq assign c1", "dlq replay 0-1", "dlq replay --all --wait 1s", "dlq replay --all --dry-run", "dlq replay --all --detach", "dlq jobs",
	"dlq jobs show job_1", "dlq jobs watch job_1", "dlq jobs pause job_1", "dlq jobs rate job_1 7", "dlq edit 0-1 --file - --yes", "dlq edit 0-1 --file - --dry-run",
	"dlq fix --all --patch - --yes", "dlq discard --all --reason r", "dlq restore 0-1", "dlq note 0-1 text", "dlq export", "dlq import -", "invoice get ord_1",
}

func TestOutputContainsNoControlCharacters(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, status := range []int{http.StatusOK, http.StatusUnprocessableEntity, http.StatusConflict} {
		s := hostile(t, status)
		for _, command := range answered {
			stdout, stderr, err := s.run(t, `{"note": ""}`, strings.Fields(command)...)
			var told strings.Builder // as the program does with the error that ends it
			if err != nil {
				config.PrintError(&told, "ordersctl", err)
			}
			if found := unsafe(stdout + stderr + told.String()); found != nil {
				t.Errorf("%d, %s: the terminal gets %q", status, command, found)
			}
		}
	}
}

func TestJSONOutputEscapesControlCharacters(t *testing.T) {
	t.Parallel()
	s := hostile(t, http.StatusOK)
	stdout, _, err := s.run(t, "", "get", "ord_1", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var got client.Order
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || got.Customer.Name != evil {
		t.Errorf("got name %q, %v; want %q as the API sent it", got.Customer.Name, err, evil)
	}
	if found := unsafe(stdout); found != nil {
		t.Errorf("the terminal gets %q", found)
	}
}

func TestInvoiceFileNameIgnoresTheResponse(t *testing.T) {
	for _, number := range []string{"../../escaped", "/tmp/h-escaped", "sub/x", "..", "INV-1\x00", "CON", "-o"} {
		root := t.TempDir()
		t.Chdir(mkdir(t, root, "a", "b"))
		s := answering(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/invoice.pdf") {
				w.Header().Set("Content-Disposition", `attachment; filename="../../header.pdf"`)
				io.WriteString(w, "%PDF")
				return
			}
			_ = json.NewEncoder(w).Encode(client.Order{ID: number, Invoice: &client.Invoice{Number: number}})
		})
		if _, _, err := s.run(t, "", "invoice", "get", "ord_1"); err != nil {
			t.Errorf("number %q: %v", number, err)
		}
		if diff := gocmp.Diff([]string{"a/b/ord_1.pdf"}, files(t, root)); diff != "" {
			t.Errorf("number %q: files (-want +got):\n%s", number, diff)
		}
	}
}

func TestInvoiceReplacesOnlyANamedFile(t *testing.T) {
	t.Chdir(t.TempDir())
	s := open(t)
	if err := os.WriteFile("ord_1.pdf", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.run(t, "", "invoice", "get", "ord_1"); err == nil {
		t.Error("an existing file was taken for the invoice's: want an error")
	}
	if text, _ := os.ReadFile("ord_1.pdf"); string(text) != "mine" {
		t.Errorf("got %q in the existing file, want it untouched", text)
	}
	if _, _, err := s.run(t, "", "invoice", "get", "ord_1", "-o", "ord_1.pdf"); err != nil {
		t.Errorf("with -o: %v", err)
	}
	if text, _ := os.ReadFile("ord_1.pdf"); string(text) != "%PDF of ord_1" {
		t.Errorf("got %q in the named file, want the invoice", text)
	}
	for _, id := range []string{"../ord_1", "a/b", "/tmp/ord_1"} {
		if _, _, err := s.run(t, "", "invoice", "get", id); err == nil || !strings.Contains(err.Error(), "-o") {
			t.Errorf("ID %q: got %v, want an error that names -o", id, err)
		}
	}
}

func answering(t *testing.T, h http.HandlerFunc) *shop {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &shop{t: t, url: server.URL}
}

func mkdir(t *testing.T, path ...string) string {
	t.Helper()
	dir := filepath.Join(path...)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// files lists all files below a folder.
func files(t *testing.T, root string) (found []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
