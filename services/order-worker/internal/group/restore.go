package group

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// taking is how a partition that was assigned becomes one that is worked on: beside what the group's client does, because it
// takes as long as Kafka is away, and ends at once when the partition goes again.
type taking struct {
	ctx    context.Context //nolint:containedctx // of the assignment: ends when the partition goes
	cancel context.CancelCauseFunc
	done   chan struct{}  // closed when it was taken for the first time, or could not be
	again  sync.WaitGroup // of takeAgain; Go is called with mu held

	// Guarded by Member.mu.
	yields  int       // how often it was claimed by another member
	yielded time.Time // the last time
}

// assigned begins to take partitions, for the first time or again.
func (c *Member) assigned(ctx context.Context, numbers []int32) {
	var all sync.WaitGroup
	free := slices.DeleteFunc(slices.Clone(numbers), c.lanes.has) // what still drains commits until it is vacant
	first := c.together(ctx, free)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, number := range numbers {
		t := &taking{done: make(chan struct{})}
		t.ctx, t.cancel = context.WithCancelCause(ctx)
		c.taken[number] = t
		all.Go(func() {
			defer close(t.done)
			ask := first
			if !slices.Contains(free, number) {
				if c.lanes.vacant(t.ctx, number) != nil {
					return
				}
				ask = c.together(t.ctx, []int32{number})
			}
			if err := c.take(t.ctx, number, ask); err != nil {
				c.notTaken(t.ctx, number, err)
			}
		})
	}
	done := make(chan struct{})
	c.takings.Go(func() {
		all.Wait()
		close(done)
	})
	c.takings.Go(func() { c.announceUntil(done) })
}

// notTaken hears why a partition was not taken, unless that is because it goes again.
func (c *Member) notTaken(ctx context.Context, number int32, err error) {
	if ctx.Err() == nil {
		c.final(err)
		c.log(ctx, slog.LevelError, "partition not taken", number, err)
	}
}

// announceUntil announces what is taken when all is done, and once a second until then: what can be taken is worked on
// already, whatever keeps the others.
func (c *Member) announceUntil(done <-chan struct{}) {
	for owned := len(c.lanes.numbers()); ; {
		select {
		case <-done:
			c.announce()
			return
		case <-time.After(time.Second):
		}
		if now := len(c.lanes.numbers()); now != owned {
			owned = now
			c.announce()
		}
	}
}

// untake ends the taking of a partition, if it still goes on.
func (c *Member) untake(number int32) {
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

// take begins work on a partition: it looks where everything is read on, opens the ledger from there, and has it fetched.
// First was asked for all partitions that were assigned with it.
func (c *Member) take(ctx context.Context, number int32, first *question) error {
	began := time.Now()
	if orders := c.cfg.Topics.Orders; int(number) >= c.cfg.Partitions {
		// The group may know of new partitions before anybody else does. No other topic has this one.
		c.Block(&kafka.Repartitioned{Topic: orders, Was: c.cfg.Partitions, Is: int(number) + 1})
	}
	if reason := c.BlockedBy(); reason != nil {
		c.lanes.add(c.refused(number, position{topic: c.cfg.Topics.Orders}, reason))
		return nil
	}
	found, err := c.positions(ctx, number, first)
	if err != nil {
		return err
	}
	if lost := c.check(ctx, number, found); lost != nil {
		c.lanes.add(c.refused(number, found[0], lost))
		return nil
	}
	found = found[:len(c.sources())]
	l, err := ledger.Open(ctx, c.cfg.Ledger, number, start(found))
	if bad, ok := errors.AsType[*kafka.UnreadableError](err); ok {
		c.lanes.add(c.refused(number, found[0], bad))
		c.sayBlocked(number, bad)
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.namePassed(ctx, number, l, found[0]); err != nil {
		return err
	}
	c.cfg.Meter.Restored(time.Since(began))
	c.side.flush()
	c.lanes.add(c.owned(ctx, l, number, found))
	c.side.AddConsumePartitions(readings(c.cfg.Topics.Status, l.Claim()+1, number, found))
	return nil
}

// namePassed names the orders below an offset that another client has committed of which the ledger knows nothing: they were
// passed over, and are worked on now.
func (c *Member) namePassed(ctx context.Context, number int32, l *ledger.Ledger, p position) error {
	if !p.foreign {
		return nil
	}
	passed, from, to := 0, p.passed, p.at
	err := c.insist(ctx, p.topic, number, func() error {
		return c.records.Read(ctx, p.topic, number, to, min(p.passed, p.end), func(r *kgo.Record) error {
			if !l.Begun(r) {
				passed, from = passed+1, min(from, r.Offset)
				to = r.Offset + 1
			}
			return nil
		})
	})
	if passed > 0 {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "orders passed over by another client: working on them now",
			slog.String(telemetry.Topic, p.topic), slog.Int(telemetry.Partition, int(number)),
			slog.Int64(telemetry.From, from), slog.Int64(telemetry.To, to), slog.Int(telemetry.Count, passed))
	}
	return err
}

// owned is a partition to work on.
func (c *Member) owned(ctx context.Context, l *ledger.Ledger, number int32, found []position) *partition {
	// What is in hand outlives ctx by the drain time: only its end, or the loss of the partition, ends it.
	work, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	stopping := make(chan struct{})
	p := &partition{
		number: number, ledger: l, work: c.work(work, l, stopping), abandon: abandon, stopping: stopping,
		sources: []*source{{topic: c.cfg.Topics.Status, tail: true, next: l.Claim() + 1, epoch: unknown}}, lanes: map[string][]record{}, inHand: map[record]time.Time{},
	}
	// Orders come last in the turn: what is asked about one goes before it.
	for _, f := range append(slices.Clone(found[1:]), found[0]) {
		// Commit each topic from the start: without a commit the next owner restores from the start of orders.status.
		s := &source{topic: f.topic, next: f.at, epoch: f.epoch, mark: watermark{next: f.at, epoch: f.epoch, any: true}}
		s.arrivals = arrivals{delay: c.cfg.Topics.Delay(f.topic), end: f.end, assigned: time.Now(), stamped: l.Now()}
		if f.topic == c.cfg.Topics.Waiting {
			s.room = &c.lanes.room
		}
		p.sources = append(p.sources, s)
	}
	return p
}

// refused is a partition that is ours, and not worked on. What is committed of orders is committed again, to say so.
func (c *Member) refused(number int32, orders position, reason error) *partition {
	return &partition{
		number: number, held: reason, abandon: func(error) {}, stopping: make(chan struct{}), repeat: orders.metadata,
		sources: []*source{{
			topic: orders.topic, next: orders.at, epoch: orders.epoch,
			mark: watermark{next: orders.at, epoch: orders.epoch, any: orders.committed && !orders.foreign},
		}},
	}
}

// readings is what the second client reads of a partition number, and from where.
func readings(tail string, behind int64, number int32, found []position) map[string]map[int32]kgo.Offset {
	parts := map[string]map[int32]kgo.Offset{tail: {number: kgo.NewOffset().At(behind)}}
	for _, p := range found {
		// With the epoch the client hears of it when a leader has forgotten what stood below.
		parts[p.topic] = map[int32]kgo.Offset{number: kgo.NewOffset().At(p.at).WithEpoch(p.epoch)}
	}
	return parts
}
