package web

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

// letterPage is the body of the page of a dead letter.
type letterPage struct {
	client.DeadLetter
	State    stateWords
	Of       *order.State // as the visitor may see it; or nil
	Standing string
	History  []event
	Payload  []line
	Cut      bool // the payload is longer
	First    string
	Rest     string // what a replay does
	Acts     acts
	Next     string // URL of the next one of its cause; or empty
	Before   string // URL of the one before; or empty
	May      bool   // the visitor may write notes
	Note     ask
}

func (p *Pages) deadLetter(c echo.Context) error { return p.showDeadLetter(c, nil, "") }

// showDeadLetter shows a dead letter, also after an act that was refused.
func (p *Pages) showDeadLetter(c echo.Context, refused error, note string) error {
	l, err := p.front.DeadLetter(c)
	if err != nil {
		return err
	}
	v := letterPage{DeadLetter: l, State: wording(deadLetterStates, l.State), Standing: standing(l), May: p.may(c, identity.NoteDeadLetters)}
	if v.Of, err = p.front.OrderOf(c, l.Order); err != nil {
		return err
	}
	v.History = historyOf(l, v.Of)
	v.Payload, v.Cut = payload(l.Record)
	v.First, v.Rest = effects(l)
	v.Acts = p.letterActs(c, l)
	if v.Next, v.Before, err = p.around(c, l); err != nil {
		return err
	}
	v.Note = ask{To: letterPath(l.ID) + "/note", Fields: []field{{Name: "text", Label: "Note", Value: note}}}
	status := http.StatusOK
	if refused != nil {
		status = v.Note.refused(p.problemOf(c, refused))
	}
	crumbs := []crumb{{"Desk", "/desk"}, {causeTitle(l.Reason), "/desk/groups/" + url.PathEscape(l.Cause)}, {l.ID, ""}}
	return p.showDesk(c, status, "desk_letter", page{Title: "Dead letter " + l.ID}, deskPage{Crumbs: crumbs, Content: v})
}

func letterPath(id string) string { return "/desk/dead-letters/" + url.PathEscape(id) }

// letterActs are the acts that the state of a dead letter allows.
func (p *Pages) letterActs(c echo.Context, l client.DeadLetter) (all acts) {
	path := letterPath(l.ID)
	switch state := view.DeadLetterState(l.State); state {
	case view.Discarded:
		return p.offer(c, nil, identity.EditDeadLetters, act{Words: "Restore", To: path + "/restore", Post: true})
	case view.Open, view.Lost, view.Parked:
		all = p.offer(c, all, identity.EditDeadLetters, act{Words: "Discard…", To: path + "/discard", Class: "no"})
		if l.Edit != nil || !p.may(c, identity.ReadPersonal) {
			all = p.offer(c, all, identity.EditDeadLetters, act{Words: "Edit…", To: path + "/edit"})
		}
		replay := act{Words: "Replay", To: path + "/replay", Post: true, Class: "go"}
		if l.Reason == string(failure.Undecodable) {
			replay.Class = "" // it fails again, unless the worker is newer
		}
		if state == view.Parked {
			replay = act{Words: "Replay…", To: path + "/replay"}
		}
		return p.offer(c, all, identity.ReplayDeadLetters, replay)
	}
	return nil
}

// around are the pages of the next dead letter with the same cause that waits for a decision, and of the one before it; or
// empty.
func (p *Pages) around(c echo.Context, l client.DeadLetter) (next, before string, err error) {
	f := view.DeadLetterFilter{Cause: l.Cause, States: view.Unsettled(), Limit: 1, Cursor: view.Cursor{At: l.LastFailed, ID: l.ID}.String()}
	if older, _, err := p.front.ListDeadLetters(c, f); err != nil {
		return "", "", err
	} else if len(older) > 0 {
		next = letterPath(older[0].ID)
	}
	newer, err := p.front.SelectDeadLetters(c, f)
	if err == nil && len(newer) > 0 {
		before = letterPath(newer[0])
	}
	return next, before, err
}

func (p *Pages) noteDeadLetter(c echo.Context) error {
	text := textOf(c, "text")
	if _, err := p.front.Note(c, text); err != nil {
		return p.again(c, err, func() error { return p.showDeadLetter(c, err, text) })
	}
	return done(c, letterPath(c.Param("id")), "note")
}

// replayDeadLetter replays a dead letter. A parked one needs that the visitor was asked.
func (p *Pages) replayDeadLetter(c echo.Context) error {
	reason, override := c.FormValue("reason"), c.FormValue("override") == "true"
	err := p.front.Reason(reason, override)
	if err == nil {
		_, err = p.front.ReplayDeadLetter(c, reason, override)
	}
	if err == nil {
		return done(c, letterPath(c.Param("id")), "replay")
	}
	return p.again(c, err, func() error {
		if override {
			return p.askReplayAgain(c, err, reason)
		}
		return p.showDeadLetter(c, err, "")
	})
}

// reasonField is the field of the reason of an act.
func reasonField(value string, optional bool) field {
	return field{Name: "reason", Label: "Why", Type: "text", Value: value, Complete: "off", Optional: optional}
}

func (p *Pages) letterCrumbs(c echo.Context, words string) []crumb {
	id := c.Param("id")
	return []crumb{{"Desk", "/desk"}, {"Dead letter " + id, letterPath(id)}, {words, ""}}
}

// askReplay asks before a parked dead letter is replayed.
func (p *Pages) askReplay(c echo.Context) error { return p.askReplayAgain(c, nil, "") }

func (p *Pages) askReplayAgain(c echo.Context, refused error, reason string) error {
	id := c.Param("id")
	return p.asked(c, refused, p.letterCrumbs(c, "Replay"), ask{
		Title: "Replay dead letter " + id + " once more?", Text: "It was replayed several times without success, and is parked. Find the cause first, or edit it.",
		To: letterPath(id) + "/replay", Back: letterPath(id), Words: "Replay " + id,
		Fields: []field{reasonField(reason, false), {Name: "override", Type: "hidden", Value: "true"}},
	})
}

func (p *Pages) askDiscard(c echo.Context) error { return p.askDiscardAgain(c, nil, "") }

func (p *Pages) askDiscardAgain(c echo.Context, refused error, reason string) error {
	id := c.Param("id")
	return p.asked(c, refused, p.letterCrumbs(c, "Discard"), ask{
		Title: "Discard dead letter " + id + "?",
		Text:  "No replay takes it, and its order gets no mail and no further attempt. An invoice that is issued stays issued. You can restore it later.",
		To:    letterPath(id) + "/discard", Back: letterPath(id), Words: "Discard " + id, Danger: true, Fields: []field{reasonField(reason, false)},
	})
}

func (p *Pages) discardDeadLetter(c echo.Context) error {
	reason := c.FormValue("reason")
	err := p.front.Reason(reason, true)
	if err == nil {
		_, err = p.front.Discard(c, reason)
	}
	if err != nil {
		return p.again(c, err, func() error { return p.askDiscardAgain(c, err, reason) })
	}
	return done(c, letterPath(c.Param("id")), "discard")
}

func (p *Pages) restoreDeadLetter(c echo.Context) error {
	if _, err := p.front.Restore(c, ""); err != nil {
		return p.again(c, err, func() error { return p.showDeadLetter(c, err, "") })
	}
	return done(c, letterPath(c.Param("id")), "restore")
}

// Title is what the cause is called.
func (v letterPage) Title() string { return causeTitle(v.Reason) }

// Done says how far the order was.
func (v letterPage) Done() string { return doneOf(v.Of) }
