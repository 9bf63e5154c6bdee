// Package retry decides when an order is tried again.
//
// Stop 4.
// From: pipeline
// To: dlq
//
// A transient failure is tried again in process, a few times, after a random pause that grows: full jitter, so that
// orders which failed together do not come back together. A dependency that is down is waited for, however long, and no
// attempt is counted: an outage must not turn orders into letters. A permanent failure, or the last transient one, is
// the caller's to bury.
package retry

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"example.com/orders/shared/failure"
)

// ErrStopping is returned by Do when the worker is asked to let go while the order waits: it is not finished, and
// nothing is lost by leaving it to the next owner.
var ErrStopping = errors.New("stopping while the order waits")

// Policy says how often and how patiently. A zero field means its default.
type Policy struct {
	Attempts int           // in all; default 3
	Pause    time.Duration // the longest pause after the first failure, doubled after each; default 500 ms
	Probe    time.Duration // the longest pause between two looks at a dependency that is down; default 5 s
}

// Do calls attempt until it succeeds, fails for good, or has failed Attempts times, and returns how often it failed
// with a counted failure and the last error.
// It blocks between attempts; the end of ctx or the closing of stopping ends only a pause, never an attempt.
func (p Policy) Do(ctx context.Context, stopping <-chan struct{}, attempt func() error) (failures int, err error) {
	longest, probe := cmp.Or(p.Pause, 500*time.Millisecond), 250*time.Millisecond
	for {
		err := attempt()
		if err == nil || ctx.Err() != nil {
			return failures, err
		}
		var pause time.Duration
		switch class, _ := failure.Of(err); class {
		case failure.Permanent:
			return failures + 1, err
		case failure.Transient:
			failures++
			if failures >= cmp.Or(p.Attempts, 3) {
				return failures, err
			}
			pause, longest = jitter(longest), 2*longest
		case failure.Down:
			probe = min(2*probe, cmp.Or(p.Probe, 5*time.Second))
			pause = probe/2 + jitter(probe/2)
		}
		if err := wait(ctx, stopping, pause); err != nil {
			return failures, err
		}
	}
}

func wait(ctx context.Context, stopping <-chan struct{}, pause time.Duration) error {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-stopping:
		return ErrStopping
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// jitter is a random pause up to the longest.
func jitter(longest time.Duration) time.Duration { return rand.N(longest + 1) }
