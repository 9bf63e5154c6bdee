package wire

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// Source is the record of the topic orders that another record is derived from: the exact bytes of
// its key and value, and its headers if they are not too large.
type Source struct {
	Key, Value []byte
	Headers    []kgo.RecordHeader
	Origin     order.Origin // Incarnation is empty in what was read
}

// Order decodes the order.
func (s *Source) Order() (order.Order, error) {
	return ReadOrder(&kgo.Record{Key: s.Key, Value: s.Value, Headers: s.Headers})
}

// Parked is an order that is retrying or waiting, with what its next attempt needs.
type Parked struct {
	Source
	Cause       order.Cause // of the order
	At          time.Time   // when its last attempt failed
	Status      order.Status
	Rev         int64 // of the state that says the same; that state is written after this record
	Attempts    int   // since the order was placed
	FirstFailed time.Time
	Retries     int       // since the order was placed, replayed, or waiting last
	Since       time.Time // first of those failures; zero without retries
	Replay      int       // number of the replay that the attempts belong to, or 0
	Job         string    // the replay job that asked for it, or empty
	Edit        int       // version of the edit that Value is; 0 for the bytes as placed
	Progress    order.Progress
}

// The facts of parked orders and replay requests.
const (
	hDeadLetter  = "dead_letter"
	hAttempts    = "attempts"
	hFirstFailed = "first_failed"
	hRetries     = "retries"
	hSince       = "since"
	hReplay      = "replay"
	hStateAt     = "state_offset"
	hOrderTrace  = "order_traceparent"
	hOrderActor  = "order_actor"
	hProgress    = "progress"
	hJob         = "job"
	hDryRun      = "dry_run"
	hEdit        = "edit"
	hEditReason  = "edit_reason"
	hEditTrace   = "edit_traceparent"
	hEditActor   = "edit_actor"
)

// Record is the parked order as it is written to a topic for retrying or waiting orders.
func (p *Parked) Record() *kgo.Record {
	e := Envelope{
		Type: typeRetrying, Time: p.At, Cause: p.Cause,
		ID: fmt.Sprintf("%s/%s/%d", p.Origin, p.Status, p.Rev),
		Facts: []Fact{
			{hOrigin, decimal(p.Origin.Offset)},
			{hRev, decimal(p.Rev)},
			{hAttempts, strconv.Itoa(p.Attempts)},
			{hFirstFailed, Stamp(p.FirstFailed)},
			{hReplay, strconv.Itoa(p.Replay)},
		},
	}
	if p.Status == order.Waiting {
		e.Type = typeWaiting
	}
	if p.Retries > 0 {
		e.Facts = append(e.Facts, Fact{hRetries, strconv.Itoa(p.Retries)}, Fact{hSince, Stamp(p.Since)})
	}
	e.Facts = append(e.Facts, ofReplay(p.Job, p.Edit)...)
	e.Facts = append(e.Facts, Fact{hProgress, string(Progress(p.Progress))})
	return e.Record(p.Key, p.Value, p.Headers)
}

// ReadParked reads a parked order. The partition of its origin is that of the record.
func ReadParked(r *kgo.Record) (Parked, error) {
	e, headers, err := ReadEnvelope(r, typeRetrying, typeWaiting)
	if err != nil {
		return Parked{}, err
	}
	origin, err1 := e.number(hOrigin)
	rev, err2 := e.number(hRev)
	progress, err3 := ReadProgress([]byte(e.Text(hProgress)))
	job, edit, err4 := e.ofReplay()
	if err := cmp.Or(err1, err2, err3, err4); err != nil {
		return Parked{}, err
	}
	p := Parked{
		Source: Source{r.Key, r.Value, headers, order.Origin{Partition: r.Partition, Offset: origin}},
		Cause:  e.Cause, At: e.Time, Status: order.Retrying, Rev: rev,
		Attempts: int(e.Count(hAttempts)), FirstFailed: Unstamp(e.Text(hFirstFailed)),
		Retries: int(e.Count(hRetries)), Since: Unstamp(e.Text(hSince)), Replay: int(e.Count(hReplay)), Job: job, Edit: edit,
		Progress: progress,
	}
	if e.Type == typeWaiting {
		p.Status = order.Waiting
	}
	return p, nil
}

// ReplayRequest asks the owner of an order to work on a dead letter from the step that failed. It
// names the dead letter and holds what is to be worked on: the dead letter itself may be gone, or may
// have been too large to be written whole.
//
// An edited dead letter is replayed with the edited bytes as Value; Key and Headers stay those of the
// record that failed.
type ReplayRequest struct {
	Source
	Cause       order.Cause // who asks
	Placed      order.Cause // who placed the order
	At          time.Time
	Number      int   // of the replay, from 1
	Rev         int64 // of the order's state that the operator saw; 0 for what is no order
	StateAt     int64 // offset of that state in orders.status, or 0 if it is not known
	Attempts    int   // since the order was placed
	FirstFailed time.Time
	Progress    order.Progress
	Job         string // ID of the replay job that asks, or empty: letters, digits, "_" and "-", at most 100
	// DryRun asks for a Forecast instead. Nothing else is written. It needs a job.
	DryRun     bool
	Edit       int         // version of the edit that Value is, from 1; 0 for the bytes of the dead letter
	EditedBy   order.Cause // who edited; zero without an edit
	EditReason string      // why; one line of at most MaxReason characters, or empty
}

