package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

// maxCauses is how many causes a page shows.
const maxCauses = 200

// causesPage is the body of the list of causes.
type causesPage struct {
	Filter  filters
	Causes  []causeRow
	Total   int // causes, also those that are not shown
	Letters int // dead letters of the causes
	New     []causeRow
	Jobs    []jobPage // that have not ended
	More    int       // such jobs that are not shown
	News    news
	Topics  []topicRow
}

// maxStrips is how many jobs that have not ended a page tells of.
const maxStrips = 3

// causeRow is a cause in the list.
type causeRow struct {
	client.Group
	New   bool // it appeared within a day, and no one looks into it
	Hints []hint
	Bars  []bar
	Note  *client.Note // the newest; or nil
	Next  act          // what to do next
}

// hint is a fact about a cause, with the look of a state.
type hint struct{ Kind, Text string }

// bar is an hour of a sparkline.
type bar struct {
	X, Y, Height string // of an SVG rectangle
	Hot          bool   // the first hour of a new cause
}

// topicRow is a dead-letter topic of another program.
type topicRow struct {
	Topic           string
	Letters, Causes int
	Expires         time.Time // when Kafka deletes the first one, at the earliest; or zero
}

func (p *Pages) causes(c echo.Context) error {
	if redirected, err := tidied(c); redirected {
		return err
	}
	f, err := p.front.DeadLetterFilter(c, "done")
	if err != nil {
		return err
	}
	v, live := causesPage{Filter: p.filters(c, "/desk")}, ""
	v.News, live = p.newsOf("causes", v.Filter.Of())
	if f.States == nil {
		f.States = view.Unsettled()
	}
	groups, total, err := p.front.Groups(c, f, maxCauses)
	var unfinished []client.ReplayJob
	if err == nil {
		unfinished, v.More, err = p.front.Unfinished(c, maxStrips)
	}
	if err != nil {
		return err
	}
	v.Total = total
	for _, g := range groups {
		row := p.causeRow(c, g)
		v.Causes, v.Letters = append(v.Causes, row), v.Letters+g.Total
		if row.New {
			v.New = append(v.New, row)
		}
	}
	v.Topics = p.topics(groups)
	for _, j := range unfinished {
		v.Jobs = append(v.Jobs, jobPage{ReplayJob: j})
	}
	v.More -= len(v.Jobs)
	return p.showDesk(c, http.StatusOK, "desk_causes", page{Title: "Dead letters", Live: live}, deskPage{Tab: "causes", Content: v})
}

func (p *Pages) causeRow(c echo.Context, g client.Group) causeRow {
	row := causeRow{Group: g, Hints: hintsOf(g), New: g.Assigned == nil && g.FirstFailed.After(g.HoursFrom) && g.Counts.Open > 0}
	row.Bars = bars(g, row.New)
	if len(g.Notes) > 0 {
		row.Note = &g.Notes[0]
	}
	row.Next = p.nextAct(c, g)
	return row
}

// nextAct is what a visitor would do next about a cause. A dry run tells whether a replay passes, but it does not try the
// mail. If replays did not help, the orders have to change first.
func (p *Pages) nextAct(c echo.Context, g client.Group) act {
	begin := replayPath(g.ID)
	ours := g.Topic == p.front.Config.DeadLetters
	switch {
	case failure.Reason(g.Reason) == failure.Undecodable:
		return act{Words: "See bytes", To: causePath(g.ID), Class: "s"}
	case !p.may(c, identity.ReplayDeadLetters) || g.Counts.Open+g.Counts.Lost == 0:
		return act{Words: "Open", To: causePath(g.ID), Class: "s"}
	case ours && g.Replayed > 0 && g.ReplayedConfirmed == 0 && p.may(c, identity.EditDeadLetters):
		return act{Words: "Fix by rule…", To: begin + "#f-patch", Class: "s"}
	case ours && (g.Step == string(order.StepShipping) || g.Step == string(order.StepInvoice)):
		return act{Words: "Dry run", To: begin, Name: "try", Post: true, Class: "s"}
	}
	return act{Words: "Replay…", To: begin, Class: "s"}
}

func causePath(id string) string { return "/desk/groups/" + url.PathEscape(id) }

// replayPath is where a new replay of a cause begins.
func replayPath(cause string) string {
	return "/desk/replays/new?" + url.Values{"cause": {cause}}.Encode()
}

// hintsOf are the facts about a cause that decide what to do.
func hintsOf(g client.Group) (all []hint) {
	if g.Replayed > 0 && g.ReplayedConfirmed == 0 {
		all = append(all, hint{"", number(g.Replayed) + " replayed, none confirmed"})
	} else if g.Replayed > 0 {
		all = append(all, hint{"", number(g.Replayed) + " replayed, " + number(g.ReplayedConfirmed) + " confirmed"})
	}
	if g.Counts.Parked > 0 {
		all = append(all, hint{"", number(g.Counts.Parked) + " parked: replayed " + strconv.Itoa(view.ParkAfter) + " times without success"})
	}
	if g.Counts.Lost > 0 {
		all = append(all, hint{"warn", number(g.Counts.Lost) + " whose record Kafka has deleted: a replay uses the state of the order"})
	}
	switch failure.Reason(g.Reason) {
	case failure.Uncertain:
		all = append(all, hint{"warn", "A replay may send these customers one more mail"})
	case failure.Undecodable:
		all = append(all, hint{"", "These records cannot be edited: a replay fails again until a newer worker can read them; the original bytes are kept"})
	}
	return all
}

