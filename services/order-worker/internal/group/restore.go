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
	"example.com/orders/services/order-worker/internal/partition"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/services/order-worker/internal/scheduler"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// restorer takes partitions from assigned to running, or to blocked. That takes as long as Kafka is
// away, so it runs apart from the group's client, and ends when the partition begins to drain.
type restorer struct {
	*core
	locator locator
	handle  Handler
	records kafka.Reader // of what the clients could not read
}

// assigned begins to restore partitions.
func (r *restorer) assigned(ctx context.Context, numbers []int32) {
	var all sync.WaitGroup
	all.Add(len(numbers))
	for _, number := range numbers {
		earlier, a := r.owner(number), r.assign(ctx, number)
		r.start(a, func() { r.restoreAfter(earlier, a) }, all.Done)
	}
	done := make(chan struct{})
	r.tasks.Go(func() {
		all.Wait()
		close(done)
	})
	r.tasks.Go(func() { r.announceUntil(done) })
}

// restoreAfter restores a partition when an earlier assignment of it is released: until then that
// one commits. Earlier may be nil.
func (r *restorer) restoreAfter(earlier, a *assignment) {
	if earlier != nil {
		select {
		case <-earlier.Released():
		case <-a.ctx.Done():
			return
		}
	}
	r.restore(a)
}

// announceUntil announces the owned partitions when all is done, and once a second until then:
// those that are restored are worked on already, whatever delays the others.
func (r *restorer) announceUntil(done <-chan struct{}) {
	for owned := len(r.scheduler.Numbers()); ; {
		select {
		case <-done:
			r.announce()
			return
		case <-time.After(time.Second):
		}
		if now := len(r.scheduler.Numbers()); now != owned {
			owned = now
			r.announce()
		}
	}
}

// restore restores a partition, or blocks it.
func (r *restorer) restore(a *assignment) {
	if !a.Set(partition.Restoring, nil) {
		return
	}
	if err := r.try(a); err != nil && a.ctx.Err() == nil {
		r.final(err)
		r.log(a.ctx, slog.LevelError, "partition blocked: its ledger cannot be restored", a.Number(), err)
		r.block(a, err)
	}
}

// try looks up where everything is read from, opens the ledger from there, and has records fetched.
func (r *restorer) try(a *assignment) error {
	began, number := time.Now(), a.Number()
	if orders := r.cfg.Topics.Orders; int(number) >= r.cfg.Partitions {
		// The group's client may be the first to know of new partitions. No other topic has this one.
		r.Block(&kafka.Repartitioned{Topic: orders, Was: r.cfg.Partitions, Is: int(number) + 1})
	}
	if reason := r.BlockedBy(); reason != nil {
		r.blocked(a, position{topic: r.cfg.Topics.Orders}, reason)
		return nil
	}
	found, err := r.locator.positions(a.ctx, number)
	if err != nil {
		return err
	}
	if lost := r.locator.check(a.ctx, number, found); lost != nil {
		r.blocked(a, found[0], lost)
		return nil
	}
	found = found[:len(r.sources())]
	l, err := ledger.Open(a.ctx, r.cfg.Ledger, number, start(found))
	if bad, ok := errors.AsType[*kafka.UnreadableError](err); ok {
		r.logUnreadable(bad)
		r.blocked(a, found[0], bad)
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.logPassed(a.ctx, number, l, found[0]); err != nil {
		return err
	}
	r.cfg.Meter.Restored(time.Since(began))
	r.side.flush()
	r.tail.flush()
	r.restored(a, l, found)
	r.tail.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.cfg.Topics.Status: {number: kgo.NewOffset().At(l.Claim() + 1)}})
	r.side.AddConsumePartitions(readings(number, found))
	return nil
}

