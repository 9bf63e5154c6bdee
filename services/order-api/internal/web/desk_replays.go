package web

import (
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/identity"
)

// replaysPage is the body of the list of replay jobs.
type replaysPage struct {
	Jobs  []jobPage
	Next  string // URL of the next page; or empty
	First bool
}

func (p *Pages) replays(c echo.Context) error {
	cursor := c.QueryParam("cursor")
	all, next, err := p.front.Replays(c, "", perPage, cursor)
	if err != nil {
		return err
	}
	v := replaysPage{First: cursor == ""}
	for _, j := range all {
		v.Jobs = append(v.Jobs, jobPage{ReplayJob: j})
	}
	if next != "" {
		v.Next = "/desk/replays?" + url.Values{"cursor": {next}}.Encode()
	}
	return p.showDesk(c, http.StatusOK, "desk_replays", page{Title: "Replays"}, deskPage{Tab: "replays", Content: v})
}

// jobPage is the body of the page of a replay job.
type jobPage struct {
	client.ReplayJob
	Acts acts
}

func (p *Pages) replay(c echo.Context) error { return p.showReplay(c, nil) }

// showReplay shows a job, also after an act that was refused.
func (p *Pages) showReplay(c echo.Context, refused error) error {
	j, err := p.front.Replay(c, c.Param("id"))
	if err != nil {
		return err
	}
	v := struct {
		Job   jobPage
		Fault *fault
	}{Job: p.jobPage(c, j)}
	status, live := http.StatusOK, jobPath(j.ID)+"/events"
	if refused != nil {
		v.Fault, status = p.problemOf(c, refused)
	}
	if v.Job.Ended() {
		live = ""
	}
	crumbs := []crumb{{"Desk", "/desk"}, {"Replays", "/desk/replays"}, {j.ID, ""}}
	return p.showDesk(c, status, "desk_replay", page{Title: v.Job.Title(), Live: live}, deskPage{Crumbs: crumbs, Content: v})
}

func jobPath(id string) string { return "/desk/replays/" + url.PathEscape(id) }

func (p *Pages) jobPage(c echo.Context, j client.ReplayJob) jobPage {
	v, path := jobPage{ReplayJob: j}, jobPath(j.ID)
	offer := func(a act) { v.Acts = p.offer(c, v.Acts, identity.ReplayDeadLetters, a) }
	switch j.Phase {
	case "done", "cancelled":
		return v
	case "paused", "halted":
		offer(act{Words: "Resume", To: path + "/resume", Post: true, Class: "go"})
	default:
		offer(act{Words: "Pause", To: path + "/pause", Post: true})
	}
	offer(act{Words: "Change rate…", To: path + "/rate"})
	offer(act{Words: "Cancel…", To: path + "/cancel", Class: "no"})
	return v
}

// watchReplay streams the cells of the page of a job.
func (p *Pages) watchReplay(c echo.Context) error {
	return p.front.WatchReplay(c, func(w io.Writer, j *client.ReplayJob) error {
		if j == nil {
			return writeBeat(w)
		}
		cells, err := p.part("desk_replay", "cells", p.jobPage(c, *j))
		if err == nil {
			err = writeCells(w, j.Rev, cells)
		}
		return err
	})
}

// commandReplay pauses, resumes or cancels a job, or changes its rate.
func (p *Pages) commandReplay(c echo.Context) error {
	name, reason, rate := c.Param("act"), c.FormValue("reason"), 0.0
	switch name {
	case "pause", "resume", "cancel":
	case "rate":
		rate = rateOf(c.FormValue("rate"))
	default:
		return echo.ErrNotFound
	}
	err := p.front.Command(c, name, reason, rate)
	if err == nil {
		return done(c, jobPath(c.Param("id")), name)
	}
	return p.again(c, err, func() error {
		switch name {
		case "cancel":
			return p.askCancelAgain(c, err, reason)
		case "rate":
			return p.askRateAgain(c, err, c.FormValue("rate"), reason)
		}
		return p.showReplay(c, err)
	})
}

// rateOf is a rate of a form; nothing is unlimited. What is no number is NaN, which is refused.
func rateOf(text string) float64 {
	if text == "" {
		return 0
	}
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.NaN()
	}
	return rate
}

func (p *Pages) askCancel(c echo.Context) error { return p.askCancelAgain(c, nil, "") }

func (p *Pages) askCancelAgain(c echo.Context, refused error, reason string) error {
	j, err := p.front.Replay(c, c.Param("id"))
	if err != nil {
		return err
	}
	return p.asked(c, refused, p.jobCrumbs(c, "Cancel"), ask{
		Title: "Cancel the replay?", To: jobPath(j.ID) + "/cancel", Back: jobPath(j.ID), Words: "Cancel the replay", Danger: true,
		Text: fmt.Sprintf("%s dead letters are not sent yet: they stay open. What was sent is worked on to its end. A cancelled replay cannot be resumed.",
			number(j.Counts.NotSent)),
		Fields: []field{reasonField(reason, true)},
	})
}

func (p *Pages) askRate(c echo.Context) error {
	j, err := p.front.Replay(c, c.Param("id"))
	if err != nil {
		return err
	}
	return p.askRateAgain(c, nil, strconv.FormatFloat(j.Rate, 'f', -1, 64), "")
}

