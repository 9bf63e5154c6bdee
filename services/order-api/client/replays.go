package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// NewReplayJob is a replay job to start.
type NewReplayJob struct {
	Selection Selection       `json:"selection"`
	DryRun    bool            `json:"dry_run,omitempty"`    // try, and write nothing
	Rate      float64         `json:"rate,omitempty"`       // dead letters a second; 0 is unlimited
	Ramp      []int           `json:"ramp,omitzero"`        // sizes of the first steps; nil is the default of the API, empty is none
	StopAbove float64         `json:"stop_above,omitempty"` // share of failures that halts the job; 0 is never
	Patch     json.RawMessage `json:"patch,omitempty"`      // JSON Patch that each is edited with first, or nil
	// PauseOnNewCause halts the job when a dead letter fails again for a cause that it did not have before.
	PauseOnNewCause bool   `json:"pause_on_new_cause,omitempty"`
	Override        bool   `json:"override,omitempty"`  // also replay parked ones
	ReplayTo        string `json:"replay_to,omitempty"` // topic for foreign ones, or empty
	Reason          string `json:"reason,omitempty"`
}

// ReplayJob is a replay job and its progress. The counts add up to Total.
type ReplayJob struct {
	ID              string          `json:"id"`
	Kind            string          `json:"kind"` // "replay" or "dry-run"
	Phase           string          `json:"phase"`
	Rev             int64           `json:"rev"` // increases with each change
	CreatedAt       time.Time       `json:"created_at"`
	EndedAt         time.Time       `json:"ended_at,omitzero"`
	By              string          `json:"by"`
	Reason          string          `json:"reason"`
	Selection       string          `json:"selection"`       // what was asked for, in words
	Topic           string          `json:"topic,omitempty"` // dead-letter topic of foreign ones
	ReplayTo        string          `json:"replay_to,omitempty"`
	Patch           json.RawMessage `json:"patch,omitempty"`
	Override        bool            `json:"override,omitempty"`
	Total           int             `json:"total"`
	Counts          ReplayCounts    `json:"counts"`
	Skipped         map[string]int  `json:"skipped"`                // by reason; they add up to Counts.Skipped
	Rate            float64         `json:"rate"`                   // asked for; 0 is unlimited
	ObservedRate    float64         `json:"observed_rate"`          // of late
	SecondsLeft     *float64        `json:"seconds_left,omitempty"` // estimate, or nil
	StopAbove       float64         `json:"stop_above"`
	PauseOnNewCause bool            `json:"pause_on_new_cause,omitempty"`
	Ramp            []RampStep      `json:"ramp"`
	Halted          *Halted         `json:"halted,omitempty"`
	FailedAgain     []FailedAgain   `json:"failed_again"` // by cause, the largest first
	Runner          string          `json:"runner,omitempty"`
}

// Ended reports whether nothing more is sent, and every result is known.
func (j ReplayJob) Ended() bool {
	return j.Phase == "done" || j.Phase == "cancelled" && j.Counts.InProgress == 0
}

// ReplayCounts are the numbers of dead letters of a job with each result.
type ReplayCounts struct {
	NotSent     int `json:"not_sent"`
	InProgress  int `json:"in_progress"` // sent, without a result
	Confirmed   int `json:"confirmed"`
	FailedAgain int `json:"failed_again"`
	AlreadyDone int `json:"already_done"`
	Cancelled   int `json:"cancelled"`
	Conflict    int `json:"conflict"`
	Sent        int `json:"sent"`       // foreign ones that their topic has acknowledged
	WouldPass   int `json:"would_pass"` // of a dry run
	WouldFail   int `json:"would_fail"` // of a dry run
	Skipped     int `json:"skipped"`
}

// RampStep is a step of the ramp of a job.
type RampStep struct {
	Size        int    `json:"size"`
	Sent        int    `json:"sent"`
	Confirmed   int    `json:"confirmed"` // also those that were done already, or cancelled
	FailedAgain int    `json:"failed_again"`
	State       string `json:"state"` // not-begun, running, passed, halted
}

// Halted says why a job has halted.
type Halted struct {
	At          time.Time `json:"at"`
	Why         string    `json:"why"`
	Results     int       `json:"results,omitempty"` // that the stop rule looked at
	FailedAgain int       `json:"failed_again,omitempty"`
	Causes      []string  `json:"causes,omitempty"` // IDs of the groups that are new, with PauseOnNewCause
}

// FailedAgain is a cause of dead letters of a job that failed again.
type FailedAgain struct {
	Cause   string `json:"cause,omitempty"` // ID of the group, if it is known
	Step    string `json:"step,omitempty"`
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"` // normalised
	Count   int    `json:"count"`
	New     bool   `json:"new"` // these had not failed for this cause before
}

// ReplayQuery selects a page of replay jobs. Zero values select all.
type ReplayQuery struct {
	Phase  string
	Limit  int
	Cursor string
}

