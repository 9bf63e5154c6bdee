package postgres

import (
	"maps"
	"sync"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
)

// state is what this instance knows of the database. It is safe for concurrent use.
type state struct {
	mu         sync.Mutex
	open       bool                      // Resume or Reset has succeeded
	opened     int64                     // generation of the tables that it has opened
	generation int64                     // number of resets
	epoch      int64                     // of this instance while it writes, else 0
	moved      bool                      // it has begun to write, and has not resumed since
	writer     int64                     // epoch of the newest writer
	next       map[kafka.Partition]int64 // how far the tables go
	fault      error                     // why the database cannot be watched, or nil
	changed    chan struct{}             // closed and replaced when any of these may have changed
}

func newState() *state { return &state{changed: make(chan struct{})} }

// set changes the state, and wakes those that wait for a change.
func (s *state) set(change func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
	close(s.changed)
	s.changed = make(chan struct{})
}

// usable is nil when the tables are those that were opened.
func (s *state) usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usableNow()
}

// unwatched is why the database cannot be watched, or nil.
func (s *state) unwatched() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

func (s *state) usableNow() error {
	if !s.open {
		return &view.UnavailableError{Reason: silent, Err: s.fault}
	}
	if s.opened != s.generation {
		return errReset
	}
	return nil
}

// turn says what to do with a batch: it is applied when covered; with an epoch this instance writes it; else
// it waits for changed.
type turn struct {
	covered bool
	epoch   int64
	changed <-chan struct{}
}

func (s *state) turn(b view.Batch) (turn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := turn{covered: covers(s.next, b), epoch: s.epoch, changed: s.changed}
	if err := s.usableNow(); err != nil || t.covered {
		return t, err
	}
	if s.epoch != 0 && s.moved {
		return t, view.ErrMoved
	}
	if s.epoch == 0 && s.fault != nil {
		return t, s.fault
	}
	return t, nil
}

// covers reports whether tables that go so far have all of a batch.
func covers(next map[kafka.Partition]int64, b view.Batch) bool {
	for p, at := range b.Positions {
		if next[p] < at.Next {
			return false
		}
	}
	return len(b.Positions) > 0
}

// leads is the epoch of this instance while it writes, else 0.
func (s *state) leads() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch
}

// positions are how far the tables go.
func (s *state) positions() map[kafka.Partition]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.next)
}

// other is the epoch of the newest writer.
func (s *state) other() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writer
}

// failed takes over why the database cannot be watched.
func (s *state) failed(fault error) { s.set(func(s *state) { s.fault = fault }) }

// opens takes over positions of a generation that were read when the instance had an epoch, or 0. The caller
// holds mu.
func (s *state) opens(generation, epoch int64, positions map[kafka.Partition]view.Position) {
	s.open, s.opened, s.generation = true, generation, max(s.generation, generation)
	s.next = map[kafka.Partition]int64{}
	if s.epoch == epoch {
		s.moved = false
	}
	s.advance(positions)
}

// advance takes over how far a batch goes that is stored. The caller holds mu.
func (s *state) advance(positions map[kafka.Partition]view.Position) {
	for p, at := range positions {
		s.next[p] = max(s.next[p], at.Next)
	}
}

// news is what the database tells.
type news struct {
	writer, generation int64
	next               map[kafka.Partition]int64
}

// learn takes over news, which may be older than what is known. The caller holds mu.
func (s *state) learn(n news) {
	s.fault = nil
	if n.generation < s.generation {
		return
	}
	if n.generation > s.generation || s.next == nil {
		s.generation, s.next = n.generation, map[kafka.Partition]int64{}
	}
	s.writer = max(s.writer, n.writer)
	for p, next := range n.next {
		s.next[p] = max(s.next[p], next)
	}
}
