package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/order"
)

// evidence is all that a run has left behind, from sources that know nothing of each other.
type evidence struct {
	accepted  map[string]placed // by the API, says the load
	unknown   int               // the API never said
	refused   []error
	history   *history       // of orders.status
	audit     audit.Report   // of all topics
	delivered map[string]int // by Message-ID, says the mail server
	played    []played
	skipped   map[string]int // faults that could not be done here, by kind
	fallen    []fallen
}

// findings are what the evidence adds up to.
type findings struct {
	Accepted, Confirmed, DeadLetters int
	Refunds, Cancelled               int // of the accepted
	Unknown                          int
	Lost                             int
	NumbersTwice                     int64
	TwiceCounted, TwiceUncounted     int // mails too many: of orders that say `uncertain`, and of others
	InDoubt                          int // orders in hand, about to be mailed, when their worker was killed or cut off
	StaleStates                      int64
	Fell                             int // processes that ended by themselves
	Longest, Unexplained             time.Duration
	Kinds                            []kindFindings
	Violations                       []string
}

// kindFindings are what the faults of one kind did.
type kindFindings struct {
	Name           string
	Times, Skipped int
	Begun, Ended   []time.Duration // until the first confirmation after each began, and after each ended
	Still          time.Duration   // the longest that a partition with work to do stood still
}

func (f *findings) violated(format string, args ...any) {
	f.Violations = append(f.Violations, fmt.Sprintf(format, args...))
}

// judge holds the promises against the evidence.
func judge(e evidence) *findings {
	f := &findings{Accepted: len(e.accepted), Unknown: e.unknown, StaleStates: e.audit.StaleStates, Fell: len(e.fallen)}
	f.judgeOrders(e)
	f.judgeMails(e)
	f.judgeRefunds(e)
	f.judgeAudit(e)
	f.measure(e)
	for _, err := range e.refused {
		f.violated("refused: %v", err)
	}
	if err := e.history.err; err != nil {
		f.violated("orders.status has a record that cannot be read: %v", err)
	}
	return f
}

// judgeOrders: whatever was accepted has ended as it must.
func (f *findings) judgeOrders(e evidence) {
	for id, p := range e.accepted {
		status, final := e.history.orders[id].final()
		switch {
		case status == order.Confirmed:
			f.Confirmed++
		case status == order.Dead:
			f.DeadLetters++
		case status == order.Cancelled:
			f.Cancelled++
		}
		if p.of != "" {
			f.Refunds++
		}
		want := order.Confirmed
		if p.hopeless || e.history.orders[id].doubted() {
			want = order.Dead
		}
		switch {
		case !final:
			f.Lost++
			f.violated("lost: %s was accepted and is %q", id, status)
		case status != want && (status != order.Cancelled || !p.called):
			f.violated("%s is %s, must be %s", id, status, want)
		case !e.history.orders[id].settled(p):
			f.violated("not answered: the cancel of %s, which is %s", id, status)
		}
	}
}

// judgeMails: each confirmed order has been mailed, once or as often as its state owns up to.
func (f *findings) judgeMails(e evidence) {
	known := map[string]bool{}
	unexcused := 0
	for id, l := range e.history.orders {
		f.InDoubt += l.inDoubt(e.played)
		known[l.mail] = true
		n := e.delivered[l.mail]
		if status, _ := l.final(); status == order.Confirmed && n == 0 {
			f.violated("not mailed: %s is confirmed", id)
		}
		if n < 2 {
			continue
		}
		counted := min(n-1, l.uncertain)
		f.TwiceCounted += counted
		f.TwiceUncounted += n - 1 - counted
		if counted < n-1 {
			f.violated("mailed twice: %s was mailed %d times and says uncertain %d times", id, n, l.uncertain)
		}
		if !l.hungUpOn(e.played) {
			unexcused += n - 1
		}
	}
	if unexcused > f.InDoubt {
		f.violated("mailed twice: %d mails too many, and only %d orders were in hand when workers were killed or cut off", unexcused, f.InDoubt)
	}
	for mail, n := range e.delivered {
		if !known[mail] {
			f.violated("mailed for nothing: %d times %s, which belongs to no order", n, mail)
		}
	}
}

// inDoubt is how often an owner wrote that it was about to mail an order and, until another owner took the partition, not what came
// of it: the order was in hand, and its mail may have gone out, when its worker was killed or cut off. Where nothing like that
// happened, nothing was in doubt: whoever is told to end finishes what is in hand.
func (l *life) inDoubt(faults []played) (n int) {
	for i, c := range l.changes {
		unfinished := c.status == order.Mailing && (i+1 == len(l.changes) || l.changes[i+1].owner != c.owner)
		if unfinished && slices.ContainsFunc(faults, func(p played) bool { return p.cuts && l.period(i).meets(p.began, p.ended.Add(aftermath)) }) {
			n++
		}
	}
	return n
}

