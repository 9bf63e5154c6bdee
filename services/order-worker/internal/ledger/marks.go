package ledger

import (
	"slices"
	"time"
)

// viewLag is more than a view can be behind when the desk asks for a replay, with the time that asking
// takes.
const viewLag = 2 * time.Minute

// Moment is how far orders.status was at a time.
type Moment struct {
	floor int64
	at    time.Time
}

// Moment is the present one. Take it before the request whose answer you give to Arrived.
func (l *Ledger) Moment() Moment {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Moment{max(l.claim, l.memory.newest) + 1, time.Now()}
}

// Arrived notes the end of a topic's partition, which the leader was asked for after a moment.
func (l *Ledger) Arrived(topic string, end int64, m Moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.histories[topic] = l.histories[topic].note(mark{Mark{end, m.floor}, m.at})
}

// Since is the mark to commit with an offset of a topic. An owner that starts there must know of some
// earlier records, too; their states are above the mark's floor as well (lookback).
func (l *Ledger) Since(topic string, offset int64) Mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	m, i := l.mark(topic, offset)
	l.histories[topic] = slices.Delete(l.histories[topic], 0, i) // offsets only grow
	return m
}

// mark is the last mark whose records all arrived early enough to be known at an offset of a topic, and
// its index. It has no floor if the log was truncated: nothing is known.
func (l *Ledger) mark(topic string, offset int64) (Mark, int) {
	h := l.histories[topic]
	i := h.since(offset, l.lookback(topic))
	if i < 0 {
		return Mark{Offset: offset}, 0
	}
	return h[i].Mark, i
}

// lookback is how long before its first record an owner must know what happened.
func (l *Ledger) lookback(topic string) time.Duration {
	switch topic {
	case l.cfg.Topics.Orders:
		return repeats + slack
	case l.cfg.Topics.Replay:
		return viewLag + slack
	}
	return 0
}
