package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/identity"
)

// deskRoutes are the pages of the recovery desk. Each act is a POST that redirects to a page, which
// says what was done.
func (p *Pages) deskRoutes() []httpapi.Page {
	const get, post = http.MethodGet, http.MethodPost
	const read, note, replay, edit = identity.ReadDeadLetters, identity.NoteDeadLetters, identity.ReplayDeadLetters, identity.EditDeadLetters
	return []httpapi.Page{
		{Method: get, Path: "/desk", Needs: read, List: true, Handler: p.causes},
		{Method: get, Path: "/desk/events", Needs: read, Handler: p.watchDesk},
		{Method: get, Path: "/desk/groups/:id", Needs: read, List: true, Handler: p.cause},
		{Method: post, Path: "/desk/groups/:id/note", Needs: note, Handler: p.noteCause},
		{Method: post, Path: "/desk/groups/:id/assign", Needs: note, Handler: p.assignCause},
		{Method: get, Path: "/desk/dead-letters", Needs: read, List: true, Handler: p.deadLetters},
		{Method: get, Path: "/desk/dead-letters/:id", Needs: read, Handler: p.deadLetter},
		{Method: post, Path: "/desk/dead-letters/:id/note", Needs: note, Handler: p.noteDeadLetter},
		{Method: get, Path: "/desk/dead-letters/:id/replay", Needs: replay, Handler: p.askReplay},
		{Method: post, Path: "/desk/dead-letters/:id/replay", Needs: replay, Handler: p.replayDeadLetter},
		{Method: get, Path: "/desk/dead-letters/:id/discard", Needs: edit, Handler: p.askDiscard},
		{Method: post, Path: "/desk/dead-letters/:id/discard", Needs: edit, Handler: p.discardDeadLetter},
		{Method: post, Path: "/desk/dead-letters/:id/restore", Needs: edit, Handler: p.restoreDeadLetter},
		{Method: get, Path: "/desk/discard", Needs: edit, List: true, Handler: p.askDiscardSelected},
		{Method: post, Path: "/desk/discard", Needs: edit, List: true, Handler: p.discardSelected},
		{Method: get, Path: "/desk/dead-letters/:id/edit", Needs: edit, Handler: p.edit},
		{Method: post, Path: "/desk/dead-letters/:id/edit", Needs: edit, Handler: p.saveEdit},
		{Method: get, Path: "/desk/replays", Needs: read, List: true, Handler: p.replays},
		{Method: get, Path: "/desk/replays/new", Needs: replay, List: true, Handler: p.newReplay},
		{Method: post, Path: "/desk/replays/new", Needs: replay, List: true, Handler: p.startReplay},
		{Method: get, Path: "/desk/replays/:id", Needs: read, Handler: p.replay},
		{Method: get, Path: "/desk/replays/:id/events", Needs: read, Handler: p.watchReplay},
		{Method: get, Path: "/desk/replays/:id/cancel", Needs: replay, Handler: p.askCancel},
		{Method: get, Path: "/desk/replays/:id/rate", Needs: replay, Handler: p.askRate},
		{Method: post, Path: "/desk/replays/:id/:act", Needs: replay, Handler: p.commandReplay},
		{Method: get, Path: "/desk/topics/:name", Needs: read, List: true, Handler: p.topic},
		{Method: get, Path: "/desk/audit", Needs: identity.ReadAudit, List: true, Handler: p.audit},
	}
}

// deskPage is the body of a page of the desk.
type deskPage struct {
	Tab     string // of the local navigation; or empty
	Jobs    int    // replay jobs that have not ended
	Audit   bool   // the visitor may read the audit trail
	Behind  behindWords
	Crumbs  []crumb
	Done    string // what the visitor has just done; or empty
	Content any    // for the template of the page
}

// crumb is a page above this one; the last one is this page, without a URL.
type crumb struct{ Words, URL string }

// behindFor is how long the read model is behind before pages say so.
const behindFor = 10 * time.Second

// acts that pages tell of after their redirect, by the parameter done.
var doneActs = map[string]string{
	"replay": "The replay was requested. A worker takes it next; reload the page to see the result.", "edit": "The edit was saved. A replay uses it.",
	"discard": "The dead letter was discarded. You can restore it.", "restore": "The dead letter was restored.", "note": "The note was saved.",
	"discards":      "The selected dead letters were discarded. You can restore each.",
	"discards-some": "Some of the selected dead letters were left as they are: they did not wait for a decision any more. The others were discarded.",
	"assign":        "The cause was assigned.", "release": "The cause is no longer assigned.", "pause": "The replay was paused.", "resume": "The replay was resumed.",
	"cancel": "The replay was cancelled. What was sent before is still worked on.", "rate": "The rate was changed.", "start": "The replay was started.",
}

