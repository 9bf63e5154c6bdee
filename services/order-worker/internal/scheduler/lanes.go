package scheduler

import (
	"math"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/partition"
)

// Metadata returns what is committed with an offset of a topic.
type Metadata func(topic string, offset int64) string

// Lanes are the records of one owned partition, by key. A Scheduler guards them with its lock.
type Lanes struct {
	*partition.Partition
	work     func(r *kgo.Record) error
	metadata func(tail kgo.EpochOffset) Metadata

	sources  []*source           // in turn: the first is asked first
	tail     *source             // the one whose offsets are not committed; nil if there is none
	busy     map[string][]record // by key, while one of its records is in flight: those that wait behind it
	ready    []record            // heads of lanes whose predecessor has finished
	inFlight int

	known   extent        // of the tail
	moved   chan struct{} // closed, and replaced, when more of the tail is known
	removed chan struct{} // closed when the scheduler forgets the lanes
}

// NewLanes returns the lanes of a partition. Work works on one record, and returns nil when it is
// finished; it is not called unless the partition is running. Metadata gets the offset up to which
// the tail is known.
func NewLanes(
	p *partition.Partition, work func(*kgo.Record) error, metadata func(tail kgo.EpochOffset) Metadata, sources ...Source,
) *Lanes {
	l := &Lanes{Partition: p, work: work, metadata: metadata, busy: map[string][]record{}, moved: make(chan struct{}), removed: make(chan struct{})}
	for _, s := range sources {
		src := newSource(s)
		l.sources = append(l.sources, src)
		if s.Tail {
			l.tail, l.known = src, extent{next: s.Next.Offset}
		}
	}
	return l
}

// record is a fetched record and its source.
type record struct {
	*kgo.Record
	from *source
}

// begin takes the record out of what its source keeps.
func (r record) begin() record {
	r.from.bytes -= size(r.Record)
	return r
}

// never is the time until something that does not happen by itself.
const never = time.Duration(math.MaxInt64)

// maxSpan limits how many offsets a crash makes the next owner look at again.
const maxSpan = 1000

func (l *Lanes) running() bool { return l.State() == partition.Running }

// next takes the next record that may begin: the head of a free lane. Records of a busy lane are
// put behind it on the way. The sources take turns.
func (l *Lanes) next(now time.Time) (record, bool) {
	if !l.running() {
		return record{}, false
	}
	if len(l.ready) > 0 {
		r := l.ready[0]
		l.ready = l.ready[1:]
		return r.begin(), true
	}
	for range l.sources {
		s := l.sources[0]
		l.sources = append(l.sources[1:], s)
		for s.open(now) && s.watermark.span(s.queue[0].Offset) < maxSpan {
			r := record{s.pop(), s}
			s.watermark.begin(r.Offset, r.LeaderEpoch)
			if r.Attrs.IsControl() { // the end of a transaction: nothing to do
				s.watermark.finish(r.begin().Offset)
				continue
			}
			key := lane(r)
			behind, busy := l.busy[key]
			if !busy {
				l.busy[key] = nil
				return r.begin(), true
			}
			l.busy[key] = append(behind, r)
		}
	}
	return record{}, false
}

// finish frees the lane of a record, and raises the watermark if the record is finished.
func (l *Lanes) finish(r record, finished bool) {
	if finished {
		r.from.watermark.finish(r.Offset)
	}
	key := lane(r)
	if behind := l.busy[key]; len(behind) > 0 {
		l.ready, l.busy[key] = append(l.ready, behind[0]), behind[1:]
		return
	}
	delete(l.busy, key)
}

func (l *Lanes) source(topic string) *source {
	for _, s := range l.sources {
		if s.Topic == topic {
			return s
		}
	}
	return nil
}

// tell tells those who wait for it that more of the tail is known.
func (l *Lanes) tell(more bool) {
	if more {
		close(l.moved)
		l.moved = make(chan struct{})
	}
}

func (l *Lanes) queued() int {
	n := len(l.ready)
	for _, behind := range l.busy {
		n += len(behind)
	}
	for _, s := range l.sources {
		if s != l.tail {
			n += len(s.queue)
		}
	}
	return n
}

func (l *Lanes) unfinished() (n int) {
	for _, s := range l.sources {
		n += s.watermark.unfinished()
	}
	return n
}

// committable adds the commit watermarks, by topic and partition number, and returns what makes the
// metadata of their commits. The tail is known as far as this worker has written it, too.
func (l *Lanes) committable(offsets map[string]map[int32]kgo.EpochOffset) Metadata {
	var tail kgo.EpochOffset
	for _, s := range l.sources {
		if s == l.tail {
			tail = s.next
			if l.known.next > tail.Offset {
				tail = kgo.EpochOffset{Epoch: unknown, Offset: l.known.next}
			}
			continue
		}
		if offsets[s.Topic] == nil {
			offsets[s.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[s.Topic][l.Number()] = s.watermark.committable()
	}
	return l.metadata(tail)
}

// regulate pauses, resumes and cuts sources by what they keep in memory. It returns after how long the
// first closed gate may open by itself, or never.
func (l *Lanes) regulate(cfg Config, now time.Time) (again time.Duration) {
	again = never
	blocked, running := l.Blocked() != nil, l.running()
	for _, s := range l.sources {
		wait, closed := s.closed(now)
		if closed {
			s.trim()
		}
		if closed && wait > 0 && running {
			again = min(again, wait)
		}
		if running && s.needsRefill(now) {
			cfg.RequestRefill()
		}
		if pause := s.mustPause(blocked); pause != s.paused {
			s.paused = pause
			cfg.Fetch(s.Topic, l.Number(), pause)
		}
	}
	return again
}

// lane is the key by which records are worked on one after the other: the order's ID, whatever
// topic the record comes from. A record without a key has a lane of its own.
func lane(r record) string {
	if len(r.Key) > 0 {
		return string(r.Key)
	}
	return r.from.Topic + "@" + strconv.FormatInt(r.Offset, 10)
}
