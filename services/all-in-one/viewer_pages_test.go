package main

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"example.com/orders/services/order-api/client"
)

// TestAViewerReadsAndDoesNotAct: each act is on the page, disabled, with the role that it needs. What a form would send is answered with
// 403, and the attempt is in the audit trail.
func TestAViewerReadsAndDoesNotAct(t *testing.T) {
	t.Parallel()
	s, text := openSigned(t, "viewer")
	s.work(t)
	id, other := s.deadOrder(t, "Zoë"), s.deadOrder(t, "Ada")
	l, err := s.api.DeadLetter(t.Context(), id)
	must(t, err)
	job, err := s.api.StartReplay(t.Context(), client.NewReplayJob{Selection: client.Selection{IDs: []string{id, other}}, Ramp: []int{1}, StopAbove: 0.05})
	must(t, err)
	for j, err := range s.api.WatchReplay(t.Context(), job.ID, -1) {
		must(t, err)
		if j.Phase == "halted" {
			break
		}
	}
	b := s.browse(t)
	b.signsIn(text)
	at, cause, replay := "/desk/dead-letters/"+id, "/desk/groups/"+l.Cause, "/desk/replays/"+job.ID
	for path, acts := range map[string][]string{
		at: {"Replay", "Edit…", "Discard…"}, cause: {"Assign to me", "Dry run", "Fix by rule…", "Replay all 2…", "Discard the selected…", "Replay the selected…"}, "/desk/dead-letters": {"Discard the selected…", "Replay the selected…"},
		"/orders/" + l.Order: {"Cancel the order"}, replay: {"Resume", "Change rate…", "Cancel…"},
	} {
		b.open(path)
		b.onlyReads(path, acts)
		b.accessible(path + " as a viewer sees it")
	}
	forms := []string{at + "/replay", at + "/edit", at + "/discard", at + "/note", cause + "/assign", "/desk/replays/new?id=" + url.QueryEscape(id), replay + "/cancel", "/orders/" + l.Order + "/cancel"}
	for _, path := range forms {
		b.denied(path)
	}
	b.clean()
	admin := s.operator(t)
	admin.open("/desk/audit?act=denied")
	for _, path := range forms {
		path, _, _ = strings.Cut(path, "?")
		admin.has("main tbody", "POST "+path)
	}
	admin.clean()
}

// TestAnOperatorDoesNotEdit: a replay can be started, and the rule that edits first is disabled, with the role that it needs.
func TestAnOperatorDoesNotEdit(t *testing.T) {
	t.Parallel()
	s, text := openSigned(t, "operator")
	s.work(t)
	id := s.deadOrder(t, "Zoë")
	b := s.browse(t)
	b.signsIn(text)
	b.open("/desk/dead-letters/" + id)
	b.disabled([]string{"Edit…", "Discard…"})
	path := "/desk/replays/new?id=" + url.QueryEscape(id)
	b.open(path)
	b.disabled([]string{"Preview"})
	b.accessible(path + " as an operator sees it")
	b.submit("#forecast button", "#forecast table")
	b.accessible("a forecast")
	b.denied("/desk/dead-letters/" + id + "/edit")
	b.clean()
}

// onlyReads fails the test unless some acts of the page are disabled, and no form of it can be sent.
func (b *tab) onlyReads(path string, acts []string) {
	b.t.Helper()
	b.disabled(acts)
	if forms := js[[]string](b, `[...document.querySelectorAll("main form[method=post]")].map(f => f.getAttribute("action"))`); len(forms) > 0 {
		b.t.Errorf("%s has the forms %q", path, forms)
	}
}

// disabled fails the test unless these acts of the page, and no others, are disabled, each with a reason.
func (b *tab) disabled(acts []string) {
	b.t.Helper()
	got := js[map[string]string](b, `Object.fromEntries([...document.querySelectorAll("main [aria-disabled=true]")].map(e => [e.textContent, document.getElementById(e.getAttribute("aria-describedby"))?.textContent ?? ""]))`)
	for _, act := range acts {
		if got[act] == "" {
			b.t.Errorf("got the disabled acts %q, want %s with a reason", got, act)
		}
	}
	if len(got) != len(acts) {
		b.t.Errorf("got the disabled acts %q, want %q", got, acts)
	}
}

// denied sends a form as the page would, and fails the test unless the answer is 403.
func (b *tab) denied(path string) {
	b.t.Helper()
	if got := js[int](b, fmt.Sprintf(`fetch(%q, {method: "POST", body: new URLSearchParams({reason: "x", text: "x", act: "me"})}).then(answer => answer.status)`, path)); got != 403 {
		b.t.Errorf("POST %s: got %d, want 403", path, got)
	}
}
