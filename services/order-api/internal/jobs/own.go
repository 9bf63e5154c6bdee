package jobs

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// own makes the requests that replay our own dead letters.
type own struct {
	desk   *desk.Desk
	topics topic.Set
}

// Own is the source of our own dead letters.
func Own(d *desk.Desk, t topic.Set) Source { return own{d, t} }

// Open implements Source.
func (o own) Open(*view.Job) (Reading, error) { return o, nil }

// Close implements Reading.
func (o own) Close() {}

// reads is how many dead letters are read at a time: each is a round trip to Kafka.
const reads = 8

// Make implements Reading.
func (o own) Make(ctx context.Context, j *view.Job, ids []string) ([]Item, error) {
	items := make([]Item, len(ids))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(reads)
	for i, id := range ids {
		g.Go(func() (err error) {
			items[i], err = o.item(ctx, j, id)
			return err
		})
	}
	return items, g.Wait()
}

func (o own) item(ctx context.Context, j *view.Job, id string) (Item, error) {
	q, err := o.desk.Request(ctx, id)
	if why := skip(err); why != "" {
		return Item{Skip: why}, nil
	}
	if err != nil {
		return Item{}, err
	}
	q.Cause, q.Job, q.DryRun = j.Cause, j.ID, j.Kind == wire.JobDryRun
	r := q.Record()
	r.Topic, r.Partition = o.topics.Replay, q.Origin.Partition
	return Item{Records: []*kgo.Record{r}, Number: q.Number}, nil
}

// skip is why a dead letter is not replayed, if an error of the desk says that; or it is empty.
func skip(err error) wire.SkipReason {
	_, lost := errors.AsType[*desk.LostError](err)
	switch {
	case errors.Is(err, desk.ErrUnknown):
		return wire.SkipUnknown
	case errors.Is(err, desk.ErrClosed):
		return wire.SkipClosed
	case lost:
		return wire.SkipLost
	}
	return ""
}
