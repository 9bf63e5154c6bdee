// Package stats sums up the whole system: what has to be done, how fast it is done, and by which workers.
//
// What it says comes from the topics and from the read model, so every instance of the API says the
// same, whether or not workers run in its process:
//   - orders.workers, where each worker tells of itself (workers.go);
//   - orders and orders.status, of which it counts the records of the last minutes (series.go);
//   - ends and commits of the topics that the workers read, and brokers (lags.go);
//   - what the brokers tell once a minute of the topics (disks.go);
//   - the view, for orders and dead letters by state, and for replay jobs.
//
// No request waits for these records: they are read by a client of its own, from a minute before the start on,
// and orders.workers from 15 minutes before. Memory is the same for any number of orders. Times are those
// of the brokers, whose clocks must agree with that of the API within a few seconds.
package stats

import (
	"cmp"
	"context"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client/system"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// Config is what stats are made of.
type Config struct {
	Kafka      kafka.Config // of the client that follows the topics
	Client     *kgo.Client  // asks how far they go; it does not consume
	Topics     topic.Set
	Partitions int    // of each topic
	Group      string // of the workers; or empty: lags are not known
	View       *view.View
	Promise    time.Duration // as in intake.Config
	Blocked    func() error  // of intake.Intake
	Log        *slog.Logger
}

// Stats sums up the system. It is safe for concurrent use.
type Stats struct {
	cfg Config

	// One goroutine at a time makes a snapshot.
	making chan struct{}
	lags   lags

	// Guarded by mu.
	mu       sync.Mutex
	workers  *workers
	series   *series
	last     system.Stats // with all points
	watchers map[chan struct{}]bool
	disks    disks
}

// every is the shortest time between two snapshots.
const every = time.Second

// New returns stats that know nothing before Run.
func New(cfg Config) *Stats {
	now := time.Now()
	return &Stats{
		cfg: cfg, making: make(chan struct{}, 1), workers: newWorkers(now.Add(-window)),
		series: &series{begun: number(now.Add(-backlog)) + 1}, watchers: map[chan struct{}]bool{},
	}
}

// Run follows the topics until ctx ends, and then returns nil.
func (s *Stats) Run(ctx context.Context) error {
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() { s.describe(ctx) }) // ends with ctx
	following := make(chan struct{})
	go func() { // ends with ctx
		defer close(following)
		s.follow(ctx)
	}()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-following:
			return nil
		case <-tick.C:
			s.look(ctx)
		}
	}
}

// look keeps what only the present tells, and tells those that watch when something has changed.
func (s *Stats) look(ctx context.Context) {
	now := time.Now()
	oldest, _ := s.oldest(now)
	s.mu.Lock()
	s.workers.expire(now)
	s.series.at(number(now), now).oldest = oldest
	watched, before := len(s.watchers) > 0, s.last
	s.mu.Unlock()
	if !watched || ctx.Err() != nil {
		return
	}
	if after := s.Now(ctx); same(before, after) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.watchers {
		select {
		case c <- struct{}{}:
		default: // a value waits there already
		}
	}
}

// same reports whether two snapshots differ in their time only.
func same(a, b system.Stats) bool {
	a.At, a.Rev, a.ReadModel.Fresh = b.At, b.Rev, b.ReadModel.Fresh
	return reflect.DeepEqual(a, b)
}

// Watch returns a channel that receives a value when something may have changed since the last receive,
// at most once a second. The caller must call stop.
func (s *Stats) Watch() (changes <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[c] = true
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, c)
	}
}

// Now returns a snapshot that is at most a second old. The caller must not change it. It blocks for a few
// seconds while Kafka is away.
func (s *Stats) Now(ctx context.Context) system.Stats {
	select {
	case s.making <- struct{}{}:
		defer func() { <-s.making }()
	case <-ctx.Done():
		return s.recent()
	}
	if made := s.recent(); time.Since(made.At) < every*9/10 { // the ticks of Run are not exact
		return made
	}
	// The next one who asks gets the answer, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	made := s.make(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = made
	return made
}

func (s *Stats) recent() system.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// askTimeout bounds how long a snapshot waits for answers.
const askTimeout = 3 * time.Second

