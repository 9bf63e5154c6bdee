package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// replayPage is the body of a list of replay jobs.
type replayPage struct {
	Replays []client.ReplayJob `json:"replays"`
	Next    string             `json:"next,omitempty"`
}

// Limits of replay jobs.
const (
	maxRate  = 1_000_000 // dead letters a second
	maxSteps = 20        // of a ramp
	maxStep  = 1_000_000
)

func (a *api) startReplay(c echo.Context) error {
	body, err := readJSON(c.Request())
	if err != nil {
		return err
	}
	id, err := a.createReplay(c, body)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", "/v1/replays/"+id)
	return a.answerReplay(c, http.StatusCreated, id)
}

// createReplay begins the job of a body, and returns its ID.
func (a *api) createReplay(c echo.Context, body []byte) (string, error) {
	spec, err := a.newReplay(c, body)
	if err != nil {
		return "", err
	}
	kind := trail.ReplayJob
	if spec.Patch != nil {
		kind = trail.Fix
	}
	var job wire.Job
	// What is selected may name a customer, and is not in the audit trail.
	err = a.record(c, trail.Act{Kind: kind, Target: "dead-letters", Reason: spec.Reason}, func() (err error) {
		job, err = a.Jobs.Create(c.Request().Context(), spec)
		return jobError(err)
	})
	return job.ID, err
}

// jobError is an error of a job as a problem, where that needs its text.
func jobError(err error) error {
	switch {
	case errors.Is(err, jobs.ErrSpec):
		return newProblem(invalidReplay, strings.TrimPrefix(err.Error(), jobs.ErrSpec.Error()+": "))
	case errors.Is(err, jobs.ErrUnsure):
		return newProblem(outcomeUnknown, "the replay job may have been started or not: look at the list of jobs before you start another one")
	case errors.Is(err, jobs.ErrTarget):
		return newProblem(noTarget, "nothing was replayed: "+strings.TrimPrefix(err.Error(), jobs.ErrTarget.Error()+": "))
	}
	return err
}

// newReplay reads the body of a new job.
func (a *api) newReplay(c echo.Context, body []byte) (jobs.Spec, error) {
	var spec jobs.Spec
	var selected *selection
	var patch json.RawMessage
	var wrong bool // the selection has faults of its own
	err := decode(body, invalidReplay, func(d *decoder) fields {
		return fields{
			"selection": func(at string) {
				selected = new(selection)
				before := len(d.wrong)
				selected.read(d)(at)
				wrong = len(d.wrong) > before
			},
			"dry_run": d.flag(&spec.DryRun), "rate": d.number(&spec.Rate, maxRate), "stop_above": d.number(&spec.StopAbove, 1), "patch": d.raw(&patch),
			"override": d.flag(&spec.Override), "pause_on_new_cause": d.flag(&spec.PauseOnNewCause), "reason": d.line(&spec.Reason, 0), "ramp": d.ramp(&spec.Ramp),
			"replay_to": d.checkedText(&spec.ReplayTo, func(text string) string { return order.TextFault(text, 1, maxTopic) }),
		}
	})
	if wrong {
		if p, ok := errors.AsType[*client.Problem](err); ok {
			p.Type, p.Title = "/problems/"+invalidSelection.name, invalidSelection.title
		}
	}
	if err == nil && selected == nil {
		err = invalidProblem(invalidSelection, []order.Invalid{{Pointer: "/selection", Detail: "must say what to replay"}})
	}
	if err == nil && patch != nil {
		spec.Patch = patch
		err = a.checkPatch(c, patch)
	}
	if err != nil {
		return spec, err
	}
	if spec.StopAbove == 1 { // no share is above that
		spec.StopAbove = 0
	}
	return spec, a.selectFor(&spec, selected)
}

// checkPatch checks the patch of a job, which edits dead letters.
func (a *api) checkPatch(c echo.Context, patch json.RawMessage) error {
	if err := visitorOf(c).needs(identity.EditDeadLetters); err != nil {
		return err
	}
	if _, wrong := edit.ParsePatch(patch); len(wrong) > 0 {
		return invalidProblem(invalidPatch, under("/patch", wrong))
	}
	return nil
}

// under puts the pointers of faults below another one.
func under(at string, faults []order.Invalid) []order.Invalid {
	return each(faults, func(f order.Invalid) order.Invalid { return order.Invalid{Pointer: at + f.Pointer, Detail: f.Detail} })
}

// needs is nil for a visitor with a permission.
func (v visitor) needs(p identity.Permission) error {
	if v.May(p) {
		return nil
	}
	return &forbiddenError{p}
}

// ramp reads the sizes of the first steps, which may be none.
func (d *decoder) ramp(into *[]int) func(at string) {
	return func(at string) {
		*into = []int{}
		var sizes []json.RawMessage
		var all json.RawMessage
		if d.raw(&all)(at); json.Unmarshal(all, &sizes) != nil || sizes == nil || len(sizes) > maxSteps {
			d.add(at, fmt.Sprintf("must be an array of at most %d sizes", maxSteps))
			return
		}
		for i, s := range sizes {
			var size int
			if json.Unmarshal(s, &size) != nil || size < 1 || size > maxStep {
				d.add(fmt.Sprintf("%s/%d", at, i), fmt.Sprintf("must be a whole number from 1 to %d", maxStep))
			}
			*into = append(*into, size)
		}
	}
}

