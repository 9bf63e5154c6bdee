package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// source is one topic's part of a partition number. Its records are begun in order. Those of a carried source, whose orders
// were put off, wait before a gate: until the first is due, or until there is room.
type source struct {
	topic    string
	tail     bool     // read from where the ledger begins: its offsets are not committed
	arrivals arrivals // how long after its appending a record is due
	room     *room    // of orders that need a dependency which is down; else nil

	next   int64         // of the first record that is to be fetched
	epoch  int32         // leader epoch of the record before that; negative if unknown
	queue  []*kgo.Record // fetched, not begun
	bytes  int           // of all that waits: in queue, or behind another order of its lane
	paused bool
	// blocked says that its next batch cannot be read: nothing of it is fetched.
	blocked bool
	cut     bool // what was fetched beyond queue was dropped, and fetching is paused
	mark    watermark
}

// What a source holds before its fetches are paused, and when they are resumed.
const (
	queueRecords = 500
	queueBytes   = 2 << 20
	queueLow     = 100
)

// heldBytes is what a source holds before a shut gate, beside one record if that is larger: after an outage there may be
// a million orders behind it, in every topic of every partition.
const heldBytes = 64 << 10

// room bounds how many orders that need one dependency are in hand at once. It is guarded by lanes.mu.
type room struct {
	ask    func() (orders int, again time.Duration) // or nil: no bound
	inHand int

	orders int // what it said last
	again  time.Duration
}

func (r *room) look() {
	if r.ask != nil {
		r.orders, r.again = r.ask()
	}
}

// shut reports whether the head of the queue has to wait, and how long it takes until that may have changed by itself: zero
// if it changes only when an order in hand ends.
func (s *source) shut(now time.Time) (again time.Duration, shut bool) {
	if len(s.queue) == 0 {
		return 0, false
	}
	if wait := s.arrivals.wait(s.queue[0], now); wait > 0 {
		return wait, true
	}
	if r := s.room; r != nil && r.ask != nil && r.inHand >= r.orders {
		return r.again, true
	}
	return 0, false
}

// put takes what was fetched. A cut source drops what was on its way when it was cut: it will be fetched again.
func (s *source) put(records []*kgo.Record) {
	now := time.Now()
	for _, r := range records {
		s.arrivals.note(r.Offset, now)
		if s.cut {
			continue
		}
		s.queue, s.bytes, s.next, s.epoch = append(s.queue, r), s.bytes+size(r), r.Offset+1, r.LeaderEpoch
	}
}

// trim drops what a source must not hold while its gate is shut.
func (s *source) trim() {
	if s.bytes <= heldBytes {
		return
	}
	held := 0
	for i, r := range s.queue {
		if held += size(r); i == 0 || held <= heldBytes {
			continue
		}
		for _, gone := range s.queue[i:] {
			s.bytes -= size(gone)
		}
		s.cut, s.next, s.epoch = true, r.Offset, s.queue[i-1].LeaderEpoch
		s.queue = slices.Clone(s.queue[:i]) // the rest is not kept alive
		return
	}
}

// thirsty reports whether a cut source needs what it dropped.
func (s *source) thirsty(now time.Time) bool {
	_, shut := s.shut(now)
	return !shut && s.low()
}

func (s *source) full() bool { return len(s.queue) >= queueRecords || s.bytes >= queueBytes }

func (s *source) low() bool { return len(s.queue) <= queueLow && s.bytes <= queueBytes/2 }

// size is what a record holds in memory, near enough.
func size(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}
