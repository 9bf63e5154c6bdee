package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/storetest"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
)

// batch has the state of order n, with its number as revision and offset.
func batch(n int64) view.Batch {
	o := view.Row{ID: "ord_1", PlacedAt: time.UnixMilli(1), Status: order.Working, Rev: n, Begun: true, StateAt: n, Value: []byte("{}")}
	return view.Batch{
		Changes:   []view.Change{view.Changed{Row: o}},
		Positions: map[kafka.Partition]view.Position{{Topic: "orders.status"}: {Next: n + 1}},
	}
}

func topics() map[string]kadm.TopicID { return map[string]kadm.TopicID{"orders.status": {1}} }

// two are a store that writes, and one that does not, with the first batch applied.
func two(t *testing.T, server *storetest.Postgres) (writer, follower *Store) {
	t.Helper()
	url := server.Database(t)
	writer = open(t, url)
	t.Cleanup(func() { must(t, writer.Close()) })
	must(t, writer.Reset(t.Context(), topics()))
	must(t, writer.Apply(t.Context(), batch(1)))
	follower = open(t, url)
	t.Cleanup(func() { must(t, follower.Close()) })
	found, err := follower.Resume(t.Context(), topics())
	if err != nil || len(found) != 1 || follower.state.leads() != 0 {
		t.Fatalf("got positions %v, %v, writer %d, want those of the other instance", found, err, follower.state.leads())
	}
	return writer, follower
}

// applied waits for Apply of a store in the background.
func applied(t *testing.T, s *Store, b view.Batch) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.Apply(t.Context(), b) }() // ends with the test at the latest
	return done
}

// rev is that of the order.
func rev(t *testing.T, s *Store) int64 {
	t.Helper()
	o, err := s.Order(t.Context(), "ord_1")
	must(t, err)
	return o.Rev
}

func TestSeveralInstances(t *testing.T) {
	t.Parallel()
	server := storetest.StartPostgres(t)
	for name, test := range map[string]func(t *testing.T, writer, follower *Store){
		"learn of what the writer has stored": learns,
		"take over from one that stops":       takesOverAtOnce,
		"take over from one that is killed":   takesOverLater,
		"take over from one that is stuck":    takesOverStuck,
		"fence a writer that was paused":      fences,
		"follow a reset":                      followsReset,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			writer, follower := two(t, server)
			test(t, writer, follower)
		})
	}
	t.Run("repeat a batch whose commit was not answered", func(t *testing.T) {
		t.Parallel()
		writer, _ := two(t, server)
		writer.state.set(func(s *state) { s.next = map[kafka.Partition]int64{} })
		again := batch(1)
		again.Changes = []view.Change{batch(7).Changes[0]}
		must(t, writer.Apply(t.Context(), again))
		if got := rev(t, writer); got != 1 {
			t.Errorf("got rev %d, want 1: the batch is applied already", got)
		}
	})
}

func learns(t *testing.T, writer, follower *Store) {
	waiting := applied(t, follower, batch(2))
	must(t, writer.Apply(t.Context(), batch(2)))
	must(t, <-waiting)
	if got := rev(t, follower); got != 2 {
		t.Errorf("got rev %d, want 2", got)
	}
	must(t, follower.Apply(t.Context(), batch(1))) // of one that lags behind
	if got := rev(t, follower); got != 2 {
		t.Errorf("after a batch that was stored before: got rev %d, want 2", got)
	}
}

// continues checks that a store is the writer now, and writes.
func continues(t *testing.T, s *Store, err error) {
	t.Helper()
	if !errors.Is(err, view.ErrMoved) {
		t.Fatalf("got %v, want ErrMoved", err)
	}
	found, err := s.Resume(t.Context(), topics())
	must(t, err)
	if at := found[kafka.Partition{Topic: "orders.status"}]; at.Next != 2 {
		t.Errorf("got position %+v, want that of the other instance", at)
	}
	must(t, s.Apply(t.Context(), batch(2)))
	if got := rev(t, s); got != 2 {
		t.Errorf("got rev %d, want 2", got)
	}
}

