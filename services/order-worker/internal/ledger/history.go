package ledger

import (
	"slices"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A history says what orders.status held when the records of another topic's partition arrived,
// and how long ago that was. It holds what this process observed. Time stamps of brokers do not
// serve: a clock may be set, and then a later record has an earlier time.
type history []mark // ascending; the first is the one that was committed, or zero

// Mark is a position in a topic's partition with a floor in orders.status: what was written about
// the records at or above Offset stands at or above Floor. Workers commit marks with their
// offsets, so the next owner knows how much of orders.status it must read.
type Mark struct{ Offset, Floor int64 }

// mark is a Mark and its time: records below Offset arrived before it, the others after it. It is
// zero for a mark of another worker.
type mark struct {
	Mark
	at time.Time
}

// MarkEvery is the least time between two marks. The ends of topics are asked for half as often.
const MarkEvery = 5 * time.Second

// slack is how inexact the time of a mark may be.
const slack = 2 * MarkEvery

// mostMarks bounds a history when nothing is committed for long. Then every second mark of the older
// half is dropped, and what is found there is older than it might be, which only costs reading.
const mostMarks = 256

// note adds a mark.
func (h history) note(m mark) history {
	if len(h) == 0 {
		h = history{{}}
	}
	if last := h[len(h)-1]; m.Offset < last.Offset || m.at.Sub(last.at) < MarkEvery {
		return h
	}
	if h = append(h, m); len(h) > mostMarks {
		for i := 1; i < len(h)/2; i++ {
			h = slices.Delete(h, i, i+1)
		}
	}
	return h
}

// at is the place of the last mark at or below an offset, or -1.
func (h history) at(offset int64) int {
	return sort.Search(len(h), func(i int) bool { return h[i].Offset > offset }) - 1
}

// arrived is a time before the record at an offset arrived, or zero.
func (h history) arrived(offset int64) time.Time {
	if i := h.at(offset); i >= 0 {
		return h[i].at
	}
	return time.Time{}
}

// since is the place of the last mark all of whose earlier records arrived more than a window
// before the record at an offset, or -1.
func (h history) since(offset int64, window time.Duration) int {
	until := h.arrived(offset).Add(-window)
	i := h.at(offset)
	for i > 0 && h[i].at.After(until) {
		i--
	}
	return i
}

// Moment is what orders.status held at a time.
type Moment struct {
	floor int64
	at    time.Time
}

// Moment is now. It comes before a request whose answer is given to Arrived.
func (l *Ledger) Moment() Moment {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Moment{max(l.claim, l.memory.newest) + 1, time.Now()}
}

// Arrived takes the end of a topic's partition, of which the leader was asked after a moment.
func (l *Ledger) Arrived(topic string, end int64, m Moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.histories[topic] = l.histories[topic].note(mark{Mark{end, m.floor}, m.at})
}

// Since is the mark to commit with an offset of a topic. What an owner that starts there needs to
// know about earlier records stands behind the mark as well: see lookback.
func (l *Ledger) Since(topic string, offset int64) Mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.histories[topic]
	i := h.since(offset, l.lookback(topic))
	if i < 0 {
		return Mark{Offset: offset} // the log was cut: nothing is known
	}
	l.histories[topic] = slices.Delete(h, 0, i) // offsets rise
	return h[0].Mark
}

// lookback is how long before the record at which an owner starts it must know what happened.
func (l *Ledger) lookback(topic string) time.Duration {
	switch topic {
	case l.cfg.Topics.Orders:
		return repeats + slack
	case l.cfg.Topics.Replay:
		return viewLag + slack
	}
	return 0
}

// unseen is the offset in orders.status from which on the desk cannot have seen everything when it
// asked for what a record of orders.replay says.
func (l *Ledger) unseen(r *kgo.Record) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.histories[r.Topic]
	if i := h.since(r.Offset, l.lookback(r.Topic)); i >= 0 {
		return h[i].Floor
	}
	return 0
}
