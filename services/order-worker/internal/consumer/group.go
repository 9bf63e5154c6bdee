package consumer

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
)

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
		c.untake(number)
		if p := c.lanes.drain(number); p != nil {
			gone = append(gone, p)
			c.stopReading(number, c.sources()[1:]...)
		}
	}
	return gone
}

// stopReading ends what the second client reads of a partition number.
func (c *Consumer) stopReading(number int32, topics ...string) {
	parts := map[string][]int32{}
	for _, topic := range topics {
		parts[topic] = []int32{number}
	}
	c.side.RemoveConsumePartitions(parts)
}

func (c *Consumer) forget(gone []*partition) {
	for _, p := range gone {
		if n := c.lanes.remove(p); n > 0 {
			c.cfg.Log.Warn("orders abandoned", telemetry.Partition, p.number, telemetry.Count, n)
		}
		c.stopReading(p.number, c.cfg.Topics.Status)
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
