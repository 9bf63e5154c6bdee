// Package partition provides the lifecycle of a partition that is assigned to this worker.
//
//	assigned ──▶ restoring ──▶ running
//	                 │ ▲          │
//	                 ▼ │          │
//	               blocked ◀──────┘       each of these ──▶ draining ──▶ released
//
// Set is the only method that changes the state. It refuses what the list of transitions does not
// contain, so concurrent reasons to change a partition (a rebalance, a newer claim, an unreadable
// batch) need no order between them: the first one wins. Orders begin in the state running only.
package partition

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/shared/telemetry"
)

// State is a stage in the life of an assignment. The texts appear in logs, metrics and health checks.
type State string

// The states.
const (
	Assigned  State = "assigned"  // by the group; an earlier assignment of the same partition may still be draining
	Restoring State = "restoring" // its start positions are being looked up, and its ledger is being restored
	Running   State = "running"   // records are worked on
	Blocked   State = "blocked"   // no order begins until the reason is gone
	Draining  State = "draining"  // no order begins any more; orders in flight may end
	Released  State = "released"  // another worker may own the partition
)

// next lists the transitions.
var next = map[State][]State{
	Assigned:  {Restoring, Draining},
	Restoring: {Running, Blocked, Draining},
	Running:   {Blocked, Draining},
	Blocked:   {Restoring, Draining},
	Draining:  {Released},
}

// Partition is one assignment of a partition number, over all topics. It is safe for concurrent use.
type Partition struct {
	number int32
	meter  *metrics.Meter
	log    *slog.Logger

	draining chan struct{} // closed in the state draining
	released chan struct{} // closed in the state released

	mu      sync.Mutex
	state   State
	reason  error // of the last change; or nil
	blocked error
	flights map[*time.Time]struct{}
	landed  chan struct{} // closed when the last order in flight ends; nil unless somebody waits for that
}

// New returns a partition that was assigned.
func New(number int32, meter *metrics.Meter, log *slog.Logger) *Partition {
	meter.Partition(string(Assigned))
	return &Partition{
		number: number, meter: meter, log: log, state: Assigned, flights: map[*time.Time]struct{}{},
		draining: make(chan struct{}), released: make(chan struct{}),
	}
}

// Number is the partition number.
func (p *Partition) Number() int32 { return p.number }

// Set changes the state, logs and counts it, and reports whether the change is a transition. The
// reason may be nil, but not of a partition that is blocked.
func (p *Partition) Set(to State, reason error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(next[p.state], to) {
		return false
	}
	from := p.state
	p.state, p.reason = to, reason
	switch to {
	case Blocked:
		p.blocked = reason
	case Running:
		p.blocked = nil
	case Draining:
		close(p.draining)
	case Released:
		close(p.released)
	}
	p.meter.Partition(string(to))
	attrs := []slog.Attr{slog.Int(telemetry.Partition, int(p.number)), slog.String(telemetry.Was, string(from)), slog.String(telemetry.State, string(to))}
	if reason != nil {
		attrs = append(attrs, slog.String(telemetry.Reason, reason.Error()))
	}
	p.log.LogAttrs(context.Background(), slog.LevelInfo, "partition state changed", attrs...)
	return true
}

// State is the state now.
func (p *Partition) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Blocked is why no order begins, or nil. A blocked partition keeps its reason until it runs again,
// also while it drains.
func (p *Partition) Blocked() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.blocked
}

// Draining is closed when the partition begins to drain: work that only waits gives up.
func (p *Partition) Draining() <-chan struct{} { return p.draining }

// Released is closed when the partition is released.
func (p *Partition) Released() <-chan struct{} { return p.released }

// Begin counts an order in flight, and returns what ends it; nil unless the partition is running.
func (p *Partition) Begin() (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != Running {
		return nil
	}
	since := time.Now()
	p.flights[&since] = struct{}{}
	return func() { p.end(&since) }
}

func (p *Partition) end(flight *time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.flights, flight)
	if len(p.flights) == 0 && p.landed != nil {
		close(p.landed)
		p.landed = nil
	}
}

// Idle is closed when no order is in flight.
func (p *Partition) Idle() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.flights) > 0 {
		if p.landed == nil {
			p.landed = make(chan struct{})
		}
		return p.landed
	}
	idle := make(chan struct{})
	close(idle)
	return idle
}

// Status is what a partition shows of itself.
type Status struct {
	Number   int32
	State    State
	Reason   error         // of the last change of the state; or nil
	Blocked  error         // why no order begins; or nil
	InFlight int           // orders
	Oldest   time.Duration // how long the oldest of them has been in flight; zero if there is none
}

// Status returns a snapshot.
func (p *Partition) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{Number: p.number, State: p.state, Reason: p.reason, Blocked: p.blocked, InFlight: len(p.flights)}
	for since := range p.flights {
		s.Oldest = max(s.Oldest, time.Since(*since))
	}
	return s
}
