package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// A replay job is several records in one partition of orders.desk. Each has a key of its own, so
// compaction removes none: chunks with the IDs of the selected dead letters, then the Job, then
// events of operators and of the runner, and a batch for each stretch that was worked on. The runner
// writes a batch in the Kafka transaction that has the replay requests of its items.

// JobHead is what every record of a job has.
type JobHead struct {
	ID    string      `json:"job"` // of the job: letters, digits, "_" and "-", at most 100
	At    time.Time   `json:"-"`
	Cause order.Cause `json:"-"` // who asked for it; of a batch, the runner
}

// JobKind is what a job does.
type JobKind string

// The kinds of jobs.
const (
	JobReplay JobKind = "replay"
	JobDryRun JobKind = "dry-run" // workers forecast what a replay would do, and change nothing
)

// Job is the definition of a job. It never changes.
type Job struct {
	JobHead
	Kind      JobKind         `json:"kind"`
	Total     int             `json:"total"`      // items: selected dead letters, at least 1
	Chunks    int             `json:"chunks"`     // records that hold their IDs
	Selection string          `json:"selection"`  // what was asked for, for people
	Topic     string          `json:"topic"`      // dead-letter topic of another program; or empty: ours
	ReplayTo  string          `json:"replay_to"`  // topic to replay to instead of that of the failed record; or empty
	Rate      float64         `json:"rate"`       // replays per second; 0 is unlimited
	Ramp      []int           `json:"ramp"`       // sizes of the first steps; each waits for the results of the one before
	StopAbove float64         `json:"stop_above"` // share of a step that may fail again, above which the job halts; 0 is never
	Patch     json.RawMessage `json:"patch,omitempty"`
	Override  bool            `json:"override"` // parked dead letters, too
	// PauseOnNewCause halts the job when a dead letter fails again for a cause that it did not have before.
	PauseOnNewCause bool   `json:"pause_on_new_cause,omitempty"`
	Reason          string `json:"reason"` // one line of at most MaxReason characters; or empty
}

// JobChunk is a part of the frozen selection of a job.
type JobChunk struct {
	JobHead
	N   int      `json:"n"`             // from 0
	IDs []string `json:"ids,omitempty"` // of our own dead letters; or nil
	// Ranges has those of another program: they are the items in the sequence of the ranges.
	Ranges []Range `json:"ranges,omitempty"`
}

// Range is a stretch of records in a partition of a dead-letter topic of another program: its partition,
// its first offset and its last one.
type Range [3]int64

// Len is how many records the range has.
func (r Range) Len() int { return int(r[2] - r[1] + 1) }

// MaxChunk is how many items all chunks but the last have.
const MaxChunk = 1000

// JobEvent changes the state of a job, or its rate.
type JobEvent struct {
	JobHead
	Event  JobEventKind `json:"event"`
	Act    string       `json:"act"` // unique within the job; the form of an ID
	Rate   float64      `json:"rate,omitempty"`
	Reason string       `json:"reason,omitempty"`
	// The figures of a halt: the step, and how many of its items failed again or are retrying.
	Step int `json:"step,omitempty"`
	Bad  int `json:"bad,omitempty"`
	Of   int `json:"of,omitempty"`
	// Causes has the IDs of the causes that are new, if the job halts for these.
	Causes []string `json:"causes,omitempty"`
}

// JobEventKind is what a JobEvent says.
type JobEventKind string

// The events. The runner writes Halt and Finish, operators ask for the others.
const (
	JobPause  JobEventKind = "pause"
	JobResume JobEventKind = "resume"
	JobCancel JobEventKind = "cancel"
	JobRate   JobEventKind = "rate"
	JobHalt   JobEventKind = "halt"
	JobFinish JobEventKind = "finish"
)

// JobBatch says what was done with the items of a job from From up to, but not including, To.
type JobBatch struct {
	JobHead
	From int `json:"from"`
	To   int `json:"to"`
	Step int `json:"step"` // of the job, from 0
	// Numbers has the number of the replay for each item, or 0 for one that was skipped. It is empty
	// for dead letters of other programs, which have no numbers and no results.
	Numbers []int              `json:"numbers,omitempty"`
	Skipped map[int]SkipReason `json:"skipped,omitempty"` // by item
}

// SkipReason is why an item of a job was not replayed.
type SkipReason string

// The reasons.
const (
	SkipUnknown   SkipReason = "unknown"   // there is no such dead letter
	SkipClosed    SkipReason = "closed"    // its order is being worked on, or has ended
	SkipLost      SkipReason = "lost"      // its record is gone, and it has no order
	SkipParked    SkipReason = "parked"    // it was replayed too often
	SkipDiscarded SkipReason = "discarded" // an operator has discarded it
	SkipRefused   SkipReason = "refused"   // the patch does not apply, or makes it no valid order
	SkipLocked    SkipReason = "locked"    // the patch changes what is printed on the issued invoice
	SkipTarget    SkipReason = "no-target" // nothing says to which topic it belongs, or that topic cannot be written
	SkipTooLarge  SkipReason = "too-large" // for the topic that it belongs to
)

// maxItems is how many items a job may have.
const maxItems = 1_000_000

// Record is the definition as it is written to the topic of the desk.
func (j Job) Record() *kgo.Record { return j.record(TypeJob, j.key(), j) }

// Record is the chunk as it is written to the topic of the desk.
func (c JobChunk) Record() *kgo.Record { return c.record(TypeJobChunk, c.key(), c) }

