package web

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/identity"
)

// newPage is the body of the page of a new replay.
type newPage struct {
	To       string // URL of the page with its selection, which forms post to
	Again    string // URL that also shows the dry run
	None     bool   // nothing is selected
	Total    int
	Causes   []client.Group // of what is selected by a filter
	IDs      []string       // of what is selected one by one
	Foreign  string         // dead-letter topic of another program; or empty
	Steps    []int          // of the ramp, as far as there are dead letters
	Rest     int            // after the ramp
	Forecast *forecast      // of the last dry run; or nil
	Ramp     field
	Rate     field
	Stop     field
	Reason   field
	Topic    field // that foreign ones are replayed to
	Override bool
	NewCause bool     // pause at the first new one
	Patch    string   // JSON Patch that each is edited with first; or empty
	Unfit    []string // what is wrong with the patch
	MayEdit  bool
	Preview  *client.FixPreview // what the patch would do; or nil
	Changed  string             // nothing was started: what has changed since the button was made; or empty
	Wrong    []string           // what no field has
	Fault    *fault             // why nothing was started; or nil
}

// What the fields of a new replay begin with.
const (
	defaultRamp = "1, 5, 20, 100"
	defaultStop = "5" // percent of a step
)

// maxForecasts is how many dead letters a dry run tries.
const maxForecasts = 1_000

// selected reads what the query string selects. It is empty if that is nothing.
func (p *Pages) selected(c echo.Context) (client.Selection, error) {
	q := c.QueryParams()
	if len(q["id"]) > 0 {
		return client.Selection{IDs: slices.Compact(slices.Sorted(slices.Values(q["id"])))}, nil
	}
	if q.Get("all") == "true" {
		return client.Selection{All: true}, nil
	}
	if _, err := p.front.DeadLetterFilter(c, "dry_run"); err != nil {
		return client.Selection{}, err
	}
	f := client.DeadLetterFilter{
		Step: q.Get("step"), Class: q.Get("class"), Reason: q.Get("reason"), Cause: q.Get("cause"), Topic: q.Get("topic"), Words: q.Get("q"),
	}
	if states := q.Get("state"); states != "" {
		f.States = strings.Split(states, ",")
	}
	f.From, _ = time.Parse(time.RFC3339, q.Get("from")) // DeadLetterFilter has checked them
	f.To, _ = time.Parse(time.RFC3339, q.Get("to"))
	if len(f.States) == 0 && f.Step+f.Class+f.Reason+f.Cause+f.Topic+f.Words == "" && f.From.IsZero() && f.To.IsZero() {
		return client.Selection{}, nil
	}
	return client.Selection{Filter: &f}, nil
}

func (p *Pages) newReplay(c echo.Context) error {
	if redirected, err := tidied(c); redirected {
		return err
	}
	v := newPage{}
	v.defaults()
	return p.showNew(c, v, nil)
}

func (v *newPage) defaults() { v.fields(defaultRamp, "", defaultStop, "", "") }

func (v *newPage) fields(ramp, rate, stop, reason, to string) {
	v.Topic = field{Name: "replay_to", Label: "Topic to replay to", Type: "text", Value: to, Complete: "off", Optional: true}
	v.Ramp = field{Name: "ramp", Label: "Steps", Type: "text", Value: ramp, Complete: "off", Optional: true}
	v.Rate = field{Name: "rate", Label: "At most, a second", Type: "text", Value: rate, Complete: "off", Optional: true}
	v.Stop = field{Name: "stop_above", Label: "Failed again in a step, percent", Type: "text", Value: stop, Complete: "off", Optional: true}
	v.Reason = reasonField(reason, true)
}

// showNew shows the page of a new replay, also after one that was refused.
func (p *Pages) showNew(c echo.Context, v newPage, refused error) error {
	q := c.QueryParams()
	dry := q.Get("dry_run")
	q.Del("dry_run")
	v.To = "/desk/replays/new"
	if len(q) > 0 {
		v.To += "?" + q.Encode()
	}
	q.Set("dry_run", dry)
	v.Again = "/desk/replays/new?" + q.Encode() + "#forecast"
	s, err := p.selected(c)
	if err != nil {
		return err
	}
	if v.None = len(s.IDs) == 0 && s.Filter == nil && !s.All; !v.None {
		err = p.count(c, &v, s)
	}
	if err == nil && dry != "" {
		v.Forecast, err = p.forecast(c, dry, v.Total)
	}
	if err != nil {
		return err
	}
	status := http.StatusOK
	if refused != nil {
		status = p.refused(c, &v, refused)
	}
	v.MayEdit = p.may(c, identity.EditDeadLetters)
	title := "Replay " + count(v.Total, "dead letter")
	if v.None || v.Total == 0 {
		title = "New replay"
	}
	return p.showDesk(c, status, "desk_new", page{Title: title}, deskPage{Crumbs: []crumb{{"Desk", "/desk"}, {"Replays", "/desk/replays"}, {"New replay", ""}}, Content: v})
}

