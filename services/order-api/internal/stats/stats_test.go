//go:build synctests

package stats_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client/system"
	"example.com/orders/services/order-api/internal/stats"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/sqlite"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

const promise = time.Minute

type shop struct {
	*kafkatest.Kafka
	layout kafka.Layout
}

func open(t *testing.T) *shop {
	t.Helper()
	s := &shop{Kafka: kafkatest.Start(t)}
	var err error
	s.layout, err = kafka.Check(t.Context(), s.Client, s.Topics)
	must(t, err)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// instance runs the view and the statistics of one instance of the API, until stop.
func (s *shop) instance(t *testing.T) (st *stats.Stats, stop func()) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "view.db"))
	must(t, err)
	v, err := view.New(t.Context(), view.Config{
		Kafka: s.Config(), Topics: s.Topics, Incarnation: s.layout.Incarnation, Home: s.layout.Home, Group: s.Prefix, Store: store, Log: log,
	})
	must(t, err)
	st = stats.New(stats.Config{
		Kafka: s.Config(), Client: s.Client, Topics: s.Topics, Partitions: s.layout.Partitions, Group: s.Prefix, View: v, Promise: promise,
		Blocked: func() error { return nil }, Log: log,
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 2)
	go func() { done <- v.Run(ctx) }() // ends with cancel
	go func() { done <- st.Run(ctx) }()
	must(t, v.Fresh(t.Context()))
	synctest.Wait() // the client of the statistics has found its positions: records from here on are counted
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-done, <-done, v.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return st, stop
}

// teller writes what a worker tells of itself, as package presence does, until it is stopped or killed.
type teller struct {
	s *shop
	wire.Worker
}

func (s *shop) worker(id string, partitions ...int32) *teller {
	w := &teller{s, wire.Worker{
		ID: id, Host: "vm-1", PID: 7, Version: "1.8.1", Group: s.Prefix, Started: time.Now(), Lease: 6 * time.Second, Slots: 64,
		Dependencies: []wire.Dependency{{Name: "mail server", State: "closed"}},
	}}
	return w.own(partitions...)
}

func (w *teller) own(partitions ...int32) *teller {
	w.Partitions = nil
	for _, number := range partitions {
		w.Partitions = append(w.Partitions, wire.WorkerPartition{Number: number, State: "running", InFlight: 1})
	}
	w.InFlight = len(partitions)
	return w
}

func (w *teller) tell(t *testing.T) {
	t.Helper()
	w.At = time.Now()
	r := w.Record()
	r.Topic, r.Partition = w.s.Topics.Workers, wire.WorkersPartition
	w.s.Produce(t, r)
}

// pass lets time pass in which workers tell of themselves as often as they must.
func pass(t *testing.T, d time.Duration, all ...*teller) {
	t.Helper()
	for end := time.Now().Add(d); ; kafkatest.Pass(wire.WorkerEvery) {
		for _, w := range all {
			w.tell(t)
		}
		if left := time.Until(end); left <= wire.WorkerEvery {
			kafkatest.Pass(left)
			return
		}
	}
}

func kinds(s system.Stats) (all []string) {
	for _, c := range s.Changes {
		all = append(all, c.Kind+" "+c.Worker)
	}
	return all
}

func owners(s system.Stats) (all []string) {
	for _, p := range s.Partitions {
		if p.Owner == nil {
			all = append(all, "none")
		} else {
			all = append(all, *p.Owner)
		}
	}
	return all
}

