package consumer

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

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
	if idle(gone, c.cfg.Drain) {
		return
	}
	for _, p := range gone {
		p.abandon(errDrained)
	}
	for _, p := range gone {
		<-p.idle
	}
}

// idle waits until nothing of these partitions is in hand, or reports false if that takes too long.
func idle(gone []*partition, patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, p := range gone {
		select {
		case <-p.idle:
		case <-timer.C:
			return false
		}
	}
	return true
}

// lost drops partitions because the client has given its membership up. With one broker a refused connection is enough for
// that, long before they can belong to somebody else: so what is in hand may end while the group knows us, or while the
// lease is held if it does not answer. What is left then must not have another effect. Nothing is committed.
func (c *Consumer) lost(ctx context.Context, numbers []int32) {
	gone := c.drain(numbers)
	for until := time.Now().Add(c.cfg.Drain); len(gone) > 0 && time.Now().Before(until) && c.known(ctx); {
		if idle(gone, heartbeat) {
			break
		}
	}
	c.abandon(gone)
}

// known asks the group's coordinator whether it still knows us, which renews the lease. If it does not answer, the lease decides.
func (c *Consumer) known(ctx context.Context) bool {
	if c.cfg.Protocol == brokered {
		return false // its client gives up only when it is told to
	}
	ctx, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	question := kmsg.NewPtrHeartbeatRequest()
	question.Group = c.cfg.Group
	question.MemberID, question.Generation = c.group.GroupMetadata()
	answer, err := question.RequestWith(ctx, c.group.Client)
	if err == nil {
		err = kerr.ErrorForCode(answer.ErrorCode)
	}
	if refusal, ok := errors.AsType[*kerr.Error](err); ok && !refusal.Retriable && refusal != kerr.RebalanceInProgress {
		return false
	}
	return c.cfg.Ledger.Lease.Held() > 0
}

// abandon drops partitions that belong to somebody else: nothing of what is in hand has another effect, and nothing is committed.
func (c *Consumer) abandon(gone []*partition) {
	if len(gone) == 0 {
		return
	}
	for _, p := range gone {
		p.abandon(errLost)
	}
	c.forget(gone)
	for _, p := range gone {
		<-p.idle
	}
}

// drain begins nothing more of these partitions and returns those that are owned.
func (c *Consumer) drain(numbers []int32) []*partition {
	var gone []*partition
	for _, number := range numbers {
		c.untake(number)
		if p := c.lanes.drain(number); p != nil {
			gone = append(gone, p)
			c.stopReading(number, c.sources()...)
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

// forget lets go of partitions. One may be let go of twice: by the group, and because of another's claim.
func (c *Consumer) forget(gone []*partition) {
	// A commit that has begun ends before we are in the group again: the broker must not take it for one of a new member.
	c.commits <- struct{}{}
	for _, p := range gone {
		unfinished, removed := c.lanes.remove(p)
		if !removed {
			continue
		}
		if unfinished > 0 {
			c.cfg.Log.Warn("orders abandoned", telemetry.Partition, p.number, telemetry.Count, unfinished)
		}
		c.stopReading(p.number, c.cfg.Topics.Status)
		p.abandon(errLost) // frees the context
	}
	<-c.commits
	c.announce()
}
