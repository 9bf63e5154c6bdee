package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/edit/jsondiff"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func (a *api) editDeadLetter(c echo.Context) error {
	q := query(c, "preview")
	preview := oneOf(&q, "preview", "true", "false") == "true"
	if q.wrong != nil {
		return q.wrong
	}
	n, err := newEdit(c)
	if err != nil {
		return err
	}
	made, err := a.EditDeadLetter(c, n, preview)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, made)
}

// EditDeadLetter stores an edit of the requested dead letter. A preview returns what it would be, and
// stores nothing.
func (a *api) EditDeadLetter(c echo.Context, n desk.NewEdit, preview bool) (client.EditResult, error) {
	var made desk.Edited
	var err error
	if preview {
		made, err = a.Decisions.Preview(c.Request().Context(), n)
	} else {
		err = a.onDeadLetter(c, trail.Edit, n.Reason, func() (err error) {
			made, _, err = a.Decisions.Edit(c.Request().Context(), n)
			return err
		})
	}
	return client.EditResult{Version: made.Version, Changes: each(made.Changes, toChangedValue)}, err
}

// newEdit reads the body of an edit.
func newEdit(c echo.Context) (desk.NewEdit, error) {
	n := desk.NewEdit{DeadLetter: c.Param("id"), Version: -1}
	var value json.RawMessage
	encoding := utf8Encoding
	err := decodeBody(c.Request(), invalidEdit, false, func(d *decoder) fields {
		return fields{
			"version": d.integer(&n.Version, 0, maxVersion), "value": d.raw(&value), "reason": d.line(&n.Reason, 0), "encoding": d.text(&encoding),
		}
	})
	var wrong []order.Invalid
	if n.Version < 0 {
		wrong = append(wrong, order.Invalid{Pointer: "/version", Detail: "must be the version that was edited"})
	}
	if err == nil {
		var fault *order.Invalid
		if n.Value, fault = editedValue(n.DeadLetter, value, encoding); fault != nil {
			wrong = append(wrong, *fault)
		}
	}
	if err == nil && len(wrong) > 0 {
		err = invalidProblem(invalidEdit, wrong)
	}
	return n, err
}

// maxVersion is beyond all versions that a dead letter will have.
const maxVersion = 1_000_000

// The encodings of records in JSON.
const (
	utf8Encoding   = "utf-8"
	base64Encoding = "base64"
)

// editedValue is the value of an edit: JSON for an order, and for a dead letter of another program the
// content of a string. The fault is nil if there is none.
func editedValue(id string, value json.RawMessage, encoding string) ([]byte, *order.Invalid) {
	if value == nil {
		return nil, &order.Invalid{Pointer: "/value", Detail: "must be the whole edited value"}
	}
	if !isForeign(id) {
		return value, nil
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return nil, &order.Invalid{Pointer: "/value", Detail: "must be a string"}
	}
	switch encoding {
	case utf8Encoding:
		return []byte(text), nil
	case base64Encoding:
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, &order.Invalid{Pointer: "/value", Detail: "must be base64"}
		}
		return decoded, nil
	}
	return nil, &order.Invalid{Pointer: "/encoding", Detail: "must be utf-8 or base64"}
}

// isForeign reports whether an ID is that of a dead letter of another program.
func isForeign(id string) bool { return strings.Contains(id, ":") }

func (a *api) discardDeadLetter(c echo.Context) error {
	reason, err := neededReason(c.Request())
	if err != nil {
		return err
	}
	l, err := a.Discard(c, reason)
	return a.decided(c, l, err)
}

// Discard discards the requested dead letter.
func (a *api) Discard(c echo.Context, reason string) (l view.DeadLetter, err error) {
	err = a.onDeadLetter(c, trail.Discard, reason, func() (err error) {
		l, _, err = a.Decisions.Discard(c.Request().Context(), c.Param("id"), reason)
		return err
	})
	return l, err
}

// DiscardEach discards dead letters one by one, each with an act of its own in the audit trail. It returns how
// many it has left as they are, because they do not wait for a decision. An error ends it: those before are
// discarded, and it may be repeated.
func (a *api) DiscardEach(c echo.Context, ids []string, reason string) (left int, err error) {
	for _, id := range ids {
		err := a.record(c, trail.Act{Kind: trail.Discard, Target: "dead-letter/" + id, Reason: reason}, func() error {
			_, _, err := a.Decisions.Discard(c.Request().Context(), id, reason)
			return err
		})
		switch {
		case errors.Is(err, desk.ErrClosed):
			left++
		case err != nil:
			return left, err
		}
	}
	return left, nil
}

