package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// Own is the source of our own dead letters.
type Own struct {
	Desk      *desk.Desk
	Decisions *desk.Decisions
	Topics    topic.Set
	Layout    kafka.Layout
}

// Open implements Source.
func (o *Own) Open(j *view.Job) (Reading, error) {
	r := &reading{Own: o}
	if j.Patch == nil {
		return r, nil
	}
	patch, faults := edit.ParsePatch(j.Patch)
	if len(faults) > 0 {
		return nil, fmt.Errorf("the patch of job %s: %w", j.ID, &edit.InvalidError{Faults: faults})
	}
	r.patch = &patch
	return r, nil
}

// reading makes the requests of a job.
type reading struct {
	*Own
	patch *edit.Patch // or nil
}

// maxMade is how many dead letters are read at a time.
const maxMade = 100

// Make implements Reading.
func (r *reading) Make(ctx context.Context, j *view.Job, ids []string) (items []Item, err error) {
	bytes := 0
	for part := range slices.Chunk(ids, maxMade) {
		requests, err := r.Desk.Requests(ctx, part, j.Override)
		if err != nil {
			return nil, err
		}
		for i := range requests {
			item, err := r.item(ctx, j, &requests[i])
			if err != nil {
				return nil, err
			}
			items, bytes = append(items, item), bytes+item.size()
		}
		if bytes > maxBytes {
			break
		}
	}
	return items, nil
}

// Close implements Reading.
func (r *reading) Close() {}

func (r *reading) item(ctx context.Context, j *view.Job, q *desk.Request) (Item, error) {
	var edited *kgo.Record
	err := q.Err
	if err == nil && r.patch != nil {
		edited, err = r.apply(ctx, j, q)
	}
	if why := skip(err); why != "" || err != nil {
		if why != "" {
			err = nil
		}
		return Item{Skip: why}, err
	}
	q.Cause, q.Job, q.DryRun = j.Cause, j.ID, j.Kind == wire.JobDryRun
	request := q.Record()
	request.Topic, request.Partition = r.Topics.Replay, q.Origin.Partition
	item := Item{Records: []*kgo.Record{request}, Number: q.Number}
	if edited != nil && !q.DryRun {
		item.Records = append(item.Records, edited)
	}
	for _, record := range item.Records {
		if kafka.Size(record) > topic.MaxBytes(record.Topic) {
			return Item{Skip: wire.SkipTooLarge}, nil
		}
	}
	return item, nil
}

// apply edits what a request replays, as the preview of the patch shows it. It returns the edit as it
// is to be recorded.
func (r *reading) apply(ctx context.Context, j *view.Job, q *desk.Request) (*kgo.Record, error) {
	fixed, err := r.Decisions.Fix(ctx, q.Shown, *r.patch)
	if err != nil {
		return nil, err
	}
	d := fixed.Decision
	d.ID, d.At, d.Cause, d.Text = j.ID+"-"+q.Origin.String(), j.At, j.Cause, j.Reason
	q.Value, q.Edit, q.EditedBy, q.EditReason = d.Value, d.Version, j.Cause, j.Reason
	record := d.Record()
	record.Topic, record.Partition = r.Topics.Desk, r.Layout.Partition([]byte(d.Target()))
	return record, nil
}

// skip is why a dead letter is not replayed, if an error says that; or it is empty.
func skip(err error) wire.SkipReason {
	for _, row := range []struct {
		err error
		why wire.SkipReason
	}{
		{desk.ErrUnknown, wire.SkipUnknown},
		{desk.ErrClosed, wire.SkipClosed},
		{desk.ErrParked, wire.SkipParked},
		{desk.ErrDiscarded, wire.SkipDiscarded},
		{edit.ErrNotEditable, wire.SkipRefused},
		{edit.ErrNotMatched, wire.SkipRefused},
		{desk.ErrUnchanged, wire.SkipRefused},
	} {
		if errors.Is(err, row.err) {
			return row.why
		}
	}
	_, lost := errors.AsType[*desk.LostError](err)
	_, invalid := errors.AsType[*edit.InvalidError](err)
	_, locked := errors.AsType[*edit.LockedError](err)
	switch {
	case lost:
		return wire.SkipLost
	case invalid:
		return wire.SkipRefused
	case locked:
		return wire.SkipLocked
	}
	return ""
}
