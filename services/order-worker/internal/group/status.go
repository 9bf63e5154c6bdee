package group

import (
	"errors"
	"slices"
	"time"

	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/services/order-worker/internal/partition"
	"example.com/orders/shared/kafka"
)

// Partitions returns the state of all assigned partitions, by number. It may be called at any time.
func (c *core) Partitions() (all []partition.Status) {
	for _, a := range c.all() {
		p := a.Status()
		if c.owner(p.Number) != a { // it waits for an earlier assignment that still drains
			continue
		}
		// While Kafka is away orders wait for it. That ends with the lease, and a new process would not help.
		p.Oldest = min(p.Oldest, c.cfg.Ledger.Lease.Held())
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b partition.Status) int { return int(a.Number - b.Number) })
	return all
}

// Lease is how long the membership lasts unless the group confirms it, or zero if it may have ended. It
// may be called once Config.Assigned was.
func (c *core) Lease() time.Duration { return c.cfg.Ledger.Lease.Left() }

// Gauges is what metrics show of all assigned partitions. It may be called at any time.
func (c *core) Gauges() (all []metrics.Partition) {
	for _, p := range c.Partitions() {
		g := metrics.Partition{Number: p.Number, State: string(p.State), InFlight: p.InFlight, Queued: c.scheduler.Queued(p.Number), Oldest: p.Oldest}
		if p.Blocked != nil {
			g.Reason = cause(p.Blocked)
		}
		if bad, ok := errors.AsType[*kafka.UnreadableError](p.Blocked); ok {
			g.Unreadable = &metrics.Batch{Topic: bad.Topic, Offset: bad.From}
		}
		all = append(all, g)
	}
	return all
}

// cause is why a partition is blocked, as one word of a closed list.
func cause(err error) string {
	if _, ok := errors.AsType[*claimed](err); ok {
		return "claimed" // by another member
	}
	if _, ok := errors.AsType[*loss](err); ok {
		return "lost" // records that were not finished
	}
	if _, ok := errors.AsType[*kafka.Repartitioned](err); ok {
		return "repartitioned" // partitions were added while this ran
	}
	switch kafka.Classify(err) {
	case kafka.Unreadable:
		return "unreadable" // a batch
	case kafka.Away:
		return "newer" // a record that this version cannot handle
	}
	return "refused" // Kafka does not return what an order needs, or does not accept it
}
