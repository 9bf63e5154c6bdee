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

// answers is what a closed loop of requests measured.
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

// closedLoop sends requests, one after the other, on each of some connections, each after the answer to the one before.
// It writes bytes that are made once: the less it uses of the CPU, the more is left for the server.
func closedLoop(ctx context.Context, server *process, address string, requests []string, status, connections int, during time.Duration) (answers, error) {
	var mu sync.Mutex
	var took []time.Duration
	var a answers
	var running sync.WaitGroup
	before, began := server.cpu(), time.Now()
	end := began.Add(during)
	for range connections {
		running.Go(func() {
			own, failed := oneByOne(ctx, address, requests, status, end)
			mu.Lock()
			defer mu.Unlock()
			took, a.failed = append(took, own...), a.failed+failed
		})
	}
	running.Wait()
	passed := time.Since(began)
	if len(took) == 0 {
		return a, fmt.Errorf("%s answered no request as expected; %d failed", server.name, a.failed)
	}
	slices.Sort(took)
	a.rate = float64(len(took)) / passed.Seconds()
	a.p50, a.p99 = took[len(took)/2], took[len(took)*99/100]
	a.cpu = (server.cpu() - before).Seconds() * 1000 / float64(len(took))
	return a, ctx.Err()
}

// oneByOne sends requests on one connection until a time, and returns how long each answer took.
func oneByOne(ctx context.Context, address string, requests []string, status int, end time.Time) (took []time.Duration, failed int) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, 1
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for n := 0; time.Now().Before(end) && ctx.Err() == nil; n++ {
		began := time.Now()
		if _, err := io.WriteString(conn, requests[n%len(requests)]); err != nil {
			return took, failed + 1
		}
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			return took, failed + 1
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != status {
			failed++
			continue
		}
		took = append(took, time.Since(began))
	}
	return took, failed
}
