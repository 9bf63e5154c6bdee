package view

import (
	"time"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// JobState is the state of a replay job.
type JobState string

// The states of a job.
const (
	JobRunning   JobState = "running"
	JobPaused    JobState = "paused"    // by an operator
	JobHalted    JobState = "halted"    // by the stop rule
	JobCancelled JobState = "cancelled" // by an operator; what was sent is still worked on
	JobDone      JobState = "done"      // every item was sent or skipped, and has its result
)

// jobTable is the one table of states and events: the state that an event leads to. Other events
// change nothing. A state without events is final.
var jobTable = map[JobState]map[wire.JobEventKind]JobState{
	JobRunning: {
		wire.JobPause: JobPaused, wire.JobHalt: JobHalted, wire.JobCancel: JobCancelled, wire.JobFinish: JobDone, wire.JobRate: JobRunning,
	},
	JobPaused:    {wire.JobResume: JobRunning, wire.JobCancel: JobCancelled, wire.JobFinish: JobDone, wire.JobRate: JobPaused},
	JobHalted:    {wire.JobResume: JobRunning, wire.JobCancel: JobCancelled, wire.JobFinish: JobDone, wire.JobRate: JobHalted},
	JobCancelled: {},
	JobDone:      {},
}

// Allows reports whether an event changes a job in this state.
func (s JobState) Allows(e wire.JobEventKind) bool { _, ok := jobTable[s][e]; return ok }

// Final reports whether a job in this state does not change any more.
func (s JobState) Final() bool { return len(jobTable[s]) == 0 }

// Job is a replay job, as its records add up to. View and runner use the same fold: Apply and Advance.
type Job struct {
	wire.Job
	Partition int32 // of orders.desk; its owner runs the job
	State     JobState
	Limit     float64 // the rate as changed last; 0 is unlimited
	Cursor    int     // items below it were sent or skipped
	Step      int     // of the last batch
	// The ramp begins at an item and a step: at the first ones, and again where a halted job resumes.
	Base, BaseStep int
	Sent           int
	Skipped        map[wire.SkipReason]int
	Halted         []string  // IDs of the causes for which it has halted: it does so once for each
	Halt           *Halt     // why it halted last, unless it was resumed since; or nil
	Ended          time.Time // when its state became final; or zero
	Runner         string    // the instance that sent last; or empty
	Pace           []Pace    // of the last batches; the oldest first
	Records        int       // that were applied; it only grows
}

// Halt is why a job halted.
type Halt struct {
	At            time.Time
	Reason        string
	Step, Bad, Of int      // of the items of a step, so many failed again or are retrying
	Causes        []string // IDs of the causes that are new, if it halted for these
}

// Pace is how far a job was at a time.
type Pace struct {
	At     time.Time
	Cursor int
}

// NewJob is a job before its first event.
func NewJob(j wire.Job, partition int32) Job {
	return Job{Job: j, Partition: partition, State: JobRunning, Limit: j.Rate, Skipped: map[wire.SkipReason]int{}, Records: 1}
}

// Apply applies an event. One that the state does not allow changes nothing.
func (j *Job) Apply(e wire.JobEvent) {
	next, ok := jobTable[j.State][e.Event]
	if !ok {
		return
	}
	halted := j.State == JobHalted
	j.State = next
	j.Records++
	switch {
	case e.Event == wire.JobRate:
		j.Limit = e.Rate
	case e.Event == wire.JobHalt:
		j.Halt = &Halt{e.At, e.Reason, e.Step, e.Bad, e.Of, e.Causes}
		j.Halted = append(j.Halted, e.Causes...)
	case e.Event == wire.JobResume && halted:
		j.Halt, j.Base, j.BaseStep = nil, j.Cursor, j.Step+1
	}
	if e.Event != wire.JobRate {
		j.Pace = nil // it is measured from here on
	}
	if next.Final() {
		j.Ended = e.At
	}
}

// How much of the pace is remembered: a minute or more.
const (
	paceEvery = 5 * time.Second
	paces     = 12
)

// Advance applies a batch, and reports whether it is the next one.
func (j *Job) Advance(b wire.JobBatch) bool {
	if b.From != j.Cursor || b.To > j.Total {
		return false
	}
	j.Cursor, j.Step, j.Runner = b.To, b.Step, b.Cause.Actor.ID
	j.Sent += b.To - b.From - len(b.Skipped)
	j.Records++
	for _, why := range b.Skipped {
		j.Skipped[why]++
	}
	if n := len(j.Pace); n > 1 && b.At.Sub(j.Pace[n-2].At) < paceEvery {
		j.Pace = j.Pace[:n-1]
	}
	j.Pace = append(j.Pace, Pace{b.At, b.To})
	j.Pace = j.Pace[max(0, len(j.Pace)-paces):]
	return true
}

// ReplayOutcome is what became of a replay of a dead letter.
type ReplayOutcome string

// The outcomes. The first three are not final.
const (
	InFlight    ReplayOutcome = "in-flight" // not begun, or being worked on
	Retrying    ReplayOutcome = "retrying"
	Waiting     ReplayOutcome = "waiting" // for a dependency that is down
	Confirmed   ReplayOutcome = "confirmed"
	FailedAgain ReplayOutcome = "failed-again"
	AlreadyDone ReplayOutcome = "already-done" // the order had ended
	Conflicted  ReplayOutcome = "conflict"     // the order had changed, or does not take the edit
	Stopped     ReplayOutcome = "cancelled"    // the order was cancelled meanwhile
	OrderErased ReplayOutcome = "erased"       // the order was erased before a worker read the replay
	WouldPass   ReplayOutcome = "would-pass"   // of a dry run: no step that was tried fails
	WouldFail   ReplayOutcome = "would-fail"   // of a dry run
	Sent        ReplayOutcome = "sent"         // of another program: there are no results
)

// Final reports whether the outcome does not change any more.
func (o ReplayOutcome) Final() bool { return o != InFlight && o != Retrying && o != Waiting }

// Answered is the outcome of a replay of a dead letter, as far as it is known. If it is known
// already, the one with the higher Rev counts. Two jobs can ask for a replay with one number: a worker
// does it once, and answers each.
type Answered struct {
	Origin  order.Origin // without Incarnation
	Number  int
	Job     string // that asked for it; or empty
	Outcome ReplayOutcome
	Rev     int64 // of the change that tells; 0 for the dead letter of a record that is no order
	At      time.Time
	Step    order.Step // that failed, waits or is retried; or empty
	Reason  string
}

// replays are the outcomes of all replays that an order's timeline tells of.
func replays(s order.State) []Answered {
	type request struct {
		number int
		job    string
	}
	known := map[request]int{}
	var all []Answered
	open := -1 // the replay that the order is in, as its index
	for _, c := range s.Timeline {
		o, ends := outcomeOf(c)
		if c.Replay == 0 {
			// Only a cancel ends an order that is in a replay without naming it.
			if open >= 0 && c.Status == order.Cancelled && !c.Answers() {
				all[open].Outcome, all[open].Rev, all[open].At = Stopped, c.Rev, c.At
				open = -1
			}
			continue
		}
		i, again := known[request{c.Replay, c.Job}]
		if !again {
			i = len(all)
			known[request{c.Replay, c.Job}] = i
			all = append(all, Answered{Origin: order.Origin{Partition: s.Origin.Partition, Offset: s.Origin.Offset}, Number: c.Replay, Job: c.Job})
		}
		r := &all[i]
		r.Outcome, r.Rev, r.At, r.Step, r.Reason = o, c.Rev, c.At, c.Step, c.Reason
		switch {
		case c.Answers(): // it changes nothing in a replay that is worked on
		case ends:
			open = -1
		default:
			open = i
		}
	}
	return all
}

// outcomeOf is the outcome of a replay after a change that it made, and whether it ends the replay.
func outcomeOf(c order.Change) (o ReplayOutcome, ends bool) {
	switch {
	case c.Reason == order.AlreadyDone:
		return AlreadyDone, true
	case c.Answers():
		return Conflicted, true
	case c.Status == order.Confirmed:
		return Confirmed, true
	case c.Status == order.Dead:
		return FailedAgain, true
	case c.Status == order.Retrying:
		return Retrying, false
	case c.Status == order.Waiting:
		return Waiting, false
	}
	return InFlight, false
}