// count finds out how many dead letters a selection has, and of which causes.
func (p *Pages) count(c echo.Context, v *newPage, s client.Selection) (err error) {
	v.Causes, v.Total, err = p.front.Selected(c, client.NewReplayJob{Selection: s, Override: v.Override})
	v.IDs = s.IDs
	for _, g := range v.Causes {
		if g.Topic != p.front.Config.DeadLetters {
			v.Foreign = g.Topic
		}
	}
	if len(s.IDs) > 0 {
		v.Foreign, _, _ = strings.Cut(s.IDs[0], ":")
		if v.Foreign == s.IDs[0] {
			v.Foreign = ""
		}
	}
	ramp, _ := rampOf(v.Ramp.Value) // a wrong one is shown at its field
	v.Rest = v.Total
	for _, size := range ramp {
		if size = min(size, v.Rest); size > 0 && v.Foreign == "" {
			v.Steps = append(v.Steps, size)
			v.Rest -= size
		}
	}
	return err
}

// First is how many dead letters the start sends first.
func (v newPage) First() int {
	if len(v.Steps) > 0 {
		return v.Steps[0]
	}
	return v.Total
}

// refused puts a problem to the fields that it is about, and returns its status.
func (p *Pages) refused(c echo.Context, v *newPage, err error) int {
	f, status := p.problemOf(c, err)
	fields := map[string]*field{"/ramp": &v.Ramp, "/rate": &v.Rate, "/stop_above": &v.Stop, "/reason": &v.Reason, "/replay_to": &v.Topic}
	for _, e := range f.Errors {
		at := e.Pointer
		if strings.HasPrefix(at, "/ramp/") {
			at = "/ramp"
		}
		if one := fields[at]; one != nil {
			one.Wrong = sentence(e.Detail)
		} else if rest, ok := strings.CutPrefix(at, "/patch"); ok {
			v.Unfit = append(v.Unfit, sentence(strings.TrimSpace(rest+" "+e.Detail)))
		} else {
			v.Wrong = append(v.Wrong, sentence(strings.TrimSpace(e.Pointer+" "+e.Detail)))
		}
	}
	if len(f.Errors) == 0 {
		v.Fault = f
	}
	return status
}

// startReplay starts a replay, or a dry run, of what the query string selects; or shows what a patch would do to it.
func (p *Pages) startReplay(c echo.Context) error {
	v := newPage{Override: c.FormValue("override") == "true", NewCause: c.FormValue("pause_on_new_cause") == "true", Patch: textOf(c, "patch")}
	if c.FormValue("act") == "try" {
		v.defaults()
	} else {
		v.fields(c.FormValue("ramp"), c.FormValue("rate"), c.FormValue("stop_above"), c.FormValue("reason"), c.FormValue("replay_to"))
	}
	s, err := p.selected(c)
	if err != nil {
		return err
	}
	n := client.NewReplayJob{Selection: s, DryRun: c.FormValue("act") == "try", Override: v.Override, PauseOnNewCause: v.NewCause, Reason: v.Reason.Value, ReplayTo: v.Topic.Value}
	if err = v.read(&n); err == nil {
		v.Changed, err = p.changed(c, v, s)
	}
	if err == nil && (c.FormValue("act") == "show" || v.Changed != "") {
		return p.showNew(c, v, nil)
	}
	if err == nil && c.FormValue("act") == "preview" {
		var shown client.FixPreview
		if shown, err = p.front.PreviewFix(c, client.Fix{Selection: s, Patch: n.Patch, Override: v.Override}); err == nil {
			v.Preview = &shown
			return p.showNew(c, v, nil)
		}
	} else if err == nil {
		var id string
		if id, err = p.front.StartReplay(c, n); err == nil {
			return c.Redirect(http.StatusSeeOther, started(c.QueryParams(), n.DryRun, id))
		}
	}
	return p.again(c, err, func() error { return p.showNew(c, v, err) })
}

