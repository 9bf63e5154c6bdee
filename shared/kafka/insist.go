package kafka

import (
	"context"
	"math/rand/v2"
	"time"
)

// How long a loop over Kafka pauses after a failure: twice as long after each, up to the longest, and a quarter more or less.
const (
	shortestPause = 250 * time.Millisecond
	longestPause  = 2 * time.Second
)

// repeatAfter is after how long a repeating error is logged again.
const repeatAfter = time.Minute

// goneAfter is how long a topic is unknown before that is believed: brokers learn of a new topic one after the other.
const goneAfter = 10 * time.Second

// Insist tries until it succeeds. While Kafka is away it pauses between two tries, and tells of a failure at once, and once a minute
// while it repeats. It ends with an error that waiting does not cure, and with the cause of the end of ctx.
func Insist(ctx context.Context, try func() error, away func(error)) error {
	var gone time.Time // since when the topic is unknown
	for b := (Backoff{}); ; {
		err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch Classify(err) {
		case Away:
			gone = time.Time{}
		case TopicGone:
			if gone.IsZero() {
				gone = time.Now()
			}
			if time.Since(gone) >= goneAfter {
				return err
			}
		default:
			return err
		}
		if !b.Pause(ctx, err, away) {
			return context.Cause(ctx)
		}
	}
}

// Backoff paces a loop that meets errors of Kafka. The zero value is that of a loop without a failure so far. It is for one goroutine.
type Backoff struct {
	pause time.Duration
	said  map[string]time.Time // when, by the text of the error
}

// Tell calls say with an error, unless it was called with the same one less than a minute ago.
func (b *Backoff) Tell(err error, say func(error)) {
	now := time.Now()
	for text, at := range b.said {
		if now.Sub(at) >= repeatAfter {
			delete(b.said, text)
		}
	}
	if _, repeated := b.said[err.Error()]; repeated {
		return
	}
	if b.said == nil {
		b.said = map[string]time.Time{}
	}
	b.said[err.Error()] = now
	say(err)
}

// Pause tells of an error as Tell does, and pauses, longer after each failure. It reports false when ctx ended meanwhile.
func (b *Backoff) Pause(ctx context.Context, err error, say func(error)) bool {
	b.Tell(err, say)
	b.pause = min(max(2*b.pause, shortestPause), longestPause)
	return pause(ctx, b.pause*3/4+rand.N(b.pause/2))
}

// Succeeded makes the next pause a short one again.
func (b *Backoff) Succeeded() { b.pause = 0 }

// pause waits, and reports whether ctx allows that.
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
