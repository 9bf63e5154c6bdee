package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/order"
)

// evidence is what a run produced, from independent sources.
type evidence struct {
	accepted  map[string]placed // by order ID: requests that the API accepted
	unknown   int               // requests without an answer
	refused   []error           // unexpected answers
	history   *history          // from orders.status
	audit     audit.Report      // from all topics
	delivered map[string]int    // from the mail server: number of deliveries, by Message-ID
	injected  []injectedFault
	skipped   map[string]int // faults that are not possible on this machine, by kind
	exits     []exit
}

// findings are the result of a run.
type findings struct {
	Accepted, Confirmed, DeadLetters   int
	Refunds, Cancelled                 int // included in Accepted
	Unknown                            int
	Lost                               int
	DuplicateNumbers                   int64
	RepeatedCounted, RepeatedUncounted int // repeated mails: counted as uncertain by their orders, and not counted
	Interrupted                        int // orders in status mailing when their worker was killed or cut off
	StaleStates                        int64
	UnexpectedExits                    int
	LongestStall, UnexplainedStall     time.Duration
	Kinds                              []kindFindings
	Violations                         []string
}

// kindFindings is the result of all faults of one kind.
type kindFindings struct {
	Name           string
	Times, Skipped int
	Begun, Ended   []time.Duration // times to the first confirmation after each began, and after each ended
	Stall          time.Duration   // longest stall of a partition
}

func (f *findings) violated(format string, args ...any) {
	f.Violations = append(f.Violations, fmt.Sprintf(format, args...))
}

// check compares the evidence with the promises.
func check(e evidence) *findings {
	f := &findings{
		Accepted: len(e.accepted), Unknown: e.unknown, StaleStates: e.audit.StaleStates, UnexpectedExits: len(e.exits),
	}
	f.checkOrders(e)
	f.checkMails(e)
	f.checkRefunds(e)
	f.checkAudit(e)
	f.measure(e)
	for _, err := range e.refused {
		f.violated("refused: %v", err)
	}
	if err := e.history.err; err != nil {
		f.violated("orders.status has an unreadable record: %v", err)
	}
	return f
}

// checkOrders checks that each accepted order has the expected final status.
func (f *findings) checkOrders(e evidence) {
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
		if p.refundOf != "" {
			f.Refunds++
		}
		want := order.Confirmed
		if p.undeliverable || e.history.orders[id].tooUncertain() {
			want = order.Dead
		}
		switch {
		case !final:
			f.Lost++
			f.violated("lost: %s was accepted and has status %q", id, status)
		case status != want && (status != order.Cancelled || !p.cancelAsked):
			f.violated("status: %s is %s, want %s", id, status, want)
		case !e.history.orders[id].finished(p):
			f.violated("not answered: the cancel of %s, whose status is %s", id, status)
		}
	}
}

// checkMails checks that each confirmed order was mailed once, and that repeated mails are counted
// as uncertain.
func (f *findings) checkMails(e evidence) {
	known := map[string]bool{}
	unexplained := 0
	for id, l := range e.history.orders {
		f.Interrupted += l.interrupted(e.injected)
		known[l.messageID] = true
		n := e.delivered[l.messageID]
		if status, _ := l.final(); status == order.Confirmed && n == 0 {
			f.violated("not mailed: %s is confirmed", id)
		}
		if n < 2 {
			continue
		}
		counted := min(n-1, l.uncertain)
		f.RepeatedCounted += counted
		f.RepeatedUncounted += n - 1 - counted
		if counted < n-1 {
			f.violated("mailed twice: %s was mailed %d times and counts %d uncertain mails", id, n, l.uncertain)
		}
		if !l.unanswered(e.injected) {
			unexplained += n - 1
		}
	}
	if unexplained > f.Interrupted {
		f.violated("mailed twice: %d repeated mails, but only %d orders were being mailed when workers were killed or cut off",
			unexplained, f.Interrupted)
	}
	for mail, n := range e.delivered {
		if !known[mail] {
			f.violated("unknown mail: %s was delivered %d times and belongs to no order", mail, n)
		}
	}
}

// interrupted returns how often a worker was killed or cut off between the intent to mail the order
// and its outcome: the next state has another owner, and a fault that interrupts workers explains
// it. Each such mail may have been sent. A worker that is stopped gracefully finishes its in-flight
// orders.
func (l *orderHistory) interrupted(faults []injectedFault) (n int) {
	for i, c := range l.changes {
		unfinished := c.status == order.Mailing && (i+1 == len(l.changes) || l.changes[i+1].owner != c.owner)
		if unfinished && slices.ContainsFunc(faults, func(p injectedFault) bool {
			return p.interrupts && p.explains(l.period(i))
		}) {
			n++
		}
	}
	return n
}

