package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

// event is a fact of the history of a dead letter.
type event struct {
	Kind    string // look of a state
	Bold    string
	Text    string
	Quote   string // what somebody wrote; or empty
	Error   string // or empty
	Job     string // ID of a replay job; or empty
	At      time.Time
	By      string
	Changes []client.ValueChange
}

// historyOf is what happened to a dead letter and its order, the newest first.
func historyOf(l client.DeadLetter, s *order.State) []event {
	all := placedEvents(s)
	if h := l.History; h != nil {
		all = append(all, failureEvents(h)...)
		all = append(all, replayEvents(h)...)
		for _, e := range h.Edits {
			all = append(all, event{Kind: "run", Bold: fmt.Sprintf("Version %d", e.Version), Text: "was saved", Quote: e.Reason, At: e.At, By: e.By, Changes: e.Changes})
		}
		for _, n := range h.Notes {
			all = append(all, event{Kind: "todo", Text: "wrote a note", Quote: n.Text, At: n.At, By: n.By})
		}
	}
	if d := l.Discarded; d != nil {
		all = append(all, event{Kind: "closed", Bold: "Discarded", Quote: d.Reason, At: d.At, By: d.By})
	}
	slices.SortStableFunc(all, func(a, b event) int { return a.time().Compare(b.time()) })
	slices.Reverse(all)
	return all
}

// time is when an event was; what is in progress is the newest.
func (e event) time() time.Time {
	if e.At.IsZero() {
		return time.Now()
	}
	return e.At
}

// placedEvents are what was done of an order.
func placedEvents(s *order.State) (all []event) {
	if s == nil {
		return nil
	}
	all = append(all, event{
		Kind: "todo", Bold: "Accepted", Text: fmt.Sprintf("in orders, partition %d, offset %d", s.Origin.Partition, s.Origin.Offset), At: s.Order.PlacedAt,
	})
	if h := s.Progress.Shipping; h != nil {
		all = append(all, event{Kind: "ok", Bold: "Shipping settled:", Text: strings.TrimPrefix(h.Carrier+", "+money(h.Price), ", "), At: s.Order.PlacedAt})
	}
	if i := s.Progress.Invoice; s.Progress.Issued() {
		at := i.IssuedAt // in whole seconds
		if at.Before(s.Order.PlacedAt) {
			at = s.Order.PlacedAt
		}
		all = append(all, event{Kind: "ok", Bold: "Invoice issued:", Text: i.Number, At: at})
	}
	return all
}

// failureEvents are the failures; one with the same error as the one before does not repeat it.
func failureEvents(h *client.History) (all []event) {
	before := ""
	for _, f := range h.Failures {
		e := event{Kind: "dead", Bold: "Failed", At: f.At, Error: f.Message}
		if e.Text = "before any step"; f.Step != "" {
			e.Text = "at " + f.Step
		}
		e.Text += ", " + f.Reason
		if f.Replay > 0 {
			e.Bold = "Failed again"
			e.Text += fmt.Sprintf(", in replay %d", f.Replay)
			e.Job = jobOf(h, f.Replay)
		}
		if f.Version > 0 {
			e.Text += fmt.Sprintf(", version %d", f.Version)
		}
		if f.Message == before && before != "" {
			e.Error = ""
			e.Text += ": the same error"
		}
		before = f.Message
		all = append(all, e)
	}
	return all
}

func jobOf(h *client.History, replay int) string {
	for _, r := range h.Replays {
		if r.Replay == replay {
			return r.Job
		}
	}
	return ""
}

// replayEvents are the results of the replays. One that failed again is among the failures.
func replayEvents(h *client.History) (all []event) {
	for _, r := range h.Replays {
		if r.Result == "failed-again" && slices.ContainsFunc(h.Failures, func(f client.Failure) bool { return f.Replay == r.Replay }) {
			continue
		}
		w := wording(results, r.Result)
		all = append(all, event{Kind: w.kind, Bold: fmt.Sprintf("Replay %d:", r.Replay), Text: w.words, At: r.At, Job: r.Job})
	}
	return all
}

// line is a line of a payload or of a difference.
type line struct {
	Number int    // or 0: none
	Mark   string // "del", "ins", "lock", "wrong", or empty
	Before string // the text: what has changed is in the middle
	Middle string
	After  string
	Fault  string // what is wrong with it; or empty
}

// listing is lines of code with a label.
type listing struct {
	Label string
	Lines []line
}

// How much of a payload a page shows.
const (
	maxShown = 64 << 10 // bytes
	maxLines = 400
)

// payload is the value of a record, laid out if it is JSON, and whether it is longer than what is
// shown.
func payload(r *client.Record) (lines []line, wasCut bool) {
	if r == nil {
		return nil, false
	}
	text := r.Value
	var b bytes.Buffer
	if len(text) <= maxShown && json.Indent(&b, []byte(text), "", "  ") == nil {
		text = b.String()
	}
	if wasCut = len(text) > maxShown; wasCut {
		text = strings.ToValidUTF8(text[:maxShown], "")
	}
	return numbered(text, wasCut)
}

// numbered are the lines of a text, and whether there are more than are shown.
func numbered(text string, wasCut bool) (lines []line, more bool) {
	for t := range strings.Lines(text) {
		if len(lines) == maxLines {
			return lines, true
		}
		lines = append(lines, line{Number: len(lines) + 1, Before: strings.TrimSuffix(t, "\n")})
	}
	return lines, wasCut
}
