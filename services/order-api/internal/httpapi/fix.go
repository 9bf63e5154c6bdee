package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
)

// Limits of previews.
const (
	fixPage    = 50
	maxPreview = 10_000 // dead letters; each is patched and validated
)

// previewFix applies a patch to each selected dead letter, and stores nothing. The first page looks at
// all of them; its counts are in the cursor of the next one.
func (a *api) previewFix(c echo.Context) error {
	q := query(c, "cursor")
	if q.wrong != nil {
		return q.wrong
	}
	body, err := readJSON(c.Request())
	if err != nil {
		return err
	}
	page, err := a.preview(c.Request().Context(), body, c.QueryParam("cursor"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, page)
}

// preview is a page of what a fix would do, of which the body is JSON.
func (a *api) preview(ctx context.Context, body []byte, cursor string) (page client.FixPreview, err error) {
	s, patch, override, err := readFix(body)
	if err != nil {
		return page, err
	}
	ids, err := a.chosen(ctx, s, override)
	if err != nil {
		return page, err
	}
	from := 0
	if page.Total = len(ids); cursor == "" {
		err = a.countFixes(ctx, &page, ids, patch)
	} else {
		page, from, err = readFixCursor(cursor)
	}
	if err != nil {
		return page, err
	}
	from = min(from, len(ids))
	to := min(from+fixPage, len(ids))
	page.DeadLetters = []client.FixResult{}
	for _, id := range ids[from:to] {
		r, err := a.fixed(ctx, id, patch)
		if err != nil {
			return page, err
		}
		page.DeadLetters = append(page.DeadLetters, r)
	}
	if to < len(ids) {
		page.Next = fixCursor(page, to)
	}
	return page, nil
}

// readFix reads the body of a preview.
func readFix(body []byte) (s selection, p edit.Patch, override bool, err error) {
	var given bool
	var raw json.RawMessage
	err = decode(body, invalidSelection, func(d *decoder) fields {
		return fields{
			"selection": func(at string) { given = true; s.read(d)(at) }, "patch": d.raw(&raw), "override": d.flag(&override),
		}
	})
	switch {
	case err != nil:
		return s, p, false, err
	case !given:
		return s, p, false, invalidProblem(invalidSelection, []order.Invalid{{Pointer: "/selection", Detail: "must say what to fix"}})
	case raw == nil:
		return s, p, false, invalidProblem(invalidPatch, []order.Invalid{{Pointer: "/patch", Detail: "is missing"}})
	case s.empty():
		return s, p, false, newProblem(emptySelection, "the filter selects everything: if that is meant, select all")
	}
	p, wrong := edit.ParsePatch(raw)
	if len(wrong) > 0 {
		return s, p, false, invalidProblem(invalidPatch, under("/patch", wrong))
	}
	return s, p, override, nil
}

// chosen are the IDs of a selection.
func (a *api) chosen(ctx context.Context, s selection, override bool) ([]string, error) {
	ids := s.ids
	if ids == nil {
		f := s.filtered(override, a.DeadLetters)
		f.Limit = maxPreview + 1
		var err error
		if ids, err = a.view.Select(ctx, f); err != nil {
			return nil, err
		}
	}
	switch {
	case len(ids) == 0:
		return nil, newProblem(emptySelection, "no dead letter that can be replayed is selected")
	case len(ids) > maxPreview:
		return nil, newProblem(tooMany, "more than 10000 dead letters are selected: narrow the filter")
	}
	return ids, nil
}

// countFixes counts the results of all dead letters.
func (a *api) countFixes(ctx context.Context, page *client.FixPreview, ids []string, p edit.Patch) error {
	counts := map[string]*int{
		"changed": &page.Changed, "unchanged": &page.Unchanged, "not-matched": &page.NotMatched, "invalid": &page.Invalid,
		"locked": &page.Locked, "not-editable": &page.NotEditable,
	}
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		r, err := a.fixed(ctx, id, p)
		if err != nil {
			return err
		}
		*counts[r.Result]++
	}
	return nil
}

// fixed is what a patch does to a dead letter.
func (a *api) fixed(ctx context.Context, id string, p edit.Patch) (client.FixResult, error) {
	r := client.FixResult{ID: id}
	l, err := a.view.DeadLetter(ctx, id)
	if errors.Is(err, view.ErrUnknown) {
		r.Result = "not-editable"
		return r, nil
	}
	var fixed desk.Fixed
	if err == nil {
		fixed, err = a.Decisions.Fix(ctx, l, p)
	}
	_, invalid := errors.AsType[*edit.InvalidError](err)
	_, locked := errors.AsType[*edit.LockedError](err)
	switch {
	case err == nil:
		r.Result, r.Changes = "changed", each(fixed.Changes, toChangedValue)
	case errors.Is(err, desk.ErrUnchanged):
		r.Result = "unchanged"
	case errors.Is(err, edit.ErrNotMatched):
		r.Result = "not-matched"
	case errors.Is(err, edit.ErrNotEditable):
		r.Result = "not-editable"
	case invalid:
		r.Result, r.Errors = "invalid", editProblem(err).Errors
	case locked:
		r.Result, r.Errors = "locked", editProblem(err).Errors
	default:
		return r, err
	}
	return r, nil
}

// fixCursor is a page without its results, and where the next one begins.
func fixCursor(page client.FixPreview, next int) string {
	page.DeadLetters = nil
	page.Next = ""
	text, _ := json.Marshal(fixPosition{page, next})
	return base64.RawURLEncoding.EncodeToString(text)
}

type fixPosition struct {
	Counts client.FixPreview `json:"counts"`
	Next   int               `json:"next"`
}

// readFixCursor reads what fixCursor wrote. It is view.ErrCursor for any other text.
func readFixCursor(text string) (client.FixPreview, int, error) {
	var at fixPosition
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(plain, &at)
	}
	n := at.Counts
	sum := n.Changed + n.Unchanged + n.NotMatched + n.Invalid + n.Locked + n.NotEditable
	if err != nil || at.Next < 1 || n.Total < 1 || sum != n.Total || min(n.Changed, n.Unchanged, n.NotMatched, n.Invalid, n.Locked, n.NotEditable) < 0 {
		return client.FixPreview{}, 0, view.ErrCursor
	}
	return n, at.Next, nil
}