// Record is the request as it is written to the topic for replays.
func (q *ReplayRequest) Record() *kgo.Record {
	id := q.Origin.String()
	e := Envelope{
		Type: typeReplay, Time: q.At, Cause: q.Cause, ID: fmt.Sprintf("%s/replay/%d", id, q.Number),
		Facts: []Fact{
			{hDeadLetter, id},
			{hReplay, strconv.Itoa(q.Number)},
			{hRev, decimal(q.Rev)},
			{hStateAt, decimal(q.StateAt)},
			{hAttempts, strconv.Itoa(q.Attempts)},
			{hFirstFailed, Stamp(q.FirstFailed)},
		},
	}
	e.Facts = append(e.Facts, given(hOrderTrace, q.Placed.Trace, hOrderActor, q.Placed.Actor.String())...)
	e.Facts = append(e.Facts, ofReplay(q.Job, q.Edit)...)
	if q.DryRun {
		e.Facts = append(e.Facts, Fact{hDryRun, "true"})
	}
	e.Facts = append(e.Facts, given(hEditTrace, q.EditedBy.Trace, hEditActor, q.EditedBy.Actor.String(), hEditReason, q.EditReason)...)
	e.Facts = append(e.Facts, Fact{hProgress, string(Progress(q.Progress))})
	return e.Record(q.Key, q.Value, q.Headers)
}

// ReadReplayRequest reads a request. The dead letter that it names must be one of the record's
// partition.
func ReadReplayRequest(r *kgo.Record) (ReplayRequest, error) {
	e, headers, err := ReadEnvelope(r, typeReplay)
	if err != nil {
		return ReplayRequest{}, err
	}
	id := e.Text(hDeadLetter)
	first, second, _ := strings.Cut(id, "-")
	partition, err1 := strconv.ParseUint(first, 10, 31)
	offset, err2 := strconv.ParseUint(second, 10, 63)
	if cmp.Or(err1, err2) != nil || int32(partition) != r.Partition || e.Count(hReplay) < 1 {
		return ReplayRequest{}, fmt.Errorf("%w: replay %.40q of dead letter %.40q", ErrUndecodable, e.Text(hReplay), id)
	}
	progress, err1 := ReadProgress([]byte(e.Text(hProgress)))
	job, edit, err2 := e.ofReplay()
	if err := cmp.Or(err1, err2, e.odd()); err != nil {
		return ReplayRequest{}, err
	}
	return ReplayRequest{
		Source: Source{r.Key, r.Value, headers, order.Origin{Partition: r.Partition, Offset: int64(offset)}},
		Cause:  e.Cause, Placed: parseCause(e.Text(hOrderTrace), e.Text(hOrderActor)), At: e.Time,
		Number: int(e.Count(hReplay)), Rev: e.Count(hRev), StateAt: e.Count(hStateAt),
		Attempts: int(e.Count(hAttempts)), FirstFailed: Unstamp(e.Text(hFirstFailed)), Progress: progress,
		Job: job, DryRun: e.Text(hDryRun) != "", Edit: edit,
		EditedBy: parseCause(e.Text(hEditTrace), e.Text(hEditActor)), EditReason: e.Text(hEditReason),
	}, nil
}

// odd returns an error for the facts of a replay request that contradict each other, or that no
// reader could show.
func (e *Envelope) odd() error {
	switch dry := e.Text(hDryRun); {
	case dry != "" && dry != "true":
		return fmt.Errorf("%w: dry run %.40q", ErrUndecodable, dry)
	case dry != "" && e.Text(hJob) == "":
		return fmt.Errorf("%w: a dry run without a job", ErrUndecodable)
	}
	if fault := order.TextFault(e.Text(hEditReason), 0, MaxReason); fault != "" {
		return fmt.Errorf("%w: the reason of the edit %s", ErrUndecodable, fault)
	}
	return nil
}

// Traces are the trace that work on a record continues, and the one that led to it, as traceparents or
// empty. They differ in a replay: it continues the trace of its order, and an operator's request led to it.
// A dry run continues none.
func Traces(r *kgo.Record) (continued, cause string) {
	trace := causeOf(r.Headers).Trace
	switch {
	case Type(r) != typeReplay:
		return trace, ""
	case IsDryRun(r):
		return "", trace
	default:
		return parseCause(Header(r, hOrderTrace), "").Trace, trace
	}
}

// IsDryRun reports whether a record of the topic for replays asks for a forecast. It reads one header.
func IsDryRun(r *kgo.Record) bool { return Type(r) == typeReplay && Header(r, hDryRun) != "" }

// ofReplay are the facts of a replay that its order takes along: its job and its edit, if it has them.
func ofReplay(job string, edit int) []Fact {
	facts := given(hJob, job)
	if edit > 0 {
		facts = append(facts, Fact{hEdit, strconv.Itoa(edit)})
	}
	return facts
}

// ofReplay reads what the function ofReplay wrote.
func (e *Envelope) ofReplay() (job string, edit int, err error) {
	if job = e.Text(hJob); job != "" && !wellFormed(order.ID(job)) {
		return "", 0, fmt.Errorf("%w: job %.40q", ErrUndecodable, job)
	}
	if e.Text(hEdit) == "" {
		return job, 0, nil
	}
	n, err := e.number(hEdit)
	if err == nil && (n < 1 || n > math.MaxInt32) {
		err = fmt.Errorf("%w: edit %d", ErrUndecodable, n)
	}
	return job, int(n), err
}

// given are facts from names and values in turn, without those that have no value.
func given(pairs ...string) (facts []Fact) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			facts = append(facts, Fact{pairs[i], pairs[i+1]})
		}
	}
	return facts
}