// Forecasts are the results of a dry run: all of them by cause, and a page of single ones.
type Forecasts struct {
	Causes    []CauseForecast `json:"causes"`
	Forecasts []Forecast      `json:"forecasts"`
	Next      string          `json:"next,omitempty"` // cursor of the next page
}

// CauseForecast sums up the forecasts of a cause.
type CauseForecast struct {
	Cause     string `json:"cause"`
	Selected  int    `json:"selected"`
	Tried     int    `json:"tried"`
	WouldPass int    `json:"would_pass"`
	WouldFail int    `json:"would_fail"`
}

// Forecast is what a replay of one dead letter would do.
type Forecast struct {
	DeadLetter string    `json:"dead_letter"`
	Cause      string    `json:"cause"`
	At         time.Time `json:"at"`
	// Answer is the reason with which the replay would be refused, such as "conflict"; or empty. Then
	// there are no steps.
	Answer   string            `json:"answer,omitempty"`
	Steps    []ForecastStep    `json:"steps"`
	Shipping *ForecastShipping `json:"shipping,omitempty"`
	Total    *Money            `json:"total,omitempty"` // gross
}

// ForecastShipping is what shipping would cost.
type ForecastShipping struct {
	Price   Money  `json:"price"` // see Order.Prices
	Carrier string `json:"carrier"`
}

// ForecastStep is what a step would do.
type ForecastStep struct {
	Step    string `json:"step,omitempty"` // empty: reading the record, which is no order
	Outcome string `json:"outcome"`        // ok, fails, not-tried
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// StartReplay starts a replay job, which runs in the API. Repeating it starts another job; that one
// skips what the first has sent.
func (c *Client) StartReplay(ctx context.Context, n NewReplayJob) (ReplayJob, error) {
	var j ReplayJob
	return j, c.post(ctx, "/v1/replays", n, &j)
}

// Replays returns a page of replay jobs, newest first, and the cursor of the next page or "".
func (c *Client) Replays(ctx context.Context, q ReplayQuery) ([]ReplayJob, string, error) {
	var page struct {
		Replays []ReplayJob
		Next    string
	}
	err := c.get(ctx, "/v1/replays"+query("phase", q.Phase, "limit", number(q.Limit), "cursor", q.Cursor), &page)
	return page.Replays, page.Next, err
}

// ReplayJob returns a replay job and its progress.
func (c *Client) ReplayJob(ctx context.Context, id string) (ReplayJob, error) {
	var j ReplayJob
	return j, c.get(ctx, replayJob(id, ""), &j)
}

func replayJob(id, act string) string { return "/v1/replays/" + url.PathEscape(id) + act }

// Forecasts returns a page of the results of a dry run. A limit of 0 is the default of the API; an
// empty cursor is the first page.
func (c *Client) Forecasts(ctx context.Context, id string, limit int, cursor string) (Forecasts, error) {
	var f Forecasts
	return f, c.get(ctx, replayJob(id, "/forecasts")+query("limit", number(limit), "cursor", cursor), &f)
}

// PauseReplay requests that a job sends nothing more until it is resumed. The reason of this and
// the other requests is for the audit trail, or empty.
func (c *Client) PauseReplay(ctx context.Context, id, reason string) (ReplayJob, error) {
	var j ReplayJob
	return j, c.act(ctx, replayJob(id, "/pause"), reason, &j)
}

// ResumeReplay requests that a paused or halted job goes on.
func (c *Client) ResumeReplay(ctx context.Context, id, reason string) (ReplayJob, error) {
	var j ReplayJob
	return j, c.act(ctx, replayJob(id, "/resume"), reason, &j)
}

// CancelReplay requests that a job sends nothing more.
func (c *Client) CancelReplay(ctx context.Context, id, reason string) (ReplayJob, error) {
	var j ReplayJob
	return j, c.act(ctx, replayJob(id, "/cancel"), reason, &j)
}

// ChangeReplayRate requests another rate of a job, in dead letters a second; 0 is unlimited.
func (c *Client) ChangeReplayRate(ctx context.Context, id string, rate float64, reason string) (ReplayJob, error) {
	var j ReplayJob
	return j, c.post(ctx, replayJob(id, "/rate"), struct {
		Rate   float64 `json:"rate"`
		Reason string  `json:"reason,omitempty"`
	}{rate, reason}, &j)
}

// WatchReplay yields the progress of a job as it changes, starting after the given rev; -1 starts
// with the current one. It ends when the job has ended, when ctx is done, or after it has yielded an
// error. It reconnects like Watch.
func (c *Client) WatchReplay(ctx context.Context, id string, after int64) iter.Seq2[ReplayJob, error] {
	return events(ctx, c, replayJob(id, "/events"), after, func(j ReplayJob) int64 { return j.Rev })
}

// post sends a JSON body and decodes a JSON response.
func (c *Client) post(ctx context.Context, path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, path, http.Header{"Content-Type": {"application/json"}}, data, into)
}
