package group

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// position is where a partition of one topic is read on.
type position struct {
	topic      string
	at         int64 // of the first record that the group has not finished; of a topic in which it finished none, start
	epoch      int32 // leader epoch of the records below at; negative if unknown
	committed  bool
	metadata   string // of the commit
	since      ledger.Mark
	foreign    bool  // what is committed is not an order worker's
	passed     int64 // that offset, if it is foreign
	start, end int64 // of the log; records of open transactions stand behind the end
	cut        int64 // where the records of epoch end: below at, a leader has forgotten some, and others stand there now; or unknown
}

// unknown is no offset.
const unknown = -1

// loss is a stretch of a log that is gone although nobody has finished it, as far as anybody knows.
type loss struct {
	topic    string
	number   int32
	from, to int64
}

// Error is what is said of a partition that is held because of it.
func (l *loss) Error() string {
	return fmt.Sprintf("lost: offsets %d to %d of %s/%d", l.from, l.to-1, l.topic, l.number)
}

// lost is what stands between a position and the log, or nil. Behind the end, or behind a cut, a leader has forgotten
// records: what stands there now, or soon, are other records than those that were finished.
func (p *position) lost(number int32) *loss {
	switch {
	case p.at < p.start:
		return &loss{p.topic, number, p.at, p.start}
	case p.cut != unknown && p.cut < p.at:
		return &loss{p.topic, number, p.cut, p.at}
	case p.at > p.end:
		return &loss{p.topic, number, p.end, p.at}
	}
	return nil
}

// behind is where a position goes on whose loss is accepted.
func (p *position) behind() int64 {
	if p.cut != unknown && p.cut < p.at {
		return max(p.start, p.cut)
	}
	return p.start
}

// check names what is lost, and returns the first of it unless the operator accepts it: then it goes on behind the loss,
// where the ledger answers for what was finished.
func (c *Member) check(ctx context.Context, number int32, found []position) error {
	var first error
	for i := range found {
		p := &found[i]
		where := []slog.Attr{slog.String(telemetry.Topic, p.topic), slog.Int(telemetry.Partition, int(number))}
		if p.foreign {
			c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "offset committed by another client or set by a tool: reading again from the start",
				append(where, slog.Int64(telemetry.From, p.at), slog.Int64(telemetry.To, p.passed))...)
		}
		if (!p.committed || p.foreign) && p.start > 0 {
			// Retention may have deleted only what an earlier group, or this one until its offsets expired, had finished. Nobody
			// can know; to refuse would stop a shop that has done nothing wrong.
			c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "nothing committed, and the log does not begin at 0: orders before may be lost",
				append(where, slog.Int64(telemetry.Offset, p.start))...)
		}
		lost := p.lost(number)
		if lost == nil {
			continue
		}
		if !c.accept(ctx, lost) {
			first = cmp.Or(first, error(lost))
			continue
		}
		p.at, p.epoch = p.behind(), unknown
		p.since = ledger.Mark{Offset: p.at}
	}
	return first
}

// accept names a loss, and reports whether the operator accepts it.
func (c *Member) accept(ctx context.Context, l *loss) bool {
	c.cfg.Meter.Lost(l.to - l.from)
	text, level := "records lost: partition refused without --accept-loss", slog.LevelError
	if c.cfg.AcceptLoss {
		text, level = "records lost and accepted", slog.LevelWarn
	}
	c.cfg.Log.LogAttrs(ctx, level, text, slog.String(telemetry.Topic, l.topic), slog.Int(telemetry.Partition, int(l.number)),
		slog.Int64(telemetry.From, l.from), slog.Int64(telemetry.To, l.to), slog.Int64(telemetry.Count, l.to-l.from))
	return c.cfg.AcceptLoss
}

// start is where the ledger of a partition begins to read.
func start(found []position) ledger.Start {
	s := ledger.Start{Next: found[0].at, Since: map[string]ledger.Mark{}}
	for _, p := range found {
		s.Since[p.topic] = p.since
	}
	return s
}

// observeEnds has the ledgers know when records arrive; see ledger.Arrived. An answer that comes late would say that records
// arrived earlier than they did, and counts for nothing.
func (c *Member) observeEnds(ctx context.Context) {
	tick := time.NewTicker(2 * ledger.MarkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked, moments := time.Now(), c.lanes.moments()
		var parts []kafka.Partition
		for number := range moments {
			for _, topic := range c.sources() {
				parts = append(parts, kafka.Partition{Topic: topic, Number: number})
			}
		}
		for p, end := range kafka.HighWatermarks(ctx, c.side.Client, parts...) {
			if m := moments[p.Number]; end.Err == nil && time.Since(asked) < ledger.MarkEvery {
				m.ledger.Arrived(p.Topic, end.At, m.at)
			}
		}
	}
}

// gone hears that a topic's partition cannot be read on where it was read, or that a leader has forgotten what was read. The client
// would go on by itself, without a word.
func (c *Member) gone(ctx context.Context, topic string, number int32) {
	at, ok := c.lanes.reached(topic, number)
	if !ok {
		return
	}
	err := c.insist(ctx, topic, number, func() error {
		part := kafka.Partition{Topic: topic, Number: number}
		p, err := c.logs(ctx, map[kafka.Partition]kafka.Commit{part: {Offset: kafka.Offset{At: at.Offset, Epoch: at.Epoch}}}).position(part)
		if err != nil {
			return err
		}
		lost := p.lost(number)
		on := kgo.EpochOffset{Epoch: unknown, Offset: p.behind()}
		switch {
		case topic == c.cfg.Topics.Status && (lost == nil || p.at < p.start):
			// The embedded broker says this of an offset that compaction has removed. What is left is the tail.
			c.seek(topic, number, on)
		case lost == nil: // a follower that lags: the client asks again
		case c.accept(ctx, lost):
			c.seek(topic, number, on)
		default:
			c.lanes.hold(number, lost)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		c.cfg.Log.LogAttrs(ctx, slog.LevelError, "position not found", slog.String(telemetry.Topic, topic), slog.Any(telemetry.Error, err))
	}
}

// insist blocks while Kafka is away.
func (c *Member) insist(ctx context.Context, what string, number int32, try func() error) error {
	return kafka.Insist(ctx, try, func(err error) {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "waiting for Kafka",
			slog.String(telemetry.Waiting, what), slog.Int(telemetry.Partition, int(number)), slog.Any(telemetry.Error, err))
	})
}
