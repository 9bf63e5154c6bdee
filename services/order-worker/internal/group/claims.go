package group

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/partition"
	"example.com/orders/shared/status"
	"example.com/orders/shared/wire"
)

// A partition that is claimed again and again is claimed back later each time, so that two groups
// that do not see each other, for lack of permission, do not claim in turns without end. After
// claimsForgotten without a claim the count starts again.
const (
	claimPauseMost  = time.Minute
	claimsForgotten = 10 * time.Minute
)

// claimed is why a partition is blocked: orders.status has a newer claim than ours.
type claimed struct{ group, worker string }

// Error names who has claimed the partition.
func (c *claimed) Error() string {
	if c.group == "" {
		return fmt.Sprintf("claimed by another member: %q", c.worker)
	}
	return fmt.Sprintf("claimed by another member: %q of group %q", c.worker, c.group)
}

// claims reads orders.status behind our claims, and yields partitions that another member has claimed.
type claims struct {
	*core
	releaser *releaser
	restorer *restorer
	rivals   rivals
}

// offer offers what was fetched of orders.status, as far as there is work to do on it.
func (c *claims) offer(topic string, number int32, records []*kgo.Record) {
	defer c.scheduler.Read(topic, number, records[len(records)-1])
	c.scheduler.Offer(topic, number, c.judge(number, records))
}

// judge returns the stale states and tombstones: their orders are repaired, or forgotten, in their lanes.
func (c *claims) judge(number int32, records []*kgo.Record) (stale []*kgo.Record) {
	a := c.owner(number)
	if a == nil {
		return nil
	}
	l := a.opened()
	if l == nil {
		return nil
	}
	for _, r := range records {
		switch l.Judge(r) {
		case status.Current: // ours: the ledger wrote it
		case status.Stale, status.Erased:
			stale = append(stale, r)
		case status.Claim:
			claim := wire.ReadClaim(r)
			c.yield(a, &claimed{claim.Group, claim.Worker})
			return nil
		}
	}
	return stale
}

// yield ends all work on a partition at once: from a newer claim on, what this worker writes is stale
// for every reader. To our group the partition is still assigned: it is blocked until it is claimed back.
func (c *claims) yield(a *assignment, by *claimed) {
	c.mu.Lock()
	if a.State() == partition.Blocked { // its ledger is stale, whatever it was blocked by
		a.Set(partition.Restoring, by)
	}
	ours := a.Set(partition.Blocked, by)
	c.mu.Unlock()
	if !ours { // it drains
		c.releaser.drop([]*assignment{a})
		return
	}
	abandon([]*assignment{a}, errLost)
	c.releaser.stopWork(a)
	pause := c.pause(a, by)
	c.log(a.ctx, slog.LevelWarn, "partition blocked by a newer claim: claimed again when no other group works on it", a.Number(), by)
	c.start(a, func() { c.reclaim(a, by, pause) }, c.announce)
}

// pause is how long a partition stays blocked at least.
func (c *claims) pause(a *assignment, by *claimed) time.Duration {
	if time.Since(a.claimed) > claimsForgotten {
		a.claims = 0
	}
	pause := time.Duration(a.claims) * c.session
	a.claimed, a.claims = time.Now(), a.claims+1
	if by.group != c.cfg.Group {
		pause += c.session // then the lease of a member that was killed has run out
	}
	return min(pause, claimPauseMost)
}

// reclaim restores a partition that was claimed by another member: once our group has confirmed that
// it is still assigned, and no other group works on the same topics.
func (c *claims) reclaim(a *assignment, by *claimed, pause time.Duration) {
	c.restorer.blocked(a, position{topic: c.cfg.Topics.Orders}, by)
	c.announce()
	if !sleep(a.ctx, pause) || !c.rivals.gone(a.ctx, a.Number(), by) || c.cfg.Ledger.Lease.Confirm(a.ctx) != nil {
		return
	}
	c.restorer.restore(a)
}
