package jobs

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Spec is what a job is created from.
type Spec struct {
	DryRun bool
	// The dead letters: their IDs or, if these are nil, all that the filter selects.
	IDs    []string
	Filter view.DeadLetterFilter

	Text      string          // of the selection, for people
	Topic     string          // dead-letter topic of another program; or empty: ours
	ReplayTo  string          // topic to replay to instead of that of the failed record; or empty
	Rate      float64         // replays per second; 0 is unlimited
	Ramp      []int           // sizes of the first steps; nil: DefaultRamp, and empty: none
	StopAbove float64         // share of a step that may fail again, above which the job halts; 0 is never
	Patch     json.RawMessage // RFC 6902, applied to each dead letter; or nil
	Override  bool            // parked dead letters, too
	// PauseOnNewCause halts the job when a dead letter fails again for a cause that it did not have before.
	PauseOnNewCause bool
	Reason          string
}

// DefaultRamp is the ramp of a job that names none.
func DefaultRamp() []int { return []int{1, 5, 20, 100} }

// The most items of a job, and of a dry run.
const (
	MaxItems  = 1_000_000
	MaxDryRun = 1_000
)

// createTimeout limits Create without the time for its chunks.
const createTimeout = kafka.DeliveryTimeout - time.Second

// Create freezes a selection and begins a job, on behalf of the principal of ctx. It returns when the
// view has the job.
//
// It is ErrSpec, ErrEmpty or ErrTarget for what cannot be done, view.ErrBehind if the view is too old to
// select, and view.ErrAway if Kafka does not answer. With ErrUnsure the job may have been created.
func (j *Jobs) Create(ctx context.Context, s Spec) (wire.Job, error) {
	if err := j.cfg.View.Fresh(ctx); err != nil {
		return wire.Job{}, err
	}
	items, err := j.selected(ctx, s)
	if err != nil {
		return wire.Job{}, err
	}
	s.Topic = items.topic
	job, chunks, err := s.define(j.newID(s.Topic), items, identity.Cause(ctx))
	if err != nil {
		return wire.Job{}, err
	}
	// What has begun is finished: half a selection is of no use.
	ctx = context.WithoutCancel(ctx)
	var g errgroup.Group
	g.SetLimit(chunksAtATime)
	for _, c := range chunks {
		g.Go(func() error {
			_, err := j.append(ctx, job.ID, c.Record())
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return wire.Job{}, err
	}
	if err := j.tell(ctx, job.ID, job.Record()); err != nil {
		return wire.Job{}, fmt.Errorf("%w: %w", ErrUnsure, err)
	}
	return job, nil
}

// chunksAtATime is how many chunks of a selection are appended at a time.
const chunksAtATime = 32

// newID is the ID of a new job. All jobs of a dead-letter topic of another program are in one
// partition: their owner sends none of its dead letters twice.
func (j *Jobs) newID(topic string) (id string) {
	for {
		id = "job_" + strings.ToLower(rand.Text())
		if topic == "" || j.cfg.Layout.Partition([]byte(id)) == j.cfg.Layout.Partition([]byte(topic)) {
			return id
		}
	}
}

// selection is what a job replays.
type selection struct {
	topic  string       // dead-letter topic of another program; or empty: ours
	ids    []string     // of ours, each once
	ranges []wire.Range // of those of another program, which are sorted and do not overlap
	total  int
}

// selected is what a spec selects.
func (j *Jobs) selected(ctx context.Context, s Spec) (items selection, err error) {
	most := MaxItems
	if s.DryRun {
		most = MaxDryRun
	}
	ids := s.IDs
	if ids == nil {
		ids, err = j.choose(ctx, s, most)
	}
	switch {
	case err != nil:
		return items, err
	case len(ids) == 0:
		return items, ErrEmpty
	}
	if items, err = j.sort(ctx, s, ids); err == nil && items.total > most {
		err = fmt.Errorf("%w: more than %d dead letters", ErrSpec, most)
	}
	return items, err
}

// once returns some IDs, each once.
func once(ids []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

// choose are the IDs that a filter selects. Of more than a dry run takes, each cause has a share.
func (j *Jobs) choose(ctx context.Context, s Spec, most int) ([]string, error) {
	s.Filter.Limit = most + 1
	ids, err := j.cfg.View.Select(ctx, s.Filter)
	if err != nil || len(ids) <= most || !s.DryRun {
		return ids, err
	}
	groups, err := j.cfg.View.Groups(ctx, s.Filter)
	if err != nil {
		return nil, err
	}
	ids = nil
	slices.SortFunc(groups, func(a, b view.Group) int { return cmp.Compare(a.Total(), b.Total()) })
	for i, g := range groups {
		s.Filter.Cause, s.Filter.Limit = g.ID, (most-len(ids))/(len(groups)-i)
		if s.Filter.Limit == 0 {
			continue
		}
		of, err := j.cfg.View.Select(ctx, s.Filter)
		if err != nil {
			return nil, err
		}
		ids = append(ids, of...)
	}
	return ids, nil
}

// define returns the records of a new job.
func (s *Spec) define(id string, items selection, cause order.Cause) (wire.Job, []wire.JobChunk, error) {
	head := wire.JobHead{ID: id, At: time.Now().UTC().Truncate(time.Millisecond), Cause: cause}
	job := wire.Job{
		JobHead: head, Kind: wire.JobReplay, Total: items.total, Selection: s.Text, Topic: s.Topic, ReplayTo: s.ReplayTo,
		Rate: s.Rate, Ramp: s.Ramp, StopAbove: s.StopAbove, Patch: s.Patch, Override: s.Override,
		PauseOnNewCause: s.PauseOnNewCause, Reason: s.Reason,
	}
	if job.Ramp == nil {
		job.Ramp = DefaultRamp()
	}
	if s.DryRun {
		job.Kind = wire.JobDryRun
	}
	if s.DryRun || s.Topic != "" { // nothing fails, or no result is known
		job.Ramp, job.StopAbove, job.PauseOnNewCause = []int{}, 0, false
	}
	chunks := items.chunks(head)
	job.Chunks = len(chunks)
	if _, faults := edit.ParsePatch(s.Patch); s.Patch != nil && len(faults) > 0 {
		return job, nil, fmt.Errorf("%w: %w", ErrSpec, &edit.InvalidError{Faults: faults})
	}
	if fault := job.Fault(); fault != "" {
		return job, nil, fmt.Errorf("%w: %s", ErrSpec, fault)
	}
	return job, chunks, nil
}

// chunks are the records of a selection.
func (s *selection) chunks(head wire.JobHead) (all []wire.JobChunk) {
	for part := range slices.Chunk(s.ids, wire.MaxChunk) {
		all = append(all, wire.JobChunk{JobHead: head, N: len(all), IDs: part})
	}
	room := 0 // in the last chunk
	for _, r := range s.ranges {
		for r.Len() > 0 {
			if room == 0 {
				all, room = append(all, wire.JobChunk{JobHead: head, N: len(all)}), wire.MaxChunk
			}
			part := wire.Range{r[0], r[1], min(r[2], r[1]+int64(room)-1)}
			last := &all[len(all)-1]
			last.Ranges = append(last.Ranges, part)
			r[1], room = part[2]+1, room-part.Len()
		}
	}
	return all
}

// Event asks for a change of a job: pause, resume, cancel, or another rate.
type Event struct {
	Kind   wire.JobEventKind
	Rate   float64 // replays per second; 0 is unlimited
	Reason string
}

// Command changes a job, on behalf of the principal of ctx. It returns when the view has the change.
// It is ErrUnknown, ErrState or ErrSpec if there is nothing to change, and view.ErrAway if Kafka does
// not answer; then the job may have been changed.
func (j *Jobs) Command(ctx context.Context, id string, e Event) error {
	ctx = context.WithoutCancel(ctx)
	job, err := j.job(ctx, id)
	if err != nil {
		return err
	}
	if !job.State.Allows(e.Kind) || e.Kind == wire.JobHalt || e.Kind == wire.JobFinish {
		return fmt.Errorf("%w: it is %s", ErrState, job.State)
	}
	event := newEvent(id, e.Kind, identity.Cause(ctx))
	event.Rate, event.Reason = e.Rate, e.Reason
	if fault := event.Fault(); fault != "" {
		return fmt.Errorf("%w: %s", ErrSpec, fault)
	}
	return j.tell(ctx, id, event.Record())
}

func newEvent(id string, kind wire.JobEventKind, cause order.Cause) wire.JobEvent {
	head := wire.JobHead{ID: id, At: time.Now().UTC().Truncate(time.Millisecond), Cause: cause}
	return wire.JobEvent{JobHead: head, Event: kind, Act: "act_" + strings.ToLower(rand.Text())}
}

// tell appends a record of a job, and returns when the view has it.
func (j *Jobs) tell(ctx context.Context, id string, r *kgo.Record) error {
	appended, err := j.append(ctx, id, r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	return j.cfg.View.Desk(ctx, appended.Partition, appended.Offset+1)
}

// append appends a record of a job.
func (j *Jobs) append(ctx context.Context, id string, r *kgo.Record) (*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	appended, err := kafka.Append(ctx, j.cl, j.cfg.Topics.Desk, j.cfg.Layout.Partition([]byte(id)), r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", view.ErrAway, err)
	}
	return appended, nil
}
