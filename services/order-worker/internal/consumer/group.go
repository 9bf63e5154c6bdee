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
	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
)

// assigned takes partitions: it opens their ledgers, and only then are their records fetched. It blocks while Kafka is away; heartbeats go on.
func (c *consumer) assigned(ctx context.Context, numbers []int32) {
	var g errgroup.Group
	for _, number := range numbers {
		g.Go(func() error { return c.take(ctx, number) })
	}
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		c.cfg.Log.LogAttrs(ctx, slog.LevelError, "partition not taken", slog.Any(telemetry.Error, err))
	}
	c.announce()
}

func (c *consumer) take(ctx context.Context, number int32) error {
	// What is in hand outlives ctx by the drain time: only its end, or the loss of the partition, ends it.
	work, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	l, err := ledger.Open(ctx, c.cfg.Ledger, number, time.Unix(0, 0), 0)
	if err != nil {
		abandon(err)
		return err
	}
	replay, err := c.committed(ctx, c.cfg.Topics.Replay, number)
	if err != nil {
		abandon(err)
		return err
	}
	from := kgo.NewOffset().AtStart()
	if replay >= 0 {
		from = from.At(replay)
	}
	c.group.flush()
	c.side.flush()
	stopping := make(chan struct{})
	c.lanes.add(&partition{
		number: number, ledger: l, work: c.work(work, l, stopping), abandon: abandon, stopping: stopping,
		sources: []*source{
			{topic: c.cfg.Topics.Status, tail: true},
			// What is committed of replays is committed again, also if none comes.
			{topic: c.cfg.Topics.Replay, mark: watermark{next: replay, any: replay >= 0}},
			{topic: c.cfg.Topics.Orders},
		},
		lanes: map[string][]record{},
	})
	c.side.AddConsumePartitions(map[string]map[int32]kgo.Offset{
		c.cfg.Topics.Replay: {number: from},
		c.cfg.Topics.Status: {number: kgo.NewOffset().At(l.Claim() + 1)},
	})
	return nil
}

// committed is where the group stands in a topic that it does not subscribe to, or negative. It blocks while Kafka is away.
func (c *consumer) committed(ctx context.Context, topic string, number int32) (int64, error) {
	for {
		offsets, err := kadm.NewClient(c.side.Client).FetchOffsetsForTopics(ctx, c.cfg.Group, topic)
		if o, ok := offsets.Lookup(topic, number); err == nil && ok && o.Err == nil {
			return o.At, nil
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}

// revoked gives partitions back: drained, committed, let go. Once it returns, another worker may own them.
func (c *consumer) revoked(ctx context.Context, numbers []int32) {
	if len(numbers) == 0 {
		return
	}
	gone := c.drain(numbers)
	c.finish(gone)
	if err := c.commit(ctx); err != nil {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "last commit missing: the next owner looks at finished orders again", slog.Any(telemetry.Error, err))
	}
	c.forget(gone)
}

// finish waits until nothing of these partitions is in hand, and abandons it when the drain time is over.
func (c *consumer) finish(gone []*partition) {
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
}

// lost drops partitions that belong to somebody else already: nothing of what is in hand may have another effect, and nothing is committed.
func (c *consumer) lost(numbers []int32) {
	gone := c.drain(numbers)
	for _, p := range gone {
		p.abandon(errLost)
	}
	// A commit that has begun ends before we are in the group again: the broker must not take it for one of a new member.
	c.commits <- struct{}{}
	c.forget(gone)
	<-c.commits
	for _, p := range gone {
		<-p.idle
	}
}

// offerSide hands over what the second client fetched.
func (c *consumer) offerSide(topic string, number int32, records []*kgo.Record) {
	if topic == c.cfg.Topics.Status {
		records = c.observe(number, records)
	}
	c.lanes.offer(topic, number, records)
}

// observe looks at what comes behind our claim in orders.status, and returns void states: their orders are put right in
// their lanes. A newer claim ends all work on the partition: the group has given it to another worker and we are about to
// hear of it, or there is a second group on these topics, which must not do everything twice.
func (c *consumer) observe(number int32, records []*kgo.Record) (void []*kgo.Record) {
	l := c.lanes.ledger(number)
	if l == nil {
		return nil
	}
	for _, r := range records {
		switch l.Judge(r) {
		case status.Current: // ours: the ledger wrote it
		case status.Void:
			void = append(void, r)
		case status.Claim:
			c.cfg.Log.Warn("partition claimed by another worker: work on it ends", telemetry.Partition, number)
			c.lost([]int32{number})
			return nil
		}
	}
	return void
}

// drain begins nothing more of these partitions and returns those that are owned.
func (c *consumer) drain(numbers []int32) []*partition {
	var gone []*partition
	for _, number := range numbers {
		if p := c.lanes.drain(number); p != nil {
			gone = append(gone, p)
			c.side.RemoveConsumePartitions(map[string][]int32{c.cfg.Topics.Replay: {number}, c.cfg.Topics.Status: {number}})
		}
	}
	return gone
}

func (c *consumer) forget(gone []*partition) {
	for _, p := range gone {
		if n := c.lanes.remove(p); n > 0 {
			c.cfg.Log.Warn("orders abandoned", telemetry.Partition, p.number, telemetry.Count, n)
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
