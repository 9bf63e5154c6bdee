package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// Own is the source of our own dead letters.
type Own struct {
	Desk   *desk.Desk
	Topics topic.Set
	Layout kafka.Layout
	Price  edit.Price // of lines that a patch adds
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

// reads is how many dead letters are read at a time: each is a round trip to Kafka.
const reads = 8

// Make implements Reading.
func (r *reading) Make(ctx context.Context, j *view.Job, ids []string) ([]Item, error) {
	items := make([]Item, len(ids))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(reads)
	for i, id := range ids {
		g.Go(func() (err error) {
			items[i], err = r.item(ctx, j, id)
			return err
		})
	}
	return items, g.Wait()
}

// Close implements Reading.
func (r *reading) Close() {}

func (r *reading) item(ctx context.Context, j *view.Job, id string) (Item, error) {
	q, shown, err := r.Desk.Request(ctx, id, j.Override)
	var edited *kgo.Record
	if err == nil && r.patch != nil {
		edited, err = r.apply(j, &q)
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
	item := Item{Records: []*kgo.Record{request}, Number: q.Number, Cause: shown.CauseID}
	if edited != nil && !q.DryRun {
		item.Records = append(item.Records, edited)
	}
	return item, nil
}

// apply edits what a request replays. It returns the edit as it is to be recorded, or nil if the patch
// changes nothing.
func (r *reading) apply(j *view.Job, q *wire.ReplayRequest) (*kgo.Record, error) {
	o, err := q.Order()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", edit.ErrNotEditable, err)
	}
	made, err := edit.Base{Key: q.Key, Original: q.Value, Locked: o.Locked(q.Progress.Issued())}.Patch(*r.patch, r.Price)
	if err != nil || len(made.Changes) == 0 {
		return nil, err
	}
	q.Value, q.Edit, q.EditedBy, q.EditReason = made.Value, q.Edit+1, j.Cause, j.Reason
	d := wire.Decision{
		ID: j.ID + "-" + q.Origin.String(), At: j.At, Cause: j.Cause, Kind: wire.Edit, DeadLetter: q.Origin.String(),
		Text: j.Reason, Version: q.Edit, Value: q.Value,
	}
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
