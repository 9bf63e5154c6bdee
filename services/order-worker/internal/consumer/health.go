package consumer

import (
	"errors"
	"slices"
	"time"
)

// Partition is how an owned partition fares.
type Partition struct {
	Number int32
	Orders int           // in hand
	Oldest time.Duration // how long the oldest of them has been in hand while the group was heard of; zero if there is none
	Held   error         // why nothing of it is begun any more; or nil
}

// Cause is why a partition is blocked, in one word of a closed list: claimed (by another member), lost (records), refused (a
// record that this version cannot handle); or empty.
func (p *Partition) Cause() string {
	if p.Held == nil {
		return ""
	}
	if _, ok := errors.AsType[*claimed](p.Held); ok {
		return "claimed"
	}
	if _, ok := errors.AsType[*loss](p.Held); ok {
		return "lost"
	}
	return "refused"
}

// Blocked are the owned partitions that are not worked on, each with its cause.
func (c *Consumer) Blocked() map[int32]string {
	blocked := map[int32]string{}
	for _, p := range c.Partitions() {
		if p.Held != nil {
			blocked[p.Number] = p.Cause()
		}
	}
	return blocked
}

// Hands are how many orders of all partitions are in hand, and for how long the oldest has been.
func (c *Consumer) Hands() (orders int, oldest time.Duration) {
	for _, p := range c.Partitions() {
		orders, oldest = orders+p.Orders, max(oldest, p.Oldest)
	}
	return orders, oldest
}

// Partitions are those that this member owns, by number. It may be called at any time.
func (c *Consumer) Partitions() []Partition {
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
