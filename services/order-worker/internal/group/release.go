package group

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/telemetry"
)

// brief is how long a rebalance waits for partitions that drain. What takes longer is handed over by a rebalance of its own.
const brief = time.Second

// revoked gives partitions back. Once it returns, another worker may own those that are not claimed by the balancer's
// metadata any more: drained, committed and forgotten.
func (c *Member) revoked(ctx context.Context, numbers []int32) {
	until := time.Now().Add(c.cfg.Drain)
	busy := c.release(ctx, c.drain(numbers), until)
	if len(busy) > 0 {
		c.drains.Go(func() { c.handOver(ctx, busy, until) })
	}
}

// handOver waits until partitions are idle, and gives each to the group when it is.
func (c *Member) handOver(ctx context.Context, busy []*partition, until time.Time) {
	for len(busy) > 0 {
		if c.leaving.Load() {
			c.group.ForceRebalance()
		}
		left := c.release(ctx, busy, until)
		if len(left) < len(busy) {
			c.group.ForceRebalance()
		}
		busy = left
	}
}

// release commits and forgets those of the draining partitions that are idle soon, and returns the others: they stay ours. When
// the drain time is over, what is in flight is abandoned. The brokers' protocol has no way to say that a revoked partition is
// still ours, so there it waits for all.
func (c *Member) release(ctx context.Context, gone []*partition, until time.Time) (busy []*partition) {
	if len(gone) == 0 {
		return nil
	}
	patience := time.Until(until)
	if c.cfg.Protocol != brokered {
		patience = min(patience, brief)
	}
	if !idle(gone, patience) && time.Now().Before(until) {
		gone, busy = part(gone)
	} else {
		finish(gone)
	}
	if len(gone) == 0 {
		return busy
	}
	if err := c.commit(ctx); err != nil {
		c.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "last commit missing: the next owner looks at finished orders again", slog.Any(telemetry.Error, err))
		if c.leaving.Load() {
			return busy // Kafka is away: the end of the membership gives them up
		}
	}
	c.forget(gone)
	return busy
}

// part tells the partitions of which nothing is in flight from the others.
func part(gone []*partition) (done, busy []*partition) {
	for _, p := range gone {
		select {
		case <-p.idle:
			done = append(done, p)
		default:
			busy = append(busy, p)
		}
	}
	return done, busy
}

// finish abandons what is still in flight, and returns when that has ended.
func finish(gone []*partition) {
	for _, p := range gone {
		select {
		case <-p.idle:
		default:
			p.abandon(errDrained)
		}
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
func (c *Member) lost(ctx context.Context) {
	gone := c.drain(c.numbers()) // those that drain are lost with the membership, too
	for until := time.Now().Add(c.cfg.Drain); len(gone) > 0 && time.Now().Before(until) && c.known(ctx); {
		if idle(gone, heartbeat) {
			break
		}
	}
	c.abandon(gone)
}

// known asks the group's coordinator whether it still knows us, which renews the lease. If it does not answer, the lease decides.
func (c *Member) known(ctx context.Context) bool {
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
func (c *Member) abandon(gone []*partition) {
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
func (c *Member) drain(numbers []int32) []*partition {
	for _, number := range numbers {
		c.untake(number)
	}
	return c.halt(numbers)
}

// halt is drain for partitions that stay assigned.
func (c *Member) halt(numbers []int32) []*partition {
	var gone []*partition
	for _, number := range numbers {
		if p := c.lanes.drain(number); p != nil {
			gone = append(gone, p)
			c.stopReading(number, c.sources()...)
		}
	}
	return gone
}

// numbers are all partition numbers that are owned, or about to be.
func (c *Member) numbers() []int32 {
	numbers := c.lanes.numbers()
	c.mu.Lock()
	defer c.mu.Unlock()
	for number := range c.taken {
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// stopReading ends what the second client reads of a partition number.
func (c *Member) stopReading(number int32, topics ...string) {
	parts := map[string][]int32{}
	for _, topic := range topics {
		parts[topic] = []int32{number}
	}
	c.side.RemoveConsumePartitions(parts)
}

// forget lets go of partitions. One may be let go of twice: by the group, and because of another's claim.
func (c *Member) forget(gone []*partition) {
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
