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

// history is what orders.status contains, with the times of the workers' clocks: a fault changes
// the clocks of the brokers. Stale states are left out.
type history struct {
	mu     sync.Mutex
	folds  map[int32]*status.Fold
	orders map[string]*orderHistory
	err    error         // of an unreadable record
	news   chan struct{} // has a value when records were added since the last receive
}

// orderHistory is the history of one order.
type orderHistory struct {
	partition      int32
	placed         time.Time
	refundOf       string // ID of the order that it refunds, or empty
	numbers        []string
	total          order.Money // total of its invoice or credit note
	invoiced       bool        // its invoice or credit note is stored
	cancelAnswered bool        // a cancel was refused
	messageID      string      // empty until the mail is prepared
	uncertain      int         // number of mails that the workers count as uncertain
	changes        []change
}

// change is a current state, not a stale one.
type change struct {
	at     time.Time
	status order.Status
	owner  int64 // offset of the claim
}

func newHistory() *history {
	return &history{folds: map[int32]*status.Fold{}, orders: map[string]*orderHistory{}, news: make(chan struct{}, 1)}
}

// add adds the next record of a partition of orders.status.
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
		l = &orderHistory{partition: r.Partition, placed: s.Order.PlacedAt}
		if r := s.Order.Refund; r != nil {
			l.refundOf = string(r.Of)
		}
		h.orders[string(s.Order.ID)] = l
	}
	if e := s.Progress.Email; e != nil {
		l.messageID, l.uncertain = e.MessageID, e.Uncertain
	}
	if i := s.Progress.Invoice; i != nil {
		l.total, l.invoiced = i.Total, i.Kept != nil
		if !slices.Contains(l.numbers, i.Number) {
			l.numbers = append(l.numbers, i.Number)
		}
	}
	newest := s.Timeline[len(s.Timeline)-1]
	if newest.Answers() {
		l.cancelAnswered = l.cancelAnswered || newest.Reason == order.CancelRefused
		return nil
	}
	l.changes = append(l.changes, change{newest.At, head.Status, head.Owner})
	return nil
}

// final returns the last status, and whether it is final.
func (l *orderHistory) final() (order.Status, bool) {
	if l == nil || len(l.changes) == 0 {
		return "", false
	}
	last := l.changes[len(l.changes)-1].status
	return last, last.Final()
}

// tooUncertain reports whether the outcome of the mail was unknown so often that the order becomes
// a dead letter.
func (l *orderHistory) tooUncertain() bool { return l != nil && l.uncertain >= 3 }

// finished reports whether nothing more will happen to the order: it is final, and a cancel of it
// has an answer.
func (l *orderHistory) finished(p placed) bool {
	status, final := l.final()
	return final && (!p.cancelAccepted || l.cancelAnswered || status == order.Cancelled)
}

// unfinished removes orders from the end of a list until one is not finished.
func (h *history) unfinished(ids []string, accepted map[string]placed) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n := len(ids); n > 0; n-- {
		if id := ids[n-1]; !h.orders[id].finished(accepted[id]) {
			return ids[:n]
		}
	}
	return nil
}

// stall is a period without progress while an order was due.
type stall struct{ from, to time.Time }

func (p stall) duration() time.Duration { return p.to.Sub(p.from) }

// point is an event in the sweep over time.
type point struct {
	at       time.Time
	due      int // change of the number of orders that are due
	progress bool
}

// stalls returns the periods between two events of progress, as far as an order was due. An order
// is due from its placement until it is final, except while it is parked. The caller defines
// progress.
func stalls(orders []*orderHistory, progress func(change) bool) (all []stall) {
	var points []point
	for _, l := range orders {
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
			all = append(all, stall{since, p.at})
		}
		if p.progress || due == 0 {
			since = p.at
		}
		due += p.due
	}
	return all
}

// inPartition returns the orders of one partition, or all orders if the partition is negative.
func (h *history) inPartition(partition int32) (all []*orderHistory) {
	for _, l := range h.orders {
		if partition < 0 || l.partition == partition {
			all = append(all, l)
		}
	}
	return all
}

// untilConfirmed returns the time from a moment to the next confirmation of any order, or a
// negative value if there was none.
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
