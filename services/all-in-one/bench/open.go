package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// loads are parts of a capacity, in percent.
var loads = []int{10, 50, 90}

// mostInFlight bounds the calls of an open loop that run at the same time.
const mostInFlight = 4096

// drainTimeout is how long an open loop waits for its last calls.
const drainTimeout = time.Minute

var (
	errTooMany = fmt.Errorf("%d calls are running: one that was due was not made", mostInFlight)
	errDrain   = fmt.Errorf("the last calls took longer than %s", drainTimeout)
)

// openLoop makes calls when they are due, however many are running: a system that is slow does not get fewer
// calls. A closed loop would: it makes no calls during a stall, and so measures the stall once ("coordinated
// omission").
type openLoop struct {
	rate  float64        // calls per second, on average
	calls int            // how many to make
	gap   func() float64 // between calls, in multiples of the mean gap
}

// evenly is a gap: calls at a constant rate.
func evenly() float64 { return 1 }

// run calls do, each in a goroutine of its own, and returns what the calls returned that did not fail: how long
// they took since they were due. The error is the first one. A call that is due while mostInFlight are running
// fails at once.
func (l openLoop) run(ctx context.Context, do func(ctx context.Context, due time.Time) (time.Duration, error)) (took []time.Duration, first error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	add := func(d time.Duration, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			took = append(took, d)
		} else if first == nil {
			first = err
		}
	}
	var running sync.WaitGroup
	slots, due := make(chan struct{}, mostInFlight), time.Now()
	for range l.calls {
		due = due.Add(time.Duration(l.gap() / l.rate * float64(time.Second)))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			running.Wait()
			return took, context.Cause(ctx)
		}
		select {
		case slots <- struct{}{}:
		default:
			add(0, errTooMany)
			continue
		}
		since := due
		running.Go(func() {
			add(do(ctx, since))
			<-slots
		})
	}
	drain := time.AfterFunc(drainTimeout, func() { cancel(errDrain) })
	defer drain.Stop()
	running.Wait()
	return took, first
}

// openRequests sends a request to a server at a constant rate. It opens a connection for each request that finds
// none that is idle.
func (b *bench) openRequests(ctx context.Context, server *process, address, request string, status int, rate float64) (answers, error) {
	p := &pool{address: address}
	defer p.close()
	l := openLoop{rate: rate, calls: max(1, int(rate*b.Seconds)), gap: evenly}
	a, err := watch(server, func() (took []time.Duration, failed int) {
		took, err := l.run(ctx, func(ctx context.Context, due time.Time) (time.Duration, error) {
			got, err := p.ask(ctx, request)
			if err == nil && got != status {
				err = fmt.Errorf("the answer is %d %s", got, http.StatusText(got))
			}
			return time.Since(due), err
		})
		if err != nil {
			b.logf("  %s: %d requests failed, the first one: %v", server.name, l.calls-len(took), err)
		}
		return took, l.calls - len(took)
	})
	return a, errors.Join(err, ctx.Err())
}

// pool are connections to a server.
type pool struct {
	address string

	mu   sync.Mutex
	idle []*connection // the one used last is the last
}

// ask sends a request on an idle connection, or on a new one.
func (p *pool) ask(ctx context.Context, request string) (status int, err error) {
	c, err := p.take(ctx)
	if err != nil {
		return 0, err
	}
	if status, err = c.ask(request); err != nil {
		c.Close()
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
	return status, nil
}

func (p *pool) take(ctx context.Context) (*connection, error) {
	p.mu.Lock()
	last := len(p.idle) - 1
	if last < 0 {
		p.mu.Unlock()
		return dial(ctx, p.address)
	}
	c := p.idle[last]
	p.idle = p.idle[:last]
	p.mu.Unlock()
	return c, nil
}

// close closes the idle connections.
func (p *pool) close() {
	for _, c := range p.idle {
		c.Close()
	}
}