// bars are the hours of a cause, scaled by the highest.
func bars(g client.Group, isNew bool) (all []bar) {
	most, first := slices.Max(g.Hours[:]), int(g.FirstFailed.Sub(g.HoursFrom)/time.Hour)
	for i, n := range g.Hours {
		height := 0.0
		if n > 0 {
			height = 1 + 21*float64(n)/float64(most)
		}
		all = append(all, bar{decimal(float64(i) * 4.67), decimal(23 - height), decimal(height), isNew && i == first})
	}
	return all
}

// Last is how many failed in the last 24 hours.
func (r causeRow) Last() (n int) {
	for _, hour := range r.Hours {
		n += hour
	}
	return n
}

// Path is the path of the topic's page.
func (t topicRow) Path() string { return topicPath(t.Topic) }

// topics are the dead-letter topics of other programs among causes.
func (p *Pages) topics(groups []client.Group) (all []topicRow) {
	for _, g := range groups {
		if g.Topic == p.front.Config.DeadLetters {
			continue
		}
		i := slices.IndexFunc(all, func(t topicRow) bool { return t.Topic == g.Topic })
		if i < 0 {
			i, all = len(all), append(all, topicRow{Topic: g.Topic})
		}
		t := &all[i]
		t.Letters, t.Causes = t.Letters+g.Total, t.Causes+1
		if at := p.front.Expiry.Deadline(g.Topic, g.FirstFailed); t.Expires.IsZero() || !at.IsZero() && at.Before(t.Expires) {
			t.Expires = at
		}
	}
	return all
}

// causePage is the body of the page of a cause.
type causePage struct {
	client.GroupDetails
	Rows   rows
	Acts   acts
	Select acts
	News   news
	Mine   bool // it is assigned to the visitor
	May    bool // the visitor may write notes
	Note   ask
}

func (p *Pages) cause(c echo.Context) error {
	return p.showCause(c, nil, "")
}

// showCause shows a cause, also after a note that was refused.
func (p *Pages) showCause(c echo.Context, refused error, note string) error {
	news, live := p.newsOf("cause", url.Values{"cause": {c.Param("id")}}.Encode())
	g, err := p.front.Group(c)
	if err != nil {
		return err
	}
	path := causePath(g.ID)
	f := view.DeadLetterFilter{Cause: g.ID, States: view.Unsettled(), Limit: perPage, Cursor: c.QueryParam("cursor")}
	v := causePage{GroupDetails: g, News: news, May: p.may(c, identity.NoteDeadLetters), Note: ask{To: path + "/note"}}
	if v.Rows, err = p.rows(c, f, path, url.Values{}); err != nil {
		return err
	}
	v.Rows.One = true
	me := identity.From(c.Request().Context()).Actor().String()
	v.Mine = g.Assigned != nil && g.Assigned.To == me
	begin := replayPath(g.ID)
	if g.Topic == p.front.Config.DeadLetters && failure.Reason(g.Reason) != failure.Undecodable && g.Counts.Open+g.Counts.Lost > 0 {
		v.Select = p.offer(c, v.Select, identity.ReplayDeadLetters, act{Words: "Dry run", To: begin, Name: "try", Post: true, Class: "s"})
		v.Select = p.offer(c, v.Select, identity.EditDeadLetters, act{Words: "Fix by rule…", To: begin + "#f-patch", Class: "s"})
	}
	v.Select = p.offer(c, v.Select, identity.ReplayDeadLetters, act{Words: "Replay all " + number(g.Counts.Open+g.Counts.Lost) + "…", To: begin, Class: "s go"})
	status := http.StatusOK
	v.Note.Fields = []field{{Name: "text", Label: "Note", Value: note}}
	if refused != nil {
		status = v.Note.refused(p.problemOf(c, refused))
	}
	title := causeTitle(g.Reason)
	return p.showDesk(c, status, "desk_cause", page{Title: title, Live: live}, deskPage{Tab: "", Crumbs: []crumb{{"Desk", "/desk"}, {title, ""}}, Content: v})
}

func (p *Pages) noteCause(c echo.Context) error {
	text := textOf(c, "text")
	if _, err := p.front.NoteGroup(c, text); err != nil {
		return p.again(c, err, func() error { return p.showCause(c, err, text) })
	}
	return done(c, causePath(c.Param("id")), "note")
}

func (p *Pages) assignCause(c echo.Context) error {
	release := c.FormValue("act") == "release"
	if _, err := p.front.AssignGroup(c, "", release); err != nil {
		return err
	}
	act := "assign"
	if release {
		act = "release"
	}
	return done(c, causePath(c.Param("id")), act)
}
