package consumer

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
)

// taking is how a partition that was assigned becomes one that is worked on: beside what the group's client does, because it
// takes as long as Kafka is away, and ends at once when the partition goes again.
type taking struct {
	ctx    context.Context //nolint:containedctx // of the assignment: ends when the partition goes
	cancel context.CancelCauseFunc
	done   chan struct{}  // closed when it was taken for the first time, or could not be
	again  sync.WaitGroup // of takeAgain; Go is called with mu held

	// Guarded by Consumer.mu.
	from    int64     // where orders is read on, once done is closed; negative if the taking was cancelled
	yields  int       // how often it was claimed by another member
	yielded time.Time // the last time
}

// assigned begins to take partitions.
func (c *Consumer) assigned(ctx context.Context, numbers []int32) {
	var all sync.WaitGroup
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, number := range numbers {
		t := &taking{done: make(chan struct{}), from: -1}
		t.ctx, t.cancel = context.WithCancelCause(ctx)
		c.taken[number] = t
		all.Go(func() {
			defer close(t.done)
			from, err := int64(-1), c.lanes.vacant(t.ctx, number)
			if err == nil {
				from, err = c.take(t.ctx, number)
			}
			if err != nil && t.ctx.Err() == nil {
				c.log(ctx, slog.LevelError, "partition not taken", number, err)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if err == nil && t.yields == 0 {
				t.from = from
			}
		})
	}
	c.takings.Go(func() {
		all.Wait()
		c.announce()
	})
}

// resumed is called before orders is fetched from newly assigned partitions, and says from where: it waits until they are
// taken. Ctx ends when the group changes; who still owns a partition then is asked again.
func (c *Consumer) resumed(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	of := offsets[c.cfg.Topics.Orders]
	for number := range of {
		c.mu.Lock()
		t := c.taken[number]
		c.mu.Unlock()
		if t == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-t.done:
		}
		c.mu.Lock()
		if t.from >= 0 {
			of[number] = kgo.NewOffset().At(t.from)
		}
		c.mu.Unlock()
	}
	return offsets, nil
}

// untake ends the taking of a partition, if it still goes on.
func (c *Consumer) untake(number int32) {
	c.mu.Lock()
	t := c.taken[number]
	delete(c.taken, number)
	c.mu.Unlock()
	if t != nil {
		t.cancel(errLost)
		<-t.done
		t.again.Wait()
	}
}

// take begins work on a partition: it looks where everything is read on, opens the ledger from there, and has it fetched. It
// returns where orders is read on.
func (c *Consumer) take(ctx context.Context, number int32) (from int64, err error) {
	began := time.Now()
	found, err := c.positions(ctx, number)
	if err != nil {
		return 0, err
	}
	if lost := c.check(ctx, number, found); lost != nil {
		c.lanes.add(c.refused(number, lost))
		return found[0].at, nil
	}
	since, err := c.since(ctx, number, found)
	if err != nil {
		return 0, err
	}
	l, err := ledger.Open(ctx, c.cfg.Ledger, number, since, found[0].at)
	if err != nil {
		return 0, err
	}
	c.cfg.Meter.Restored(time.Since(began))
	if c.lanes.has(number) { // it was blocked: nothing of it is being fetched
		c.seek(c.cfg.Topics.Orders, number, found[0].at)
	}
	c.group.flush()
	c.side.flush()
	c.lanes.add(c.owned(ctx, l, number, found))
	c.side.AddConsumePartitions(side(c.cfg.Topics.Status, l.Claim()+1, number, found))
	return found[0].at, nil
}

// owned is a partition to work on.
func (c *Consumer) owned(ctx context.Context, l *ledger.Ledger, number int32, found []position) *partition {
	// What is in hand outlives ctx by the drain time: only its end, or the loss of the partition, ends it.
	work, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	stopping := make(chan struct{})
	p := &partition{
		number: number, ledger: l, now: l.Now, work: c.work(work, l, stopping), abandon: abandon, stopping: stopping,
		sources: []*source{{topic: c.cfg.Topics.Status, tail: true, next: l.Claim() + 1}}, lanes: map[string][]record{}, inHand: map[record]time.Time{},
	}
	// Orders come last in the turn: what is asked about one goes before it.
	for _, f := range append(slices.Clone(found[1:]), found[0]) {
		// What is committed is committed again, also if nothing comes.
		s := &source{topic: f.topic, delay: c.cfg.Topics.Delay(f.topic), next: f.at, mark: watermark{next: f.at, any: f.committed}}
		if f.topic == c.cfg.Topics.Waiting {
			s.room = &c.lanes.room
		}
		p.sources = append(p.sources, s)
	}
	return p
}

// refused is a partition that is ours, and not worked on.
func (c *Consumer) refused(number int32, reason error) *partition {
	return &partition{
		number: number, now: time.Now, held: reason, abandon: func(error) {}, stopping: make(chan struct{}),
		sources: []*source{{topic: c.cfg.Topics.Orders}},
	}
}

// side is what the second client reads of a partition number, and from where.
func side(tail string, behind int64, number int32, found []position) map[string]map[int32]kgo.Offset {
	parts := map[string]map[int32]kgo.Offset{tail: {number: kgo.NewOffset().At(behind)}}
	for _, p := range found[1:] {
		parts[p.topic] = map[int32]kgo.Offset{number: kgo.NewOffset().At(p.at)}
	}
	return parts
}