// selectFor puts a selection into a job. All dead letters of a job are of one topic.
func (a *api) selectFor(spec *jobs.Spec, s *selection) error {
	if s.empty() {
		return newProblem(emptySelection, "the filter selects everything: if that is meant, select all")
	}
	topic := ""
	if f := s.filter; f != nil && f.Topic != a.DeadLetters {
		topic = f.Topic
	}
	for i, id := range s.ids {
		of := ""
		if isForeign(id) {
			of = id[:strings.LastIndex(id, ":")]
		}
		if i > 0 && of != topic {
			return invalidProblem(invalidSelection, []order.Invalid{{Pointer: fmt.Sprintf("/selection/ids/%d", i), Detail: "must be of the same dead-letter topic as the first one: a job reads one topic, so start a job for each"}})
		}
		topic = of
	}
	cause := s.filter != nil && s.filter.Topic == "" && s.filter.Cause != "" // a cause is of one topic
	switch {
	case spec.ReplayTo != "" && topic == "" && !cause:
		return invalidProblem(invalidReplay, []order.Invalid{{Pointer: "/replay_to", Detail: "is only for dead letters of other programs"}})
	case topic != "" && (spec.Patch != nil || spec.DryRun):
		return newProblem(invalidReplay, "only orders can be patched or tried: edit dead letters of other programs one by one, and replay one of them first")
	}
	spec.IDs, spec.Text, spec.Topic = s.ids, s.String(), topic
	if s.ids == nil {
		if spec.Filter = s.filtered(spec.Override, a.DeadLetters); spec.Filter.Topic == "" && !cause {
			spec.Filter.Topic = a.DeadLetters
		}
	}
	return nil
}

