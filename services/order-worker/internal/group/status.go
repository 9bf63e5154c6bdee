package group

import (
	"errors"
	"slices"
	"time"

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

// InFlight is how many orders of all partitions are in flight, and for how long the oldest has been.
func (c *core) InFlight() (orders int, oldest time.Duration) {
	for _, p := range c.Partitions() {
		orders, oldest = orders+p.InFlight, max(oldest, p.Oldest)
	}
	return orders, oldest
}

// States says the state of each assigned partition, and why it is blocked, as one word of a closed list.
func (c *core) States(say func(number int32, state, reason string)) {
	for _, p := range c.Partitions() {
		reason := ""
		if p.Blocked != nil {
			reason = cause(p.Blocked)
		}
		say(p.Number, string(p.State), reason)
	}
}

// Unreadable says which batches block partitions because they cannot be read.
func (c *core) Unreadable(say func(topic string, partition int32, offset int64)) {
	for _, p := range c.Partitions() {
		if bad, ok := errors.AsType[*kafka.UnreadableError](p.Blocked); ok {
			say(bad.Topic, bad.Partition, bad.From)
		}
	}
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
