//go:build synctests

package worker_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/wire"
)

// told are the records of orders.workers that are no tombstones.
func (s *shop) told(t *testing.T) (all []wire.Worker, tombstones int) {
	t.Helper()
	for _, r := range s.Records(t, s.Topics.Workers) {
		if r.Value == nil {
			tombstones++
			continue
		}
		w, err := wire.ReadWorker(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	return all, tombstones
}

func TestWorkerTellsOfItselfUntilItStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.place(t, orders(20)...)
		s.mails.Behave(inbox.Behaviour{Down: true})
		stop := s.work(t)
		const minutes = 10
		time.Sleep(minutes * time.Minute)
		all, tombstones := s.told(t)
		last := all[len(all)-1]
		if len(last.Partitions) != s.layout.Partitions || last.Lease <= 0 || last.Slots != 32 || tombstones != 0 {
			t.Errorf("got %+v and %d tombstones, want a worker with all partitions and a lease", last, tombstones)
		}
		d := last.Dependencies[0]
		if d.Name != "mail server" || d.State == "closed" || d.Reason != "mail-away" || d.Since.IsZero() || d.Probe.Before(last.At.Add(-10*time.Second)) {
			t.Errorf("got dependency %+v, want a mail server that is down, since when, and the next probe", d)
		}
		if since := last.At.Sub(d.Since); since < (minutes-1)*time.Minute {
			t.Errorf("down for %v, want since the start of the outage", since)
		}
		for i := 1; i < len(all); i++ {
			if gap := all[i].At.Sub(all[i-1].At); gap < time.Second-time.Millisecond || gap > wire.WorkerEvery+time.Second {
				t.Errorf("records %d and %d are %v apart, want one to five seconds", i-1, i, gap)
			}
		}
		s.mails.Behave(inbox.Behaviour{})
		s.Await(t, ended(20))
		time.Sleep(2 * time.Second)
		stop()
		after, tombstones := s.told(t)
		if tombstones != 1 {
			t.Errorf("stopped: got %d tombstones, want one", tombstones)
		}
		if now := after[len(after)-1]; now.ID != last.ID || !slices.ContainsFunc(after, func(w wire.Worker) bool {
			return w.Dependencies[0].State == "closed" && !w.Dependencies[0].Since.IsZero()
		}) {
			t.Errorf("got %+v last, want the same worker, and the mail server up again", now)
		}
		s.confirmedOnce(t, 20)
	})
}

// A worker that cannot tell of itself goes on working.
func TestWorkerWorksWithoutTheTopicOfTheWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		back := s.Leaderless(s.Topics.Workers, wire.WorkersPartition)
		defer back()
		stop := s.work(t, func(c *worker.Config) { c.Concurrency = 4 })
		s.place(t, orders(20)...)
		s.Await(t, ended(20))
		stop()
		s.confirmedOnce(t, 20)
	})
}

// TestPartitionsOfAKilledWorkerAreToldByTheNext: within wire.WorkerGone of the kill the other worker says that it has them.
func TestPartitionsOfAKilledWorkerAreToldByTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		cfg := s.settings(t)
		victim := s.tap(t, &cfg, own)
		s.run(t, "the worker that dies", func(ctx context.Context) error { return worker.Run(ctx, cfg) })
		time.Sleep(3 * time.Second)
		stop := s.work(t)
		time.Sleep(10 * time.Second)
		victim.kill()
		killed := time.Now()
		time.Sleep(wire.WorkerGone)
		all, tombstones := s.told(t)
		last := map[string]wire.Worker{}
		for _, w := range all {
			last[w.ID] = w
		}
		if len(last) != 2 || tombstones != 0 {
			t.Fatalf("got %d workers and %d tombstones, want two and none", len(last), tombstones)
		}
		for id, w := range last {
			switch {
			case w.At.After(killed) && len(w.Partitions) != s.layout.Partitions:
				t.Errorf("%s: got partitions %+v, want all", id, w.Partitions)
			case !w.At.After(killed) && len(w.Partitions) == s.layout.Partitions:
				t.Errorf("%s: got all partitions of the killed worker, want some of the other one", id)
			}
		}
		stop()
	})
}
