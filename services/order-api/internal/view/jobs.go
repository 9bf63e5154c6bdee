package view

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Changes of the tables of jobs.
type (
	// JobDefined adds a job, unless its ID is known.
	JobDefined struct {
		wire.Job
		Partition int32
	}
	// JobSelected adds a chunk of a selection, unless it is known. The job may not be known yet.
	JobSelected struct{ wire.JobChunk }
	// JobEvented applies an event to a job, if that is known.
	JobEvented struct{ wire.JobEvent }
	// JobAdvanced applies a batch to a job, if that is known and the batch is its next one.
	JobAdvanced struct{ wire.JobBatch }
	// Forecasted adds the forecast of a dry run, or replaces it. The job may not be known yet.
	Forecasted struct{ wire.Forecast }
)

func (JobDefined) change()  {}
func (JobSelected) change() {}
func (JobEvented) change()  {}
func (JobAdvanced) change() {}
func (Forecasted) change()  {}
func (Answered) change()    {}

// JobFilter says which jobs to list. Its zero value is all of them.
type JobFilter struct {
	Unfinished bool   // those whose state is not final
	Partition  *int32 // of orders.desk; or nil
	Limit      int    // at least 1
	Cursor     string // where the page before ended; empty for the first
}

// JobResult counts the items of a step that were sent and have an outcome. Of those that failed again
// or were forecast, it counts each cause apart.
type JobResult struct {
	Step    int
	Outcome ReplayOutcome
	Failed  order.Step // that failed again; or empty
	Reason  string     // for which it failed again; or empty
	Cause   string     // ID of the cause for which it failed again or, in a dry run, has failed; or empty
	New     bool       // it failed again, and had not failed for this cause before
	Count   int
	Revs    int64     // the sum of their revs: it grows when an outcome changes
	Last    time.Time // when the newest was known; zero without one
}

// Job returns a job by its ID, or ErrUnknown.
func (v *View) Job(ctx context.Context, id string) (Job, error) {
	var found *Job
	err := v.ask(func() (err error) {
		found, err = v.cfg.Store.Job(ctx, id)
		return err
	})
	return v.foundJob(id, found, err)
}

// foundJob is what the store has found, or ErrUnknown for nil.
func (v *View) foundJob(id string, found *Job, err error) (Job, error) {
	if err == nil && found == nil {
		err = cmp.Or(v.life.complete(), ErrUnknown)
	}
	if err != nil {
		return Job{}, fmt.Errorf("job %.100q: %w", id, err)
	}
	return *found, nil
}

// Jobs returns a page of jobs, the newest first, and the cursor of the next page or "".
func (v *View) Jobs(ctx context.Context, f JobFilter) (all []Job, next string, err error) {
	return page(f.Cursor, f.Limit, func(after Cursor, limit int) ([]Job, error) {
		f.Limit = limit
		err := v.ask(func() (err error) {
			all, err = v.cfg.Store.Jobs(ctx, f, after)
			return err
		})
		return all, cmp.Or(err, v.life.complete())
	}, func(j Job) Cursor { return Cursor{j.At, j.ID} })
}

// JobItems returns the IDs of the dead letters of a job from item from up to, but not including, item to.
func (v *View) JobItems(ctx context.Context, j *Job, from, to int) (ids []string, err error) {
	err = v.ask(func() (err error) {
		ids, err = v.cfg.Store.JobItems(ctx, j, from, to)
		return err
	})
	if err == nil && len(ids) != to-from {
		err = fmt.Errorf("items %d to %d of job %.100q: %w", from, to, j.ID, cmp.Or(v.life.complete(), ErrUnknown))
	}
	return ids, err
}

// JobResults returns a job as Job does, and counts its items that were sent, by step and outcome. Both
// are of the same moment: they add up.
func (v *View) JobResults(ctx context.Context, id string) (Job, []JobResult, error) {
	var found *Job
	var all []JobResult
	err := v.ask(func() (err error) {
		found, all, err = v.cfg.Store.JobResults(ctx, id)
		return err
	})
	j, err := v.foundJob(id, found, err)
	return j, all, err
}

// JobForecasts returns the forecasts of a dry run after an item, in the sequence of the items, and at
// most so many. Item -1 is before the first. Next is the last item that was returned.
func (v *View) JobForecasts(ctx context.Context, id string, after, most int) (all []wire.Forecast, next int, err error) {
	err = v.ask(func() (err error) {
		all, next, err = v.cfg.Store.JobForecasts(ctx, id, after, most)
		return err
	})
	return all, next, err
}

// Passes reports whether a replay would succeed, as far as a forecast tells.
func Passes(f *wire.Forecast) bool {
	return f.Answer == "" && !slices.ContainsFunc(f.Steps, func(s wire.StepForecast) bool { return s.Outcome == wire.StepFails })
}

// jobs is what watchers of jobs wait for: no order has such an ID.
const jobs order.ID = "/jobs"

// WatchJobs is Watch for changes of any job and of any outcome.
func (v *View) WatchJobs() (changes <-chan struct{}, stop func()) { return v.watchers.add(jobs) }

// Desk returns nil when a partition of orders.desk is applied up to, but not including, an offset.
// It waits for that until ctx is done, and is ErrBehind then.
func (v *View) Desk(ctx context.Context, partition int32, end int64) error {
	p := kafka.Partition{Topic: v.cfg.Topics.Desk, Number: partition}
	return v.freshness.await(ctx, func() bool { return v.freshness.open && v.freshness.reached(p) >= end })
}

// ofJob adds what a record of a job changes. It reports false for a record of another type.
func (d *draft) ofJob(r *kgo.Record) (_ bool, err error) {
	var c Change
	switch wire.Type(r) {
	case wire.TypeJob:
		var j wire.Job
		j, err = wire.ReadJob(r)
		c = JobDefined{j, r.Partition}
	case wire.TypeJobChunk:
		var chunk wire.JobChunk
		chunk, err = wire.ReadJobChunk(r)
		c = JobSelected{chunk}
	case wire.TypeJobEvent:
		var e wire.JobEvent
		e, err = wire.ReadJobEvent(r)
		c = JobEvented{e}
	case wire.TypeJobBatch:
		var b wire.JobBatch
		b, err = wire.ReadJobBatch(r)
		c = JobAdvanced{b}
	case wire.TypeForecast:
		var f wire.Forecast
		f, err = wire.ReadForecast(r)
		c = Forecasted{f}
	default:
		return false, nil
	}
	if err == nil {
		d.Changes = append(d.Changes, c)
		d.changed[jobs] = true
	}
	return true, err
}

// replayed adds the outcomes of replays.
func (d *draft) replayed(all ...Answered) {
	for _, r := range all {
		d.Changes = append(d.Changes, r)
		d.changed[jobs] = true
	}
}
