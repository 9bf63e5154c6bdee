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

// ErrOpen is the error of an order that is not tried because the circuit breaker is open.
var ErrOpen = errors.New("not tried")

// ErrNoAnswer is reported for an attempt that shows nothing about the dependency: it ended before the
// request, or this process cancelled it.
var ErrNoAnswer = errors.New("no answer")

const (
	failuresToOpen = 5               // in a row
	openFor        = 5 * time.Second // then the breaker is half-open
	probeAgain     = time.Second     // how often Room is asked again while the probe is in flight

	// maxRest bounds how far openFor doubles while the outcome of each probe is unknown: each can be a
	// mail that is sent twice.
	maxRest = time.Minute
)

// Breaker is the circuit breaker of a dependency. Several failures in a row, of any orders, open it: no
// order is tried. After a while it is half-open and allows one order, the probe. The result of the probe
// closes it or opens it again. It is safe for concurrent use.
type Breaker struct {
	// Immutable after NewBreaker.
	name    string
	maxRoom int // waiting orders in flight at once
	log     *slog.Logger
	circuit *gobreaker.TwoStepCircuitBreaker[struct{}]

	// Guarded by mu. Never hold it while you call circuit, which calls changed under its own lock.
	mu    sync.Mutex
	last  error         // failure that found the dependency down
	found time.Time     // when it did
	since time.Time     // of the last change of state; zero: there was none
	began time.Time     // when orders began to wait, or to continue; zero: it never opened
	rest  time.Duration // after found, in which no order is allowed, although circuit would allow one
	told  string        // the failure of this outage that was logged last; empty: none
	at    time.Time     // when it was
}

// NewBreaker returns a closed breaker. Slots is the maximum number of orders in flight: half of them remain
// for new orders when waiting ones continue.
func NewBreaker(log *slog.Logger, name string, slots int) *Breaker {
	b := &Breaker{name: name, maxRoom: max(1, slots/2), log: log}
	b.circuit = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, Timeout: openFor, MaxRequests: 1,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failuresToOpen },
		IsSuccessful:  func(err error) bool { return !isDown(err) },
		IsExcluded:    saysNothing,
		OnStateChange: b.changed,
	})
	return b
}

// Allow reports whether an order may be tried. If so, report must be called once, with the error of the
// attempt or ErrNoAnswer. Else the error is ErrOpen with the last failure of the dependency.
func (b *Breaker) Allow() (report func(error), err error) {
	if b.restLeft() > 0 {
		return nil, b.errOpen()
	}
	done, err := b.circuit.Allow()
	if err != nil {
		return nil, b.errOpen()
	}
	return func(err error) {
		if isDown(err) {
			b.noteDown(err)
		}
		done(err)
	}, nil
}

func (b *Breaker) noteDown(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last, b.found = err, time.Now()
}

func (b *Breaker) restLeft() time.Duration {
	if b.circuit.State() == gobreaker.StateClosed {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Until(b.found.Add(b.rest))
}

// errOpen is the error of an order that is not tried. Its own outcome is certain, even if that of the last
// one was not.
func (b *Breaker) errOpen() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, reason := failure.Of(b.last)
	if isUncertain(b.last) {
		reason = failure.MailAway
	}
	return failure.New(failure.Down, reason, fmt.Errorf("%w: %w", ErrOpen, b.last))
}

// Room is how many waiting orders may be in flight now, and after how long that may grow by itself (zero:
// never). After an outage many orders wait. They continue with a slow start, twice as many each second, so
// that they neither overload the dependency nor delay all new orders.
func (b *Breaker) Room() (orders int, again time.Duration) {
	state, tried := b.circuit.State(), b.circuit.Counts()
	b.mu.Lock()
	since := b.since
	b.mu.Unlock()
	switch state {
	case gobreaker.StateOpen:
		// The circuit becomes half-open after that moment, so ask a nanosecond later.
		return 0, max(1, time.Until(since.Add(openFor))+1)
	case gobreaker.StateHalfOpen:
		if rest := b.restLeft(); rest > 0 {
			return 0, rest
		}
		if tried.Requests > tried.TotalExclusions {
			return 0, probeAgain
		}
		return 1, 0
	}
	if seconds := int(time.Since(since) / time.Second); !since.IsZero() && seconds < 30 && 1<<seconds < b.maxRoom {
		return 1 << seconds, time.Second - time.Since(since)%time.Second
	}
	return b.maxRoom, 0
}

// State is closed, half-open or open.
func (b *Breaker) State() string { return b.circuit.State().String() }

// Status is what a breaker shows of itself.
type Status struct {
	Name   string
	State  string    // as State returns it
	Since  time.Time // when orders began to wait, or to continue; zero: it never opened
	Probe  time.Time // when the next order is tried, or was; zero while closed
	Reason failure.Reason
}

// Status returns a snapshot. Reason is that of the last failure, and empty while the breaker is closed.
func (b *Breaker) Status() Status {
	state := b.circuit.State()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Status{Name: b.name, State: state.String(), Since: b.began}
	switch _, s.Reason = failure.Of(b.last); state {
	case gobreaker.StateClosed:
		s.Reason = ""
	case gobreaker.StateOpen:
		s.Probe = later(b.since.Add(openFor), b.found.Add(b.rest))
	case gobreaker.StateHalfOpen:
		s.Probe = later(b.since, b.found.Add(b.rest))
	}
	return s
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// changed is called once for each change of state, under the circuit's lock.
func (b *Breaker) changed(name string, from, to gobreaker.State) {
	b.mu.Lock()
	b.since = time.Now()
	if from == gobreaker.StateClosed || to == gobreaker.StateClosed {
		b.began = b.since
	}
	last := b.last
	switch {
	case to == gobreaker.StateOpen && isUncertain(last):
		b.rest = min(max(2*b.rest, openFor), maxRest)
	case to != gobreaker.StateHalfOpen:
		b.rest = 0
	}
	level := b.level(to)
	b.mu.Unlock()
	attrs := []slog.Attr{slog.String(telemetry.Breaker, name), slog.String(telemetry.State, to.String())}
	if to == gobreaker.StateOpen {
		attrs = append(attrs, slog.Any(telemetry.Error, last))
	}
	b.log.LogAttrs(context.Background(), level, "circuit breaker changed state", attrs...)
}

// level is the log level of a change. An outage is logged once, and again if its cause changes, at
// most once a minute: an error may name a port that differs each time. Probes are not logged. The
// caller holds mu.
func (b *Breaker) level(to gobreaker.State) slog.Level {
	switch {
	case to == gobreaker.StateClosed:
		b.told = ""
		return slog.LevelInfo
	case to == gobreaker.StateOpen && b.told != b.last.Error() && (b.told == "" || time.Since(b.at) >= time.Minute):
		b.told, b.at = b.last.Error(), time.Now()
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// isDown reports whether the result of an attempt shows that the dependency is down. One whose answers are
// lost does not work either, and costs more to try.
func isDown(err error) bool {
	class, _ := failure.Of(err)
	return err != nil && (class == failure.Down || isUncertain(err))
}

func isUncertain(err error) bool {
	_, reason := failure.Of(err)
	return reason == failure.Uncertain
}

// saysNothing reports whether the result of an attempt shows nothing about the dependency. A refusal shows
// that it is up. An unmarked error shows nothing.
func saysNothing(err error) bool {
	if err == nil {
		return false
	}
	_, reason := failure.Of(err)
	return errors.Is(err, ErrNoAnswer) || reason == failure.Internal
}
