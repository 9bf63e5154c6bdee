// Package scheduler works on the records of the partitions that a worker owns.
//
// Records of one key form a lane: they are worked on one after the other, whatever topic they come
// from. Lanes run concurrently, in a bounded number of slots. Partitions take turns, and so do the
// topics of a partition: a flood of replays delays no orders. Records of a topic with a delay begin
// when they are due, and orders that wait for a dependency begin when there is room for them.
//
// Of each topic's partition the commit watermark may be committed: the offset below which every
// record is finished. How far records begin ahead of it is bounded, and so is what a source keeps in
// memory: beyond that its fetching is paused, or fetched records are dropped and fetched again.
//
// The scheduler has no Kafka client. Records are offered to it, and it calls the functions of its
// Config. Whether records of a partition begin is decided by the partition's lifecycle.
package scheduler

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/partition"
)

// Config is what a scheduler needs. Its functions are called with a lock held: they must not block,
// and must not call the scheduler.
type Config struct {
	Slots int // orders in flight at once
	// Room says how many orders that wait for a dependency may be in flight now, and after how long to
	// ask again even if none ends (zero: not before); nil means no limit.
	Room func() (orders int, again time.Duration)
	// Fetch pauses (true) or resumes the fetching of one topic's partition.
	Fetch func(topic string, partition int32, paused bool)
	// Seek sets where the fetching of one topic's partition continues.
	Seek func(topic string, partition int32, at kgo.EpochOffset)
	// RequestRefill has Refill called before the next poll, soon.
	RequestRefill func()
}

// Scheduler runs the lanes of all owned partitions. It is safe for concurrent use.
type Scheduler struct {
	cfg  Config
	work sync.WaitGroup

	mu       sync.Mutex
	owned    []*Lanes // in turn: the first is asked first
	inFlight int
	room     room
	alarm    *time.Timer // for the first closed gate that may open by itself; or nil
}

// New returns a scheduler without partitions.
func New(cfg Config) *Scheduler {
	return &Scheduler{cfg: cfg, room: room{ask: cfg.Room}}
}

// Add begins to accept the records of a partition. Lanes of the same partition number are replaced.
func (s *Scheduler) Add(p *Lanes) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delete(s.find(p.Number()))
	s.owned = append(s.owned, p)
	for _, src := range p.sources {
		if src.Limited {
			src.room = &s.room
		}
		s.cfg.Fetch(src.Topic, p.Number(), false)
	}
	s.begin()
}

// Remove forgets the records of a partition, and returns how many of them were begun and not
// finished; false means that the lanes were removed or replaced before.
func (s *Scheduler) Remove(p *Lanes) (unfinished int, removed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.delete(p) {
		return 0, false
	}
	return p.unfinished(), true
}

func (s *Scheduler) delete(p *Lanes) bool {
	i := slices.Index(s.owned, p)
	if i < 0 {
		return false
	}
	s.owned = slices.Delete(slices.Clone(s.owned), i, i+1)
	close(p.removed)
	return true
}

// Offer adds fetched records of one topic's partition, in order. Records of a partition that drains,
// or is not owned, are dropped: its next owner fetches them again.
func (s *Scheduler) Offer(topic string, number int32, records []*kgo.Record) {
	s.with(topic, number, func(p *Lanes, src *source) {
		if p.State() != partition.Draining {
			src.put(records)
			s.begin()
		}
	})
}

// Read notes that the tail of a partition was read up to a record, and that one included.
func (s *Scheduler) Read(topic string, number int32, last *kgo.Record) {
	s.with(topic, number, func(p *Lanes, src *source) {
		src.next = kgo.EpochOffset{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}
		p.tell(p.known.read(src.next.Offset))
	})
}

// Wrote notes that a record of this worker is at an offset of a partition's tail, so it need not be read.
func (s *Scheduler) Wrote(number int32, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.find(number); p != nil {
		p.tell(p.known.wrote(offset))
	}
}

// ErrRemoved means that a partition is not owned, or was blocked before it was restored.
var ErrRemoved = errors.New("the partition is not owned")

// Passed blocks until every record of the tail of a partition is known up to an offset, and that one included: it
// was read, or this worker wrote it. It returns ErrRemoved if the lanes that it found at first are removed or
// replaced before that: what others know counts for others.
func (s *Scheduler) Passed(ctx context.Context, number int32, offset int64) error {
	s.mu.Lock()
	p := s.find(number)
	s.mu.Unlock()
	if p == nil || p.tail == nil {
		return ErrRemoved
	}
	for {
		s.mu.Lock()
		passed, moved := p.known.next > offset, p.moved
		s.mu.Unlock()
		if passed {
			return nil
		}
		select {
		case <-moved:
		case <-p.removed:
			return ErrRemoved
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Appended notes that this worker has appended a record to a topic from which orders come. While
// its source is cut nothing is fetched, and the record would seem to have arrived later than it did.
func (s *Scheduler) Appended(topic string, number int32, offset int64) {
	s.with(topic, number, func(_ *Lanes, src *source) { src.arrived(offset) })
}

// Refill fetches again what cut sources have dropped and now need. Call it between two polls: then
// no record that was polled before is still on its way to Offer, where it would be out of order.
func (s *Scheduler) Refill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.owned {
		for _, src := range p.sources {
			if p.running() && src.needsRefill(time.Now()) {
				src.cut, src.paused = false, false
				s.cfg.Seek(src.Topic, p.Number(), src.next)
				s.cfg.Fetch(src.Topic, p.Number(), false)
			}
		}
	}
}

// Refresh acts on a change of a partition's state.
func (s *Scheduler) Refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin()
}

// Stop ends the fetching of one topic's partition for good, also of the tail.
func (s *Scheduler) Stop(topic string, number int32) {
	s.with(topic, number, func(_ *Lanes, src *source) {
		src.stopped = true
		s.begin()
	})
}

// Place is a topic's partition.
type Place struct {
	Topic  string
	Number int32
}

// Reading is where the sources are that are being fetched.
func (s *Scheduler) Reading() map[Place]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[Place]int64{}
	for _, p := range s.owned {
		for _, src := range p.sources {
			if p.running() && !src.paused && !src.cut {
				all[Place{src.Topic, p.Number()}] = src.next.Offset
			}
		}
	}
	return all
}

