package group

import (
	"errors"
	"slices"
	"time"

	"example.com/orders/shared/kafka"
)

// Partition is how an owned partition fares.
type Partition struct {
	Number int32
	Orders int           // in hand
	Oldest time.Duration // how long the oldest of them has been in hand while the group was heard of; zero if there is none
	Held   error         // why nothing of it is begun any more; or nil
}

// Blocked are the owned partitions that are not worked on, each with its cause.
func (c *Member) Blocked() map[int32]string {
	blocked := map[int32]string{}
	for _, p := range c.Partitions() {
		if p.Held != nil {
			blocked[p.Number] = cause(p.Held)
		}
	}
	return blocked
}

// cause is why a partition is blocked, in one word of a closed list.
func cause(err error) string {
	if _, ok := errors.AsType[*claimed](err); ok {
		return "claimed" // by another member
	}
	if _, ok := errors.AsType[*loss](err); ok {
		return "lost" // records that nobody has finished
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
	return "refused" // Kafka does not give what an order needs, or does not take it
}

// Hands are how many orders of all partitions are in hand, and for how long the oldest has been.
func (c *Member) Hands() (orders int, oldest time.Duration) {
	for _, p := range c.Partitions() {
		orders, oldest = orders+p.Orders, max(oldest, p.Oldest)
	}
	return orders, oldest
}

// Partitions are those that this member owns, by number. It may be called at any time.
func (c *Member) Partitions() []Partition {
	all := c.lanes.fare()
	for i := range all {
		// While Kafka is away orders wait for it. That is not the fault of a lane, and ends with the lease.
		all[i].Oldest = min(all[i].Oldest, c.cfg.Ledger.Lease.Held())
	}
	return all
}

func (l *lanes) fare() []Partition {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Partition
	for _, p := range l.owned {
		f := Partition{Number: p.number, Orders: len(p.inHand), Held: p.held}
		for _, since := range p.inHand {
			f.Oldest = max(f.Oldest, time.Since(since))
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b Partition) int { return int(a.Number - b.Number) })
	return all
}
