package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
)

// filters is the form of a list of causes or dead letters.
type filters struct {
	Action string
	Query  url.Values
	Search bool // the visitor may search: the answer would tell what is masked
	Given  bool // there is a filter
	Kept   [][2]string
	Chosen []choice
}

// choice is a filter with a few values.
type choice struct {
	Name, Label string
	Options     [][2]string // value and words; the first one is no filter
	Value       string
}

// kept are the filters that links set and no form changes, with their words.
var kept = [][2]string{{"cause", "Cause"}, {"topic", "Topic"}, {"reason", "Reason"}, {"from", "From"}, {"to", "To"}}

func (p *Pages) filters(c echo.Context, action string) filters {
	q := maps.Clone(c.QueryParams())
	q.Del("done")
	f := filters{Action: action, Query: q, Search: p.may(c, identity.ReadPersonal), Given: len(q) > 0}
	for _, k := range kept {
		if q.Get(k[0]) != "" {
			f.Kept = append(f.Kept, [2]string{k[0], q.Get(k[0])})
		}
	}
	states := [][2]string{{"", "Waiting for a decision"}}
	var all []string
	for _, s := range slices.Backward(view.DeadLetterStates()) {
		states, all = append(states, [2]string{string(s), upper(deadLetterStates[s].words)}), append(all, string(s))
	}
	states = append(states, [2]string{strings.Join(all, ","), "Any state"})
	steps := [][2]string{{"", "Any step"}}
	for _, s := range order.Steps() {
		steps = append(steps, [2]string{string(s), string(s)})
	}
	classes := [][2]string{{"", "Any class"}, {"permanent", "permanent"}, {"transient", "transient"}, {"down", "down"}}
	f.Chosen = []choice{
		{"state", "State", states, q.Get("state")}, {"step", "Step", steps, q.Get("step")}, {"class", "Class", classes, q.Get("class")},
	}
	return f
}

// Without is the URL of the list without a filter.
func (f filters) Without(name string) string {
	q := url.Values{}
	for n, v := range f.Query {
		if n != name && n != "cursor" {
			q[n] = v
		}
	}
	if len(q) == 0 {
		return f.Action
	}
	return f.Action + "?" + q.Encode()
}

// Of is the query string of the filters for another page, or empty.
func (f filters) Of() string {
	_, q, _ := strings.Cut(f.Without(""), "?")
	return q
}

// replayable reports whether the filters select only what can be replayed, and not everything.
func (f filters) replayable() bool {
	for state := range strings.SplitSeq(f.Query.Get("state"), ",") {
		if state != "" && !slices.Contains(view.Unsettled(), view.DeadLetterState(state)) {
			return false
		}
	}
	return f.Of() != ""
}

// Export is the URL of an export of what the list shows, in a format or as NDJSON.
func (f filters) Export(format string) string {
	q, _ := url.ParseQuery(f.Of()) // it was encoded
	if q.Get("state") == "" {
		var waiting []string
		for _, s := range view.Unsettled() {
			waiting = append(waiting, string(s))
		}
		q.Set("state", strings.Join(waiting, ","))
	}
	if format != "" {
		q.Set("format", format)
	}
	return "/v1/dead-letters/export?" + q.Encode()
}

// rows is a page of dead letters.
type rows struct {
	Letters []letterRow
	Next    string // URL of the next page; or empty
	First   bool   // this is the first page
	Path    string
	One     bool // all have one cause, which the page tells of
	May     bool // the visitor may replay what is selected
	Discard bool // the visitor may discard what is selected
	Needs   identity.Role
}

// letterRow is a dead letter in a list, with its order as the visitor may see it, or nil.
type letterRow struct {
	client.DeadLetter
	State stateWords
	Of    *order.State
}

// Kind and Words are the state as templates show it.
func (s stateWords) Kind() string  { return s.kind }
func (s stateWords) Words() string { return s.words }

// rows reads a page of dead letters. The query string is that of the list without its cursor.
func (p *Pages) rows(c echo.Context, f view.DeadLetterFilter, path string, q url.Values) (rows, error) {
	v := rows{First: f.Cursor == "", Path: path, May: p.may(c, identity.ReplayDeadLetters), Needs: "operator", Discard: p.may(c, identity.EditDeadLetters)}
	letters, next, err := p.front.ListDeadLetters(c, f)
	if err != nil {
		return v, err
	}
	for _, l := range letters {
		of, err := p.front.OrderOf(c, l.Order)
		if err != nil {
			return v, err
		}
		v.Letters = append(v.Letters, letterRow{l, wording(deadLetterStates, l.State), of})
	}
	if next != "" {
		q.Set("cursor", next)
		v.Next = path + "?" + q.Encode()
	}
	return v, nil
}

// lettersPage is the body of the list of dead letters.
type lettersPage struct {
	Filter filters
	Rows   rows
	Total  int  // that the filter selects
	Replay acts // or nil: the filter selects nothing that can be replayed
	News   news
}

func (p *Pages) deadLetters(c echo.Context) error {
	if redirected, err := tidied(c); redirected {
		return err
	}
	f, err := p.front.DeadLetterFilter(c, "cursor", "done")
	if err != nil {
		return err
	}
	v, live := lettersPage{Filter: p.filters(c, "/desk/dead-letters")}, ""
	v.News, live = p.newsOf("dead-letters", v.Filter.Of())
	if f.States == nil {
		f.States = view.Unsettled()
	}
	groups, _, err := p.front.Groups(c, f, maxCauses)
	if err != nil {
		return err
	}
	for _, g := range groups {
		v.Total += g.Total
	}
	if v.Filter.replayable() {
		v.Replay = p.offer(c, nil, identity.ReplayDeadLetters, act{Words: "Replay all that match…", To: "/desk/replays/new?" + v.Filter.Of(), Class: "s"})
	}
	f.Limit, f.Cursor = perPage, c.QueryParam("cursor")
	q, err := url.ParseQuery(v.Filter.Of())
	if err == nil {
		v.Rows, err = p.rows(c, f, "/desk/dead-letters", q)
	}
	if err != nil {
		return err
	}
	return p.showDesk(c, http.StatusOK, "desk_letters", page{Title: "Dead letters", Live: live}, deskPage{Tab: "letters", Content: v})
}