func (a *api) listReplays(c echo.Context) error {
	q := query(c, "phase", "limit", "cursor")
	phase := oneOf(&q, "phase", jobs.Phases()...)
	limit := q.limit()
	if q.wrong != nil {
		return q.wrong
	}
	all, next, err := a.Replays(c, phase, limit, c.QueryParam("cursor"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, replayPage{all, next})
}

// Replays returns a page of replay jobs as the visitor may see them, the newest first, and the cursor of
// the next page. With a phase it has the jobs of the page that are in it, so it may be short.
func (a *api) Replays(c echo.Context, phase jobs.Phase, limit int, cursor string) ([]client.ReplayJob, string, error) {
	all, next, err := a.Jobs.List(c.Request().Context(), limit, cursor)
	all = slices.DeleteFunc(all, func(p jobs.Progress) bool { return phase != "" && p.Phase != phase })
	return each(all, visitorOf(c).job), next, err
}

func (a *api) getReplay(c echo.Context) error { return a.answerReplay(c, http.StatusOK, c.Param("id")) }

func (a *api) answerReplay(c echo.Context, status int, id string) error {
	job, err := a.Replay(c, id)
	if err != nil {
		return err
	}
	return c.JSON(status, job)
}

// Replay returns a replay job as the visitor may see it.
func (a *api) Replay(c echo.Context, id string) (client.ReplayJob, error) {
	p, err := a.Jobs.Get(c.Request().Context(), id)
	if err != nil {
		return client.ReplayJob{}, err
	}
	return visitorOf(c).job(p), nil
}

// commands are the acts on a job, by the last segment of their paths: what the audit trail calls them,
// and their events.
var commands = map[string]struct {
	act   string
	event wire.JobEventKind
}{
	"pause": {trail.PauseJob, wire.JobPause}, "resume": {trail.ResumeJob, wire.JobResume}, "cancel": {trail.CancelJob, wire.JobCancel},
	"rate": {trail.RateJob, wire.JobRate},
}

// commandReplay is the handler of an act on a job that has a reason only.
func (a *api) commandReplay(name string) echo.HandlerFunc {
	return func(c echo.Context) error {
		reason, err := givenReason(c.Request())
		if err != nil {
			return err
		}
		return a.answerCommand(c, commands[name].act, jobs.Event{Kind: commands[name].event, Reason: reason})
	}
}

func (a *api) changeRate(c echo.Context) error {
	e := jobs.Event{Kind: wire.JobRate, Rate: -1}
	err := decodeBody(c.Request(), invalidReplay, false, func(d *decoder) fields {
		return fields{"rate": d.number(&e.Rate, maxRate), "reason": d.line(&e.Reason, 0)}
	})
	if err == nil && e.Rate < 0 {
		err = invalidProblem(invalidReplay, []order.Invalid{{Pointer: "/rate", Detail: "must be a number, 0 for unlimited"}})
	}
	if err != nil {
		return err
	}
	return a.answerCommand(c, trail.RateJob, e)
}

// answerCommand changes the requested job, and answers with it.
func (a *api) answerCommand(c echo.Context, kind string, e jobs.Event) error {
	if err := a.CommandReplay(c, kind, e); err != nil {
		return err
	}
	return a.answerReplay(c, http.StatusAccepted, c.Param("id"))
}

// CommandReplay changes the requested job, as an act of a kind of package trail. A change that it has already, such as a second pause, is none, unless the job
// has ended.
func (a *api) CommandReplay(c echo.Context, kind string, e jobs.Event) error {
	ctx, id := c.Request().Context(), c.Param("id")
	return a.record(c, trail.Act{Kind: kind, Target: "replay/" + id, Reason: e.Reason}, func() error {
		err := a.Jobs.Command(ctx, id, e)
		if errors.Is(err, jobs.ErrState) {
			if p, err2 := a.Jobs.Get(ctx, id); err2 == nil && !p.State.Final() {
				return nil
			}
		}
		return jobError(err)
	})
}

// job is a replay job as the visitor may see it: what was asked for can name a customer, and a patch
// can have personal data.
func (v visitor) job(p jobs.Progress) client.ReplayJob {
	answer := toReplayJob(p)
	answer.Reason = v.personal(answer.Reason)
	if !v.May(identity.ReadPersonal) {
		answer.Patch = nil
		if strings.Contains(answer.Selection, "words ") {
			answer.Selection = v.personal(answer.Selection)
		}
	}
	return answer
}

func toReplayJob(p jobs.Progress) client.ReplayJob {
	answer := client.ReplayJob{
		ID: p.ID, Kind: string(p.Kind), Phase: string(p.Phase), Rev: p.Rev, CreatedAt: p.At, EndedAt: p.Ended, By: p.Job.Cause.Actor.String(),
		Reason: p.Reason, Selection: p.Selection, Topic: p.Topic, ReplayTo: p.ReplayTo, Patch: p.Patch, Override: p.Override, Total: p.Total,
		Counts: toReplayCounts(p), Skipped: map[string]int{}, Rate: p.Limit, ObservedRate: p.Observed, StopAbove: p.StopAbove, PauseOnNewCause: p.PauseOnNewCause,
		Ramp: toRamp(p), FailedAgain: each(p.Failures[:min(len(p.Failures), maxFailures)], toFailedAgain), Runner: p.Runner,
	}
	for why, n := range p.Skipped {
		answer.Skipped[string(why)] = n
	}
	if n := p.Counts[view.OrderErased]; n > 0 {
		answer.Skipped[string(view.OrderErased)] = n
	}
	if p.Left > 0 {
		answer.SecondsLeft = new(p.Left.Seconds())
	}
	if h := p.Halt; h != nil && p.Phase == jobs.Halted {
		answer.Halted = &client.Halted{At: h.At, Why: h.Reason, Results: h.Of, FailedAgain: h.Bad, Causes: h.Causes}
	}
	return answer
}

// maxFailures is how many causes of failures a job shows.
const maxFailures = 20

func toFailedAgain(f jobs.Failure) client.FailedAgain {
	return client.FailedAgain{Cause: f.Cause, Step: string(f.Step), Reason: f.Reason, Count: f.Count, New: f.New}
}

func toReplayCounts(p jobs.Progress) client.ReplayCounts {
	n := func(o view.ReplayOutcome) int { return p.Counts[o] }
	counts := client.ReplayCounts{
		NotSent: p.NotSent, InProgress: n(view.InFlight) + n(view.Retrying) + n(view.Waiting), Confirmed: n(view.Confirmed),
		FailedAgain: n(view.FailedAgain), AlreadyDone: n(view.AlreadyDone), Cancelled: n(view.Stopped), Conflict: n(view.Conflicted),
		Sent: n(view.Sent), WouldPass: n(view.WouldPass), WouldFail: n(view.WouldFail), Skipped: n(view.OrderErased),
	}
	for _, skipped := range p.Skipped {
		counts.Skipped += skipped
	}
	return counts
}

// toRamp are the steps of the ramp, also those that are not begun.
func toRamp(p jobs.Progress) []client.RampStep {
	all := []client.RampStep{}
	for i, s := range p.Steps {
		if i == len(p.Ramp) { // the stretches after it
			break
		}
		step := client.RampStep{Size: s.To - s.From, FailedAgain: s.Counts[view.FailedAgain], State: "passed"}
		for outcome, n := range s.Counts {
			step.Sent += n
			switch {
			case !outcome.Final():
				step.State = "running"
			case outcome != view.FailedAgain:
				step.Confirmed += n
			}
		}
		if p.Cursor < s.To {
			step.State = "running"
		}
		if h := p.Halt; h != nil && h.Step == s.Number {
			step.State = "halted"
		}
		all = append(all, step)
	}
	from := p.Base
	for i, size := range p.Ramp {
		size = min(size, p.Total-from)
		if i >= len(all) && size > 0 {
			all = append(all, client.RampStep{Size: size, State: "not-begun"})
		}
		from += max(size, 0)
	}
	return all
}
