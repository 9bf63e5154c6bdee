package view

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"

	"example.com/orders/shared/telemetry"
)

// phase is where a store is in its lifecycle.
type phase string

const (
	opening    phase = "opening"    // nothing of it is known yet
	ready      phase = "ready"      // it has everything that was applied before
	damaged    phase = "damaged"    // it must be reset
	rebuilding phase = "rebuilding" // it was reset, and has not everything yet that was applied before
)

// transitions are the phases that may follow each phase.
var transitions = map[phase][]phase{
	opening:    {ready, damaged},
	ready:      {damaged},
	damaged:    {rebuilding},
	rebuilding: {ready, damaged},
}

// lifecycle is the phase of the store, and why it cannot be used at the moment.
type lifecycle struct {
	log *slog.Logger

	mu    sync.Mutex
	phase phase
	fault error              // of the last write; nil after one that succeeded
	away  error              // of the last Check; nil after one that succeeded
	stop  context.CancelFunc // ends the poll that waits for records
}

func newLifecycle(log *slog.Logger) *lifecycle {
	return &lifecycle{log: log, phase: opening, stop: func() {}}
}

// to changes the phase, if it may follow the present one. The reason is that of damage, or nil.
func (l *lifecycle) to(next phase, reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(transitions[l.phase], next) {
		return
	}
	last := l.phase
	l.phase = next
	switch {
	case next == damaged:
		l.stop()
		l.log.Warn("rebuilding the read model", telemetry.Error, reason)
	case next == ready && last == rebuilding:
		l.log.Info("the read model is complete")
	}
}

func (l *lifecycle) is(p phase) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase == p
}

// until returns a context that also ends when the store is damaged.
func (l *lifecycle) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop = stop
	if l.phase == damaged {
		stop()
	}
	return ctx, stop
}

// wrote takes over what the last write returned.
func (l *lifecycle) wrote(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = err
}

// checked takes over what the last Check returned.
func (l *lifecycle) checked(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = err
}

// outage is why the store cannot be written or read at the moment; or it is empty.
func (l *lifecycle) outage() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, err := range []error{l.fault, l.away} {
		if u, ok := errors.AsType[*UnavailableError](err); ok {
			return u.Reason
		}
	}
	return ""
}

// trouble is why the store cannot be used, or that it is not complete; or it is empty.
func (l *lifecycle) trouble() string {
	if reason := l.outage(); reason != "" {
		return reason
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.phase {
	case opening:
		return "it is being opened"
	case rebuilding, damaged:
		return "it is being rebuilt from Kafka"
	}
	return ""
}

// complete is nil when the store has everything that was applied before, else ErrStore: what it
// does not have may exist.
func (l *lifecycle) complete() error {
	if !l.is(ready) {
		return ErrStore
	}
	return nil
}
