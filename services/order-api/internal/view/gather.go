package view

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Each batch has a transaction and a fetch, so a record costs less in a large one.
const (
	gatherFor   = 100 * time.Millisecond // how long records gather
	gatherAbove = 1_000                  // records a second
	gatherOver  = 100                    // records beyond that: a short burst does not gather
	fetchWithin = 10 * time.Millisecond  // how long the rest of what has gathered may take
)

// gather lets records gather for 100 ms while more than 1,000 a second arrive, unless a request needs one of
// them: until it is applied, or for something that is not known yet. A view that is catching up reads on at once.
// The zero value is ready for use.
type gather struct {
	// Owned by the goroutine of poll.
	polled time.Time // when it polled last
	excess float64   // records that have arrived beyond gatherAbove: a leaky bucket

	mu      sync.Mutex
	waiting int           // callers that wait for a record
	wake    chan struct{} // closed when there is one while records gather; else nil
}

// poll waits for records, and lets them gather.
func (g *gather) poll(ctx context.Context, cl *kgo.Client) kgo.Fetches {
	gathered := g.excess >= gatherOver && g.pause(ctx)
	fetches := cl.PollRecords(ctx, batchSize)
	if gathered { // the client had fetched before the pause: the next fetch has the rest
		fetches = append(fetches, g.rest(ctx, cl, batchSize-fetches.NumRecords())...)
	}
	now := time.Now()
	leaked := now.Sub(g.polled).Seconds() * gatherAbove
	g.excess, g.polled = min(max(0, g.excess-leaked)+float64(fetches.NumRecords()), 2*gatherOver), now
	if behind(fetches) {
		g.excess = 0
	}
	return fetches
}

// rest are at most so many records that are there at once.
func (*gather) rest(ctx context.Context, cl *kgo.Client, most int) kgo.Fetches {
	if most <= 0 || ctx.Err() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	fetches := cl.PollRecords(ctx, most)
	if err := ctx.Err(); err != nil && fetches.NumRecords() == 0 && errors.Is(fetches.Err0(), err) { // there is nothing
		return nil
	}
	return fetches
}

// behind reports whether partitions have more records than were fetched of them.
func behind(fetches kgo.Fetches) (more bool) {
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 && p.Records[n-1].Offset+1 < p.LastStableOffset {
			more = true
		}
	})
	return more
}

// pause waits for gatherFor, or until a request needs a record, or ctx is done. It reports true if it has waited.
func (g *gather) pause(ctx context.Context) bool {
	g.mu.Lock()
	if g.waiting > 0 {
		g.mu.Unlock()
		return false
	}
	wake := make(chan struct{})
	g.wake = wake
	g.mu.Unlock()
	timer := time.NewTimer(gatherFor)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
	return true
}

// hurry is called by one who waits for a record. Call the returned function after the wait.
func (g *gather) hurry() (done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting++
	if g.wake != nil {
		close(g.wake)
		g.wake = nil
	}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.waiting--
	}
}
