package stats

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client/system"
	"example.com/orders/shared/wire"
)

// silentAfter is how long after its last record a worker counts as silent: a record is due every
// wire.WorkerEvery. Its partitions are then without an owner until another worker has them.
const silentAfter = wire.WorkerEvery * 3 / 2

// maxWorkers is how many workers are shown. Only another program's records could be more.
const maxWorkers = 1_000

// maxChanges is how many changes are kept, and window is how old they and the points may be.
const (
	maxChanges = 50
	window     = 15 * time.Minute
)

// The kinds of changes.
const (
	workerJoined    = "worker-joined"
	workerLeft      = "worker-left"
	workerLost      = "worker-lost"
	partitionsMoved = "partitions-moved"
	breakerOpened   = "breaker-opened"
	breakerClosed   = "breaker-closed"
	jobBegan        = "job-began"
	jobHalted       = "job-halted"
)

// workers folds the records of orders.workers. All that it says follows from the records and the time, so
// every instance of the API says the same. It is not safe for concurrent use.
type workers struct {
	from    time.Time // records before it are not known
	byID    map[string]*member
	owners  map[int32]string // IDs; the last one that a partition had
	changes []system.Change
}

type member struct {
	wire.Worker
	seen time.Time // timestamp of the last record
}

func newWorkers(from time.Time) *workers {
	return &workers{from: from, byID: map[string]*member{}, owners: map[int32]string{}}
}

// apply reads the next record. One that is no worker is left out.
func (w *workers) apply(r *kgo.Record) {
	w.expire(r.Timestamp)
	id := string(r.Key)
	before := w.byID[id]
	if before == nil && len(w.byID) == maxWorkers {
		return
	}
	if r.Value == nil {
		if before != nil {
			delete(w.byID, id)
			w.note(system.Change{At: r.Timestamp, Kind: workerLeft, Worker: id, Host: before.Host})
		}
		return
	}
	told, err := wire.ReadWorker(r)
	if err != nil {
		return
	}
	now := &member{told, r.Timestamp}
	w.byID[id] = now
	if before == nil {
		before = &member{}
		if !told.Started.Before(w.from) {
			w.note(system.Change{At: told.Started, Kind: workerJoined, Worker: id, Host: told.Host})
		}
	}
	w.move(now)
	w.compare(before, now)
}

// move notes which partitions a worker has that another one had.
func (w *workers) move(m *member) {
	var moved []int32
	for _, p := range m.Partitions {
		owner, known := w.owners[p.Number]
		if owner == m.ID || p.State == draining {
			continue
		}
		w.owners[p.Number] = m.ID
		if known || !m.Started.Before(w.from) {
			moved = append(moved, p.Number)
		}
	}
	if len(moved) > 0 {
		slices.Sort(moved)
		w.note(system.Change{At: m.seen, Kind: partitionsMoved, Worker: m.ID, Host: m.Host, Partitions: moved})
	}
}

const (
	draining = "draining"
	blocked  = "blocked"
	closed   = "closed"
	open     = "open"
)

// compare notes the circuit breakers that have changed.
func (w *workers) compare(before, now *member) {
	for _, d := range now.Dependencies {
		was := closed
		for _, b := range before.Dependencies {
			if b.Name == d.Name {
				was = b.State
			}
		}
		if (was == closed) == (d.State == closed) || d.Since.Before(w.from) {
			continue
		}
		kind := breakerOpened
		if d.State == closed {
			kind = breakerClosed
		}
		w.note(system.Change{At: d.Since, Kind: kind, Worker: now.ID, Host: now.Host, Dependency: d.Name, Reason: d.Reason})
	}
}

// expire forgets the workers that are gone at a time.
func (w *workers) expire(now time.Time) {
	for id, m := range w.byID {
		if now.Sub(m.seen) >= wire.WorkerGone {
			delete(w.byID, id)
			w.note(system.Change{At: m.seen.Add(wire.WorkerGone), Kind: workerLost, Worker: id, Host: m.Host})
		}
	}
	w.changes = slices.DeleteFunc(w.changes, func(c system.Change) bool { return now.Sub(c.At) > window })
}

// note keeps a change, and the newest maxChanges.
func (w *workers) note(c system.Change) {
	c.At = c.At.UTC()
	w.changes = append(w.changes, c)
	newestFirst(w.changes)
	w.changes = w.changes[:min(len(w.changes), maxChanges)]
}

func newestFirst(all []system.Change) {
	slices.SortStableFunc(all, func(a, b system.Change) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Worker, b.Worker))
	})
}

// show adds the workers, their partitions and dependencies.
func (w *workers) show(s *system.Stats, now time.Time) {
	held := map[int32]*system.Partition{}
	for i := range s.Partitions {
		held[s.Partitions[i].Number] = &s.Partitions[i]
	}
	for _, m := range w.sorted() {
		live := now.Sub(m.seen) < silentAfter
		s.Workers = append(s.Workers, m.show(live))
		if !live {
			continue
		}
		s.InFlight, s.Slots = s.InFlight+m.InFlight, s.Slots+m.Slots
		for _, p := range m.Partitions {
			if at := held[p.Number]; at != nil && w.owners[p.Number] == m.ID {
				at.Owner, at.State, at.Reason, at.InFlight = new(m.ID), new(p.State), p.Reason, p.InFlight
				if p.State == blocked {
					s.Blocked++
				}
			}
		}
		for _, d := range m.Dependencies {
			depend(s, d)
		}
	}
	for _, p := range s.Partitions {
		if p.Owner == nil {
			s.Unowned++
		}
	}
}

// sorted are the workers, the oldest first.
func (w *workers) sorted() []*member {
	return slices.SortedFunc(maps.Values(w.byID), func(a, b *member) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID)) })
}

func (m *member) show(live bool) system.Worker {
	s := system.Worker{
		ID: m.ID, Host: m.Host, PID: m.PID, Version: m.Version, State: "silent", StartedAt: m.Started, SeenAt: m.seen.UTC(),
		LeaseSeconds: m.Lease.Seconds(), InFlight: m.InFlight, Slots: m.Slots, Partitions: []int32{},
	}
	if live {
		s.State = "live"
	}
	for _, p := range m.Partitions {
		s.Partitions = append(s.Partitions, p.Number)
	}
	return s
}

// depend adds what one worker says of a dependency.
func depend(s *system.Stats, d wire.Dependency) {
	i := slices.IndexFunc(s.Dependencies, func(known system.Dependency) bool { return known.Name == d.Name })
	if i < 0 {
		i = len(s.Dependencies)
		s.Dependencies = append(s.Dependencies, system.Dependency{Name: d.Name, State: closed})
	}
	sum := &s.Dependencies[i]
	sum.Workers++
	if d.State == closed {
		if sum.Down == 0 && !d.Since.IsZero() && (sum.Since == nil || d.Since.After(*sum.Since)) {
			sum.Since = &d.Since
		}
		return
	}
	if sum.Down++; sum.Down == 1 {
		sum.State, sum.Since, sum.NextProbe, sum.Reason = d.State, &d.Since, &d.Probe, d.Reason
	}
	if d.State == open {
		sum.State = open
	}
	sum.Since, sum.NextProbe = earlier(sum.Since, &d.Since), earlier(sum.NextProbe, &d.Probe)
}

func earlier(a, b *time.Time) *time.Time {
	if b.Before(*a) {
		return b
	}
	return a
}
