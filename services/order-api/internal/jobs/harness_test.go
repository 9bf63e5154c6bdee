//go:build synctests

package jobs_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/foreign/sender"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/sqlite"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// shop is a Kafka with dead orders, and a worker that replays them as a test says.
type shop struct {
	*kafkatest.Kafka
	layout kafka.Layout
	rules  sender.Rules // of dead letters of other programs

	mu     sync.Mutex
	orders map[string]*order.State // by the ID of the dead letter
	worked map[string]int          // replays that were not known before
	edits  map[string]int          // versions that were worked on
	// message of what fails again; empty is the one that all dead letters have.
	message string

	ids []string // of the dead letters
}

// open makes n dead orders.
func open(t *testing.T, n int) *shop {
	t.Helper()
	return openOn(t, kafkatest.Start(t), n)
}

func openOn(t *testing.T, k *kafkatest.Kafka, n int) *shop {
	t.Helper()
	s := &shop{Kafka: k, orders: map[string]*order.State{}, worked: map[string]int{}, edits: map[string]int{}}
	var err error
	s.layout, err = kafka.Check(t.Context(), s.Client, s.Topics)
	must(t, err)
	for p := range int32(kafkatest.Partitions) {
		s.put(t, s.Topics.Status, p, wire.Claim{Worker: "w", At: time.Now()}.Record())
	}
	var placed, failed []*kgo.Record
	for i := range n {
		r := wire.Order(sample(i))
		r.Topic = s.Topics.Orders
		s.layout.Place(r)
		placed = append(placed, r)
	}
	s.Produce(t, placed...)
	for i, r := range placed {
		state := sample(i).Begin(order.Origin{Partition: r.Partition, Offset: r.Offset})
		s.orders[state.Origin.String()] = &state
		s.ids = append(s.ids, state.Origin.String())
		kafkatest.Record(t, &state, order.Change{Rev: 1, At: time.Now(), Status: order.Working})
		failed = append(failed, s.die(t, &state, 0)...)
	}
	s.Produce(t, failed...)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put appends a record. The worker may be doing that when the test ends.
func (s *shop) put(t testing.TB, topic string, partition int32, r *kgo.Record) {
	t.Helper()
	r.Topic, r.Partition = topic, partition
	if err := s.Client.ProduceSync(context.WithoutCancel(t.Context()), r).FirstErr(); err != nil {
		t.Error(err)
	}
}

// sample is the order number i.
func sample(i int) order.Order {
	return order.Order{
		ID: order.ID(fmt.Sprintf("ord_%06d", i)), PlacedAt: time.UnixMilli(1_700_000_000_000).UTC(), Service: order.Standard,
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"},
		ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Lines:    []order.Line{{SKU: "A", Quantity: 1, Name: "a", UnitPrice: order.EUR.Cents(100)}},
	}
}

// die returns the dead letter of an order, and its state.
func (s *shop) die(t testing.TB, state *order.State, number int) []*kgo.Record {
	return s.dieOf(t, state, order.Change{Replay: number}, "no route to DE")
}

// dieOf is die for a replay of a job, with a message.
func (s *shop) dieOf(t testing.TB, state *order.State, replay order.Change, message string) []*kgo.Record {
	r := wire.Order(state.Order)
	l := dlq.DeadLetter{
		Source: wire.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Origin: state.Origin}, Topic: s.Topics.Orders, Group: "order-workers",
		Step: order.StepShipping, Class: failure.Permanent, Reason: failure.NoRoute, Message: message, Attempts: 1,
		FirstFailed: time.Now(), LastFailed: time.Now(), Worker: "w", Replays: replay.Replay, Job: replay.Job, Rev: state.Rev + 1,
	}
	record := l.Record()
	record.Topic = s.Topics.DLQ
	return []*kgo.Record{record, s.change(t, state, order.Change{Status: order.Dead, Step: order.StepShipping, Reason: string(failure.NoRoute), Replay: replay.Replay, Job: replay.Job})}
}

// change returns the state of an order after a change.
func (s *shop) change(t testing.TB, state *order.State, c order.Change) *kgo.Record {
	c.Rev, c.At = state.Rev+1, time.Now().UTC().Truncate(time.Millisecond)
	state.Replays = max(state.Replays, c.Replay)
	kafkatest.Record(t, state, c)
	r := wire.State(*state, 0)
	r.Topic, r.Partition = s.Topics.Status, state.Origin.Partition
	return r
}

