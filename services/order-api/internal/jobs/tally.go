package jobs

import (
	"slices"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/wire"
)

// Bounds of what a job sends. The first ones are those of our own dead letters.
const (
	maxBatch      = 500    // items of a transaction
	minBatch      = 100    // items of a transaction, unless a step ends or there is a rate
	maxUnanswered = 1_000  // replays in flight
	minStretch    = 100    // items of a step after the ramp
	maxForeign    = 10_000 // items of a transaction
)

// tally is a job with the results that are known of it.
type tally struct {
	view.Job
	counts map[view.ReplayOutcome]int
	steps  map[int]map[view.ReplayOutcome]int
	last   time.Time // of the newest result
	failed []Failure
	revs   int64
}

func newTally(j view.Job, results []view.JobResult) *tally {
	t := &tally{Job: j, counts: map[view.ReplayOutcome]int{}, steps: map[int]map[view.ReplayOutcome]int{}, failed: failures(results)}
	for _, r := range results {
		if t.steps[r.Step] == nil {
			t.steps[r.Step] = map[view.ReplayOutcome]int{}
		}
		t.steps[r.Step][r.Outcome] += r.Count
		t.counts[r.Outcome] += r.Count
		t.revs += r.Revs
		if r.Last.After(t.last) {
			t.last = r.Last
		}
	}
	return t
}

// ahead adds a batch that has no results yet, and reports whether it is the next one.
func (t *tally) ahead(b wire.JobBatch) bool {
	if !t.Advance(b) {
		return false
	}
	if t.Topic == "" {
		if t.steps[b.Step] == nil {
			t.steps[b.Step] = map[view.ReplayOutcome]int{}
		}
		n := b.To - b.From - len(b.Skipped)
		t.steps[b.Step][view.InFlight] += n
		t.counts[view.InFlight] += n
	}
	return true
}

// most is how many items a transaction has at most.
func (t *tally) most() int {
	if t.Topic != "" {
		return maxForeign
	}
	return maxBatch
}

// step returns the step of an item: one of the ramp, or a stretch after it.
func (t *tally) step(item int) Step {
	s := Step{Number: t.BaseStep - 1, To: t.Base}
	for _, size := range t.Ramp {
		if s.Number++; item < s.To+size {
			return t.end(s, s.To, size)
		}
		s.To += size
	}
	size := max(minStretch, slices.Max(append([]int{0}, t.Ramp...)))
	if t.Topic != "" {
		size = t.Total
	}
	n := (item - s.To) / size
	s.Number += n + 1
	return t.end(s, s.To+n*size, size)
}

func (t *tally) end(s Step, from, size int) Step {
	s.From, s.To, s.Counts = from, min(from+size, t.Total), t.steps[s.Number]
	return s
}

// ramping reports whether an item is of the ramp, or the first one after it: it waits for the results
// of the steps before.
func (t *tally) ramping(item int) bool {
	s := t.step(item)
	n := s.Number - t.BaseStep
	return n < len(t.Ramp) || n == len(t.Ramp) && item == s.From && n > 0
}

// shown are the steps since the ramp began, as far as they are begun; of those after it the last.
func (t *tally) shown() (all []Step) {
	for item := t.Base; item < t.Cursor; {
		s := t.step(item)
		if s.Number-t.BaseStep < len(t.Ramp) || s.To >= t.Cursor {
			all = append(all, s)
		}
		item = s.To
	}
	return all
}

// bad is how many items of a step failed again or are retrying, and of how many.
func (s *Step) bad(cursor int) (bad, of int) {
	of = s.To - s.From
	if cursor >= s.To { // without those that were skipped
		of = 0
		for _, n := range s.Counts {
			of += n
		}
	}
	return s.Counts[view.FailedAgain] + s.Counts[view.Retrying], of
}

// excess is the first step with more bad items than the stop rule allows, or nil.
func (t *tally) excess() *Step {
	for item := t.Base; t.StopAbove > 0 && item < t.Cursor; {
		s := t.step(item)
		if bad, of := s.bad(t.Cursor); float64(bad) > t.StopAbove*float64(of) {
			return &s
		}
		item = s.To
	}
	return nil
}

// fresh are the new causes for which the job halts.
func (t *tally) fresh() []Failure {
	return slices.DeleteFunc(slices.Clone(t.failed), func(f Failure) bool {
		return !t.PauseOnNewCause || !f.New || slices.Contains(t.Halted, f.Cause)
	})
}

// unfinished is how many replays have no final outcome.
func (t *tally) unfinished() int {
	return t.counts[view.InFlight] + t.counts[view.Retrying] + t.counts[view.Waiting]
}

// phase is what the job is doing at a time.
func (t *tally) phase(now time.Time) Phase {
	since := t.last
	if n := len(t.Pace); n > 0 && t.Pace[n-1].At.After(since) {
		since = t.Pace[n-1].At
	}
	switch {
	case t.State == view.JobDone && t.unfinished() > 0: // this instance has not read all results yet
		return Running
	case t.State != view.JobRunning:
		return Phase(t.State)
	case t.counts[view.Waiting] > 0:
		return Waiting
	case t.counts[view.InFlight] > 0 && now.Sub(since) >= StalledAfter:
		return Stalled
	case t.Cursor < t.Total && t.ramping(t.Cursor):
		return Ramping
	}
	return Running
}

// action is what the runner does next; without any it waits for a change.
type action struct {
	ends   bool              // the job is final
	event  wire.JobEventKind // is written
	halt   *Step             // with the event wire.JobHalt: why
	causes []Failure         // with the event wire.JobHalt: or why
	send   int               // so many items, which are of one step
}

// next is what the runner does next.
func (t *tally) next() action {
	if t.State.Final() {
		return action{ends: true}
	}
	if t.Cursor == t.Total {
		if t.unfinished() == 0 {
			return action{event: wire.JobFinish}
		}
		return action{}
	}
	if t.State != view.JobRunning {
		return action{}
	}
	if s := t.excess(); s != nil {
		return action{event: wire.JobHalt, halt: s}
	}
	if all := t.fresh(); len(all) > 0 {
		return action{event: wire.JobHalt, causes: all}
	}
	if t.Topic != "" { // without results there are no steps
		return action{send: min(t.Total-t.Cursor, maxForeign)}
	}
	inFlight, s := t.counts[view.InFlight], t.step(t.Cursor)
	if t.counts[view.Waiting] > 0 || inFlight > 0 && t.Cursor == s.From && t.ramping(t.Cursor) {
		return action{}
	}
	rest := t.Total - t.Cursor
	if t.ramping(t.Cursor) && s.Number-t.BaseStep < len(t.Ramp) {
		rest = s.To - t.Cursor
	}
	free := maxUnanswered - inFlight
	if free < min(rest, minBatch) { // more results make a larger transaction
		return action{}
	}
	return action{send: min(rest, free, maxBatch)}
}
