package kafka

import (
	"context"
	"math/rand/v2"
	"regexp"
	"time"
)

// The pause after a failure doubles from the shortest to the longest, with 25 % jitter.
const (
	shortestPause = 250 * time.Millisecond
	longestPause  = 2 * time.Second
)

// repeatAfter is the time after which a repeating error is reported again.
const repeatAfter = time.Minute

// goneAfter is how long a topic must be unknown until it counts as gone: brokers learn of a new topic
// one after the other.
const goneAfter = 10 * time.Second

// Insist calls try until it succeeds. While Kafka is away, or denies access, it pauses between calls
// and reports each error at most once a minute. It returns the first error that waiting does not
// cure, or the cause of the end of ctx.
func Insist(ctx context.Context, try func() error, report func(error)) error {
	var unknown time.Time // since when the topic is unknown
	err := retry(ctx, try, report, func(err error) bool {
		v := Classify(err)
		if v != TopicGone {
			unknown = time.Time{}
			return v == Away || v == Denied // access can be granted while this waits
		}
		if unknown.IsZero() {
			unknown = time.Now()
		}
		return time.Since(unknown) < goneAfter
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// retry is the loop behind everything that waits for Kafka. It calls try until that succeeds, until
// an error does not pass, or until ctx ends, and returns the last error of try.
func retry(ctx context.Context, try func() error, report func(error), passes func(error) bool) error {
	for b := (Backoff{}); ; {
		err := try()
		if err == nil || ctx.Err() != nil || !passes(err) || !b.Pause(ctx, err, report) {
			return err
		}
	}
}

// isAway reports whether an error passes by itself.
func isAway(err error) bool { return Classify(err) == Away }

// silent reports nothing.
func silent(error) {}

// Backoff paces a loop that meets errors of Kafka. The zero value is ready to use. It is for one
// goroutine.
type Backoff struct {
	pause    time.Duration
	reported map[string]time.Time // when, by the text of the error
}

// localAddress is the part of an error of package net that is another one for each connection.
var localAddress = regexp.MustCompile(`\S+->`)

// Tell reports an error, unless the same one was reported less than a minute ago.
func (b *Backoff) Tell(err error, report func(error)) {
	now, key := time.Now(), localAddress.ReplaceAllString(err.Error(), "")
	for text, at := range b.reported {
		if now.Sub(at) >= repeatAfter {
			delete(b.reported, text)
		}
	}
	if _, repeated := b.reported[key]; repeated {
		return
	}
	if b.reported == nil {
		b.reported = map[string]time.Time{}
	}
	b.reported[key] = now
	report(err)
}

// Pause reports an error as Tell does, and pauses, longer after each failure. It returns false when
// ctx has ended.
func (b *Backoff) Pause(ctx context.Context, err error, report func(error)) bool {
	b.Tell(err, report)
	b.pause = min(max(2*b.pause, shortestPause), longestPause)
	return pause(ctx, b.pause*3/4+rand.N(b.pause/2))
}

// Succeeded makes the next pause a short one again.
func (b *Backoff) Succeeded() { b.pause = 0 }

// pause waits, and returns false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
