package consumer

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-worker/internal/ledger"
)

// assigned takes partitions: it opens their ledgers, and only then are their records fetched. It blocks while Kafka is away; heartbeats go on.
func (c *Consumer) assigned(ctx context.Context, numbers []int32) {
	if len(numbers) == 0 {
		return
	}
	var g errgroup.Group
	for _, number := range numbers {
		g.Go(func() error { return c.take(ctx, number) })
	}
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		c.cfg.Log.LogAttrs(ctx, slog.LevelError, "partition not taken", slog.Any("error", err))
	}
	c.announce()
}

func (c *Consumer) take(ctx context.Context, number int32) error {
	// What is in hand outlives ctx by the drain time: only its end, or the loss of the partition, ends it.
	work, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	l, err := ledger.Open(ctx, c.cfg.Ledger, number)
	if err != nil {
		abandon(err)
		return err
	}
	replay, err := c.committed(ctx, c.cfg.Topics.Replay, number)
	if err != nil {
		abandon(err)
		return err
	}
	stopping := make(chan struct{})
	c.lanes.add(&partition{
		number: number, work: c.work(work, l, stopping), abandon: abandon, stopping: stopping,
		sources: []*source{{topic: c.cfg.Topics.Replay}, {topic: c.cfg.Topics.Orders}},
		lanes:   map[string][]record{},
	})
	c.side.AddConsumePartitions(map[string]map[int32]kgo.Offset{c.cfg.Topics.Replay: {number: replay}})
	return nil
}

// committed is where the group stands in a topic that it does not subscribe to. It blocks while Kafka is away.
func (c *Consumer) committed(ctx context.Context, topic string, number int32) (kgo.Offset, error) {
	for {
		offsets, err := kadm.NewClient(c.side).FetchOffsetsForTopics(ctx, c.cfg.Group, topic)
		if err == nil {
			if o, ok := offsets.Lookup(topic, number); ok && o.Err == nil && o.At >= 0 {
				return kgo.NewOffset().At(o.At), nil
			}
			return kgo.NewOffset().AtStart(), nil
		}
		select {
		case <-ctx.Done():
			return kgo.Offset{}, context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}

// revoked gives partitions back: drained, committed, let go. Once it returns, another worker may own them.
func (c *Consumer) revoked(ctx context.Context, numbers []int32) {
	if len(numbers) == 0 {
		return
	}
	gone := c.drain(numbers)
	timer := time.NewTimer(c.cfg.Drain)
	defer timer.Stop()
	for _, p := range gone {
		select {
		case <-p.idle:
		case <-timer.C:
			timer.Reset(0) // for the others it is over too
			p.abandon(errDrained)
			<-p.idle
		}
	}
	if err := c.commit(ctx); err != nil {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "last commit missing: the next owner looks at finished orders again", slog.Any("error", err))
	}
	c.forget(gone)
}

// lost drops partitions that belong to somebody else already: nothing of what is in hand may have another effect, and nothing is committed.
func (c *Consumer) lost(numbers []int32) {
	gone := c.drain(numbers)
	for _, p := range gone {
		p.abandon(errLost)
	}
	for _, p := range gone {
		<-p.idle
	}
	c.forget(gone)
}

// drain begins nothing more of these partitions and returns those that are owned.
func (c *Consumer) drain(numbers []int32) []*partition {
	var gone []*partition
	for _, number := range numbers {
		if p := c.lanes.drain(number); p != nil {
			gone = append(gone, p)
			c.side.RemoveConsumePartitions(map[string][]int32{c.cfg.Topics.Replay: {number}})
		}
	}
	return gone
}

func (c *Consumer) forget(gone []*partition) {
	for _, p := range gone {
		if n := c.lanes.remove(p); n > 0 {
			c.cfg.Log.Warn("orders abandoned", "partition", p.number, "orders", n)
		}
		p.abandon(errLost) // frees the context
	}
	c.announce()
}

// answered collects the first error of a commit's answer, of the whole or of a partition.
func answered(into *error) func(*kgo.Client, *kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse, error) {
	return func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
		*into = err
		if err != nil {
			return
		}
		for _, t := range answer.Topics {
			for _, p := range t.Partitions {
				if *into == nil {
					*into = kerr.ErrorForCode(p.ErrorCode)
				}
			}
		}
	}
}

func equal(a, b map[string]map[int32]kgo.EpochOffset) bool {
	return maps.EqualFunc(a, b, maps.Equal)
}
