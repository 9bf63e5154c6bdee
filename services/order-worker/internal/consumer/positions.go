package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// position is where a partition of one topic is read on.
type position struct {
	topic      string
	at         int64 // of the first record that the group has not finished; of a topic in which it finished none, start
	committed  bool
	start, end int64 // of the log; records of open transactions stand behind the end
}

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

// lost is what stands between a position and the log, or nil. Behind the end it was the log that was cut, or the topic
// was made anew: what stands there now may be other records than those that were finished.
func (p *position) lost(number int32) *loss {
	switch {
	case p.at < p.start:
		return &loss{p.topic, number, p.at, p.start}
	case p.at > p.end:
		return &loss{p.topic, number, p.end, p.at}
	}
	return nil
}

// sources are the topics that orders come from. All but the first are read with the second client.
func (c *Consumer) sources() []string {
	t := c.cfg.Topics
	return []string{t.Orders, t.Retry10s, t.Retry2m, t.Waiting, t.Replay}
}

// positions asks where a partition number is read on in all topics. It blocks while Kafka is away.
func (c *Consumer) positions(ctx context.Context, number int32) (found []position, err error) {
	err = c.insist(ctx, "positions", number, func() error {
		found, err = c.ask(ctx, number, c.sources()...)
		return err
	})
	return found, err
}

func (c *Consumer) ask(ctx context.Context, number int32, topics ...string) ([]position, error) {
	admin := kadm.NewClient(c.side.Client)
	var committed kadm.OffsetResponses
	var starts, ends kadm.ListedOffsets
	var all errgroup.Group // side by side: nobody works on the partition until all is known
	all.Go(func() (err error) {
		committed, err = admin.FetchOffsetsForTopics(ctx, c.cfg.Group, topics...)
		return err
	})
	all.Go(func() (err error) { starts, err = admin.ListStartOffsets(ctx, topics...); return err })
	all.Go(func() (err error) { ends, err = admin.ListCommittedOffsets(ctx, topics...); return err })
	if err := all.Wait(); err != nil {
		return nil, err
	}
	var found []position
	for _, topic := range topics {
		was, ok1 := committed.Lookup(topic, number)
		start, ok2 := starts.Lookup(topic, number)
		end, ok3 := ends.Lookup(topic, number)
		if err := cmp.Or(was.Err, start.Err, end.Err); err != nil || !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("%s/%d: %w", topic, number, cmp.Or(err, error(kerr.UnknownTopicOrPartition)))
		}
		p := position{topic: topic, at: was.At, committed: was.At >= 0, start: start.Offset, end: end.Offset}
		if !p.committed {
			p.at = p.start
		}
		found = append(found, p)
	}
	return found, nil
}

// check names what is lost, and returns the first of it unless the operator accepts it: then it goes on at the log's start,
// where the ledger answers for what was finished.
func (c *Consumer) check(ctx context.Context, number int32, found []position) error {
	var first error
	for i := range found {
		p := &found[i]
		if !p.committed && p.start > 0 {
			// Retention may have deleted only what an earlier group, or this one until its offsets expired, had finished. Nobody
			// can know; to refuse would stop a shop that has done nothing wrong.
			c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "nothing committed, and the log does not begin at 0: orders before may be lost",
				slog.String(telemetry.Topic, p.topic), slog.Int(telemetry.Partition, int(number)), slog.Int64(telemetry.Offset, p.start))
		}
		lost := p.lost(number)
		if lost == nil {
			continue
		}
		if !c.accept(ctx, lost) {
			first = cmp.Or(first, error(lost))
			continue
		}
		p.at = p.start
	}
	return first
}

// accept names a loss, and reports whether the operator accepts it.
func (c *Consumer) accept(ctx context.Context, l *loss) bool {
	c.cfg.Meter.Lost(l.to - l.from)
	text, level := "records lost: partition refused without --accept-loss", slog.LevelError
	if c.cfg.AcceptLoss {
		text, level = "records lost and accepted", slog.LevelWarn
	}
	c.cfg.Log.LogAttrs(ctx, level, text, slog.String(telemetry.Topic, l.topic), slog.Int(telemetry.Partition, int(l.number)),
		slog.Int64(telemetry.From, l.from), slog.Int64(telemetry.To, l.to), slog.Int64(telemetry.Count, l.to-l.from))
	return c.cfg.AcceptLoss
}

var errFound = errors.New("found")

// since is when the oldest record was appended that is read again, over all topics: from then on the ledger must know
// everything. It is zero if there is none.
func (c *Consumer) since(ctx context.Context, number int32, found []position) (oldest time.Time, err error) {
	times := make([]time.Time, len(found))
	all, ctx := errgroup.WithContext(ctx)
	for i, p := range found {
		if p.at >= p.end {
			continue
		}
		all.Go(func() error {
			return c.insist(ctx, p.topic, number, func() error {
				err := c.records.Read(ctx, p.topic, number, p.at, p.end, func(r *kgo.Record) error {
					times[i] = r.Timestamp
					return errFound
				})
				if errors.Is(err, errFound) {
					return nil
				}
				return err
			})
		})
	}
	if err := all.Wait(); err != nil {
		return time.Time{}, err
	}
	for _, t := range times {
		if oldest.IsZero() || !t.IsZero() && t.Before(oldest) {
			oldest = t
		}
	}
	return oldest, nil
}

// gone hears that a topic's partition cannot be read on where it was read. The client would go on at the start by itself,
// without a word.
func (c *Consumer) gone(ctx context.Context, topic string, number int32) {
	at, ok := c.lanes.reached(topic, number)
	if !ok {
		return
	}
	err := c.insist(ctx, topic, number, func() error {
		found, err := c.ask(ctx, number, topic)
		if err != nil {
			return err
		}
		p := found[0]
		p.at = at
		lost := p.lost(number)
		switch {
		case topic == c.cfg.Topics.Status:
			// The embedded broker says this of an offset that compaction has removed. What is left is the tail.
			c.seek(topic, number, p.start)
		case lost == nil: // a follower that lags: the client asks again
		case c.accept(ctx, lost):
			c.seek(topic, number, p.start)
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
func (c *Consumer) insist(ctx context.Context, what string, number int32, try func() error) error {
	return kafka.Insist(ctx, try, func(err error) {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "waiting for Kafka",
			slog.String(telemetry.Waiting, what), slog.Int(telemetry.Partition, int(number)), slog.Any(telemetry.Error, err))
	})
}