// Record is the event as it is written to the topic of the desk.
func (e JobEvent) Record() *kgo.Record { return e.record(TypeJobEvent, e.key(), e) }

// Record is the batch as it is written to the topic of the desk.
func (b JobBatch) Record() *kgo.Record { return b.record(TypeJobBatch, b.key(), b) }

// ReadJob reads a definition.
func ReadJob(r *kgo.Record) (Job, error) { return readOfJob[Job](r, TypeJob) }

// ReadJobChunk reads a chunk.
func ReadJobChunk(r *kgo.Record) (JobChunk, error) { return readOfJob[JobChunk](r, TypeJobChunk) }

// ReadJobEvent reads an event.
func ReadJobEvent(r *kgo.Record) (JobEvent, error) { return readOfJob[JobEvent](r, TypeJobEvent) }

// ReadJobBatch reads a batch.
func ReadJobBatch(r *kgo.Record) (JobBatch, error) { return readOfJob[JobBatch](r, TypeJobBatch) }

func (j Job) key() string      { return "job/" + j.ID }
func (c JobChunk) key() string { return "job/" + c.ID + "/chunk/" + strconv.Itoa(c.N) }
func (e JobEvent) key() string { return "job/" + e.ID + "/event/" + e.Act }
func (b JobBatch) key() string { return "job/" + b.ID + "/batch/" + strconv.Itoa(b.From) }

// record puts the schema version in front of the fields of a record of the job.
func (h JobHead) record(kind, key string, of any) *kgo.Record {
	e := Envelope{Type: kind, ID: key, Time: h.At, Cause: h.Cause, content: jsonType}
	return e.Record([]byte(key), append(fmt.Appendf(nil, `{"schema":%d,`, schema), mustJSON(of)[1:]...), nil)
}

func (h *JobHead) head() *JobHead { return h }

// ofJob is a record of a job.
type ofJob[T any] interface {
	*T
	head() *JobHead
	key() string
	Fault() string
}

func readOfJob[T any, P ofJob[T]](r *kgo.Record, kind string) (read T, err error) {
	e, _, err := ReadEnvelope(r, kind)
	if err == nil {
		err = decode(r.Value, &read)
	}
	if err != nil {
		return *new(T), err
	}
	p := P(&read)
	head := p.head()
	head.At, head.Cause = e.Time, e.Cause
	fault := p.Fault()
	switch {
	case !wellFormed(order.ID(head.ID)):
		fault = "job"
	case head.At.IsZero():
		fault = hTime
	}
	if fault != "" || string(r.Key) != p.key() {
		return *new(T), fmt.Errorf("%w: %s with key %.40q: %s", ErrUndecodable, kind, r.Key, fault)
	}
	return read, nil
}

// Fault names the first field of the definition that is not as it must be, or is "".
func (j *Job) Fault() string {
	switch {
	case j.Kind != JobReplay && j.Kind != JobDryRun:
		return "kind"
	case j.Total < 1 || j.Total > maxItems:
		return "total"
	case j.Chunks != (j.Total+MaxChunk-1)/MaxChunk:
		return "chunks"
	case !rateOf(j.Rate):
		return "rate"
	case slices.ContainsFunc(j.Ramp, func(n int) bool { return n < 1 || n > maxItems }):
		return "ramp"
	case !(j.StopAbove >= 0 && j.StopAbove < 1):
		return "stop_above"
	case len(j.Patch) > 0 && (!json.Valid(j.Patch) || nesting(j.Patch) > maxNesting):
		return "patch"
	case order.TextFault(j.Reason, 0, MaxReason) != "":
		return "reason"
	}
	return ""
}

// rateOf reports whether a number is a rate.
func rateOf(n float64) bool { return n >= 0 && !math.IsInf(n, 1) }

// Fault names the first field of the chunk that is not as it must be, or is "".
func (c *JobChunk) Fault() string {
	n := len(c.IDs)
	for _, r := range c.Ranges {
		if r[0] < 0 || r[0] > math.MaxInt32 || r[1] < 0 || r[2] < r[1] || r[2]-r[1] >= MaxChunk || len(c.IDs) > 0 {
			return "ranges"
		}
		n += r.Len()
	}
	if c.N < 0 || n < 1 || n > MaxChunk {
		return "ids"
	}
	return ""
}

// Fault names the first field of the event that is not as it must be, or is "".
func (e *JobEvent) Fault() string {
	switch {
	case !slices.Contains([]JobEventKind{JobPause, JobResume, JobCancel, JobRate, JobHalt, JobFinish}, e.Event):
		return "event"
	case !wellFormed(order.ID(e.Act)):
		return "act"
	case !rateOf(e.Rate):
		return "rate"
	case order.TextFault(e.Reason, 0, MaxReason) != "":
		return "reason"
	}
	return ""
}

// Fault names the first field of the batch that is not as it must be, or is "".
func (b *JobBatch) Fault() string {
	n := b.To - b.From
	switch {
	case b.From < 0 || n < 1 || b.To > maxItems || b.Step < 0:
		return "from"
	case len(b.Numbers) != 0 && len(b.Numbers) != n || slices.ContainsFunc(b.Numbers, func(n int) bool { return n < 0 }):
		return "numbers"
	}
	for item, why := range b.Skipped {
		if item < b.From || item >= b.To || why == "" || len(b.Numbers) != 0 && b.Numbers[item-b.From] != 0 {
			return "skipped"
		}
	}
	for i, number := range b.Numbers {
		if number == 0 && b.Skipped[b.From+i] == "" {
			return "skipped"
		}
	}
	return ""
}