// hungUpOn reports whether a mail of the order may have met a mail server that kept it and did not say so.
func (l *life) hungUpOn(faults []played) bool {
	for i, c := range l.changes {
		met := func(p played) bool { return p.touches == theMail && l.period(i).meets(p.began, p.ended) }
		if c.status == order.Mailing && slices.ContainsFunc(faults, met) {
			return true
		}
	}
	return false
}

// period is how long a change was the newest.
func (l *life) period(i int) pause {
	if i+1 == len(l.changes) {
		return pause{l.changes[i].at, l.changes[i].at.Add(time.Hour)}
	}
	return pause{l.changes[i].at, l.changes[i+1].at}
}

// judgeRefunds: what was called off is neither invoiced nor mailed, and what is given back has one credit note and was invoiced.
func (f *findings) judgeRefunds(e evidence) {
	given := map[string]order.Money{}
	for id, l := range e.history.orders {
		if status, _ := l.final(); status == order.Cancelled && (l.kept || e.delivered[l.mail] > 0) {
			f.violated("called off: %s is invoiced (%t) or mailed (%d times)", id, l.kept, e.delivered[l.mail])
		}
		series := "INV-"
		if l.of != "" {
			series = "CRN-"
			given[l.of] = given[l.of].Plus(l.total)
		}
		if l.kept && (len(l.numbers) != 1 || !strings.HasPrefix(l.numbers[0], series)) {
			f.violated("numbers: %s has %q, must have one of %s", id, l.numbers, series)
		}
	}
	for id, sum := range given {
		if of := e.history.orders[id]; of == nil || !of.kept || sum.Minor > of.total.Minor {
			f.violated("refunded: %s of %s, which is more than was invoiced", sum, id)
		}
	}
}

// judgeAudit: Kafka alone tells the same.
func (f *findings) judgeAudit(e evidence) {
	a := e.audit.Orders
	if n := int(a.Accepted); n < f.Accepted || n > f.Accepted+e.unknown {
		f.violated("accepted: %d by the API, %d without an answer, and the audit finds %d", f.Accepted, e.unknown, n)
	}
	if n := int(a.Refunds); n < f.Refunds || n > f.Refunds+e.unknown {
		f.violated("refunds: %d by the API, %d without an answer, and the audit finds %d", f.Refunds, e.unknown, n)
	}
	if a.InFlight > 0 {
		f.violated("in flight: %d orders, when all should have ended", a.InFlight)
	}
	for _, fault := range e.audit.Faults {
		if fault.Kind == "number-twice" {
			f.NumbersTwice = fault.Count
		}
		f.violated("audit: %d %s, such as %v", fault.Count, fault.Kind, fault.Where[0])
	}
	for _, u := range e.audit.Unread {
		f.violated("audit: partition %d: %s", u.Partition, u.Reason)
	}
	f.Lost = max(f.Lost, int(a.Lost))
}

// aftermath is how long after its end a fault may explain that nothing is confirmed: a lost session and a new balance.
const aftermath = 15 * time.Second

// measure times what the faults did.
func (f *findings) measure(e evidence) {
	for _, p := range pauses(e.history.lives(-1), func(c change) bool { return c.status == order.Confirmed }) {
		f.Longest = max(f.Longest, p.lasted())
		if !slices.ContainsFunc(e.played, func(d played) bool { return p.meets(d.began, d.ended.Add(aftermath)) }) {
			f.Unexplained = max(f.Unexplained, p.lasted())
		}
	}
	var still []pause
	for number := range e.history.folds {
		still = append(still, pauses(e.history.lives(number), func(change) bool { return true })...)
	}
	for _, k := range kinds() {
		row := kindFindings{Name: k.name, Skipped: e.skipped[k.name]}
		for _, d := range e.played {
			if d.name != k.name {
				continue
			}
			row.Times++
			row.Begun = append(row.Begun, e.history.untilConfirmed(d.began))
			row.Ended = append(row.Ended, e.history.untilConfirmed(d.ended))
			for _, p := range still {
				if p.meets(d.began, d.ended) {
					row.Still = max(row.Still, p.lasted())
				}
			}
		}
		if row.Times -= row.Skipped; row.Times > 0 || row.Skipped > 0 {
			f.Kinds = append(f.Kinds, row)
		}
	}
}

// meets reports whether a pause and a time overlap.
func (p pause) meets(from, to time.Time) bool { return p.from.Before(to) && p.to.After(from) }
