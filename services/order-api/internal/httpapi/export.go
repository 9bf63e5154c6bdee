package httpapi

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// exportPage is how many dead letters of an export are in memory at a time.
const exportPage = 100

// exporter writes dead letters in a format.
type exporter interface {
	// write writes a dead letter, and flush what it has not passed on yet.
	write(ctx context.Context, l view.DeadLetter) error
	flush() error
}

// exportDeadLetters streams the selected dead letters, page by page. After the first byte an error
// cuts the connection: a client must not take half an export for a whole one.
func (a *api) exportDeadLetters(c echo.Context) error {
	f, q, err := deadLetterFilter(c, "format")
	if err != nil {
		return err
	}
	format := oneOf(&q, "format", "ndjson", "csv")
	if q.wrong != nil {
		return q.wrong
	}
	f.Limit = exportPage
	page, next, err := a.view.DeadLetters(c.Request().Context(), f)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Content-Disposition", `attachment; filename="dead-letters.ndjson"`)
	if format == "csv" {
		h.Set("Content-Type", "text/csv; charset=utf-8")
		h.Set("Content-Disposition", `attachment; filename="dead-letters.csv"`)
	}
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	var to exporter = &linesExport{a, visitorOf(c), json.NewEncoder(c.Response())}
	if format == "csv" {
		to, err = newTable(a, visitorOf(c), c.Response())
	}
	if err == nil {
		err = a.export(c, to, f, page, next)
	}
	if err != nil {
		a.Log.Debug("an export was cut off", telemetry.Error, err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// export writes a page and all that follow it.
func (a *api) export(c echo.Context, to exporter, f view.DeadLetterFilter, page []view.DeadLetter, next string) error {
	ctx := c.Request().Context()
	for {
		for _, l := range page {
			extend(c)
			if err := to.write(ctx, l); err != nil {
				return err
			}
		}
		if err := errors.Join(to.flush(), extend(c).Flush()); err != nil || next == "" {
			return err
		}
		var err error
		f.Cursor = next
		if page, next, err = a.view.DeadLetters(ctx, f); err != nil {
			return err
		}
	}
}

// linesExport writes a line of JSON for each dead letter, which the import reads.
type linesExport struct {
	*api
	visitor
	*json.Encoder
}

func (e *linesExport) flush() error { return nil }

func (e *linesExport) write(ctx context.Context, l view.DeadLetter) error {
	answer := e.deadLetter(e.visitor, l)
	whole, err := e.desk.DeadLetter(ctx, l.ID())
	if _, lost := errors.AsType[*desk.LostError](err); err != nil && !lost && !errors.Is(err, view.ErrUnknown) {
		return err
	}
	if err == nil {
		answer.Record = e.visitor.record(whole)
	}
	decisions, err := e.view.Decisions(ctx, l.ID())
	if err != nil {
		return err
	}
	for _, d := range decisions {
		line, err := e.decision(l, whole, d)
		if err != nil {
			return err
		}
		answer.Decisions = append(answer.Decisions, line)
	}
	return e.Encode(answer)
}

// decision is a decision as the import reads it. What the visitor may not see of an edit is left out.
func (e *linesExport) decision(l, whole view.DeadLetter, d wire.Decision) (client.ImportLine, error) {
	line := client.ImportLine{Decision: string(d.Kind), At: d.At, By: d.Cause.Actor.String()}
	if d.Kind == wire.Note {
		line.Text = e.personal(d.Text)
	} else {
		line.Reason = e.personal(d.Text)
	}
	if d.Kind != wire.Edit {
		return line, nil
	}
	line.Version = new(d.Version - 1)
	if e.needs("personal:read") != nil {
		return line, nil
	}
	var err error
	if l.Foreign != "" {
		text, encoding := encoded(d.Value)
		line.Encoding = encoding
		line.Value, err = json.Marshal(text)
		return line, err
	}
	line.Value, err = edit.Document([]byte(l.Order), d.Value)
	return line, err
}

// table writes CSV for spreadsheets.
type table struct {
	*api
	visitor
	*csv.Writer
}

// columns are the header of the table.
var columns = []string{
	"id", "state", "topic", "order", "cause", "step", "class", "reason", "message", "attempts", "first_failed", "last_failed", "worker", "replays", "edits",
	"notes", "trace_id", "discarded_at", "discarded_by", "discarded_reason",
}

// newTable writes the header, after the mark by which spreadsheets know that a file is UTF-8. Programs
// read NDJSON, which has none.
func newTable(a *api, v visitor, w io.Writer) (*table, error) {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return nil, err
	}
	t := &table{a, v, csv.NewWriter(w)}
	t.UseCRLF = true // RFC 4180
	return t, t.Write(columns)
}

func (t *table) flush() error {
	t.Flush()
	return t.Error()
}

func (t *table) write(_ context.Context, l view.DeadLetter) error {
	d := t.deadLetter(t.visitor, l)
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	row := []string{
		d.ID, d.State, d.Topic, d.Order, d.Cause, d.Step, d.Class, d.Reason, d.Message, strconv.Itoa(d.Attempts), at(d.FirstFailed), at(d.LastFailed),
		d.Worker, strconv.Itoa(d.Replays), strconv.Itoa(d.Edits), strconv.Itoa(d.Notes), d.TraceID, "", "", "",
	}
	if x := d.Discarded; x != nil {
		copy(row[len(row)-3:], []string{at(x.At), x.By, x.Reason})
	}
	for i, text := range row {
		row[i] = cell(text)
	}
	return t.Write(row)
}

// cell is a text that no spreadsheet takes for a formula: one that begins like a formula, also in
// full-width characters or after white space, gets an apostrophe.
func cell(text string) string {
	if first := strings.TrimLeft(text, " \t\r\n\u00a0\u3000"); first != "" && strings.ContainsRune("=+-@＝＋－＠|%", []rune(first)[0]) ||
		strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "\r") || strings.HasPrefix(text, "\n") {
		return "'" + text
	}
	return text
}
