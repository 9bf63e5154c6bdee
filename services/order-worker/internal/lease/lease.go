// Package lease knows whether this worker may still act as a member of its group.
//
// A worker that was stopped for long, or cut off, does not know that its partitions have a new owner: it wakes in the
// middle of what it was doing. So before every effect it looks at its lease, which is the time since the group's
// coordinator last answered it, measured from when the question was sent. While that is younger than the session
// time-out less a margin, nobody else can have been given its partitions.
//
// A lease that has run out is not renewed by the first answer, which may be "unknown member": by the time of the second
// one the client has told of the loss, and the work in hand is cancelled.
package lease

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrLapsed is what a guarded context says while the lease has run out.
var ErrLapsed = errors.New("the lease has run out: the group has not answered for too long")

// margin is taken off the session time-out: for the clock of the coordinator, and for the effect that follows a look at the lease.
const margin = 2 * time.Second

// Lease is a hook of the group's client. It is safe for concurrent use.
type Lease struct {
	lasts time.Duration

	mu      sync.Mutex
	since   time.Time     // from when on it has been held without a break; meaningless while it is not
	heard   time.Time     // when the question was sent that was answered last; zero before the first
	again   time.Time     // the same, of the first answer after the lease had run out; or zero
	renewed chan struct{} // closed, and made anew, at each renewal
}

// New returns a lease of a group with a session time-out. It has run out until the group has answered twice, which it does when a member joins.
func New(session time.Duration) *Lease {
	return &Lease{lasts: session - margin, renewed: make(chan struct{})}
}

// OnBrokerE2E is called by kgo after each request: those by which a coordinator hears from a member renew the lease.
func (l *Lease) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	switch kmsg.Key(key) {
	case kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.ConsumerGroupHeartbeat:
		if e2e.Err() == nil {
			l.answered(time.Now().Add(-e2e.DurationE2E()))
		}
	}
}

func (l *Lease) answered(asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.heard) >= l.lasts {
		if time.Since(l.again) >= l.lasts {
			l.again = asked
			return
		}
		l.since = time.Now()
	}
	l.heard, l.again = asked, time.Time{}
	close(l.renewed)
	l.renewed = make(chan struct{})
}

// held says whether the lease is held now, and what is closed when it is renewed.
func (l *Lease) held() (bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.heard) < l.lasts, l.renewed
}

// Held is for how long the lease has been held without a break, or zero if it is not held.
func (l *Lease) Held() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.heard) >= l.lasts {
		return 0
	}
	// Not zero in the moment in which it begins.
	return max(1, time.Since(l.since))
}

// Hold blocks until the lease is held, or returns the cause of the end of ctx. A nil lease is always held.
func (l *Lease) Hold(ctx context.Context) error {
	for l != nil {
		held, renewed := l.held()
		if held {
			return nil
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Confirm blocks until the group has answered two questions that were asked after the call: by then the client has told of
// every partition that was lost before it. It returns the cause of the end of ctx. A nil lease is always confirmed.
func (l *Lease) Confirm(ctx context.Context) error {
	if l == nil {
		return nil
	}
	after := time.Now()
	for answers := 0; answers < 2; {
		l.mu.Lock()
		heard, renewed := l.heard, l.renewed
		l.mu.Unlock()
		if heard.After(after) {
			after = heard
			answers++
			continue
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Guard returns a context whose Err is ErrLapsed whenever the lease has run out. Its Done does not tell: whoever is about
// to have an effect asks Err, at the last moment. A nil lease guards nothing.
func (l *Lease) Guard(ctx context.Context) context.Context {
	if l == nil {
		return ctx
	}
	return guarded{ctx, l}
}

type guarded struct {
	context.Context //nolint:containedctx // it is one itself
	lease           *Lease
}

// Err is that of the context within, else what the lease says now.
func (g guarded) Err() error {
	if err := g.Context.Err(); err != nil {
		return err
	}
	if held, _ := g.lease.held(); !held {
		return ErrLapsed
	}
	return nil
}