// unanswered reports whether the order was being mailed while the mail server may have kept mails
// without an answer.
func (l *orderHistory) unanswered(faults []injectedFault) bool {
	for i, c := range l.changes {
		met := func(p injectedFault) bool {
			return p.component == componentMail && l.period(i).overlaps(p.began, p.ended)
		}
		if c.status == order.Mailing && slices.ContainsFunc(faults, met) {
			return true
		}
	}
	return false
}

// period is the time during which a change was the newest.
func (l *orderHistory) period(i int) stall {
	if i+1 == len(l.changes) {
		return stall{l.changes[i].at, l.changes[i].at.Add(time.Hour)}
	}
	return stall{l.changes[i].at, l.changes[i+1].at}
}

// checkRefunds checks that cancelled orders are neither invoiced nor mailed, and that each refund
// has one credit note and does not exceed its invoice.
func (f *findings) checkRefunds(e evidence) {
	given := map[string]order.Money{}
	for id, l := range e.history.orders {
		if status, _ := l.final(); status == order.Cancelled && (l.invoiced || e.delivered[l.messageID] > 0) {
			f.violated("cancelled: %s has an invoice (%t) or mails (%d)", id, l.invoiced, e.delivered[l.messageID])
		}
		series := "INV-"
		if l.refundOf != "" {
			series = "CRN-"
			given[l.refundOf] = given[l.refundOf].Plus(l.total)
		}
		if l.invoiced && (len(l.numbers) != 1 || !strings.HasPrefix(l.numbers[0], series)) {
			f.violated("numbers: %s has %q, want one number of series %s", id, l.numbers, series)
		}
	}
	for id, sum := range given {
		if of := e.history.orders[id]; of == nil || !of.invoiced || sum.Minor > of.total.Minor {
			f.violated("refunded: %s of %s, which exceeds its invoice", sum, id)
		}
	}
}

// checkAudit checks that the audit, which reads Kafka alone, agrees with the answers of the API.
func (f *findings) checkAudit(e evidence) {
	a := e.audit.Orders
	if n := int(a.Accepted); n < f.Accepted || n > f.Accepted+e.unknown {
		f.violated("accepted: the API accepted %d and left %d without an answer; the audit finds %d", f.Accepted, e.unknown, n)
	}
	if n := int(a.Refunds); n < f.Refunds || n > f.Refunds+e.unknown {
		f.violated("refunds: the API accepted %d and left %d requests without an answer; the audit finds %d", f.Refunds, e.unknown, n)
	}
	if a.InFlight > 0 {
		f.violated("in flight: %d orders after the end of the run", a.InFlight)
	}
	for _, fault := range e.audit.Faults {
		if fault.Kind == "number-twice" {
			f.DuplicateNumbers = fault.Count
		}
		f.violated("audit: %d %s, for example %v", fault.Count, fault.Kind, fault.Where[0])
	}
	for _, u := range e.audit.Unread {
		f.violated("audit: partition %d: %s", u.Partition, u.Reason)
	}
	f.Lost = max(f.Lost, int(a.Lost))
}

// aftermath is the time after the end of a fault in which it still explains stalls: a session times
// out and the group rebalances.
const aftermath = 15 * time.Second

// explains reports whether the fault, or its aftermath, was during a stall.
func (f injectedFault) explains(s stall) bool { return s.overlaps(f.began, f.ended.Add(aftermath)) }

// measure computes the effect of the faults on the time to the next confirmation.
func (f *findings) measure(e evidence) {
	for _, p := range stalls(e.history.inPartition(-1), func(c change) bool { return c.status == order.Confirmed }) {
		f.LongestStall = max(f.LongestStall, p.duration())
		if !slices.ContainsFunc(e.injected, func(d injectedFault) bool { return d.explains(p) }) {
			f.UnexplainedStall = max(f.UnexplainedStall, p.duration())
		}
	}
	var inPartitions []stall
	for number := range e.history.folds {
		inPartitions = append(inPartitions, stalls(e.history.inPartition(number), func(change) bool { return true })...)
	}
	for _, k := range append(kinds(), upgradeKind()) {
		row := kindFindings{Name: k.name, Skipped: e.skipped[k.name]}
		for _, d := range e.injected {
			if d.name != k.name {
				continue
			}
			row.Times++
			row.Begun = append(row.Begun, e.history.untilConfirmed(d.began))
			row.Ended = append(row.Ended, e.history.untilConfirmed(d.ended))
			for _, p := range inPartitions {
				if p.overlaps(d.began, d.ended) {
					row.Stall = max(row.Stall, p.duration())
				}
			}
		}
		if row.Times -= row.Skipped; row.Times > 0 || row.Skipped > 0 {
			f.Kinds = append(f.Kinds, row)
		}
	}
}

// overlaps reports whether the stall and the time between from and to overlap.
func (p stall) overlaps(from, to time.Time) bool { return p.from.Before(to) && p.to.After(from) }
