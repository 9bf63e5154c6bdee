package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

const (
	// mostStreams is the default of the API's --max-streams.
	mostStreams = 5000
	// streamKeys is how many API keys share the streams: a principal may have half of --max-streams.
	streamKeys = 4
	// streamGate is how many place an order and open its stream at the same time.
	streamGate = 16
	// streamDelay is how long the mail server takes for a mail, so that workerSlots/streamDelay, 200 orders, are
	// confirmed in a second.
	streamDelay = 320 * time.Millisecond
	// streamTime is how long all streams are open.
	streamTime = 30 * time.Second
	// streamTimeout bounds the whole, also on a busy machine.
	streamTimeout = 10 * time.Minute
	// streamFailures ends the section: it is of no use then.
	streamFailures = 100
)

// streams keeps event streams open, 5,000 by default, each of an order of its own. When the order is confirmed the next one is
// placed and watched. It measures the time from an order's mail to the event that says that it is confirmed. Between
// the two are the state that the worker writes, and the read model of the API.
//
// The Go runtime raises the soft limit of open files to the hard limit, here and in the API.
func (b *bench) streams(ctx context.Context) ([]row, error) {
	f := b.newFlow()
	f.delay = streamDelay
	var customers, keys []string
	for i := range streamKeys {
		customer := fmt.Sprintf("bench-%d", i)
		customers, keys = append(customers, customer), append(keys, keyOf(customer))
	}
	file, err := b.keyFile(customers)
	if err != nil {
		return nil, err
	}
	f.args = []string{"--auth", "keys", "--api-keys", file}
	if f.api, err = f.api.WithToken(keys[0], false); err != nil {
		return nil, err
	}
	if _, err := f.start(ctx, b); err != nil {
		return nil, err
	}
	defer f.stop()
	s := &subscribers{flow: f, logf: b.logf, url: "http://" + address(b.Port+apiPort), keys: keys, gate: make(chan struct{}, streamGate)}
	if err := s.run(ctx, b.Streams); err != nil {
		return nil, err
	}
	p50, p99 := percentiles(s.took)
	b.logf("  streams: %d opened, %d failed, mail to event p50 %s, p99 %s of %d", s.opened, s.failed, p50, p99, len(s.took))
	name := fmt.Sprintf("streams: %d open, %.0f orders/s confirmed", b.Streams, float64(len(s.took))/streamTime.Seconds())
	return []row{
		figure(name+": mail to event, p50", "%.1f ms", milliseconds(p50)),
		figure(name+": mail to event, p99", "%.1f ms", milliseconds(p99)),
		below(fmt.Sprintf("streams: failures of %d streams, one an order", s.opened), "%.0f", float64(s.failed), 0),
		figure("streams: orders that the read model of the API had after more than a second", "%.0f", float64(s.late.Load())),
		figure("streams: memory of the API", "%.0f MB", f.server.peak()),
	}, nil
}

// subscribers place orders and follow their events.
type subscribers struct {
	*flow
	logf func(format string, args ...any)
	url  string
	keys []string
	gate chan struct{} // of streamGate
	late atomic.Int64  // answers of 404 for an order that the read model did not have after a second; they are asked again

	mu     sync.Mutex
	open   int       // subscribers that have opened their first stream
	end    time.Time // when orders are no longer placed; zero: not all are open
	opened int       // streams
	took   []time.Duration
	failed int // streams
	first  error
}

// run runs n subscribers. It returns when the last order of each is confirmed. It returns an error if too many streams failed.
func (s *subscribers) run(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, streamTimeout, fmt.Errorf("not done after %s", streamTimeout))
	defer cancel()
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			for seen := false; s.more(ctx); {
				s.note(s.once(ctx, s.keys[i%len(s.keys)], func() {
					s.count(!seen, n)
					seen = true
				}))
			}
		})
	}
	running.Wait()
	switch {
	case ctx.Err() != nil:
		return errors.Join(context.Cause(ctx), s.first)
	case s.failed >= streamFailures:
		return fmt.Errorf("%d streams failed, the first one: %w", s.failed, s.first)
	case len(s.took) == 0:
		return fmt.Errorf("no order was confirmed in %s", streamTime)
	}
	return nil
}

// more reports whether another order is to be placed.
func (s *subscribers) more(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ctx.Err() == nil && s.failed < streamFailures && (s.end.IsZero() || time.Now().Before(s.end))
}

// note counts a stream that has ended.
func (s *subscribers) note(took time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case err != nil:
		s.failed++
		if s.first == nil {
			s.first = err
		}
	case !s.end.IsZero() && now.Before(s.end):
		s.took = append(s.took, took)
	}
}

// once places an order, and follows its events to the end of the stream. It returns the time from its mail to the
// event that says that it is confirmed. It calls opened when the stream is open.
func (s *subscribers) once(ctx context.Context, key string, opened func()) (time.Duration, error) {
	id, events, err := s.subscribe(ctx, key)
	if err != nil {
		return 0, err
	}
	defer events.Close()
	opened()
	confirmed, err := follow(events)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", id, err)
	}
	at, err := s.mailedAt(ctx, id)
	return confirmed.Sub(at), err
}

// count counts an open stream: the first one of a subscriber, of n, or a later one.
func (s *subscribers) count(first bool, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	if !first {
		return
	}
	if s.open++; s.open%1000 == 0 {
		s.logf("  streams: %d are open", s.open)
	}
	if s.open == n {
		s.end = time.Now().Add(streamTime)
	}
}

// subscribe places an order and opens the stream of its events. The caller closes it.
func (s *subscribers) subscribe(ctx context.Context, key string) (id string, events io.ReadCloser, err error) {
	s.gate <- struct{}{}
	defer func() { <-s.gate }()
	c, err := client.New(s.url, s.web).WithToken(key, false)
	if err != nil {
		return "", nil, err
	}
	o, err := c.PlaceJSON(ctx, s.body, "", 0)
	if err != nil {
		return "", nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/orders/"+o.ID+"/events", nil)
	if err != nil {
		return "", nil, err
	}
	r.Header.Set("Authorization", "Bearer "+key)
	for {
		answer, err := s.web.Do(r)
		if err != nil {
			return "", nil, err
		}
		switch answer.StatusCode {
		case http.StatusOK:
			return o.ID, answer.Body, nil
		case http.StatusNotFound:
			s.late.Add(1)
		default:
			err = fmt.Errorf("the events of %s: %s", o.ID, answer.Status)
		}
		if answer.Body.Close(); err != nil {
			return "", nil, err
		}
	}
}

// follow reads the events of an order to the end of the stream, and returns when the one arrived that says that the
// order is confirmed. It returns an error if one is missing.
func follow(events io.Reader) (confirmed time.Time, err error) {
	next := int64(0)
	lines := bufio.NewScanner(events)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var change client.Change
		if err := json.Unmarshal([]byte(data), &change); err != nil {
			return confirmed, err
		}
		if change.Rev != next {
			return confirmed, fmt.Errorf("event %d follows event %d", change.Rev, next-1)
		}
		next++
		if change.Status == string(order.Confirmed) {
			confirmed = time.Now()
		}
	}
	if confirmed.IsZero() {
		return confirmed, errors.Join(errors.New("the stream ended before the order was confirmed"), lines.Err())
	}
	return confirmed, lines.Err()
}