func (p *Pages) askRateAgain(c echo.Context, refused error, rate, reason string) error {
	path := jobPath(c.Param("id"))
	return p.asked(c, refused, p.jobCrumbs(c, "Change rate"), ask{
		Title: "Change the rate", Text: "The new rate counts from the next dead letter on. New orders come first at any rate. 0 is unlimited.",
		To: path + "/rate", Back: path, Words: "Change the rate",
		Fields: []field{{Name: "rate", Label: "At most, dead letters a second", Type: "text", Value: rate, Complete: "off"}, reasonField(reason, true)},
	})
}

func (p *Pages) jobCrumbs(c echo.Context, words string) []crumb {
	id := c.Param("id")
	return []crumb{{"Desk", "/desk"}, {"Replay " + id, jobPath(id)}, {words, ""}}
}

// Title says what the job is.
func (v jobPage) Title() string {
	if v.Dry() {
		return "Dry run of " + count(v.Total, "dead letter")
	}
	return "Replay of " + count(v.Total, "dead letter")
}

// Dry reports whether the job is a dry run.
func (v jobPage) Dry() bool { return v.Kind == "dry-run" }

// Look is the look of the phase.
func (v jobPage) Look() stateWords { return wording(phases, v.ReplayJob.Phase) }

// Results is how many results are known.
func (v jobPage) Results() int {
	n := v.Counts
	return n.Confirmed + n.FailedAgain + n.AlreadyDone + n.Cancelled + n.Conflict + n.WouldPass + n.WouldFail
}

// addend is a part of the sum of a job.
type addend struct {
	Kind, Words string
	N           int
	X, Width    string // in the bar
}

// Parts are the counts, which add up to the total.
func (v jobPage) Parts() []addend {
	n := v.Counts
	all := []addend{
		{"ok", "confirmed", n.Confirmed, "", ""},
		{"run", "in progress", n.InProgress, "", ""},
		{"dead", "failed again", n.FailedAgain, "", ""},
		{"closed", "already done", n.AlreadyDone, "", ""},
		{"closed", "cancelled", n.Cancelled, "", ""},
		{"warn", "order had changed", n.Conflict, "", ""},
	}
	switch {
	case v.Dry():
		all = []addend{{"ok", "would pass", n.WouldPass, "", ""}, {"run", "in progress", n.InProgress, "", ""}, {"dead", "would fail", n.WouldFail, "", ""}}
	case v.Topic != "":
		all = []addend{{"ok", "sent", n.Sent, "", ""}}
	}
	all = append(all, addend{"closed", "left out", n.Skipped, "", ""}, addend{"todo", "not sent yet", n.NotSent, "", ""})
	at := 0
	for i := range all {
		all[i].X, all[i].Width = part(at, v.Total), part(all[i].N, v.Total)
		at += all[i].N
	}
	return all
}

// Class is the class of a part in the bar.
func (a addend) Class() string {
	if a.Kind == "todo" {
		return "none"
	}
	return shapes[a.Kind].class
}

// part is a part of a hundred, as an attribute of SVG.
func part(n, of int) string {
	return strconv.FormatFloat(100*float64(n)/float64(max(of, 1)), 'f', 2, 64)
}

// Sentence says how the job goes, in facts.
func (v jobPage) Sentence() string {
	n, all := v.Counts, v.Results()
	switch {
	case v.Dry() && n.WouldFail == 0:
		return fmt.Sprintf("%s of %s tried; none would fail.", number(all), number(v.Total))
	case v.Dry():
		return fmt.Sprintf("%s of %s tried; %s would fail.", number(all), number(v.Total), number(n.WouldFail))
	case v.Topic != "":
		return fmt.Sprintf("%s of %s sent. What the consumers of the topic do is not known here.", number(n.Sent), number(v.Total))
	}
	text := "No result is known yet."
	if all > 0 {
		text = fmt.Sprintf("%s of %s confirmed.", number(n.Confirmed), count(all, "result"))
	}
	if n.FailedAgain > 0 {
		text += fmt.Sprintf(" %s failed again, %s.", number(n.FailedAgain), percent(n.FailedAgain, all))
	}
	if v.StopAbove > 0 && !v.Ended() && v.Halted == nil {
		text += " The replay stops by itself above " + share(v.StopAbove) + " of a step."
	}
	if v.SecondsLeft != nil && n.NotSent > 0 {
		text += " About " + about(*v.SecondsLeft) + " left."
	}
	return text
}

// SkippedReasons are the reasons for which dead letters were left out.
func (v jobPage) SkippedReasons() (all []string) {
	for _, why := range slices.Sorted(maps.Keys(v.Skipped)) {
		all = append(all, number(v.Skipped[why])+" "+why)
	}
	return all
}

// Beyond reports whether there are dead letters after the ramp.
func (v jobPage) Beyond() bool {
	for _, s := range v.Ramp {
		v.Total -= s.Size
	}
	return v.Total > 0
}

// rampRow is a step of the ramp.
type rampRow struct {
	Number int
	client.RampStep
	Look            stateWords
	Share           string
	OK, Again, AtOK string // widths in the bar, and where the second one begins
}

// Rows are the steps of the ramp.
func (v jobPage) Rows() (all []rampRow) {
	for i, s := range v.Ramp {
		verdict := s.State
		if verdict == "passed" && v.StopAbove == 0 {
			verdict = "complete"
		}
		all = append(all, rampRow{
			i + 1, s, wording(rampSteps, verdict), percent(s.FailedAgain, s.Confirmed+s.FailedAgain), part(s.Confirmed, s.Size), part(s.FailedAgain, s.Size), part(s.Confirmed, s.Size),
		})
	}
	return all
}
