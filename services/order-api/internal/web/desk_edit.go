package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/identity"
)

// editPage is the body of the editor.
type editPage struct {
	ID       string
	Version  int    // that is edited
	Draft    string // as the visitor has it
	Encoding string // of a record of another program; empty: the draft is JSON of an order
	Reason   string
	Invoice  string // that prints the locked lines; or empty
	Locked   bool
	Lines    []line // the difference to the newest version, or the draft with its faults
	Changes  []client.ValueChange
	Previews bool   // the draft is valid, and Changes are what it changes
	Faults   []spot // of the draft
	Conflict bool   // somebody else has saved a version meanwhile
	Fault    *fault // why nothing was saved; or nil
	Replay   bool   // the visitor may replay
	Effects  [2]string
}

// spot is a fault of the draft, and its line, or 0.
type spot struct {
	Line            int
	Pointer, Detail string
}

func (p *Pages) edit(c echo.Context) error {
	l, err := p.editable(c)
	if err != nil {
		return err
	}
	v := editPage{Version: l.Edit.Version, Encoding: l.Edit.Encoding, Draft: draftOf(l.Edit)}
	return p.showEdit(c, http.StatusOK, l, v)
}

// editable is the requested dead letter, or a problem if it cannot be edited.
func (p *Pages) editable(c echo.Context) (client.DeadLetter, error) {
	l, err := p.front.DeadLetter(c)
	if err == nil && l.Edit == nil {
		err = refuse(http.StatusConflict, "not-editable", "Dead letter cannot be edited", "it is no order, it is a refund, or it does not wait for a decision")
	}
	return l, err
}

// draftOf is what is edited, as text.
func draftOf(e *client.Editable) string {
	if e.Encoding != "" {
		var text string
		_ = json.Unmarshal(e.Value, &text) // it is a string
		return text
	}
	return canonical(string(e.Value), "")
}

// saveEdit previews or saves the draft. Whatever happens, the draft is kept.
func (p *Pages) saveEdit(c echo.Context) error {
	version, err := strconv.Atoi(c.FormValue("version"))
	if err != nil || version < 0 {
		return refuse(http.StatusBadRequest, "bad-parameter", "Invalid parameter", "version must be the version that was edited")
	}
	v := editPage{Version: version, Draft: textOf(c, "text"), Encoding: c.FormValue("encoding"), Reason: c.FormValue("reason")}
	value := json.RawMessage(v.Draft)
	if v.Encoding != "" {
		value, _ = json.Marshal(v.Draft) // a string
	}
	n := client.NewEdit{Version: version, Value: value, Encoding: v.Encoding, Reason: v.Reason}
	act := c.FormValue("act")
	if act == "replay" {
		if err := p.front.Needs(c, identity.ReplayDeadLetters); err != nil {
			return err
		}
	}
	made, err := p.front.Edit(c, n, act == "preview")
	if err != nil {
		return p.again(c, err, func() error { return p.notSaved(c, v, err) })
	}
	if act == "preview" {
		l, err := p.editable(c)
		if err != nil {
			return err
		}
		v.Previews, v.Changes = true, made.Changes
		return p.showEdit(c, http.StatusOK, l, v)
	}
	if act == "replay" {
		return p.replayDeadLetter(c)
	}
	return done(c, letterPath(c.Param("id")), "edit")
}

// notSaved shows the editor again, with the draft and what is wrong. After a conflict the draft is
// compared with the version that the other one has saved, and is an edit of that.
func (p *Pages) notSaved(c echo.Context, v editPage, refused error) error {
	f, status := p.problemOf(c, refused)
	l, err := p.front.DeadLetter(c)
	if err != nil {
		return err
	}
	if l.Edit == nil {
		l.Edit = &client.Editable{Value: json.RawMessage(`{}`)}
	}
	lines := lineOf(v.Draft)
	for _, e := range f.Errors {
		v.Faults = append(v.Faults, spot{lines.at(e.Pointer), e.Pointer, e.Detail})
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal([]byte(v.Draft), new(json.RawMessage))); ok && v.Encoding == "" {
		at := min(int(syntax.Offset), len(v.Draft))
		v.Faults = []spot{{1 + strings.Count(v.Draft[:at], "\n"), "", "must be JSON: " + syntax.Error()}}
	}
	if v.Conflict = f.Version > 0; v.Conflict {
		v.Version = f.Version
	} else if len(v.Faults) == 0 {
		v.Fault = f
	}
	return p.showEdit(c, status, l, v)
}

// showEdit shows the editor for a dead letter.
func (p *Pages) showEdit(c echo.Context, status int, l client.DeadLetter, v editPage) error {
	v.ID, v.Replay, v.Locked = l.ID, p.may(c, identity.ReplayDeadLetters), len(l.Edit.Locked) > 0
	v.Effects[0], v.Effects[1] = effects(l)
	if s, err := p.front.OrderOf(c, l.Order); err != nil {
		return err
	} else if s != nil && s.Progress.Issued() {
		v.Invoice = s.Progress.Invoice.Number
	}
	switch newest := draftOf(l.Edit); {
	case len(v.Faults) > 0:
		v.Lines = withFaults(v.Draft, v.Faults)
	case v.Fault != nil:
	default:
		v.Lines = difference(newest, canonical(v.Draft, v.Encoding), l.Edit.Locked)
	}
	return p.showDesk(c, status, "desk_edit", page{Title: "Edit dead letter " + l.ID}, deskPage{Crumbs: p.letterCrumbs(c, "Edit"), Content: v})
}

// canonical is a draft of an order with a line for each value and the fields in their usual sequence, so
// that only values are a difference; or the draft as it is.
func canonical(draft, encoding string) string {
	var o client.NewOrder
	if encoding != "" || json.Unmarshal([]byte(draft), &o) != nil {
		return draft
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if e.Encode(o) != nil {
		return draft
	}
	return strings.TrimSuffix(b.String(), "\n")
}
