// Package lease tells whether this worker may still act as a member of its group.
//
// A worker that was suspended for long, or cut off, does not know that its partitions have a new
// owner: it continues in the middle of its work. So it checks its lease before every effect. The lease
// is held while the group's coordinator has answered a request that was sent less than the session
// timeout ago, less a margin: until then no other member can own the partitions.
//
// A lease that has run out is not renewed by the first answer, which may be "unknown member": by the
// time of the second one the client has reported the loss, and the work in flight is cancelled.
package lease

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrLapsed is the error of a guarded context while the lease has run out.
var ErrLapsed = errors.New("the lease has run out: the group has not answered for too long")

// margin is subtracted from the session timeout: for the clock of the coordinator, and for the effect
// that follows a check of the lease.
const margin = 2 * time.Second

// Lease is a hook of the group's client. It is safe for concurrent use.
type Lease struct {
	lasts time.Duration

	mu      sync.Mutex
	since   time.Time     // since when it has been held without a break; meaningless while it is not
	sent    time.Time     // when the request was sent that was answered last; zero before the first
	first   time.Time     // the same, of the first answer after the lease had run out; or zero
	renewed chan struct{} // closed, and replaced, at each renewal
}

// New returns a lease of a group with a session timeout. It is not held until the group has answered
// twice, which it does when a member joins.
func New(session time.Duration) *Lease {
	return &Lease{lasts: session - margin, renewed: make(chan struct{})}
}

// OnBrokerE2E is called by kgo after each request. The requests that keep a member in its group renew the lease.
func (l *Lease) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	switch kmsg.Key(key) {
	case kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.ConsumerGroupHeartbeat:
		if e2e.Err() == nil {
			l.Renew(time.Now().Add(-e2e.DurationE2E()))
		}
	}
}

// Renew notes that the group has confirmed the membership in answer to a request that was sent then.
func (l *Lease) Renew(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held() {
		if time.Since(l.first) >= l.lasts {
			l.first = sent
			return
		}
		l.since = time.Now()
	}
	l.sent, l.first = sent, time.Time{}
	close(l.renewed)
	l.renewed = make(chan struct{})
}

// held reports whether the lease is held now. It is called with mu held.
func (l *Lease) held() bool { return time.Since(l.sent) < l.lasts }

// Held is how long the lease has been held without a break, or zero if it is not held.
func (l *Lease) Held() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held() {
		return 0
	}
	// Not zero at the moment at which it begins.
	return max(1, time.Since(l.since))
}

// Left is how long the lease lasts unless it is renewed, or zero if it is not held.
func (l *Lease) Left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, l.lasts-time.Since(l.sent))
}

// Hold blocks until the lease is held, or returns the cause of the end of ctx. A nil lease is always held.
func (l *Lease) Hold(ctx context.Context) error {
	if l == nil {
		return nil
	}
	return l.wait(ctx, l.held)
}

// Confirm blocks until the group has answered two requests that were sent after the call: by then the
// client has reported every partition that was lost before it. It returns the cause of the end of ctx.
// A nil lease is always confirmed.
func (l *Lease) Confirm(ctx context.Context) error {
	if l == nil {
		return nil
	}
	after, answers := time.Now(), 0
	return l.wait(ctx, func() bool {
		if l.sent.After(after) {
			after = l.sent
			answers++
		}
		return answers == 2
	})
}

// wait blocks until a condition holds, which can change at each renewal and is checked with mu held.
func (l *Lease) wait(ctx context.Context, condition func() bool) error {
	for {
		l.mu.Lock()
		met, renewed := condition(), l.renewed
		l.mu.Unlock()
		if met {
			return nil
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Guard returns a context whose Err is ErrLapsed whenever the lease has run out. Its Done does not
// show that: check Err at the last moment before an effect. A nil lease guards nothing.
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

// Err is that of the inner context, or else ErrLapsed if the lease is not held now.
func (g guarded) Err() error {
	if err := g.Context.Err(); err != nil {
		return err
	}
	if g.lease.Held() == 0 {
		return ErrLapsed
	}
	return nil
}