// behindWords say that the read model is behind Kafka. The zero value is that it is not.
type behindWords struct{ Words, Text string }

// sayBehind is about a read model as in httpapi.Front.Behind.
func sayBehind(records int64, fresh, now time.Time) behindWords {
	late := now.Sub(fresh).Round(time.Second)
	switch {
	case fresh.IsZero():
		return behindWords{"Catching up:", "the read model lacks " + count(int(records), "record") + ". Newer dead letters are not shown yet."}
	case late < behindFor:
		return behindWords{}
	case records > 0:
		return behindWords{"Catching up:", "the read model is " + late.String() + " behind Kafka. Newer dead letters are not shown yet."}
	}
	return behindWords{"Not up to date:", "dead letters of the last " + late.String() + " may not be shown."}
}

// showDesk answers with a page of the desk.
func (p *Pages) showDesk(c echo.Context, status int, name string, v page, d deskPage) error {
	var err error
	if _, d.Jobs, err = p.front.Unfinished(c, 0); err != nil {
		return err
	}
	d.Done, d.Audit = doneActs[c.QueryParam("done")], p.may(c, identity.ReadAudit)
	records, fresh := p.front.Behind()
	d.Behind = sayBehind(records, fresh, time.Now())
	v.Place, v.Body = "desk", d
	return p.show(c, status, name, v)
}

// done redirects to a page, which says that an act was done.
func done(c echo.Context, path, act string) error {
	return c.Redirect(http.StatusSeeOther, path+"?"+url.Values{"done": {act}}.Encode())
}

// tidied redirects a request whose query string has empty parameters, as those of a form without
// scripts are, to the address without them.
func tidied(c echo.Context) (redirected bool, err error) {
	q := c.QueryParams()
	before := len(q)
	maps.DeleteFunc(q, func(_ string, values []string) bool {
		return !slices.ContainsFunc(values, func(v string) bool { return v != "" })
	})
	if len(q) == before {
		return false, nil
	}
	to := c.Request().URL.Path
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	return true, c.Redirect(http.StatusSeeOther, to)
}

func (p *Pages) may(c echo.Context, needed identity.Permission) bool {
	return identity.From(c.Request().Context()).May(needed)
}

// act is a button of a page. Without the permission it is shown, and disabled.
type act struct {
	Words, To string
	Name      string // that the button posts as act; or empty
	Post      bool   // the button posts; else it is a link
	Class     string
	Missing   identity.Role // that the visitor needs; or empty
}

// acts are the buttons of a page.
type acts []act

// offer adds a button.
func (p *Pages) offer(c echo.Context, all acts, needed identity.Permission, a act) acts {
	if !p.may(c, needed) {
		a.Missing = httpapi.Least(needed)
	}
	return append(all, a)
}

// Missing are the roles that the visitor needs for the buttons, each once.
func (a acts) Missing() (roles []identity.Role) {
	for _, one := range a {
		if one.Missing != "" && !slices.Contains(roles, one.Missing) {
			roles = append(roles, one.Missing)
		}
	}
	return roles
}

// ask is the body of a page that asks before an act.
type ask struct {
	Title, Text string
	To, Back    string // URLs of the act, and of the page before
	Words       string // of the button
	Danger      bool
	Fields      []field
	Fault       *fault // why the act was not done; or nil
}

// refused shows why the act was not done, at the fields that it is about, and returns the status.
func (v *ask) refused(f *fault, status int) int {
	v.Fault = f
	for _, e := range f.Errors {
		for i := range v.Fields {
			if e.Pointer == "/"+v.Fields[i].Name {
				v.Fields[i].Wrong = sentence(e.Detail)
			}
		}
	}
	return status
}

// again shows the form of an act that was refused once more, with what was given. Other errors have a
// page of their own.
func (p *Pages) again(c echo.Context, err error, show func() error) error {
	switch p.front.Problem(err).Status {
	case http.StatusInternalServerError, http.StatusNotFound, http.StatusForbidden:
		return err
	}
	p.front.Log(c, err)
	return show()
}

// textOf is a text of several lines of a form.
func textOf(c echo.Context, name string) string {
	return strings.ReplaceAll(c.FormValue(name), "\r\n", "\n")
}

// asked shows the question of an act, also with what was wrong with the answer, of which err tells.
func (p *Pages) asked(c echo.Context, err error, crumbs []crumb, v ask) error {
	status := http.StatusOK
	if err != nil {
		status = v.refused(p.problemOf(c, err))
	}
	return p.showDesk(c, status, "desk_ask", page{Title: v.Title}, deskPage{Crumbs: crumbs, Content: v})
}
