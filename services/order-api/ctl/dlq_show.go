package ctl

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"example.com/orders/services/order-api/client"
)

type showDeadLetter struct {
	ID string `arg:"" help:"ID of the dead letter, such as 3-124."`
}

// Run shows a dead letter.
func (c *showDeadLetter) Run(ctx context.Context, p *printer, api *client.Client) error {
	l, err := api.DeadLetter(ctx, c.ID)
	if err != nil {
		return explain(err)
	}
	lines := append([]string{strings.Join(drop(deadLetterCells(l)[:7], ""), " ")}, deadLetterFacts(l)...)
	lines = append(append(lines, foreignFacts(l.Foreign)...), history(l)...)
	if n := l.NextReplay; n != nil && (l.Foreign == nil || n.Step != "") { // the record of another program has no steps
		lines = append(lines, "  next     "+nextReplay(*n))
	}
	if l.State == "lost" {
		lines = append(lines, "  record   deleted from its topic")
	}
	if r := l.Record; r != nil {
		for _, h := range r.Headers {
			lines = append(lines, fmt.Sprintf("  header   %s: %s", h.Name, oneLine(h.Value)))
		}
		lines = append(lines, fmt.Sprintf("  key      %s", r.Key), fmt.Sprintf("  value    (%s)", r.Encoding), r.Value)
	}
	return p.result(strings.Join(lines, "\n"), l)
}

func deadLetterFacts(l client.DeadLetter) []string {
	lines := []string{
		"  why      " + strings.TrimLeft(l.Class+": ", ": ") + l.Message,
		"  failed   first " + instant(l.FirstFailed) + ", last " + instant(l.LastFailed),
		"  worker   " + l.Worker,
		"  cause    " + l.Cause,
		"  trace    " + l.TraceID,
		fmt.Sprintf("  replays  %d", l.Replays),
	}
	if l.Job != "" {
		lines = append(lines, "  job      "+l.Job)
	}
	if d := l.Discarded; d != nil {
		lines = append(lines, fmt.Sprintf("  discarded %s by %s: %s", instant(d.At), d.By, d.Reason))
	}
	return drop(drop(drop(lines, "  worker   "), "  cause    "), "  trace    ")
}

func foreignFacts(f *client.Foreign) []string {
	if f == nil {
		return nil
	}
	from := cmp.Or(f.SourceTopic, "an unknown topic")
	if f.SourcePartition != nil && f.SourceOffset != nil {
		from += fmt.Sprintf(" partition %d offset %d", *f.SourcePartition, *f.SourceOffset)
	}
	lines := []string{fmt.Sprintf("  foreign  %s, from %s", f.Dialect, from)}
	switch f.ReplayToBy {
	case "header":
		lines = append(lines, "  replay   to "+f.ReplayTo+", as its headers say")
	case "flag":
		lines = append(lines, "  replay   to "+f.ReplayTo+", as --replay-to of the API says")
	default:
		lines = append(lines, "  replay   nothing names a topic: give --replay-to TOPIC")
	}
	if !f.ExpiresAt.IsZero() {
		lines = append(lines, "  expires  "+instant(f.ExpiresAt))
	}
	return lines
}

// history formats what happened to a dead letter: each failure and replay, edit and note.
func history(l client.DeadLetter) (lines []string) {
	h := l.History
	if h == nil {
		return nil
	}
	for _, f := range h.Failures {
		what := "failed"
		if f.Replay > 0 {
			what = fmt.Sprintf("replay %d failed", f.Replay)
		}
		lines = append(lines, fact(f.At, strings.Join(drop([]string{what + version(f.Version), f.Step, f.Reason + ":", f.Message}, ""), " ")))
	}
	for _, r := range h.Replays {
		lines = append(lines, fact(r.At, strings.Join(drop([]string{fmt.Sprintf("replay %d%s", r.Replay, version(r.Version)), r.Result, r.Job}, ""), " ")))
	}
	for _, e := range h.Edits {
		lines = append(lines, fact(e.At, fmt.Sprintf("version %d by %s: %s", e.Version, e.By, e.Reason)))
		lines = append(lines, diff(e.Changes)...)
	}
	for _, n := range h.Notes {
		lines = append(lines, fact(n.At, fmt.Sprintf("note by %s: %s", n.By, oneLine(n.Text))))
	}
	return lines
}

func fact(at time.Time, text string) string {
	if at.IsZero() {
		return "  " + text
	}
	return "  " + instant(at) + " " + text
}

func version(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (version %d)", n)
}

// diff formats the differences between two versions.
func diff(changes []client.ValueChange) (lines []string) {
	for _, c := range changes {
		lines = append(lines, "    "+c.Pointer)
		if c.Before != nil {
			lines = append(lines, "      - "+oneLine(string(c.Before)))
		}
		if c.After != nil {
			lines = append(lines, "      + "+oneLine(string(c.After)))
		}
	}
	return lines
}

func nextReplay(n client.NextReplay) string {
	var parts []string
	if n.Step != "" {
		parts = append(parts, "resumes at "+n.Step)
	}
	switch n.Mail {
	case "certain":
		parts = append(parts, "the customer gets a mail")
	case "possible":
		parts = append(parts, "the customer may get a mail a second time")
	case "none":
		parts = append(parts, "no mail")
	}
	if len(n.Documents) > 0 {
		parts = append(parts, "issues "+strings.Join(n.Documents, " and "))
	}
	return "replay " + strings.Join(parts, "; ")
}
