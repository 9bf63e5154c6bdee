// Package retry decides when a failed order is tried again.
//
// A transient failure is retried in process a few times. The pauses grow and are random up to their
// length (full jitter), so that orders which failed together are not retried together. After that the
// order is retried from a topic: a few times after 10 s, then after 2 min, until its time is over
// (Policy). A permanent failure, and a transient one that is not over by then, is the caller's to
// dead-letter. An attempt whose outcome is unknown is not retried in process: what can happen twice must
// not happen twice within seconds.
//
// A dependency that is down is different: an outage must not dead-letter orders. So no attempt counts,
// however long it lasts. Orders are retried in process until the circuit breaker opens. From then on one
// order is tried every few seconds, and the others wait in a topic, where they take no memory.
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

// ErrStopping is returned when the worker must release the partition while the order waits: by Do between two
// attempts, and by an attempt that waits for others. The order is not finished, and is left to the next owner.
var ErrStopping = errors.New("stopping while the order waits")

// ErrNotRetried marks an error of an attempt that ends Do at once.
var ErrNotRetried = errors.New("not retried")

// Policy is how often an order is tried, and with which pauses.
type Policy struct {
	// In process. Zero means the default.
	Attempts int           // default 3
	Pause    time.Duration // maximum pause after the first failure, doubled after each one; default 500 ms
	Probe    time.Duration // maximum pause while a dependency is down; default 5 s

	// From a topic.
	Retries int           // how often after 10 s; zero: never
	For     time.Duration // then every 2 min until all delays add up to this
}

// Next is the topic from which a failed order is retried, after a number of retries. It returns false when
// there have been enough. Next adds up the delays of the topics and not the time since the first failure:
// neither a stopped worker nor a clock that is set may use the time up.
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

// Do calls attempt until it succeeds, fails permanently, has failed Attempts times, has an unknown outcome,
// or ends with ErrOpen, ErrStopping or ErrNotRetried. It returns the number of failures that count, and the last error.
// The end of ctx or the closing of stopping ends a pause between attempts, never an attempt.
func (p Policy) Do(ctx context.Context, stopping <-chan struct{}, attempt func() error) (failures int, err error) {
	longest, probe := cmp.Or(p.Pause, 500*time.Millisecond), 250*time.Millisecond
	for {
		err := attempt()
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrOpen) || errors.Is(err, ErrStopping) || errors.Is(err, ErrNotRetried) {
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

// jitter is a random pause up to longest.
func jitter(longest time.Duration) time.Duration { return rand.N(longest + 1) }
