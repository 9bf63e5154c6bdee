package retry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"example.com/orders/shared/failure"
	"example.com/orders/shared/telemetry"
)

// ErrOpen is why an order is not tried: what it needs is down, and others have found out.
var ErrOpen = errors.New("not tried")

// ErrNoAnswer is reported of an attempt that says nothing about the dependency: it never came so far, or was ended by us.
var ErrNoAnswer = errors.New("no answer")

const (
	downInARow = 5               // as many open a breaker
	openFor    = 5 * time.Second // until one order is let through
	askAgain   = time.Second     // while that one is on its way

	// restMost bounds how far openFor doubles, while nobody knows how it ended with the one that was let through: each is a
	// mail that may go out twice.
	restMost = time.Minute
)

// Breaker knows whether a dependency is down, from what becomes of the orders that need it. Several failures in a row, of
// whatever orders, open it: no order is tried any more. After a while it is half open and lets one order through; that
// one's fate closes it, or opens it again. It is safe for concurrent use.
type Breaker struct {
	name    string
	most    int // orders let out of orders.waiting at once
	log     *slog.Logger
	tell    func(open bool)
	circuit *gobreaker.TwoStepCircuitBreaker[struct{}]

	mu    sync.Mutex    // never held while the circuit is asked, which calls changed under its own lock
	last  error         // failure that found the dependency down
	found time.Time     // when it did
	since time.Time     // of the last change; zero: there was none
	rest  time.Duration // since found; nobody is let through, although the circuit would
}

// NewBreaker returns a breaker that is closed. Slots are the orders that the worker has in hand at once: half of them
// remain for orders that are new. Tell is told of each change whether orders have to wait; it must not block.
func NewBreaker(log *slog.Logger, name string, slots int, tell func(open bool)) *Breaker {
	b := &Breaker{name: name, most: max(1, slots/2), log: log, tell: tell}
	b.circuit = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, Timeout: openFor, MaxRequests: 1,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= downInARow },
		IsSuccessful:  func(err error) bool { return !counts(err) },
		IsExcluded:    silent,
		OnStateChange: b.changed,
	})
	return b
}

// Allow says whether an order may be tried: then its end must be reported, once, with the error of the attempt or
// ErrNoAnswer. Else the error is ErrOpen, and what was found out last. A nil breaker allows everything.
func (b *Breaker) Allow() (report func(error), err error) {
	if b == nil {
		return func(error) {}, nil
	}
	if b.rests() > 0 {
		return nil, b.stopped()
	}
	done, err := b.circuit.Allow()
	if err != nil {
		return nil, b.stopped()
	}
	return func(err error) {
		if counts(err) {
			b.heard(err)
		}
		done(err)
	}, nil
}

// heard keeps why the dependency was found down.
func (b *Breaker) heard(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last, b.found = err, time.Now()
}

// rests is how much is left of the rest.
func (b *Breaker) rests() time.Duration {
	if b.circuit.State() == gobreaker.StateClosed {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Until(b.found.Add(b.rest))
}

// stopped is what an order is told that is not tried. Nothing about it is uncertain, whatever befell others.
func (b *Breaker) stopped() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, reason := failure.Of(b.last)
	if isUncertain(b.last) {
		reason = failure.MailAway
	}
	return failure.New(failure.Down, reason, fmt.Errorf("%w: %w", ErrOpen, b.last))
}

// Room says how many orders that wait may be in hand at once now, and after how long there may be room for more by itself;
// zero is never. An outage that is over has left many: they are let out at a ramp, twice as many each second, so that they
// neither knock the dependency over again nor stand before all that is new.
func (b *Breaker) Room() (orders int, again time.Duration) {
	state, tried := b.circuit.State(), b.circuit.Counts()
	b.mu.Lock()
	since := b.since
	b.mu.Unlock()
	switch state {
	case gobreaker.StateOpen:
		// The circuit turns when that moment is over, so never sooner than a nanosecond.
		return 0, max(1, time.Until(since.Add(openFor))+1)
	case gobreaker.StateHalfOpen:
		if rest := b.rests(); rest > 0 {
			return 0, rest
		}
		if tried.Requests > tried.TotalExclusions {
			return 0, askAgain
		}
		return 1, 0
	}
	if seconds := int(time.Since(since) / time.Second); !since.IsZero() && seconds < 30 && 1<<seconds < b.most {
		return 1 << seconds, time.Second - time.Since(since)%time.Second
	}
	return b.most, 0
}

// State is closed, half-open or open.
func (b *Breaker) State() string { return b.circuit.State().String() }

// changed is called once for each change, under the circuit's lock.
func (b *Breaker) changed(name string, _, to gobreaker.State) {
	b.mu.Lock()
	b.since = time.Now()
	last := b.last
	switch {
	case to == gobreaker.StateOpen && isUncertain(last):
		b.rest = min(max(2*b.rest, openFor), restMost)
	case to != gobreaker.StateHalfOpen:
		b.rest = 0
	}
	b.mu.Unlock()
	level := slog.LevelInfo
	attrs := []slog.Attr{slog.String(telemetry.Breaker, name), slog.String(telemetry.State, to.String())}
	if to == gobreaker.StateOpen {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any(telemetry.Error, last))
	}
	b.log.LogAttrs(context.Background(), level, "breaker changed", attrs...)
	b.tell(to != gobreaker.StateClosed)
}

// counts reports whether an attempt's end says that the dependency is down. One that cannot say what became of an order
// does not work either, and finding that out costs more.
func counts(err error) bool {
	class, _ := failure.Of(err)
	return err != nil && (class == failure.Down || isUncertain(err))
}

func isUncertain(err error) bool {
	_, reason := failure.Of(err)
	return reason == failure.Uncertain
}

// silent reports whether an attempt's end says nothing about the dependency. A refusal does: something is there to refuse.
// An error that nobody marked does not.
func silent(err error) bool {
	if err == nil {
		return false
	}
	_, reason := failure.Of(err)
	return errors.Is(err, ErrNoAnswer) || reason == failure.Internal
}
