package main

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/wire"
)

// history is what orders.status said, record by record, with the workers' times: a fault may step the brokers' clock. It is the
// observer's while the run lasts.
type history struct {
	mu     sync.Mutex
	folds  map[int32]*status.Fold
	orders map[string]*life
	err    error         // a record that cannot be read
	news   chan struct{} // full when something has come since it was emptied
}

// life is what became of one order.
type life struct {
	partition int32
	placed    time.Time
	of        string // the order that it refunds, or empty
	numbers   []string
	total     order.Money // of its invoice or credit note
	kept      bool        // it has its invoice
	answered  bool        // a cancel
	mail      string      // Message-ID, or empty until it has one
	uncertain int         // how often the workers say that its mail may have gone out twice
	changes   []change
}

// change is one state that counts.
type change struct {
	at     time.Time
	status order.Status
	owner  int64 // offset of the claim
}

func newHistory() *history {
	return &history{folds: map[int32]*status.Fold{}, orders: map[string]*life{}, news: make(chan struct{}, 1)}
}

// add takes the next record of a partition of orders.status.
func (h *history) add(r *kgo.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.folds[r.Partition]
	if f == nil {
		f = new(status.Fold)
		h.folds[r.Partition] = f
	}
	head, verdict, err := f.Apply(r)
	switch {
	case err != nil:
		h.err = err
	case verdict == status.Current:
		h.err = cmp.Or(h.err, h.change(r, head))
	}
	select {
	case h.news <- struct{}{}:
	default:
	}
}

func (h *history) change(r *kgo.Record, head wire.Head) error {
	s, err := wire.ReadState(r)
	if err != nil {
		return err
	}
	l := h.orders[string(s.Order.ID)]
	if l == nil {
		l = &life{partition: r.Partition, placed: s.Order.PlacedAt}
		if r := s.Order.Refund; r != nil {
			l.of = string(r.Of)
		}
		h.orders[string(s.Order.ID)] = l
	}
	if e := s.Progress.Email; e != nil {
		l.mail, l.uncertain = e.MessageID, e.Uncertain
	}
	if i := s.Progress.Invoice; i != nil {
		l.total, l.kept = i.Total, i.Kept != nil
		if !slices.Contains(l.numbers, i.Number) {
			l.numbers = append(l.numbers, i.Number)
		}
	}
	newest := s.Timeline[len(s.Timeline)-1]
	if newest.Answers() {
		l.answered = l.answered || newest.Reason == order.CancelRefused
		return nil
	}
	l.changes = append(l.changes, change{newest.At, head.Status, head.Owner})
	return nil
}

// final reports whether the order has ended, and how.
func (l *life) final() (order.Status, bool) {
	if l == nil || len(l.changes) == 0 {
		return "", false
	}
	last := l.changes[len(l.changes)-1].status
	return last, last.Final()
}

// doubted reports whether nobody knew so often what became of the order's mail that it must be a
// dead letter.
func (l *life) doubted() bool { return l != nil && l.uncertain >= 3 }

// settled reports whether there is nothing left to come of an order.
func (l *life) settled(p placed) bool {
	status, final := l.final()
	return final && (!p.taken || l.answered || status == order.Cancelled)
}

// unfinished drops orders from the end of a list until one is not settled.
func (h *history) unfinished(ids []string, accepted map[string]placed) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n := len(ids); n > 0; n-- {
		if id := ids[n-1]; !h.orders[id].settled(accepted[id]) {
			return ids[:n]
		}
	}
	return nil
}

// pause is a time without any progress while something was due.
type pause struct{ from, to time.Time }

func (p pause) lasted() time.Duration { return p.to.Sub(p.from) }

// point is a moment in a sweep over time.
type point struct {
	at       time.Time
	due      int // how many orders more, or less, wait for a worker
	progress bool
}

// pauses sweeps over the lives of orders: an order is due from when it was placed until it has ended, or is parked because it
// must wait. What counts as progress is the caller's to say.
func pauses(lives []*life, progress func(change) bool) (all []pause) {
	var points []point
	for _, l := range lives {
		points = append(points, point{at: l.placed, due: 1})
		due := true
		for _, c := range l.changes {
			p := point{at: c.at, progress: progress(c)}
			if now := !c.status.Final() && !c.status.Parked(); now != due {
				p.due, due = map[bool]int{true: 1, false: -1}[now], now
			}
			points = append(points, p)
		}
	}
	slices.SortStableFunc(points, func(a, b point) int { return a.at.Compare(b.at) })
	due, since := 0, time.Time{}
	for _, p := range points {
		if p.progress && due > 0 {
			all = append(all, pause{since, p.at})
		}
		if p.progress || due == 0 {
			since = p.at
		}
		due += p.due
	}
	return all
}

// lives are those of one partition, or of all if it is negative.
func (h *history) lives(partition int32) (all []*life) {
	for _, l := range h.orders {
		if partition < 0 || l.partition == partition {
			all = append(all, l)
		}
	}
	return all
}

// untilConfirmed is how long after a moment the first order was confirmed, or negative if none was.
func (h *history) untilConfirmed(after time.Time) time.Duration {
	first := time.Duration(-1)
	for _, l := range h.orders {
		for _, c := range l.changes {
			if d := c.at.Sub(after); c.status == order.Confirmed && d >= 0 && (first < 0 || d < first) {
				first = d
			}
		}
	}
	return first
}