func (a *api) restoreDeadLetter(c echo.Context) error {
	reason, err := givenReason(c.Request())
	if err != nil {
		return err
	}
	l, err := a.Restore(c, reason)
	return a.decided(c, l, err)
}

// Restore takes back that the requested dead letter is discarded.
func (a *api) Restore(c echo.Context, reason string) (l view.DeadLetter, err error) {
	err = a.onDeadLetter(c, trail.Restore, reason, func() (err error) {
		l, err = a.Decisions.Restore(c.Request().Context(), c.Param("id"), reason)
		return err
	})
	return l, err
}

// decided answers with a dead letter after a decision, or returns the error of that.
func (a *api) decided(c echo.Context, l view.DeadLetter, err error) error {
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, a.deadLetter(visitorOf(c), l))
}

// onDeadLetter records an act on the dead letter of the path.
func (a *api) onDeadLetter(c echo.Context, kind, reason string, effect func() error) error {
	return a.record(c, trail.Act{Kind: kind, Target: "dead-letter/" + c.Param("id"), Reason: reason}, effect)
}

func (a *api) noteDeadLetter(c echo.Context) error { return a.answerNote(c, a.Note) }

func (a *api) noteGroup(c echo.Context) error { return a.answerNote(c, a.NoteGroup) }

// Note writes a note about the requested dead letter.
func (a *api) Note(c echo.Context, text string) (client.Note, error) {
	return a.note(c, "dead-letter/", a.Decisions.Note, text)
}

// NoteGroup writes a note about the requested cause.
func (a *api) NoteGroup(c echo.Context, text string) (client.Note, error) {
	return a.note(c, "cause/", a.Decisions.NoteGroup, text)
}

// maxAssignee is the size of whom a cause is assigned to, in characters.
const maxAssignee = 100

// assignGroup notes who looks into a cause: whom the body names, or who sends the request.
func (a *api) assignGroup(c echo.Context) error {
	to, release := "", false
	err := decodeBody(c.Request(), invalidAssignment, true, func(d *decoder) fields {
		return fields{
			"to":      d.checkedText(&to, func(text string) string { return order.TextFault(text, 1, maxAssignee) }),
			"release": d.flag(&release),
		}
	})
	switch {
	case err != nil:
		return err
	case release && to != "":
		return invalidProblem(invalidAssignment, []order.Invalid{{Pointer: "/to", Detail: "must be absent with release"}})
	}
	made, err := a.AssignGroup(c, to, release)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, assignment{made.Group, toAssigned(&made)})
}

// AssignGroup notes who looks into the requested cause: whom to names, or the visitor if it is empty.
// With release no one does.
func (a *api) AssignGroup(c echo.Context, to string, release bool) (made wire.Decision, err error) {
	ctx := c.Request().Context()
	if to == "" && !release {
		to = identity.From(ctx).Actor().String()
	}
	err = a.record(c, trail.Act{Kind: trail.Assign, Target: "cause/" + c.Param("id"), Reason: to}, func() (err error) {
		made, err = a.Decisions.Assign(ctx, c.Param("id"), to)
		return err
	})
	return made, err
}

// assignment is the body of an answer.
type assignment struct {
	Cause    string           `json:"cause"`
	Assigned *client.Assigned `json:"assigned,omitempty"`
}

// answerNote writes the note of the body, and answers with it.
func (a *api) answerNote(c echo.Context, write func(c echo.Context, text string) (client.Note, error)) error {
	var text string
	if err := decodeBody(c.Request(), invalidNote, false, func(d *decoder) fields { return fields{"text": d.note(&text)} }); err != nil {
		return err
	}
	n, err := write(c, text)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, n)
}

// note writes a note on what the path names.
func (a *api) note(c echo.Context, target string, write noteWriter, text string) (client.Note, error) {
	if fault := noteFault(text); fault != "" {
		return client.Note{}, invalidProblem(invalidNote, []order.Invalid{{Pointer: "/text", Detail: fault}})
	}
	var n wire.Decision
	err := a.record(c, trail.Act{Kind: trail.Note, Target: target + c.Param("id")}, func() (err error) {
		n, err = write(c.Request().Context(), c.Param("id"), text)
		return err
	})
	return visitorOf(c).note(n), err
}

func toChangedValue(ch jsondiff.Change) client.ValueChange {
	return client.ValueChange{Pointer: ch.Pointer, Before: ch.Before, After: ch.After}
}
