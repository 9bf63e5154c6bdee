package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/wire"
)

const importPath = "/v1/dead-letters/import"

// Limits of an import.
const (
	maxImport = 8 << 20 // bytes
	maxLines  = 10_000
)

// importDecisions carries out decisions, one after the other, and streams a result for each. The body
// is read before the first result: many clients read nothing before they have sent everything.
func (a *api) importDecisions(c echo.Context) error {
	if err := checkContent(c.Request().Header, "application/x-ndjson"); err != nil {
		return err
	}
	body, refusal := serve.Body(c.Response(), c.Request(), maxImport)
	if refusal != nil {
		return refusal
	}
	if n := bytes.Count(bytes.TrimRight(body, "\n"), []byte("\n")) + 1; n > maxLines {
		return newProblem(tooMany, fmt.Sprintf("an import has at most %d lines: split it", maxLines))
	}
	return a.record(c, trail.Act{Kind: trail.Import, Target: "dead-letters"}, func() error { return a.importAll(c, body) })
}

// importAll streams the results of the decisions in a body.
func (a *api) importAll(c echo.Context, body []byte) error {
	ctx := c.Request().Context()
	c.Response().Header().Set("Content-Type", "application/x-ndjson")
	to := json.NewEncoder(c.Response())
	extend(c)
	for r, err := range a.results(ctx, body) {
		if ctx.Err() != nil {
			return context.Cause(ctx) // what is decided stays; a repeat goes on from there
		}
		if err != nil {
			r.Result, r.Problem = "refused", toProblem(err)
		}
		control := extend(c)
		if err := to.Encode(r); err != nil {
			return err
		}
		if err := control.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// results carries out the decisions in a body one by one.
func (a *api) results(ctx context.Context, body []byte) iter.Seq2[client.ImportResult, error] {
	return func(yield func(client.ImportResult, error) bool) {
		number := 0
		for line := range bytes.Lines(body) {
			number++
			if line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte("\ufeff"))); len(line) == 0 {
				continue
			}
			decisions, err := importLines(line)
			if err != nil {
				decisions = []client.ImportLine{{}}
			}
			for _, d := range decisions {
				r := client.ImportResult{Line: number, ID: d.ID, Decision: d.Decision, Result: "unchanged"}
				changed := false
				if err == nil {
					changed, err = a.decide(ctx, d)
				}
				if changed {
					r.Result = "done"
				}
				if !yield(r, err) {
					return
				}
				err = nil
			}
		}
	}
}

// importLines are the decisions of a line: one, or those of a line of an export.
func importLines(line []byte) ([]client.ImportLine, error) {
	if _, err := newDecoder(line); err != nil {
		return nil, err
	}
	var read struct {
		client.ImportLine
		Decisions []client.ImportLine `json:"decisions"`
	}
	if err := json.Unmarshal(line, &read); err != nil {
		return nil, newProblem(invalidImport, "the line is no object of a decision, or a field has the wrong type")
	}
	if read.Decision == "" {
		for i := range read.Decisions {
			read.Decisions[i].ID = read.ID
		}
		return read.Decisions, nil
	}
	return []client.ImportLine{read.ImportLine}, nil
}

// decide carries out a decision, and reports whether that has changed anything.
func (a *api) decide(ctx context.Context, d client.ImportLine) (changed bool, err error) {
	if fault := order.TextFault(d.Reason, 0, wire.MaxReason); fault != "" {
		return false, invalidProblem(invalidImport, []order.Invalid{{Pointer: "/reason", Detail: fault}})
	}
	switch wire.DecisionKind(d.Decision) {
	case wire.Discard:
		if d.Reason == "" {
			return false, invalidProblem(invalidImport, []order.Invalid{{Pointer: "/reason", Detail: "must not be empty"}})
		}
		_, changed, err = a.Decisions.Discard(ctx, d.ID, d.Reason)
		return changed, err
	case wire.Restore:
		return a.restore(ctx, d)
	case wire.Note:
		return a.noteOnce(ctx, d)
	case wire.Edit:
		return a.importEdit(ctx, d)
	}
	return false, invalidProblem(invalidImport, []order.Invalid{{Pointer: "/decision", Detail: "must be discard, restore, note or edit"}})
}

// restore restores a dead letter, unless it is not discarded.
func (a *api) restore(ctx context.Context, d client.ImportLine) (bool, error) {
	l, err := a.Decisions.Find(ctx, d.ID)
	if err != nil || l.State != view.Discarded {
		return false, err
	}
	_, err = a.Decisions.Restore(ctx, d.ID, d.Reason)
	return err == nil, err
}

// noteOnce writes a note, unless the dead letter has one with this text.
func (a *api) noteOnce(ctx context.Context, d client.ImportLine) (bool, error) {
	if fault := noteFault(d.Text); fault != "" {
		return false, invalidProblem(invalidImport, []order.Invalid{{Pointer: "/text", Detail: fault}})
	}
	if _, err := a.Decisions.Find(ctx, d.ID); err != nil {
		return false, err
	}
	notes, err := a.view.Decisions(ctx, d.ID)
	if err != nil {
		return false, err
	}
	for _, n := range notes {
		if n.Kind == wire.Note && n.Text == d.Text {
			return false, nil
		}
	}
	_, err = a.Decisions.Note(ctx, d.ID, d.Text)
	return err == nil, err
}

// importEdit edits a dead letter. Without a version it edits the newest one.
func (a *api) importEdit(ctx context.Context, d client.ImportLine) (bool, error) {
	n := desk.NewEdit{DeadLetter: d.ID, Version: desk.Newest, Reason: d.Reason}
	if d.Version != nil && *d.Version >= 0 {
		n.Version = *d.Version
	}
	encoding := d.Encoding
	if encoding == "" {
		encoding = utf8Encoding
	}
	var fault *order.Invalid
	if n.Value, fault = editedValue(d.ID, d.Value, encoding); fault != nil {
		return false, invalidProblem(invalidImport, []order.Invalid{*fault})
	}
	_, changed, err := a.Decisions.Edit(ctx, n)
	return changed, err
}