func (s *Stats) make(ctx context.Context) system.Stats {
	made := system.Stats{
		Workers: []system.Worker{}, Partitions: []system.Partition{}, Dependencies: []system.Dependency{},
		Topics: []system.Topic{},
	}
	made.Orders, made.DeadLetters = s.orders(ctx), s.deadLetters(ctx)
	s.lags.show(ctx, s.cfg, &made)
	began := s.jobs(ctx, &made)
	now := time.Now()
	made.At, made.Rev = now.UTC().Truncate(time.Millisecond), now.UnixMilli()
	made.Promise = s.promise(now, made.Orders != nil)
	health := s.cfg.View.Health()
	if made.ReadModel.Lag = health.Lag; !health.Fresh.IsZero() {
		made.ReadModel.Fresh = new(health.Fresh.UTC().Truncate(time.Millisecond))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workers.expire(now)
	s.workers.show(&made, now)
	s.disks.show(&made)
	made.Changes = append(append([]system.Change{}, s.workers.changes...), began...)
	newestFirst(made.Changes)
	made.Changes = made.Changes[:min(len(made.Changes), maxChanges)]
	made.Rates, made.Latency, made.Points = s.series.rates(now), s.series.latency(now), s.series.points(now)
	return made
}

// oldest is the age in seconds of the oldest order that no worker has begun, or nil. If it is known, nil is
// that there is none.
func (s *Stats) oldest(now time.Time) (age *float64, known bool) {
	oldest := s.cfg.View.Health().Oldest
	if oldest.Placed.IsZero() {
		return nil, oldest.Known
	}
	return new(round(max(0, now.Sub(oldest.Placed).Seconds()))), true
}

// promise asks a view that can be used at the moment, or not: then it knows the age of a moment ago only.
func (s *Stats) promise(now time.Time, usable bool) system.Promise {
	age, known := s.oldest(now)
	p := system.Promise{LimitSeconds: s.cfg.Promise.Seconds(), OldestAgeSeconds: age, OldestKnown: known && usable}
	switch {
	case s.cfg.Blocked() != nil:
		p.Refusing, p.Why = true, "blocked"
	case s.cfg.Promise > 0 && p.OldestAgeSeconds != nil && *p.OldestAgeSeconds > p.LimitSeconds:
		p.Refusing, p.Why = true, "backpressure"
	}
	return p
}

// orders is nil while the view cannot tell.
func (s *Stats) orders(ctx context.Context) *system.Orders {
	n, _, err := s.cfg.View.Counts(ctx)
	if err != nil {
		return nil
	}
	return &system.Orders{
		Accepted: n[order.Accepted], Working: n[order.Working], Mailing: n[order.Mailing],
		Retrying: n[order.Retrying], Waiting: n[order.Waiting], Dead: n[order.Dead],
	}
}

// deadLetters is nil while the view cannot tell.
func (s *Stats) deadLetters(ctx context.Context) *system.DeadLetters {
	groups, err := s.cfg.View.Groups(ctx, view.DeadLetterFilter{States: view.Unsettled()})
	if err != nil {
		return nil
	}
	sum := &system.DeadLetters{}
	for _, g := range groups {
		sum.Open += g.Total()
		if g.Reason == failure.Uncertain {
			sum.Uncertain += g.Total()
		}
	}
	return sum
}

// lookedAtJobs is how many of the newest jobs are looked at.
const lookedAtJobs = 20

// jobs adds the newest jobs that are not done, if the view can tell, and returns when jobs began and halted.
func (s *Stats) jobs(ctx context.Context, made *system.Stats) (changes []system.Change) {
	all, _, err := s.cfg.View.Jobs(ctx, view.JobFilter{Limit: lookedAtJobs})
	if err != nil {
		return nil
	}
	made.Jobs = []system.Job{}
	for _, j := range all {
		if !j.State.Final() {
			made.Jobs = append(made.Jobs, system.Job{
				ID: j.ID, Kind: string(j.Kind), State: string(j.State), StartedAt: j.At, By: j.Cause.Actor.String(), Total: j.Total, Done: j.Cursor,
			})
		}
		if time.Since(j.At) <= window {
			changes = append(changes, system.Change{At: j.At, Kind: jobBegan, Job: j.ID})
		}
		if j.Halt != nil && time.Since(j.Halt.At) <= window {
			changes = append(changes, system.Change{At: j.Halt.At, Kind: jobHalted, Job: j.ID, Reason: j.Halt.Reason})
		}
	}
	return changes
}

// record counts a record of a topic that is followed.
func (s *Stats) record(r *kgo.Record, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Topic {
	case s.cfg.Topics.Workers:
		s.workers.apply(r)
	case s.cfg.Topics.Orders:
		s.series.placed(r.Timestamp, now)
	case s.cfg.Topics.Status:
		took, timeline, known := wire.ReadTook(r)
		s.series.confirmed(r.Timestamp, now)
		if known {
			s.series.took(r.Timestamp, now, took, Spans(timeline))
		}
	}
}

// known is a value, or nil for a negative one.
func known(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

// topicNames are the topics of the workers with orders to do, and then all others.
func topicNames(t topic.Set) (read, others []string) {
	read = []string{t.Orders, t.Retry10s, t.Retry2m, t.Waiting, t.Replay}
	for _, spec := range t.Specs() {
		if !slices.Contains(read, spec.Name) {
			others = append(others, spec.Name)
		}
	}
	slices.SortFunc(others, cmp.Compare[string])
	return read, others
}
