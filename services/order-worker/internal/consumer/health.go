package consumer

import (
	"slices"
	"time"
)

// Partition is how an owned partition fares.
type Partition struct {
	Number int32
	InHand time.Duration // how long its oldest order has been in hand while the group was heard of; zero if there is none
	Held   error         // why nothing of it is begun any more; or nil
}

// Partitions are those that this member owns, by number. It may be called at any time.
func (c *Consumer) Partitions() []Partition {
	all := c.lanes.fare()
	for i := range all {
		// While Kafka is away orders wait for it. That is not the fault of a lane, and ends with the lease.
		all[i].InHand = min(all[i].InHand, c.cfg.Ledger.Lease.Held())
	}
	return all
}

func (l *lanes) fare() []Partition {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Partition
	for _, p := range l.owned {
		f := Partition{Number: p.number, Held: p.held}
		for _, since := range p.inHand {
			f.InHand = max(f.InHand, time.Since(since))
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b Partition) int { return int(a.Number - b.Number) })
	return all
}
