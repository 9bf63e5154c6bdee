package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// answers is what a load of requests measured.
type answers struct {
	rate     float64 // answers per second
	p50, p99 time.Duration
	cpu      float64 // of the server, in ms per request
	failed   int     // requests without an answer, or with another status than expected
}

// better takes over each figure of another turn that is better. Failures add up.
func (a *answers) better(other answers) {
	if a.rate == 0 {
		*a = other
		return
	}
	a.rate, a.cpu = max(a.rate, other.rate), min(a.cpu, other.cpu)
	a.p50, a.p99 = min(a.p50, other.p50), min(a.p99, other.p99)
	a.failed += other.failed
}

// percentiles sorts how long answers took. There must be at least one.
func percentiles(took []time.Duration) (p50, p99 time.Duration) {
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}

// watch runs a load, which returns how long each answer took, and how many requests failed. It measures what the
// server used meanwhile.
func watch(server *process, load func() (took []time.Duration, failed int)) (a answers, err error) {
	before, began := server.cpu(), time.Now()
	took, failed := load()
	passed, used := time.Since(began), server.cpu()-before
	if len(took) == 0 {
		return a, fmt.Errorf("%s answered no request as expected; %d failed", server.name, failed)
	}
	n := float64(len(took))
	a = answers{rate: n / passed.Seconds(), cpu: milliseconds(used) / n, failed: failed}
	a.p50, a.p99 = percentiles(took)
	return a, nil
}

// closedLoop sends requests, one after the other, on each of some connections, each after the answer to the one before.
// It writes bytes that are made once: the less it uses of the CPU, the more is left for the server.
func closedLoop(ctx context.Context, server *process, address string, requests []string, status, connections int, during time.Duration) (answers, error) {
	a, err := watch(server, func() (took []time.Duration, failed int) {
		var mu sync.Mutex
		var running sync.WaitGroup
		end := time.Now().Add(during)
		for range connections {
			running.Go(func() {
				own, ownFailed := oneByOne(ctx, address, requests, status, end)
				mu.Lock()
				defer mu.Unlock()
				took, failed = append(took, own...), failed+ownFailed
			})
		}
		running.Wait()
		return took, failed
	})
	if err != nil {
		return a, err
	}
	return a, ctx.Err()
}

// oneByOne sends requests on one connection until a time, and returns how long each answer took.
func oneByOne(ctx context.Context, address string, requests []string, status int, end time.Time) (took []time.Duration, failed int) {
	c, err := dial(ctx, address)
	if err != nil {
		return nil, 1
	}
	defer c.Close()
	for n := 0; time.Now().Before(end) && ctx.Err() == nil; n++ {
		began := time.Now()
		got, err := c.ask(requests[n%len(requests)])
		if err != nil {
			return took, failed + 1
		}
		if got != status {
			failed++
			continue
		}
		took = append(took, time.Since(began))
	}
	return took, failed
}

// connection sends requests to a server, one after the other.
type connection struct {
	net.Conn
	answers *bufio.Reader
}

func dial(ctx context.Context, address string) (*connection, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{conn, bufio.NewReader(conn)}, nil
}

// answerTimeout bounds the time that a server needs for an answer, also on a busy machine.
const answerTimeout = 30 * time.Second

// ask sends a request, and returns the status of the answer when it has read all of it. After an error the connection is
// of no use.
func (c *connection) ask(request string) (status int, err error) {
	if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(c, request); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}