func takesOverAtOnce(t *testing.T, writer, follower *Store) {
	waiting := applied(t, follower, batch(2))
	writer.stop()
	writer.watching.Wait()
	must(t, writer.release(t.Context()))
	var free bool
	must(t, follower.db.QueryRow(t.Context(), "SELECT expires < clock_timestamp() OR epoch = 2 FROM writer").Scan(&free))
	if !free {
		t.Error("the lease goes on")
	}
	continues(t, follower, <-waiting)
}

func takesOverLater(t *testing.T, writer, follower *Store) {
	waiting := applied(t, follower, batch(2))
	writer.stop() // it renews its lease no longer
	writer.watching.Wait()
	continues(t, follower, <-waiting)
}

func takesOverStuck(t *testing.T, writer, follower *Store) {
	continues(t, follower, <-applied(t, follower, batch(2))) // the writer does not get this batch
	if err := writer.write(t.Context(), 1, batch(3)); !errors.Is(err, errFenced) {
		t.Errorf("got %v, want errFenced", err)
	}
}

// fences pauses a writer between its check of the epoch and its commit.
func fences(t *testing.T, writer, follower *Store) {
	waiting := applied(t, follower, batch(2))
	writer.stop()
	writer.watching.Wait()
	resumed := make(chan struct{})
	paused := make(chan error, 1)
	go func() {
		paused <- writer.db.change(t.Context(), func(tx *transaction) error {
			if err := tx.fence(t.Context(), 1); err != nil {
				return err
			}
			<-resumed
			return tx.Exec(t.Context(), "UPDATE orders SET rev = 99")
		})
	}()
	continues(t, follower, <-waiting)
	close(resumed)
	if err := <-paused; err == nil {
		t.Error("the former writer has written")
	}
	if err := writer.write(t.Context(), 1, batch(3)); !errors.Is(err, errFenced) {
		t.Errorf("got %v, want errFenced", err)
	}
	if got := rev(t, follower); got != 2 {
		t.Errorf("got rev %d, want 2", got)
	}
}

func followsReset(t *testing.T, writer, follower *Store) {
	waiting := applied(t, follower, batch(2))
	must(t, writer.Reset(t.Context(), topics()))
	if err := <-waiting; !errors.Is(err, view.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
	if _, err := follower.Order(t.Context(), "ord_1"); !errors.Is(err, view.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged: the tables are not complete", err)
	}
	must(t, follower.Reset(t.Context(), topics()))
	waiting = applied(t, follower, batch(1))
	must(t, writer.Apply(t.Context(), batch(1)))
	must(t, <-waiting)
	if got := rev(t, follower); got != 1 {
		t.Errorf("got rev %d, want 1", got)
	}
}

// TestAServerThatIsRestarted stops the database while a batch is applied, and starts it again.
func TestAServerThatIsRestarted(t *testing.T) {
	t.Parallel()
	server := storetest.StartPostgres(t)
	writer, follower := two(t, server)
	waiting := applied(t, follower, batch(2))
	server.Stop(t)
	for name, s := range map[string]*Store{"writer": writer, "follower": follower} {
		if _, err := s.Order(t.Context(), "ord_1"); !errors.Is(err, view.ErrStore) {
			t.Errorf("%s: got %v, want ErrStore", name, err)
		}
	}
	for _, err := range []error{<-waiting, writer.Apply(t.Context(), batch(2))} {
		if u, ok := errors.AsType[*view.UnavailableError](err); !ok || u.Reason != silent {
			t.Errorf("got %v, want an UnavailableError", err)
		}
	}
	if u, ok := errors.AsType[*view.UnavailableError](follower.Check()); !ok || u.Reason != silent {
		t.Errorf("check: got %v, want an UnavailableError also while nothing is written", follower.Check())
	}
	server.Start(t)
	for backoff := (kafka.Backoff{}); ; { // as the view does it
		err := writer.Apply(t.Context(), batch(2))
		if err == nil {
			break
		}
		if !errors.Is(err, view.ErrStore) && !errors.Is(err, view.ErrMoved) {
			t.Fatal(err)
		}
		_, _ = writer.Resume(t.Context(), topics())
		backoff.Pause(t.Context(), err, func(error) {})
	}
	if got := rev(t, writer); got != 2 {
		t.Errorf("got rev %d, want 2", got)
	}
}
