package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// pace says how fast a replay job sends, and when it stops by itself.
type pace struct {
	Rate      float64 `placeholder:"N" help:"Send at most this many dead letters a second. Default: as fast as the workers take them."`
	Ramp      ramp    `placeholder:"N,N…" help:"Begin with steps of these sizes: each waits for the results of the one before; then all others follow. none: no steps. Default: 1,5,20,100."`
	StopAbove share   `placeholder:"SHARE" help:"Halt when a larger share of a step fails again or is retried, such as 10% or 0.1. After the ramp the rule applies to stretches of 100 or more. Default: never."`
	NewCause  bool    `name:"pause-on-new-cause" help:"Halt when a dead letter fails again for a cause that it did not have before. Resume goes on, and halts for other causes only."`
}

// share is a part of a whole, from 0 to 1.
type share float64

// UnmarshalText reads "10%" or "0.1".
func (s *share) UnmarshalText(text []byte) error {
	number, percent := strings.CutSuffix(string(text), "%")
	n, err := strconv.ParseFloat(number, 64)
	if percent {
		n /= 100
	}
	if err != nil || !(n >= 0 && n < 1) {
		return errors.New("must be a share such as 10% or 0.1, below 100%")
	}
	*s = share(n)
	return nil
}

// ramp has the sizes of the first steps of a job; nil is the default of the API.
type ramp struct{ steps []int }

// UnmarshalText reads "1,5,20", or "none".
func (r *ramp) UnmarshalText(text []byte) error {
	r.steps = []int{}
	if string(text) == "none" {
		return nil
	}
	for size := range strings.SplitSeq(string(text), ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 {
			return errors.New("must be sizes such as 1,5,20,100, or none")
		}
		r.steps = append(r.steps, n)
	}
	return nil
}

// attachment says how long a command follows the job that it has started.
type attachment struct {
	Detach bool          `help:"Start the job and return at once."`
	Wait   time.Duration `help:"Stop watching after this long; the job goes on. Default: watch until it has ended."`
}

// replay is the command that replays dead letters.
type replay struct {
	choice
	pace
	attachment
	DryRun   bool   `name:"dry-run" help:"Let the workers try shipping and invoice, and print what would fail. No mail is sent, nothing is written. At most 1,000 dead letters are tried, some of each cause."`
	Override bool   `help:"Also replay parked dead letters: those that were replayed 5 times without success."`
	ReplayTo string `name:"replay-to" placeholder:"TOPIC" help:"Send foreign dead letters to this topic instead of that where they failed."`
	Reason   string `placeholder:"WHY" help:"Why you replay them, for the audit trail."`
}

// Help says what kong does not know.
func (*replay) Help() string {
	return `The replay job runs in the API: Ctrl-C stops watching, not the job. "ordersctl dlq jobs watch ID" shows it again.

Exit status: 0 if all were confirmed, sent (foreign), closed before, or would pass a dry run; 1 if some failed again or were skipped for another reason, if the job was halted or cancelled, or if it goes on; 2 for invalid arguments.`
}

// Run starts a replay job and follows it.
func (c *replay) Run(ctx context.Context, p *printer, api *client.Client) error {
	s, err := c.selection()
	if err != nil {
		return err
	}
	return c.start(ctx, p, api, client.NewReplayJob{
		Selection: s, DryRun: c.DryRun, Rate: c.Rate, Ramp: c.Ramp.steps, StopAbove: float64(c.StopAbove), PauseOnNewCause: c.NewCause,
		Override: c.Override, ReplayTo: c.ReplayTo, Reason: c.Reason,
	})
}

// start starts a job and follows it, unless the command line says otherwise.
func (a attachment) start(ctx context.Context, p *printer, api *client.Client, n client.NewReplayJob) error {
	p.count(0, "selecting the dead letters")
	var j client.ReplayJob
	var lost error // the job may have been started, so the request is not repeated
	err := withRetry(ctx, func() (err error) {
		if j, err = api.StartReplay(ctx, n); unreachable(err) || unsure(err) {
			lost, err = err, nil
		}
		return err
	})
	err = errors.Join(lost, err)
	p.hide()
	if temporary(err) && (unreachable(err) || unsure(err)) {
		return config.Hint(fmt.Errorf("starting the replay job: %w", err), "it may have been started: look with ordersctl dlq jobs list before you repeat this")
	}
	if err != nil {
		return misused(explain(err))
	}
	if a.Detach {
		return p.result(jobLine(j), j)
	}
	p.note(fmt.Sprintf("replay job %s: %s; Ctrl-C stops watching, not the job", j.ID, several(j.Total, "dead letter")))
	return a.follow(ctx, p, api, j)
}

// follow watches a job until it has ended or halted, and prints the result.
func (a attachment) follow(ctx context.Context, p *printer, api *client.Client, j client.ReplayJob) error {
	if a.Wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.Wait)
		defer cancel()
	}
	j, err := watchJob(ctx, p, api, j)
	if err != nil {
		return err
	}
	if j.Kind == dryRun {
		return forecast(ctx, p, api, j)
	}
	if !p.json {
		for _, text := range jobFacts(j) {
			if err := p.result(text, nil); err != nil {
				return err
			}
		}
	}
	return verdict(j)
}

const dryRun = "dry-run"