// changed says what has changed since the button of the form was made, which says how many dead letters the start sends
// first; it is empty if that is still so. Dead letters that failed since then may follow later, but parked ones follow
// only if the button counts them. Those of another program have no steps: more may be sent than the button says.
func (p *Pages) changed(c echo.Context, v newPage, s client.Selection) (what string, err error) {
	form := c.Request().Form
	if !form.Has("first") && !form.Has("shown") || c.FormValue("act") != "start" {
		return "", nil
	}
	shown, _ := rampOf(form.Get("shown")) // a wrong one was shown as no steps
	now, _ := rampOf(v.Ramp.Value)
	if !slices.Equal(shown, now) {
		return "the steps have changed", nil
	}
	if err = p.count(c, &v, s); err != nil {
		return "", err
	}
	other := form.Get("total") != strconv.Itoa(v.Total) && form.Get("parked") != strconv.FormatBool(v.Override)
	first, _ := strconv.Atoi(form.Get("first"))
	more := v.Foreign != "" && v.First() > first
	if other || v.First() != first && !more {
		return "the number of dead letters has changed", nil
	}
	return "", nil
}

// read reads the fields that have numbers. Others are checked by StartReplay.
func (v newPage) read(n *client.NewReplayJob) error {
	var ok bool
	faults := []client.FieldError{}
	if n.Ramp, ok = rampOf(v.Ramp.Value); !ok {
		faults = append(faults, client.FieldError{Pointer: "/ramp", Detail: "must be whole numbers with commas between, such as 1, 5, 20, 100"})
	}
	if n.Rate = rateOf(v.Rate.Value); math.IsNaN(n.Rate) || math.IsInf(n.Rate, 0) {
		faults = append(faults, client.FieldError{Pointer: "/rate", Detail: "must be a number; nothing is unlimited"})
	}
	if n.StopAbove = rateOf(v.Stop.Value) / 100; math.IsNaN(n.StopAbove) || n.StopAbove < 0 || n.StopAbove > 1 {
		faults = append(faults, client.FieldError{Pointer: "/stop_above", Detail: "must be a number from 0 to 100; nothing is never"})
	}
	if v.Patch != "" {
		n.Patch = json.RawMessage(v.Patch)
		if !json.Valid(n.Patch) {
			faults = append(faults, client.FieldError{Pointer: "/patch", Detail: "must be JSON: a list of operations"})
		}
	}
	if len(faults) == 0 {
		return nil
	}
	problem := refuse(http.StatusUnprocessableEntity, "invalid-replay", "Invalid replay job", "")
	problem.Errors = faults
	return problem
}

// started is where the start of a job leads: a dry run back to its selection.
func started(q url.Values, dry bool, id string) string {
	if !dry {
		return jobPath(id) + "?done=start"
	}
	q.Set("dry_run", id)
	return "/desk/replays/new?" + q.Encode() + "#forecast"
}

// fixResult is the number of dead letters to which a patch does the same.
type fixResult struct {
	N           int
	Kind, Words string
}

// fixResults are what a patch does, and the looks and the words of that.
var fixResults = map[string]stateWords{
	"changed": {"ok", "would change"}, "unchanged": {"closed", "would stay the same"}, "not-matched": {"closed", "a test operation does not hold"},
	"invalid": {"dead", "would not be valid"}, "locked": {"dead", "would change what the invoice prints"}, "not-editable": {"dead", "cannot be edited"},
}

// Fixes are the counts of a preview.
func (v newPage) Fixes() (all []fixResult) {
	n := v.Preview
	for _, r := range []struct {
		name string
		n    int
	}{{"changed", n.Changed}, {"unchanged", n.Unchanged}, {"not-matched", n.NotMatched}, {"invalid", n.Invalid}, {"locked", n.Locked}, {"not-editable", n.NotEditable}} {
		if w := wording(fixResults, r.name); r.n > 0 {
			all = append(all, fixResult{r.n, w.kind, w.words})
		}
	}
	return all
}

// Look is the look of a result of a preview.
func (newPage) Look(result string) stateWords { return wording(fixResults, result) }

// rampOf reads the sizes of the first steps. The word rest at the end may be there.
func rampOf(text string) (sizes []int, ok bool) {
	sizes = []int{}
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		if part == "rest" {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, false
		}
		sizes = append(sizes, n)
	}
	return sizes, true
}