// work begins a worker that ends each replay as the test says: with a status or, with "", not yet.
func (s *shop) work(t *testing.T, ends func(state *order.State, number int) order.Status) (stop func()) {
	t.Helper()
	cl, err := s.Config().Connect(t.Context(), kgo.ConsumeTopics(s.Topics.Replay), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(t, err)
	return background(t, func(ctx context.Context) error {
		defer cl.Close()
		for ctx.Err() == nil {
			fetches := cl.PollFetches(ctx)
			var written []*kgo.Record
			fetches.EachRecord(func(r *kgo.Record) { written = append(written, s.replay(t, r, ends)...) })
			if err := s.Client.ProduceSync(context.WithoutCancel(ctx), written...).FirstErr(); err != nil {
				return err
			}
		}
		return nil
	})
}

// replay returns what a worker writes because of a request.
func (s *shop) replay(t *testing.T, r *kgo.Record, ends func(*order.State, int) order.Status) []*kgo.Record {
	q, err := wire.ReadReplayRequest(r)
	if err != nil {
		t.Error(err)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := q.Origin.String()
	state := s.orders[id]
	if q.DryRun {
		f := forecast(q)
		answer := f.Record()
		answer.Topic, answer.Partition = s.Topics.Desk, r.Partition
		return []*kgo.Record{answer}
	}
	if state.Replays >= q.Number { // as the worker does
		why := order.Conflict
		if state.Status == order.Confirmed {
			why = order.AlreadyDone
		}
		return []*kgo.Record{s.change(t, state, order.Change{Status: state.Status, Replay: q.Number, Job: q.Job, Reason: why})}
	}
	s.worked[id]++
	s.edits[id] = q.Edit
	written := []*kgo.Record{s.change(t, state, order.Change{Status: order.Working, Replay: q.Number, Job: q.Job})}
	switch status := ends(state, q.Number); status {
	case "":
	case order.Dead:
		written = append(written, s.dieOf(t, state, order.Change{Replay: q.Number, Job: q.Job}, cmp.Or(s.message, "no route to DE"))...)
	default:
		written = append(written, s.change(t, state, order.Change{Status: status, Replay: q.Number, Job: q.Job}))
	}
	return written
}

// forecast is what a worker answers to a dry run: the orders with an even offset would pass.
func forecast(q wire.ReplayRequest) wire.Forecast {
	step := wire.StepForecast{Step: order.StepEmail, Outcome: wire.StepNotTried}
	if q.Origin.Offset%2 == 1 {
		step = wire.StepForecast{Step: order.StepShipping, Outcome: wire.StepFails, Class: "permanent", Reason: "no-route"}
	}
	return wire.Forecast{Job: q.Job, DeadLetter: q.Origin.String(), At: time.Now(), Steps: []wire.StepForecast{step}, Edit: q.Edit}
}

// workedOnce checks that n dead letters were worked on, each once.
func (s *shop) workedOnce(t *testing.T, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.worked) != n {
		t.Errorf("got %d dead letters worked on, want %d", len(s.worked), n)
	}
	for id, times := range s.worked {
		if times != 1 {
			t.Errorf("%s: got worked on %d times, want once", id, times)
		}
	}
}

// background runs a function until stop is called or the test ends.
func background(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- run(ctx) }() // received by stop
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// frozen is a network whose connections stand still until thaw, as those of a process that is
// stopped.
type frozen struct {
	kafka.Config
	mu   sync.Mutex
	gate chan struct{}    // nil unless it is frozen
	at   map[int16]bool   // it freezes before a request with one of these keys
	made map[kmsg.Key]int // requests, by their keys
}

// requests returns how many requests were made, by their keys.
func (f *frozen) requests() map[kmsg.Key]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.made)
}

// freezeAt freezes before the next request with a key.
func (f *frozen) freezeAt(key int16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = map[int16]bool{key: true}
}

func (f *frozen) thaw() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gate != nil {
		close(f.gate)
	}
	f.gate, f.at = nil, nil
}

func (f *frozen) config() kafka.Config {
	cfg := f.Config
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := f.Config.Dial(ctx, network, address)
		return &frozenConn{c, f}, err
	}
	return cfg
}

type frozenConn struct {
	net.Conn
	network *frozen
}

func (c *frozenConn) Write(b []byte) (int, error) {
	c.network.mu.Lock()
	// A request begins with its size and its key.
	key := int16(binary.BigEndian.Uint16(b[4:]))
	c.network.made[kmsg.Key(key)]++
	if c.network.at[key] && c.network.gate == nil {
		c.network.gate, c.network.at = make(chan struct{}), nil
	}
	gate := c.network.gate
	c.network.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return c.Conn.Write(b)
}

// instance is an instance of the API.
type instance struct {
	rules sender.Rules
	*jobs.Jobs
	*frozen
	view *view.View
	desk *desk.Desk
	stop func()
}

