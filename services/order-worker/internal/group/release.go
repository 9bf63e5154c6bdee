package group

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/telemetry"
)

// brief is how long a rebalance waits for partitions that drain. A partition that takes longer is
// handed over by a rebalance of its own.
const brief = time.Second

// releaser drains partitions and releases them.
type releaser struct {
	*core
	commits *committer
	drains  sync.WaitGroup // of handOver
}

// revoked gives partitions back. Once it returns, another worker may own them, unless the metadata
// of the balancer still claims them: those are handed over when they are idle.
func (r *releaser) revoked(ctx context.Context, numbers []int32, reason error) {
	until := time.Now().Add(r.cfg.Drain)
	var gone []*assignment
	for _, a := range r.all() {
		if slices.Contains(numbers, a.Number()) {
			gone = append(gone, a)
		}
	}
	busy := r.releaseIdle(ctx, r.drain(gone, reason), until)
	if len(busy) > 0 {
		r.drains.Go(func() { r.handOver(ctx, busy, until) })
	}
}

// leave drains all partitions, and hands each over when it is idle, while the member still sends
// heartbeats: a member that leaves the group sends none, and would lose its partitions with orders in flight.
func (r *releaser) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Drain+brief)
	defer cancel()
	r.leaving.Store(true)
	until := time.Now().Add(r.cfg.Drain)
	r.handOver(ctx, r.releaseIdle(ctx, r.drain(r.all(), errLeaving), until), until)
}

// lost drops all partitions because the client has given its membership up. With one broker a
// refused connection is enough for that, long before they can belong to another worker: so orders
// in flight may end while the group knows the member, or while the lease is held if the group does
// not answer. After that they must not have another effect. Nothing is committed.
func (r *releaser) lost(ctx context.Context) {
	gone := r.drain(r.all(), errMembership) // those that drain already are lost, too
	for until := time.Now().Add(r.cfg.Drain); len(gone) > 0 && time.Now().Before(until) && r.known(ctx); {
		if _, busy := wait(gone, heartbeat); len(busy) == 0 {
			break
		}
	}
	r.drop(gone)
}

// drain begins nothing more of these partitions, and returns those that the scheduler knows.
func (r *releaser) drain(all []*assignment, reason error) (gone []*assignment) {
	for _, a := range all {
		r.end(a, reason)
		if a.work.Load() == nil {
			r.release(a)
			continue
		}
		r.stopReading(a.Number())
		gone = append(gone, a)
	}
	return gone
}

// handOver waits until partitions are idle, and releases each when it is.
func (r *releaser) handOver(ctx context.Context, busy []*assignment, until time.Time) {
	for len(busy) > 0 {
		if r.leaving.Load() {
			r.group.ForceRebalance()
		}
		left := r.releaseIdle(ctx, busy, until)
		if len(left) < len(busy) {
			r.group.ForceRebalance()
		}
		busy = left
	}
}

// releaseIdle commits and releases those of the draining partitions that are idle soon, and returns
// the others. When the grace period is over, orders in flight are abandoned. The brokers' protocol
// has no way to say that a revoked partition is still claimed, so there it waits for all.
func (r *releaser) releaseIdle(ctx context.Context, gone []*assignment, until time.Time) (busy []*assignment) {
	if len(gone) == 0 {
		return nil
	}
	patience := time.Until(until)
	if r.cfg.Protocol != brokered {
		patience = min(patience, brief)
	}
	idle, busy := wait(gone, patience)
	if !time.Now().Before(until) {
		abandon(busy, errDrained)
		idle, busy = gone, nil
	}
	if len(idle) == 0 {
		return busy
	}
	if err := r.commits.commit(ctx); err != nil {
		r.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "last commit failed: the next owner looks at finished orders again", slog.Any(telemetry.Error, err))
		if r.leaving.Load() {
			return busy // Kafka is away: the end of the membership releases them
		}
	}
	r.forget(idle)
	return busy
}

// known asks the group's coordinator whether it still knows the member, which renews the lease. If it
// does not answer, the lease decides. The second client asks: each answer to the group's client would
// renew the lease, also that the member is unknown.
func (r *releaser) known(ctx context.Context) bool {
	if r.cfg.Protocol == brokered {
		return false // its client gives up only when it is told to
	}
	ctx, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	question := kmsg.NewPtrHeartbeatRequest()
	question.Group = r.cfg.Group
	question.MemberID, question.Generation = r.group.GroupMetadata()
	sent := time.Now()
	answer, err := question.RequestWith(ctx, r.side.Client)
	if err == nil {
		err = kerr.ErrorForCode(answer.ErrorCode)
	}
	refusal, ok := errors.AsType[*kerr.Error](err)
	switch {
	case err == nil, refusal == kerr.RebalanceInProgress:
		r.cfg.Ledger.Lease.Renew(sent)
	case ok && !refusal.Retriable:
		return false
	}
	return r.cfg.Ledger.Lease.Held() > 0
}

// drop releases partitions that belong to other workers: no order in flight has another effect, and
// nothing is committed.
func (r *releaser) drop(gone []*assignment) {
	if len(gone) > 0 {
		abandon(gone, errLost)
		r.forget(gone)
	}
}

// forget releases partitions that are idle. A partition may be released twice: by the group, and
// because of another member's claim.
func (r *releaser) forget(gone []*assignment) {
	r.stopWork(gone...)
	for _, a := range gone {
		r.release(a)
	}
	r.announce()
}

// stopWork has the scheduler forget partitions, between two commits: the broker must not take a
// commit that has begun for one of a new member.
func (r *releaser) stopWork(gone ...*assignment) {
	r.commits.exclude(func() {
		for _, a := range gone {
			if r.unschedule(a) {
				r.stopReading(a.Number())
				r.tail.RemoveConsumePartitions(map[string][]int32{r.cfg.Topics.Status: {a.Number()}})
			}
		}
	})
}

// abandon ends orders in flight before their next effect, and returns when they have ended.
func abandon(gone []*assignment, cause error) {
	for _, a := range gone {
		if w := a.work.Load(); w != nil {
			w.abandon(cause)
		}
	}
	for _, a := range gone {
		<-a.Idle()
	}
}

// stopReading ends what the second client reads of a partition number.
func (r *releaser) stopReading(number int32) {
	parts := map[string][]int32{}
	for _, topic := range r.sources() {
		parts[topic] = []int32{number}
	}
	r.side.RemoveConsumePartitions(parts)
}

// wait waits until no order of these partitions is in flight, but no longer than its patience.
func wait(gone []*assignment, patience time.Duration) (idle, busy []*assignment) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, a := range gone {
		select {
		case <-a.Idle():
		case <-ctx.Done():
		}
		if a.Status().InFlight == 0 {
			idle = append(idle, a)
		} else {
			busy = append(busy, a)
		}
	}
	return idle, busy
}