func TestPartitionsOfAKilledWorkerHaveNoOwnerAndThenTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		one, _ := s.instance(t)
		a, b := s.worker("wrk_a", 0, 1), s.worker("wrk_b", 2)
		pass(t, 20*time.Second, a, b)
		got := one.Now(t.Context())
		if diff := cmp.Diff([]string{"wrk_a", "wrk_a", "wrk_b"}, owners(got)); diff != "" || got.Unowned != 0 || got.InFlight != 3 || got.Slots != 128 {
			t.Errorf("got %d without an owner, %d of %d in flight (-want +got):\n%s", got.Unowned, got.InFlight, got.Slots, diff)
		}
		killed := time.Now() // a has told of itself at this moment at the earliest 5 s ago
		pass(t, 8*time.Second, b)
		if got = one.Now(t.Context()); got.Unowned != 2 || got.Workers[0].State != "silent" {
			t.Errorf("8s after the kill: got owners %v, want two partitions without one", owners(got))
		}
		b.own(0, 1, 2)
		pass(t, time.Second, b)
		if got = one.Now(t.Context()); got.Unowned != 0 || time.Since(killed) > wire.WorkerGone {
			t.Errorf("%v after the kill: got owners %v, want the other worker", time.Since(killed), owners(got))
		}
		pass(t, 10*time.Second, b)
		got = one.Now(t.Context())
		if len(got.Workers) != 1 {
			t.Errorf("got workers %+v, want the one that lives", got.Workers)
		}
		want := []string{"worker-lost wrk_a", "partitions-moved wrk_b", "partitions-moved wrk_a", "partitions-moved wrk_b", "worker-joined wrk_a", "worker-joined wrk_b"}
		if diff := cmp.Diff(want, kinds(got)); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		if moved := got.Changes[1].Partitions; !slices.Equal(moved, []int32{0, 1}) {
			t.Errorf("got moved %v, want 0 and 1", moved)
		}
		s.Produce(t, &kgo.Record{Topic: s.Topics.Workers, Partition: wire.WorkersPartition, Key: []byte("wrk_b")})
		kafkatest.Pass(time.Second)
		if got = one.Now(t.Context()); len(got.Workers) != 0 || got.Unowned != 3 || kinds(got)[0] != "worker-left wrk_b" {
			t.Errorf("after a stop: got workers %+v, changes %v", got.Workers, kinds(got))
		}
	})
}

// shared is a snapshot without what belongs to one instance: its time, how far back it looks, and when it has asked for sizes.
func shared(s system.Stats) system.Stats {
	s.At, s.Rev, s.ReadModel.Fresh, s.Points, s.Topics = time.Time{}, 0, nil, nil, slices.Clone(s.Topics)
	for i := range s.Topics {
		s.Topics[i].Bytes = nil
	}
	return s
}

func TestInstancesAgreeAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		one, stop := s.instance(t)
		two, _ := s.instance(t)
		kafkatest.Pass(3 * time.Second)
		w := s.worker("wrk_a", 0, 1, 2)
		s.place(t, 6, order.Confirmed, 2*time.Second)
		s.place(t, 4, order.Waiting, 0)
		down := time.Now()
		w.Dependencies[0] = wire.Dependency{Name: "mail server", State: "open", Since: down, Probe: down.Add(5 * time.Second), Reason: "mail-away"}
		pass(t, 12*time.Second, w)
		first, second := one.Now(t.Context()), two.Now(t.Context())
		if diff := cmp.Diff(shared(first), shared(second)); diff != "" {
			t.Errorf("two instances (-one +two):\n%s", diff)
		}
		d := first.Dependencies[0]
		if d.State != "open" || !d.Since.Equal(down) || !d.NextProbe.Equal(down.Add(5*time.Second)) || d.Down != 1 || d.Reason != "mail-away" {
			t.Errorf("got %+v, want a mail server that is down since %v", d, down)
		}
		if first.Orders.Waiting != 4 || first.Orders.Dead != 0 || first.DeadLetters.Open != 0 {
			t.Errorf("got %+v and %+v, want 4 orders waiting and none dead", first.Orders, first.DeadLetters)
		}
		if l := first.Latency; l == nil || l.Orders != 6 || l.P50 < 1.8 || l.P50 > 2.2 || first.Rates.Placed == 0 || first.Rates.Confirmed == 0 {
			t.Errorf("got latency %+v and rates %+v, want 6 orders of 2s", l, first.Rates)
		}
		stop()
		again, _ := s.instance(t)
		pass(t, 2*time.Second, w)
		if diff := cmp.Diff(shared(two.Now(t.Context())), shared(again.Now(t.Context()))); diff != "" {
			t.Errorf("after a restart (-other +restarted):\n%s", diff)
		}
	})
}

