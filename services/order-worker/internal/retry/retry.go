// Package retry decides when an order is tried again.
//
// A transient failure is tried again in process, a few times, after a random pause that grows: full jitter, so that
// orders which failed together do not come back together. Then it is put off, a few times for 10 s and then for 2 min,
// until its time is over (Policy). A permanent failure, and what is left of a transient one, is the caller's to bury. An
// attempt of which nobody knows how it ended is put off at once: what it may do twice is not done twice within seconds.
//
// A dependency that is down is another matter: an outage must not turn orders into dead letters, so
// no attempt is counted, however long it lasts. It is tried again in process until its Breaker
// opens; from then on nobody tries, but for one order every few seconds, and orders wait where they
// take up no memory.
package retry

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"example.com/orders/shared/failure"
	"example.com/orders/shared/topic"
)

// ErrStopping is returned by Do when the worker is asked to let go while the order waits: it is not finished, and
// nothing is lost by leaving it to the next owner.
var ErrStopping = errors.New("stopping while the order waits")

// Policy says how often and how patiently.
type Policy struct {
	// In process; a zero field means its default.
	Attempts int           // in all; default 3
	Pause    time.Duration // the longest pause after the first failure, doubled after each; default 500 ms
	Probe    time.Duration // the longest pause between two looks at a dependency that is down; default 5 s

	// After that.
	Retries int           // how often it is put off for 10 s; zero: it is never put off
	For     time.Duration // until it was put off for so long in all, it is put off for 2 min after that
}

// Next is the topic in which an order waits that failed, and was put off some times already. It returns false if that was
// enough. What is added up is for how long it was put off, not what a clock says has passed since: a worker that was away
// must not use the time up, and neither must a clock that is set.
func (p Policy) Next(topics topic.Set, retries int) (name string, ok bool) {
	short := min(retries, p.Retries)
	waited := time.Duration(short)*topics.Delay(topics.Retry10s) + time.Duration(retries-short)*topics.Delay(topics.Retry2m)
	switch {
	case retries < p.Retries:
		return topics.Retry10s, true
	case p.Retries > 0 && waited < p.For:
		return topics.Retry2m, true
	}
	return "", false
}

// Do calls attempt until it succeeds, fails for good, has failed Attempts times, is uncertain, or is not tried (ErrOpen), and
// returns how often it failed with a counted failure and the last error.
// It blocks between attempts; the end of ctx or the closing of stopping ends only a pause, never an attempt.
func (p Policy) Do(ctx context.Context, stopping <-chan struct{}, attempt func() error) (failures int, err error) {
	longest, probe := cmp.Or(p.Pause, 500*time.Millisecond), 250*time.Millisecond
	for {
		err := attempt()
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrOpen) {
			return failures, err
		}
		var pause time.Duration
		switch class, reason := failure.Of(err); class {
		case failure.Permanent:
			return failures + 1, err
		case failure.Transient:
			failures++
			if reason == failure.Uncertain || failures >= cmp.Or(p.Attempts, 3) {
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
