package ctl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// replayJobs are the commands for replay jobs.
type replayJobs struct {
	List   listJobs  `cmd:"" default:"withargs" help:"List replay jobs, the newest first. This is the default."`
	Show   showJob   `cmd:"" help:"Show a replay job: what was asked for, all counts, and why dead letters failed again."`
	Watch  watchJobs `cmd:"" help:"Watch a replay job until it has ended or halted. Ctrl-C stops watching, not the job."`
	Pause  pauseJob  `cmd:"" help:"Send nothing more until the job is resumed."`
	Resume resumeJob `cmd:"" help:"Go on with a paused or halted job: with those that it has not sent. After a halt its ramp begins again at step 1."`
	Cancel cancelJob `cmd:"" help:"Send nothing more. What was sent goes on; the rest stays open."`
	Rate   jobRate   `cmd:"" help:"Change the rate of a job."`
}

type listJobs struct {
	Phase string `enum:",ramping,running,paused,waiting,halted,stalled,cancelled,done" default:"" placeholder:"PHASE" help:"Only jobs in this phase: ramping, running, paused, waiting (for a dependency), halted (by the stop rule), stalled (no result for 5 minutes), cancelled or done."`
	Limit int    `default:"20" help:"Number of jobs. 0: all."`
}

// Run prints a line for each job.
func (c *listJobs) Run(ctx context.Context, p *printer, api *client.Client) error {
	if c.Limit < 0 {
		return config.Usage(errNegativeLimit)
	}
	t := p.table("ID", "PHASE", "KIND", "TOTAL", "RESULTS", "STARTED", "BY", "SELECTION", "REASON")
	for page, err := range pages(c.Limit, func(limit int, cursor string) ([]client.ReplayJob, string, error) {
		return api.Replays(ctx, client.ReplayQuery{Phase: c.Phase, Limit: limit, Cursor: cursor})
	}) {
		if err != nil {
			return err
		}
		for _, j := range page {
			err := t.row(j, j.ID, j.Phase, j.Kind, fmt.Sprint(j.Total), jobCounts(j), instant(j.CreatedAt), j.By, j.Selection, j.Reason)
			if err != nil {
				return err
			}
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	return nil
}

// jobLine is a job in one line.
func jobLine(j client.ReplayJob) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %d: %s", j.ID, j.Phase, j.Total, jobCounts(j)))
}

// jobCounts lists the counts of a job that are not zero. They add up to its total.
func jobCounts(j client.ReplayJob) string {
	n := j.Counts
	return counted([]count{
		{n.Confirmed, "confirmed"},
		{n.Sent, "sent"},
		{n.WouldPass, "would pass"},
		{n.WouldFail, "would fail"},
		{n.FailedAgain, "failed again"},
		{n.InProgress, "in progress"},
		{n.AlreadyDone, "already done"},
		{n.Cancelled, "cancelled"},
		{n.Conflict, "in conflict"},
		{n.Skipped, "skipped"},
		{n.NotSent, "not sent"},
	})
}

// jobFacts formats a job.
func jobFacts(j client.ReplayJob) []string {
	lines := []string{jobLine(j)}
	for _, reason := range slices.Sorted(maps.Keys(j.Skipped)) {
		lines = append(lines, fmt.Sprintf("  skipped  %d %s", j.Skipped[reason], reason))
	}
	for i, s := range j.Ramp {
		lines = append(lines, fmt.Sprintf("  step %d   %d: %d confirmed, %d failed again, %s", i+1, s.Size, s.Confirmed, s.FailedAgain, s.State))
	}
	for _, f := range j.FailedAgain {
		lines = append(lines, fmt.Sprintf("  failed   %d %s", f.Count, strings.Join(drop([]string{f.Step, f.Reason, newCause(f), f.Message}, ""), " ")))
	}
	return lines
}

func newCause(f client.FailedAgain) string {
	if f.New {
		return "(new)"
	}
	return ""
}

// theJob names a job.
type theJob struct {
	ID string `arg:"" help:"ID of the job, such as job_4kq2mxjzvt5rw3nd6hgyc7bpea."`
}

type showJob struct{ theJob }

// Run shows a job.
func (c *showJob) Run(ctx context.Context, p *printer, api *client.Client) error {
	j, err := api.ReplayJob(ctx, c.ID)
	if err != nil {
		return explain(err)
	}
	lines := jobFacts(j)
	lines = append(lines, "  asked    "+strings.Join(drop([]string{j.Kind, j.Selection, asked(j)}, ""), ", "))
	lines = append(lines, strings.TrimRight(fmt.Sprintf("  started  %s by %s: %s", instant(j.CreatedAt), j.By, j.Reason), ": "))
	if j.Halted != nil {
		lines = append(lines, fmt.Sprintf("  halted   %s: %s", instant(j.Halted.At), j.Halted.Why))
	}
	if !j.EndedAt.IsZero() {
		lines = append(lines, "  ended    "+instant(j.EndedAt))
	}
	if j.Runner != "" {
		lines = append(lines, "  runner   "+j.Runner)
	}
	return p.result(strings.Join(lines, "\n"), j)
}

// asked lists the settings of a job that are not the default.
func asked(j client.ReplayJob) string {
	var words []string
	if j.Rate > 0 {
		words = append(words, fmt.Sprintf("%g a second", j.Rate))
	}
	if j.StopAbove > 0 {
		words = append(words, fmt.Sprintf("stops above %g %%", 100*j.StopAbove))
	}
	if j.PauseOnNewCause {
		words = append(words, "halts at a new cause")
	}
	if j.Override {
		words = append(words, "parked ones too")
	}
	if len(j.Patch) > 0 {
		words = append(words, "with a patch")
	}
	if j.Topic != "" {
		words = append(words, "from "+j.Topic)
	}
	if j.ReplayTo != "" {
		words = append(words, "to "+j.ReplayTo)
	}
	return strings.Join(words, ", ")
}

type watchJobs struct {
	theJob
	Wait time.Duration `help:"Stop watching after this long; the job goes on. Default: watch until it has ended."`
}

// Run watches a job.
func (c *watchJobs) Run(ctx context.Context, p *printer, api *client.Client) error {
	j, err := api.ReplayJob(ctx, c.ID)
	if err != nil {
		return explain(err)
	}
	return attachment{Wait: c.Wait}.follow(ctx, p, api, j)
}

// steer has the flags of a command that changes a job.
type steer struct {
	theJob
	Reason string `placeholder:"WHY" help:"Why, for the audit trail."`
}

type pauseJob struct{ steer }

// Run pauses a job.
func (c *pauseJob) Run(ctx context.Context, p *printer, api *client.Client) error {
	return c.request(ctx, p, api, api.PauseReplay, func(j client.ReplayJob) bool { return j.Phase == "paused" || j.Ended() })
}

type resumeJob struct{ steer }

// Run resumes a job.
func (c *resumeJob) Run(ctx context.Context, p *printer, api *client.Client) error {
	return c.request(ctx, p, api, api.ResumeReplay, func(j client.ReplayJob) bool { return j.Phase != "paused" && j.Phase != "halted" })
}

type cancelJob struct{ steer }

// Run cancels a job.
func (c *cancelJob) Run(ctx context.Context, p *printer, api *client.Client) error {
	return c.request(ctx, p, api, api.CancelReplay, func(j client.ReplayJob) bool { return j.Phase == "cancelled" || j.Ended() })
}

type jobRate struct {
	steer
	Rate float64 `arg:"" help:"Dead letters a second. 0: as fast as the workers take them."`
}

// Run changes the rate of a job.
func (c *jobRate) Run(ctx context.Context, p *printer, api *client.Client) error {
	change := func(ctx context.Context, id, reason string) (client.ReplayJob, error) {
		return api.ChangeReplayRate(ctx, id, c.Rate, reason)
	}
	return c.request(ctx, p, api, change, func(j client.ReplayJob) bool { return j.Rate == c.Rate || j.Ended() })
}

// patience is how long a command waits for its effect. The job carries out requests within a second.
const patience = 10 * time.Second

// request sends a request about a job, waits until it is carried out, and prints the job.
func (c steer) request(
	ctx context.Context, p *printer, api *client.Client,
	send func(ctx context.Context, id, reason string) (client.ReplayJob, error), carriedOut func(client.ReplayJob) bool,
) error {
	var j client.ReplayJob
	err := withRetry(ctx, func() (err error) {
		j, err = send(ctx, c.ID, c.Reason)
		return err
	})
	if err != nil {
		return explain(err)
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if !carriedOut(j) {
		for now, err := range api.WatchReplay(waiting, c.ID, j.Rev) {
			if err != nil && waiting.Err() == nil {
				return explain(err)
			}
			if err == nil {
				j = now
			}
			if carriedOut(j) {
				break
			}
		}
	}
	if !carriedOut(j) {
		return config.Hint(errors.New("the request is stored, but the job has not carried it out yet"), "look with: ordersctl dlq jobs show "+c.ID)
	}
	return p.result(jobLine(j), j)
}