// start starts an instance, which is up to date when it returns.
func (s *shop) start(t *testing.T, name string) *instance {
	t.Helper()
	i := s.connect(t, name)
	stopRun := background(t, i.Jobs.Run)
	stop := i.stop
	i.stop = func() {
		stopRun()
		stop()
	}
	t.Cleanup(i.stop)
	return i
}

// connect is start for an instance that runs no jobs.
func (s *shop) connect(t *testing.T, name string) *instance {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	i := &instance{frozen: &frozen{Config: s.Config(), made: map[kmsg.Key]int{}}, rules: s.rules}
	cl, err := i.build(t.Context(), i.frozen.config(), s.Topics, s.layout, t.TempDir(), name, log)
	must(t, err)
	stopView := background(t, i.view.Run)
	i.stop = sync.OnceFunc(func() {
		stopView()
		cl.Close()
		must(t, i.view.Close())
	})
	t.Cleanup(i.stop)
	must(t, i.view.Fresh(t.Context()))
	return i
}

// build makes the parts of an instance.
func (i *instance) build(
	ctx context.Context, cfg kafka.Config, topics topic.Set, layout kafka.Layout, data, name string, log *slog.Logger,
) (*kgo.Client, error) {
	store, err := sqlite.Open(ctx, filepath.Join(data, "view.db"))
	if err != nil {
		return nil, err
	}
	i.view, err = view.New(ctx, view.Config{Kafka: cfg, Topics: topics, Incarnation: layout.Incarnation, Foreign: i.rules.DeadLetters, Store: store, Log: log})
	if err != nil {
		return nil, err
	}
	cl, err := cfg.ConnectProducer(ctx)
	if err != nil {
		return nil, err
	}
	i.desk = desk.New(cl, topics, i.view)
	i.Jobs = jobs.New(cl, jobs.Config{
		Kafka: cfg, Topics: topics, Layout: layout, View: i.view, Name: name, Log: log,
		Own:     &jobs.Own{Desk: i.desk, Decisions: desk.NewDecisions(i.desk, layout, price), Topics: topics, Layout: layout},
		Foreign: jobs.NewForeign(sender.New(cl, i.rules, log), i.view),
	})
	return cl, nil
}

// price is a catalogue that knows nothing of new lines.
func price(*order.Order) []order.Invalid { return nil }

// ann is the operator who asks.
func ann(t *testing.T) context.Context {
	return identity.With(t.Context(), identity.Principal{ID: "ann", Role: identity.Operator})
}

func (i *instance) create(t *testing.T, spec jobs.Spec) string {
	t.Helper()
	job, err := i.Create(ann(t), spec)
	must(t, err)
	return job.ID
}

func (i *instance) get(t *testing.T, id string) jobs.Progress {
	t.Helper()
	p, err := i.Get(t.Context(), id)
	must(t, err)
	sum := p.NotSent
	for _, n := range p.Counts {
		sum += n
	}
	for _, n := range p.Skipped {
		sum += n
	}
	if sum != p.Total {
		t.Fatalf("the counts add up to %d, want %d: %+v", sum, p.Total, p)
	}
	return p
}

// bound is how long a test waits for a job. The longest takes less than a minute on an idle machine.
const bound = 10 * time.Minute

// await returns when a job is as a test wants it. The sum of its counts is checked each time.
func (i *instance) await(t *testing.T, id string, is func(jobs.Progress) bool) jobs.Progress {
	t.Helper()
	i.reached(t, id, func(view.Job) bool { return true })
	changes, stop := i.Watch()
	defer stop()
	for late := time.After(bound); ; {
		p := i.get(t, id)
		if is(p) {
			return p
		}
		select {
		case <-changes:
		case <-late:
			t.Fatalf("got after %v %+v", bound, p)
		}
	}
}

// reached waits for a state of a job, without its results: of many items they cost more than the job.
func (i *instance) reached(t *testing.T, id string, is func(view.Job) bool) view.Job {
	t.Helper()
	changes, stop := i.Watch()
	defer stop()
	for late := time.After(bound); ; {
		j, err := i.view.Job(t.Context(), id)
		if !errors.Is(err, view.ErrUnknown) { // created by another instance, and not read here yet
			must(t, err)
			if is(j) {
				return j
			}
		}
		select {
		case <-changes:
		case <-late:
			t.Fatalf("got after %v %+v", bound, j)
		}
	}
}

func phase(want jobs.Phase) func(jobs.Progress) bool {
	return func(p jobs.Progress) bool { return p.Phase == want }
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}
