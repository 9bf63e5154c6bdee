package scheduler

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Source says how one topic's part of a partition is read.
type Source struct {
	Topic string
	Next  kgo.EpochOffset // of the first record to fetch; the epoch is that of the record before it, negative if unknown
	Tail  bool            // its offsets are not committed
	// Limited says that its orders wait for a dependency: they begin while Config.Room allows it.
	Limited bool
	// Delay is how long after its arrival a record is due. Of records below End the arrival is not
	// known: they were in the log at the time of BrokerNow, by the broker's clock.
	Delay     time.Duration
	End       int64
	BrokerNow time.Time
}

// source is a Source with what was fetched of it. Its records begin in order. A gate keeps records
// that are not due yet, or for which there is no room.
type source struct {
	Source
	arrivals  arrivals
	room      *room // of a limited source; else nil
	watermark watermark

	next    kgo.EpochOffset // as in Source
	queue   []*kgo.Record   // fetched, not begun
	bytes   int             // of all that waits: in queue, or behind another record of its lane
	paused  bool
	stopped bool // a batch cannot be read: nothing is fetched any more
	cut     bool // what was fetched beyond queue was dropped, and fetching is paused
}

func newSource(s Source) *source {
	return &source{
		Source: s, next: s.Next, watermark: watermark{next: s.Next},
		arrivals: arrivals{delay: s.Delay, end: s.End, assigned: time.Now(), stamped: s.BrokerNow},
	}
}

// What a source keeps before its fetching is paused, and when it is resumed.
const (
	queueRecords = 500
	queueBytes   = 2 << 20
	queueLow     = 100
)

// closedBytes is what a source keeps before a closed gate, or one record if that is larger: after
// an outage a million orders may wait, in every topic of every partition.
const closedBytes = 64 << 10

// room limits how many orders that wait for one dependency are in flight at once.
type room struct {
	ask      func() (orders int, again time.Duration) // or nil: no limit
	inFlight int

	orders int // the last answer
	again  time.Duration
}

func (r *room) refresh() {
	if r.ask != nil {
		r.orders, r.again = r.ask()
	}
}

// closed reports whether the head of the queue has to wait, and how long it takes until that may
// have changed by itself: zero if it changes only when an order in flight ends.
func (s *source) closed(now time.Time) (again time.Duration, closed bool) {
	if len(s.queue) == 0 {
		return 0, false
	}
	if wait := s.arrivals.wait(s.queue[0], now); wait > 0 {
		return wait, true
	}
	if r := s.room; r != nil && r.ask != nil && r.inFlight >= r.orders {
		return r.again, true
	}
	return 0, false
}

func (s *source) open(now time.Time) bool {
	_, closed := s.closed(now)
	return len(s.queue) > 0 && !closed
}

// put adds fetched records. A cut source drops those that were on their way when it was cut: they
// will be fetched again.
func (s *source) put(records []*kgo.Record) {
	for _, r := range records {
		s.arrived(r.Offset)
		if !s.cut {
			s.queue, s.bytes = append(s.queue, r), s.bytes+size(r)
			s.next = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
		}
	}
}

// arrived notes that a record was appended or fetched just now.
func (s *source) arrived(offset int64) { s.arrivals.note(offset, time.Now()) }

// pop takes the head of the queue.
func (s *source) pop() *kgo.Record {
	r := s.queue[0]
	s.queue = s.queue[1:]
	return r
}

// trim drops what a source must not keep while its gate is closed.
func (s *source) trim() {
	if s.bytes <= closedBytes {
		return
	}
	kept := 0
	for i, r := range s.queue {
		if kept += size(r); i == 0 || kept <= closedBytes {
			continue
		}
		for _, dropped := range s.queue[i:] {
			s.bytes -= size(dropped)
		}
		s.cut, s.next = true, kgo.EpochOffset{Epoch: s.queue[i-1].LeaderEpoch, Offset: r.Offset}
		s.queue = slices.Clone(s.queue[:i]) // the rest is not kept alive
		return
	}
}

// needsRefill reports whether the source is cut and needs what it dropped.
func (s *source) needsRefill(now time.Time) bool {
	if !s.cut || !s.low() {
		return false
	}
	_, closed := s.closed(now)
	return !closed
}

// mustPause reports whether nothing may be fetched now.
func (s *source) mustPause(blocked bool) bool {
	if s.stopped || s.cut {
		return true
	}
	// The tail is never paused for what it keeps: orders in flight wait until it is read.
	return !s.Tail && (blocked || s.full() || s.paused && !s.low())
}

func (s *source) full() bool { return len(s.queue) >= queueRecords || s.bytes >= queueBytes }

func (s *source) low() bool { return len(s.queue) <= queueLow && s.bytes <= queueBytes/2 }

// size is about what a record takes up in memory.
func size(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}