// watchJob shows the progress of a job until it has ended or halted. If ctx ends first, the error says
// how to watch the job again.
func watchJob(ctx context.Context, p *printer, api *client.Client, j client.ReplayJob) (client.ReplayJob, error) {
	show := &progress{p: p}
	defer p.hide()
	if err := show.update(j); err != nil || j.Ended() || j.Halted != nil {
		return j, err
	}
	for now, err := range api.WatchReplay(ctx, j.ID, j.Rev) {
		if err != nil && ctx.Err() != nil {
			return j, detached(ctx, j)
		}
		if err != nil {
			return j, explain(err)
		}
		if j = now; j.ID == "" {
			return j, errors.New("the API sent a replay job without an ID")
		}
		if err := show.update(j); err != nil || j.Ended() || j.Halted != nil {
			return j, err
		}
	}
	if ctx.Err() != nil {
		return j, detached(ctx, j)
	}
	return j, nil
}

// detached is the error of a command that stops watching a job, which goes on.
func detached(ctx context.Context, j client.ReplayJob) error {
	why := "detached"
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		why = "--wait is over"
	}
	return config.Hint(fmt.Errorf("%s: replay job %s goes on in the API", why, j.ID), "watch it with: ordersctl dlq jobs watch "+j.ID)
}

// progress shows the progress of a job: as a bar on a terminal, else as lines on stderr, or as JSON on
// stdout.
type progress struct {
	p     *printer
	phase string
	last  time.Time // of the last line
}

// between is the time between two lines of progress, unless the phase changes.
const between = 10 * time.Second

func (s *progress) update(j client.ReplayJob) error {
	done, text := j.Total-j.Counts.NotSent-j.Counts.InProgress, progressText(j)
	if columns := terminal(s.p.err); columns > 0 {
		s.p.bar.clear(s.p.err)
		s.p.bar = &bar{columns: columns, total: j.Total, done: done, text: text}
		s.p.bar.draw(s.p.err)
	} else if !s.p.json && (j.Phase != s.phase || time.Since(s.last) >= between) {
		s.p.note(fmt.Sprintf("%s: %d of %d have a result, %s", j.ID, done, j.Total, text))
		s.phase, s.last = j.Phase, time.Now()
	}
	if s.p.json {
		return s.p.result("", j)
	}
	return nil
}

// progressText is the state of a job in a few words.
func progressText(j client.ReplayJob) string {
	words := []string{j.Phase}
	if i := slices.IndexFunc(j.Ramp, func(s client.RampStep) bool { return s.State == "running" }); i >= 0 {
		words[0] += fmt.Sprintf(" (step %d of %d)", i+1, len(j.Ramp))
	}
	words = append(words, counted([]count{
		{j.Counts.FailedAgain, "failed again"}, {j.Counts.WouldFail, "would fail"}, {j.Counts.InProgress, "in progress"}, {j.Counts.Skipped, "skipped"},
	}))
	if j.ObservedRate > 0 {
		words = append(words, fmt.Sprintf("%.3g/s", j.ObservedRate))
	}
	if j.SecondsLeft != nil {
		words = append(words, (time.Duration(*j.SecondsLeft)*time.Second).String()+" left")
	}
	return strings.Join(drop(words, ""), ", ")
}

// verdict is nil if all dead letters of a job got what the user asked for.
func verdict(j client.ReplayJob) error {
	n, meant := j.Counts, j.Skipped["closed"]+j.Skipped["discarded"]+j.Skipped["erased"]
	if len(j.Patch) > 0 { // those that a patch does not change are left out
		meant += j.Skipped["refused"] + j.Skipped["locked"]
	}
	switch {
	case j.Halted != nil:
		return config.Hint(fmt.Errorf("replay job %s has halted: %s", j.ID, j.Halted.Why), "when the cause is removed, go on with: ordersctl dlq jobs resume "+j.ID)
	case n.FailedAgain+n.Conflict+n.WouldFail > 0, n.NotSent > 0, n.Skipped > meant:
		return fmt.Errorf("replay job %s is %s: %s", j.ID, j.Phase, jobCounts(j))
	}
	return nil
}

// forecast prints the results of a dry run: each dead letter that would fail, and the causes.
func forecast(ctx context.Context, p *printer, api *client.Client, j client.ReplayJob) error {
	var causes []client.CauseForecast
	t := p.table("ID", "CAUSE", "STEP", "REASON", "MESSAGE")
	for page, err := range pages(0, func(limit int, cursor string) ([]client.Forecast, string, error) {
		f, err := api.Forecasts(ctx, j.ID, limit, cursor)
		causes = f.Causes
		return f.Forecasts, f.Next, err
	}) {
		if err != nil {
			return err
		}
		for _, f := range page {
			for _, s := range f.Steps {
				if s.Outcome != "fails" && !p.json {
					continue
				}
				if err := t.row(f, f.DeadLetter, f.Cause, s.Step, s.Reason, s.Message); err != nil {
					return err
				}
				break
			}
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	for _, c := range causes {
		p.note(fmt.Sprintf("cause %s: %d selected, %d tried: %d would pass, %d would fail", c.Cause, c.Selected, c.Tried, c.WouldPass, c.WouldFail))
	}
	p.note("not tried: e-mail. Nothing was sent or written")
	return verdict(j)
}
