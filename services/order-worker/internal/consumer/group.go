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
func (c *Consumer) assigned(ctx context.Context, numbers []int32) {
	var g errgroup.Group
	for _, number := range numbers {
		g.Go(func() error { return c.take(ctx, number) })
	}
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		c.cfg.Log.LogAttrs(ctx, slog.LevelError, "partition not taken", slog.Any(telemetry.Error, err))
	}
	c.announce()
}

func (c *Consumer) take(ctx context.Context, number int32) error {
	// What is in hand outlives ctx by the drain time: only its end, or the loss of the partition, ends it.
	work, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	l, err := ledger.Open(ctx, c.cfg.Ledger, number, time.Time{})
	if err != nil {
		abandon(err)
		return err
	}
	at, err := c.committed(ctx, number)
	if err != nil {
		abandon(err)
		return err
	}
	c.group.flush()
	c.side.flush()
	stopping := make(chan struct{})
	p := &partition{
		number: number, ledger: l, now: l.Now, work: c.work(work, l, stopping), abandon: abandon, stopping: stopping,
		sources: []*source{{topic: c.cfg.Topics.Status, tail: true}}, lanes: map[string][]record{},
	}
	for _, topic := range c.sideTopics() {
		p.sources = append(p.sources, c.source(topic, at[topic]))
	}
	p.sources = append(p.sources, &source{topic: c.cfg.Topics.Orders})
	c.lanes.add(p)
	from := map[string]map[int32]kgo.Offset{c.cfg.Topics.Status: {number: kgo.NewOffset().At(l.Claim() + 1)}}
	for _, topic := range c.sideTopics() {
		from[topic] = map[int32]kgo.Offset{number: kgo.NewOffset().AtStart()}
		if at[topic] >= 0 {
			from[topic][number] = kgo.NewOffset().At(at[topic])
		}
	}
	c.side.AddConsumePartitions(from)
	return nil
}

// sideTopics are read by the owner of a partition number beside orders.
func (c *Consumer) sideTopics() []string {
	t := c.cfg.Topics
	return []string{t.Replay, t.Retry10s, t.Retry2m, t.Waiting}
}

// source makes a source of a topic from where it goes on, or from its start if that is negative. What is committed is
// committed again, also if nothing comes.
func (c *Consumer) source(topic string, at int64) *source {
	s := &source{topic: topic, delay: c.cfg.Topics.Delay(topic), mark: watermark{next: at, any: at >= 0}}
	if topic == c.cfg.Topics.Waiting {
		s.room = &c.lanes.room
	}
	return s
}

// committed is where the group stands in the topics that it does not subscribe to, or negative. It blocks while Kafka is away.
func (c *Consumer) committed(ctx context.Context, number int32) (map[string]int64, error) {
	for {
		at := map[string]int64{}
		offsets, err := kadm.NewClient(c.side.Client).FetchOffsetsForTopics(ctx, c.cfg.Group, c.sideTopics()...)
		for _, topic := range c.sideTopics() {
			if o, ok := offsets.Lookup(topic, number); err == nil && ok && o.Err == nil {
				at[topic] = o.At
			}
		}
		if len(at) == len(c.sideTopics()) {
			return at, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
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
	c.finish(gone)
	if err := c.commit(ctx); err != nil {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "last commit missing: the next owner looks at finished orders again", slog.Any(telemetry.Error, err))
	}
	c.forget(gone)
}

// finish waits until nothing of these partitions is in hand, and abandons it when the drain time is over.
func (c *Consumer) finish(gone []*partition) {
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
func (c *Consumer) lost(numbers []int32) {
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
func (c *Consumer) offerSide(topic string, number int32, records []*kgo.Record) {
	if topic == c.cfg.Topics.Status {
		records = c.observe(number, records)
	}
	c.lanes.offer(topic, number, records)
}

// observe looks at what comes behind our claim in orders.status, and returns void states: their orders are put right in
// their lanes. A newer claim ends all work on the partition: the group has given it to another worker and we are about to
// hear of it, or there is a second group on these topics, which must not do everything twice.
func (c *Consumer) observe(number int32, records []*kgo.Record) (void []*kgo.Record) {
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
func (c *Consumer) drain(numbers []int32) []*partition {
	var gone []*partition
	for _, number := range numbers {
		if p := c.lanes.drain(number); p != nil {
			gone = append(gone, p)
			c.side.RemoveConsumePartitions(c.sideParts(number))
		}
	}
	return gone
}

func (c *Consumer) sideParts(number int32) map[string][]int32 {
	parts := map[string][]int32{c.cfg.Topics.Status: {number}}
	for _, topic := range c.sideTopics() {
		parts[topic] = []int32{number}
	}
	return parts
}

func (c *Consumer) forget(gone []*partition) {
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
