package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// history makes random changes of a few orders and dead letters, so that most change something that is counted.
type history struct {
	*rand.Rand
	made    int // changes so far
	batches int // of the job so far
	answers map[answer]view.Answered
}

// answer is what a replay is known by.
type answer struct {
	origin order.Origin
	number int
	job    string
}

// countsAsItGoes compares counts with the rows that they count, through random histories.
func countsAsItGoes(t *testing.T, s *store) {
	for seed := range uint64(4) {
		h := &history{Rand: rand.New(rand.NewPCG(seed, 17)), answers: map[answer]view.Answered{}}
		items := wire.JobChunk{JobHead: jobOf(few).JobHead, Ranges: []wire.Range{{1, 0, few - 1}}}
		s.reset(view.JobDefined{Job: jobOf(few)}, view.JobSelected{JobChunk: items})
		for batch := range 25 {
			var changes []view.Change
			for range 1 + h.IntN(12) {
				changes = append(changes, h.change())
			}
			s.apply(changes...)
			if h.IntN(6) == 0 {
				s.check(s.Trim(t.Context(), []string{"", "pay.DLT"}[h.IntN(2)], 1, int64(h.IntN(16))))
			}
			s.equalCounts(fmt.Sprintf("seed %d, batch %d", seed, batch), h)
			if t.Failed() {
				return
			}
		}
	}
}

// few is how many orders a history has, and how many dead letters of another program.
const few = 6

// row is an order or, the last one, a refund.
func (h *history) row(r view.Row) view.Row {
	if r.ID == placed(few-1).ID {
		r.RefundOf = placed(0).ID
	}
	return r
}

func (h *history) change() view.Change {
	h.made++
	n := h.IntN(few)
	switch h.IntN(9) {
	case 0:
		return view.Placed{Row: h.row(placed(n).Row), Written: minute(h.IntN(few))}
	case 1, 2:
		c := changed(n, order.Statuses()[h.IntN(len(order.Statuses()))], int64(h.IntN(5)))
		if h.IntN(8) == 0 { // repeated, after the topic has deleted the first record
			c.Offset += few
		}
		return view.Changed{Row: h.row(c.Row)}
	case 3:
		return view.Erased{ID: placed(n).ID, Partition: 1, At: minute(h.IntN(few))}
	case 4:
		return h.failed(foreign(n))
	case 5:
		return decided(fmt.Sprint(h.made), n, []wire.DecisionKind{wire.Discard, wire.Restore}[h.IntN(2)])
	case 6:
		return h.answered(n)
	case 7:
		return h.job()
	}
	return h.failed(failed(n, int64(h.IntN(5))))
}

func (h *history) failed(l view.Failed) view.Failed {
	cause := h.IntN(3)
	l.CauseID, l.Step = fmt.Sprint("cause_", l.Foreign, cause), order.Steps()[cause%2] // the step is in the hash that is the ID
	l.Class = []failure.Class{failure.Permanent, failure.Down}[h.IntN(2)]
	l.LastFailed = minute(0).Add(time.Duration(h.IntN(120)) * time.Minute)
	l.FirstFailed = l.LastFailed.Add(-time.Duration(h.IntN(90)) * time.Minute)
	l.Replays, l.FromState, l.Offset = h.IntN(view.ParkAfter+1), h.IntN(4) == 0, int64(h.IntN(16))
	if l.Foreign != "" {
		l.Offset, l.FromState = foreign(h.IntN(few)).Offset, false
	}
	return l
}

func (h *history) answered(n int) view.Answered {
	outcomes := []view.ReplayOutcome{view.InFlight, view.Confirmed, view.FailedAgain, view.AlreadyDone, view.Conflicted}
	a := view.Answered{
		Origin: failed(n, 0).Origin, Number: 1 + h.IntN(3), Job: []string{"", "job"}[h.IntN(2)], Outcome: outcomes[h.IntN(len(outcomes))], Rev: int64(h.IntN(6)),
	}
	of := answer{a.Origin, a.Number, a.Job}
	if was, known := h.answers[of]; !known || a.Rev > was.Rev {
		h.answers[of] = a
	}
	return a
}

// job replays the next dead letter of another program, or is an event that changes their states.
func (h *history) job() view.Change {
	head := jobOf(few).JobHead
	if h.IntN(2) == 0 || h.batches == few {
		return view.JobEvented{JobEvent: wire.JobEvent{JobHead: head, Event: wire.JobRate, Rate: 1}}
	}
	h.batches++
	return view.JobAdvanced{JobBatch: wire.JobBatch{JobHead: head, From: h.batches - 1, To: h.batches}}
}

// equalCounts compares all counts of the store.
func (s *store) equalCounts(when string, h *history) {
	s.t.Helper()
	for _, status := range order.Statuses() {
		n, oldest, err := s.Count(s.t.Context(), status)
		s.check(err)
		rows, first := 0, time.Time{}
		for _, refunds := range []bool{false, true} {
			of, err := s.Orders(s.t.Context(), view.Filter{Status: status, Refunds: refunds, Limit: few + 1}, nil, view.Cursor{})
			s.check(err)
			rows += len(of)
			if n := len(of); n > 0 && (first.IsZero() || of[n-1].PlacedAt.Before(first)) {
				first = of[n-1].PlacedAt
			}
		}
		equal(s.t, fmt.Sprintf("%s: %s orders, and the oldest", when, status), []any{n, oldest}, []any{rows, first})
	}
	class := failure.Down
	for _, f := range []view.DeadLetterFilter{
		{}, {States: view.Unsettled()}, {Cause: "cause_1"}, {Class: &class, Step: order.Steps()[0]}, {Topic: "pay.DLT", States: []view.DeadLetterState{view.SentOn}}, {Topic: view.Ours},
	} {
		got := s.groups(f, minute(0))
		f.From = minute(-10_000) // the dead letters since then are counted one by one
		equal(s.t, fmt.Sprintf("%s: causes of %+v", when, f), got, s.groups(f, minute(0)))
		for _, g := range got {
			equal(s.t, when+": replays of "+g.ID, [2]int{g.Replayed, g.Confirmed}, s.replaysOf(g.ID, h))
		}
	}
}

// replaysOf counts the replays of what failed for a cause, and those that were confirmed.
func (s *store) replaysOf(cause string, h *history) (n [2]int) {
	s.t.Helper()
	for of, a := range h.answers {
		all, err := s.Failures(s.t.Context(), fmt.Sprintf("%d-%d", of.origin.Partition, of.origin.Offset))
		s.check(err)
		for _, f := range all {
			if f.Number != of.number-1 || f.CauseID != cause || a.Outcome == view.AlreadyDone || a.Outcome == view.Conflicted {
				continue
			}
			n[0]++
			if a.Outcome == view.Confirmed {
				n[1]++
			}
		}
	}
	return n
}
