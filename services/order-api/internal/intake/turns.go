package intake

import (
	"sync"
	"time"
)

// turnOf is how long a partition gets all orders without a key, while records are gathered.
const turnOf = 5 * time.Millisecond

// turns chooses the partitions of orders without a key: each has its turn, one after the other. A turn is one
// order, or all of 5 ms while kafka.Gather is busy: then a batch has many orders, and costs client, broker and
// consumers little more than one with a single order. The zero value is ready for use.
type turns struct {
	mu   sync.Mutex
	now  int32
	ends time.Time // of the turn
}

// partition returns the partition for an order, of so many. It leaves out those that are not usable, unless none is.
func (t *turns) partition(partitions int, busy bool, usable func(int32) bool) int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if busy && time.Now().Before(t.ends) {
		return t.now
	}
	t.ends = time.Now().Add(turnOf)
	for range partitions {
		t.now = (t.now + 1) % int32(partitions)
		if usable(t.now) {
			break
		}
	}
	return t.now
}
