package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
)

// Phase is what a job is doing. It follows from its state, and from the outcomes of its replays.
type Phase string

// The phases.
const (
	Ramping   Phase = "ramping" // each step waits for the results of the one before
	Running   Phase = "running"
	Waiting   Phase = "waiting" // replays wait for a dependency that is down; it continues when none does
	Stalled   Phase = "stalled" // replays are in flight, and there was no result for StalledAfter
	Paused    Phase = "paused"
	Halted    Phase = "halted"
	Cancelled Phase = "cancelled"
	Done      Phase = "done"
)

// Phases returns all phases.
func Phases() []Phase {
	return []Phase{Ramping, Running, Waiting, Stalled, Paused, Halted, Cancelled, Done}
}

// StalledAfter is how long a job is without a result until it is Stalled.
const StalledAfter = 5 * time.Minute

// Progress is how far a job is. Not sent, skipped and Counts add up to its total.
type Progress struct {
	view.Job
	Phase    Phase
	Counts   map[view.ReplayOutcome]int // of what was sent; foreign dead letters have Sent alone
	NotSent  int
	Observed float64       // items per second of late; 0 if that is not known
	Left     time.Duration // until everything is sent; 0 if that is not known
	Steps    []Step        // those of the ramp, and the last one
	Failures []Failure
	Rev      int64 // grows with each change
}

// Failure counts the items that failed again for a cause.
type Failure struct {
	Step   order.Step // or empty: reading the record
	Reason string
	Cause  string // ID of the cause; or empty: its dead letter is not known yet
	Count  int
	New    bool // these had not failed for this cause before
}

// Step is a step of a job's ramp, or a stretch after it.
type Step struct {
	Number   int
	From, To int // its items
	Counts   map[view.ReplayOutcome]int
}

// Get returns how far a job is, or ErrUnknown. It waits up to a second for a job that is not known:
// another instance may have created it just now.
func (j *Jobs) Get(ctx context.Context, id string) (p Progress, err error) {
	err = j.find(ctx, id, func() error {
		job, results, err := j.cfg.View.JobResults(ctx, id)
		if err == nil {
			p = progress(job, results)
		}
		return err
	})
	return p, err
}

// find asks the view for a job. The error is ErrUnknown if there is none after the wait of view.AwaitKnown.
func (j *Jobs) find(ctx context.Context, id string, ask func() error) error {
	changes, stop := j.Watch()
	defer stop()
	err := j.cfg.View.AwaitKnown(ctx, changes, nil, ask)
	if errors.Is(err, view.ErrUnknown) {
		return fmt.Errorf("%.100q: %w", id, ErrUnknown)
	}
	return err
}

// List returns a page of jobs, the newest first, and the cursor of the next page or "".
func (j *Jobs) List(ctx context.Context, limit int, cursor string) (all []Progress, next string, err error) {
	return j.list(ctx, view.JobFilter{Limit: limit, Cursor: cursor})
}

func (j *Jobs) list(ctx context.Context, f view.JobFilter) (all []Progress, next string, err error) {
	jobs, next, err := j.cfg.View.Jobs(ctx, f)
	for _, job := range jobs {
		known, results, err := j.cfg.View.JobResults(ctx, job.ID)
		if err != nil {
			return nil, "", err
		}
		all = append(all, progress(known, results))
	}
	return all, next, err
}

// Unfinished returns at most as many of the newest jobs that are not done or cancelled.
func (j *Jobs) Unfinished(ctx context.Context, limit int) ([]Progress, error) {
	all, _, err := j.list(ctx, view.JobFilter{Unfinished: true, Limit: limit})
	return all, err
}

// Watch returns a channel that receives a value when a job may have changed since the last receive.
// Several changes may be one value, and changes of other jobs are among them: compare Rev and Phase.
// The caller must call stop.
func (j *Jobs) Watch() (changes <-chan struct{}, stop func()) { return j.cfg.View.WatchJobs() }

func (j *Jobs) job(ctx context.Context, id string) (job view.Job, err error) {
	err = j.find(ctx, id, func() (err error) {
		job, err = j.cfg.View.Job(ctx, id)
		return err
	})
	return job, err
}

func progress(job view.Job, results []view.JobResult) Progress {
	t := newTally(job, results)
	p := Progress{
		Job: job, Phase: t.phase(time.Now()), Counts: t.counts, NotSent: job.Total - job.Cursor, Steps: t.shown(), Failures: t.failed,
		Rev: int64(job.Records) + t.revs,
	}
	if len(t.counts) == 0 && job.Sent > 0 { // foreign dead letters: their results are not known
		p.Counts = map[view.ReplayOutcome]int{view.Sent: job.Sent}
	}
	if n := len(job.Pace); n > 1 {
		first, last := job.Pace[0], job.Pace[n-1]
		p.Observed = float64(last.Cursor-first.Cursor) / max(last.At.Sub(first.At).Seconds(), 0.001)
	}
	if p.Observed > 0 && job.State == view.JobRunning {
		p.Left = time.Duration(float64(p.NotSent) / p.Observed * float64(time.Second))
	}
	return p
}

// failures are the causes for which items failed again, the most frequent first.
func failures(results []view.JobResult) (all []Failure) {
	counts := map[Failure]int{}
	for _, r := range results {
		if r.Outcome == view.FailedAgain {
			counts[Failure{Step: r.Failed, Reason: r.Reason, Cause: r.Cause, New: r.New}] += r.Count
		}
	}
	for f, n := range counts {
		f.Count = n
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b Failure) int {
		newer := 0
		if a.New != b.New {
			newer = 1
			if a.New {
				newer = -1
			}
		}
		return cmp.Or(cmp.Compare(b.Count, a.Count), newer, cmp.Compare(a.Step, b.Step), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Cause, b.Cause))
	})
	return all
}