// logPassed logs the orders below an offset that another client has committed of which the ledger
// knows nothing: they were passed over, and are worked on now.
func (r *restorer) logPassed(ctx context.Context, number int32, l *ledger.Ledger, p position) error {
	if !p.foreign {
		return nil
	}
	passed, from, to := 0, p.passed, p.next.Offset
	err := r.insist(ctx, p.topic, number, func() error {
		return r.records.Read(ctx, p.topic, number, to, min(p.passed, p.end), func(rec *kgo.Record) error {
			if !l.Begun(rec) {
				passed, from = passed+1, min(from, rec.Offset)
				to = rec.Offset + 1
			}
			return nil
		})
	})
	if passed > 0 {
		r.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "orders passed over by another client: working on them now",
			slog.String(telemetry.Topic, p.topic), slog.Int(telemetry.Partition, int(number)),
			slog.Int64(telemetry.From, from), slog.Int64(telemetry.To, to), slog.Int(telemetry.Count, passed))
	}
	return err
}

// restored sets a partition running.
func (r *restorer) restored(a *assignment, l *ledger.Ledger, found []position) {
	// Orders in flight outlive the assignment by the grace period.
	ctx, abandon := context.WithCancelCause(context.WithoutCancel(a.ctx))
	sources := []scheduler.Source{{Topic: r.cfg.Topics.Status, Tail: true, Next: kgo.EpochOffset{Epoch: unknown, Offset: l.Claim() + 1}}}
	// Orders are last in the turn: what is asked about one is before it.
	for _, f := range append(slices.Clone(found[1:]), found[0]) {
		sources = append(sources, scheduler.Source{
			Topic: f.topic, Next: f.next, Delay: r.cfg.Topics.Delay(f.topic), End: f.end, BrokerNow: l.Now(), Limited: f.topic == r.cfg.Topics.Waiting,
		})
	}
	metadata := func(tail kgo.EpochOffset) scheduler.Metadata {
		return func(topic string, offset int64) string {
			return flagged(sign(offset, tail, l.Since(topic, offset)), a.Blocked() != nil)
		}
	}
	r.schedule(a, &work{scheduler.NewLanes(a.Partition, r.work(ctx, a, l), metadata, sources...), l, abandon})
	r.run(a)
}

// blocked blocks a partition that is not restored. What is committed of orders is committed again,
// with the flag that the partition is blocked.
func (r *restorer) blocked(a *assignment, orders position, reason error) {
	var sources []scheduler.Source
	if orders.committed && !orders.foreign {
		sources = append(sources, scheduler.Source{Topic: orders.topic, Next: orders.next})
	}
	metadata := func(kgo.EpochOffset) scheduler.Metadata {
		return func(string, int64) string { return flagged(orders.metadata, true) }
	}
	a.Set(partition.Blocked, reason)
	r.schedule(a, &work{scheduler.NewLanes(a.Partition, nil, metadata, sources...), nil, func(error) {}})
}

// work works on one record of a partition, until ctx ends.
func (r *restorer) work(ctx context.Context, a *assignment, l *ledger.Ledger) func(*kgo.Record) error {
	return func(rec *kgo.Record) error {
		err := r.handle(ctx, l, rec, a.Draining())
		if err == nil {
			err = l.Fenced(ctx) // before its offset may be committed
		}
		if err == nil || abandoned(ctx, err) {
			return err
		}
		r.final(err)
		r.cfg.Meter.Refused()
		if a.Set(partition.Blocked, err) {
			text := "partition blocked: this version cannot process a record; run the newer version"
			if kafka.Classify(err) != kafka.Away {
				text = "partition blocked: Kafka refuses what an order needs"
			}
			r.cfg.Log.Error(text, telemetry.Topic, rec.Topic, telemetry.Partition, rec.Partition, telemetry.Offset, rec.Offset, telemetry.Error, err)
		}
		return err
	}
}

// abandoned reports whether an unfinished record was left for the partition's next owner on purpose.
func abandoned(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, retry.ErrStopping) || errors.Is(err, scheduler.ErrRemoved)
}

// readings is what the second client reads of a partition number, and from where.
func readings(number int32, found []position) map[string]map[int32]kgo.Offset {
	parts := map[string]map[int32]kgo.Offset{}
	for _, p := range found {
		// With the epoch the client notices when a leader has lost records below.
		parts[p.topic] = map[int32]kgo.Offset{number: kgo.NewOffset().At(p.next.Offset).WithEpoch(p.next.Epoch)}
	}
	return parts
}