// place writes orders and the state that they come to, some time after they were placed.
func (s *shop) place(t *testing.T, n int, to order.Status, took time.Duration) {
	t.Helper()
	for i := range n {
		o := order.Order{
			ID: order.ID(fmt.Sprintf("ord_%s%06d", to, i)), PlacedAt: time.Now().Add(-took).UTC(), Service: order.Standard,
			Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"},
			ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
			Lines:    []order.Line{{SKU: "A", Quantity: 1, Name: "a", UnitPrice: order.EUR.Cents(100)}},
		}
		r := wire.Order(o)
		r.Topic = s.Topics.Orders
		s.layout.Place(r)
		s.Produce(t, r)
		state := o.Begin(order.Origin{Incarnation: s.layout.Incarnation, Partition: r.Partition, Offset: r.Offset})
		kafkatest.Force(&state, order.Change{Rev: 1, At: time.Now().UTC(), Status: to, Step: order.StepEmail, Reason: "mail-away"})
		changed := wire.State(state, 0)
		changed.Topic, changed.Partition = s.Topics.Status, r.Partition
		s.Produce(t, changed)
	}
}

func TestAnHourOfEventsKeepsMemoryFlat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		one, _ := s.instance(t)
		changes, stop := one.Watch()
		defer stop()
		var most struct{ changes, points, workers int }
		for i := range 360 { // a worker that is killed every 10 seconds, for an hour
			w := s.worker(fmt.Sprintf("wrk_%d", i), 0, 1, 2)
			w.tell(t)
			kafkatest.Pass(10 * time.Second)
			got := one.Now(t.Context())
			most.changes, most.points, most.workers = max(most.changes, len(got.Changes)), max(most.points, len(got.Points)), max(most.workers, len(got.Workers))
			if len(changes) > 1 {
				t.Fatalf("got %d signals that wait for a slow reader, want one", len(changes))
			}
		}
		if most.changes > 50 || most.points > 180 || most.workers > 3 || most.points < 170 {
			t.Errorf("got at most %+v, want 50 changes, 180 points, 2 workers", most)
		}
	})
}

func TestSlowReaderGetsTheNewestState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		one, _ := s.instance(t)
		changes, stop := one.Watch()
		defer stop()
		w := s.worker("wrk_a", 0)
		for n := range 30 { // a change a second, of which the reader takes none
			w.InFlight = n
			w.tell(t)
			kafkatest.Pass(time.Second)
		}
		kafkatest.Pass(time.Second)
		<-changes
		if got := one.Now(t.Context()); got.InFlight != 29 {
			t.Errorf("got %d in flight, want the newest state", got.InFlight)
		}
		select {
		case <-changes:
			t.Error("got a second signal, want one for all changes")
		default:
		}
	})
}

func TestHostileWorkersAreTextOrLeftOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		one, _ := s.instance(t)
		const name = `<script>alert("1")</script>`
		w := s.worker("wrk_a", 0, 99)
		w.Host, w.Version = name, "\x1b[2Jv1\u202e"
		w.tell(t)
		bad := s.worker("wrk/../b", 1)
		bad.tell(t)
		for _, value := range []string{`{"schema":1}`, `[`, `{"schema":99}`} {
			r := w.Record()
			r.Key, r.Value, r.Topic, r.Partition = []byte("wrk_c"), []byte(value), s.Topics.Workers, wire.WorkersPartition
			s.Produce(t, r)
		}
		kafkatest.Pass(time.Second)
		got := one.Now(t.Context())
		if len(got.Workers) != 1 || got.Workers[0].Host != name || got.Workers[0].Version != " [2Jv1 " || got.Unowned != 2 {
			t.Errorf("got %+v, want one worker with its name as text", got.Workers)
		}
	})
}

func TestRefusingBeginsBeyondThePromise(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		one, _ := s.instance(t)
		s.place(t, 1, order.Accepted, 0)
		kafkatest.Pass(promise / 2)
		if got := one.Now(t.Context()).Promise; got.Refusing || got.OldestAgeSeconds == nil || *got.OldestAgeSeconds < 25 {
			t.Errorf("got %+v, want an order that is old, and no refusal", got)
		}
		kafkatest.Pass(promise)
		got := one.Now(t.Context())
		if !got.Promise.Refusing || got.Promise.Why != "backpressure" || *got.Partitions[0].Lag+*got.Partitions[1].Lag+*got.Partitions[2].Lag != 1 {
			t.Errorf("got %+v, lags of %+v; want a refusal, and one order that is not done", got.Promise, got.Partitions)
		}
	})
}
