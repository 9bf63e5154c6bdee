package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// How often partitions are looked at that are blocked by a batch that cannot be read, and after how many such looks those of which nothing comes.
const (
	tendEvery    = 10 * time.Second
	stalledEvery = 3
)

// final ends Run if an error is one that every partition meets and waiting does not cure.
func (c *Member) final(err error) {
	if kafka.Classify(err).Stops() {
		c.stop(kafka.Explain(err))
	}
}

// fault hears of an error of a fetch, and returns it if it may pass.
func (c *Member) fault(ctx context.Context, topic string, number int32, err error) error {
	switch v := kafka.Classify(err); {
	case v == kafka.Absent, cut(err):
		c.gone(ctx, topic, number)
		return nil
	case topic == "" && c.unwelcome(err) != nil:
		c.stop(c.unwelcome(err))
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		return fmt.Errorf("the group has consumers that are not order workers: stop them, or give the workers another --group: %w", err)
	case v == kafka.Denied:
		c.final(err)
	case v == kafka.Away && topic != "":
		// The client has no name for most of what may be wrong with a batch.
		c.inspect(ctx, topic, number, true)
	}
	return err
}

// cut reports whether the client noticed that a log was cut: it goes on where that ends.
func cut(err error) bool {
	_, ok := errors.AsType[*kgo.ErrDataLoss](err)
	return ok
}

// whole blocks a partition at a batch that the client has passed over, and returns the records before it. What compaction took away
// of orders.status looks the same, and is not looked for.
func (c *Member) whole(ctx context.Context, topic string, number int32, records []*kgo.Record) []*kgo.Record {
	at, ok := c.lanes.reached(topic, number)
	if !ok || topic == c.cfg.Topics.Status {
		return records
	}
	n, err := c.records.Whole(ctx, at.Offset, records)
	if bad, ok := errors.AsType[*kafka.UnreadableError](err); ok {
		defer c.block(number, bad)
	}
	return records[:n]
}

// inspect finds out whether a topic's partition can be read on. If not it is blocked; if a batch is skipped, it is read on behind it.
// The client may have passed over what it could not read: after a failed fetch it is told where to read on.
func (c *Member) inspect(ctx context.Context, topic string, number int32, failed bool) {
	at, ok := c.lanes.reached(topic, number)
	if !ok {
		return
	}
	next, err := c.records.Probe(ctx, topic, number, at.Offset)
	if bad, ok := errors.AsType[*kafka.UnreadableError](err); ok {
		c.block(number, bad)
		return
	}
	if err == nil && (failed || next != at.Offset) {
		c.lanes.jump(topic, number, at.Offset, next)
	}
}

// block begins nothing of a partition any more, because of a batch that cannot be read.
func (c *Member) block(number int32, bad *kafka.UnreadableError) {
	if c.lanes.block(number, bad.Topic, bad) {
		c.sayBlocked(number, bad)
	}
}

func (c *Member) sayBlocked(number int32, bad *kafka.UnreadableError) {
	c.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "partition blocked: a batch cannot be read", slog.String(telemetry.Topic, bad.Topic),
		slog.Int(telemetry.Partition, int(number)), slog.Int64(telemetry.Offset, bad.From), slog.Any(telemetry.Error, bad))
}

// tend looks, now and then, for partitions that stand still without an error, and opens blocked ones again whose batch is skipped by now.
func (c *Member) tend(ctx, calls context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	before := map[place]int64{}
	said := map[int32]*kafka.Backoff{}
	for looks := 1; ; looks++ {
		select {
		case <-ctx.Done():
			return
		case <-c.group.spin.Found():
			c.findStalled(ctx, c.lanes.reading())
			continue
		case <-c.side.spin.Found():
			c.findStalled(ctx, c.lanes.reading())
			continue
		case <-tick.C:
		}
		if looks%stalledEvery == 0 {
			before = c.findStalled(ctx, before)
		}
		for _, p := range c.Partitions() {
			bad, ok := errors.AsType[*kafka.UnreadableError](p.Held)
			if !ok {
				delete(said, p.Number)
				continue
			}
			if next, err := c.records.Probe(ctx, bad.Topic, bad.Partition, bad.From); err == nil && next > bad.From {
				c.reopen(ctx, calls, p.Number)
				continue
			}
			if said[p.Number] == nil { // it was told when it was blocked
				said[p.Number] = new(kafka.Backoff)
				said[p.Number].Tell(bad, func(error) {})
			}
			said[p.Number].Tell(bad, func(error) { c.sayBlocked(p.Number, bad) })
		}
	}
}

// findStalled inspects partitions that stand where they stood before although there is more to read, and returns where all stand.
func (c *Member) findStalled(ctx context.Context, before map[place]int64) map[place]int64 {
	now := c.lanes.reading()
	var ends kadm.ListedOffsets
	for at, next := range now {
		if was, ok := before[at]; !ok || was != next {
			continue
		}
		if ends == nil {
			var err error
			if ends, err = kadm.NewClient(c.side.Client).ListCommittedOffsets(ctx, append(c.sources(), c.cfg.Topics.Status)...); ends == nil || err != nil && ctx.Err() != nil {
				return now
			}
		}
		if end, ok := ends.Lookup(at.topic, at.number); ok && end.Err == nil && next < end.Offset {
			c.inspect(ctx, at.topic, at.number, false)
		}
	}
	return now
}

// reopen takes a partition again that is ours and was blocked.
func (c *Member) reopen(ctx, calls context.Context, number int32) {
	c.changes.Lock()
	defer c.changes.Unlock()
	if _, ok := errors.AsType[*kafka.UnreadableError](c.lanes.held(number)); !ok {
		return // it went meanwhile, or is blocked by something else
	}
	c.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "partition goes on: the batch is skipped", slog.Int(telemetry.Partition, int(number)))
	c.revoked(calls, []int32{number})
	c.assigned(ctx, []int32{number})
}