// Reached is the offset of the record of a topic's partition that is to be fetched next, with the
// epoch of the one before it; false means that none is.
func (s *Scheduler) Reached(topic string, number int32) (at kgo.EpochOffset, ok bool) {
	s.with(topic, number, func(p *Lanes, src *source) { at, ok = src.next, p.running() })
	return at, ok
}

// Jump continues the fetching of a topic's partition at another offset, if it is at the given one.
func (s *Scheduler) Jump(topic string, number int32, at, to int64) {
	s.with(topic, number, func(_ *Lanes, src *source) {
		if src.next.Offset == at {
			src.next = kgo.EpochOffset{Epoch: unknown, Offset: to}
			s.cfg.Seek(topic, number, src.next)
		}
	})
}

// unknown is no epoch.
const unknown = -1

// Numbers are the owned partition numbers: running, blocked or draining.
func (s *Scheduler) Numbers() []int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var numbers []int32
	for _, p := range s.owned {
		numbers = append(numbers, p.Number())
	}
	return numbers
}

// Buffered is how much of a topic's partition is in memory and not in flight.
func (s *Scheduler) Buffered(topic string, number int32) (records, bytes int) {
	s.with(topic, number, func(_ *Lanes, src *source) { records, bytes = len(src.queue), src.bytes })
	return records, bytes
}

// Queued is how many records of a partition are in memory and not in flight, without those of the tail.
func (s *Scheduler) Queued(number int32) (records int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.find(number); p != nil {
		records = p.queued()
	}
	return records
}

// Committable is the commit watermark of every topic of all owned partitions, and by partition
// number what makes the metadata of its commits.
func (s *Scheduler) Committable() (map[string]map[int32]kgo.EpochOffset, map[int32]Metadata) {
	s.mu.Lock()
	defer s.mu.Unlock()
	offsets, metadata := map[string]map[int32]kgo.EpochOffset{}, map[int32]Metadata{}
	for _, p := range s.owned {
		metadata[p.Number()] = p.committable(offsets)
	}
	return offsets, metadata
}

// Wait returns when no order is in flight. No order may begin any more.
func (s *Scheduler) Wait() { s.work.Wait() }

// begin starts as much work as there are free slots, one record of each partition in turn. Then it
// decides which sources are fetched, and when to look again.
func (s *Scheduler) begin() {
	s.room.refresh()
	for tried := 0; tried < len(s.owned) && s.inFlight < s.cfg.Slots; tried++ {
		p := s.owned[0]
		s.owned = append(s.owned[1:], p)
		if p.inFlight < s.share() && s.beginNext(p) {
			tried = -1
		}
	}
	s.regulate()
}

// share is how many slots one partition may take: while several are owned, at most half of them.
func (s *Scheduler) share() int {
	if len(s.owned) == 1 {
		return s.cfg.Slots
	}
	return max(1, s.cfg.Slots/2)
}

func (s *Scheduler) beginNext(p *Lanes) bool {
	r, ok := p.next(time.Now())
	if !ok {
		return false
	}
	end := p.Begin()
	if end == nil { // the partition has left the state running since
		p.finish(r, false)
		return false
	}
	s.count(p, r, 1)
	s.work.Go(func() {
		err := p.work(r.Record)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.count(p, r, -1)
		p.finish(r, err == nil)
		end()
		s.begin()
	})
	return true
}

func (s *Scheduler) count(p *Lanes, r record, n int) {
	s.inFlight += n
	p.inFlight += n
	if r.from.room != nil {
		r.from.room.inFlight += n
	}
}

// regulate decides which sources are fetched, and when to look again.
func (s *Scheduler) regulate() {
	first := never
	for _, p := range s.owned {
		first = min(first, p.regulate(s.cfg, time.Now()))
	}
	if s.alarm != nil {
		s.alarm.Stop()
	}
	if first < never {
		s.alarm = time.AfterFunc(first, s.Refresh)
	}
}

// with runs a function on the source of a topic's partition, and its lanes, if it is owned.
func (s *Scheduler) with(topic string, number int32, do func(*Lanes, *source)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.find(number); p != nil {
		if src := p.source(topic); src != nil {
			do(p, src)
		}
	}
}

func (s *Scheduler) find(number int32) *Lanes {
	for _, p := range s.owned {
		if p.Number() == number {
			return p
		}
	}
	return nil
}
