package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/wire"
)

// clock is the start of the load.
var clock = time.UnixMilli(1_700_000_000_000).UTC()

// after returns the time this many seconds after the start.
func after(seconds float64) time.Time {
	return clock.Add(time.Duration(seconds * float64(time.Second)))
}

// orderWith is the history of an order that was placed at the start. Its changes are a second
// apart; owners has the owner of each.
func orderWith(owners string, statuses ...order.Status) *orderHistory {
	l := &orderHistory{placed: clock}
	for i, s := range statuses {
		l.changes = append(l.changes, change{after(float64(i + 1)), s, int64(owners[i] - '0')})
	}
	return l
}

func confirmed(mail string) *orderHistory {
	l := orderWith("111", order.Working, order.Mailing, order.Confirmed)
	l.messageID, l.invoiced, l.total, l.numbers = mail, true, order.EUR.Cents(119), []string{"INV-" + mail}
	return l
}

// clean is a run of five orders that kept all promises: two are confirmed, one of them is refunded,
// one is cancelled, and one has no route.
func clean() evidence {
	h := newHistory()
	h.folds[0] = new(status.Fold)
	refund := confirmed("mail-refund")
	refund.refundOf, refund.numbers = "a", []string{"CRN-1"}
	h.orders = map[string]*orderHistory{
		"a": confirmed("mail-a"), "b": confirmed("mail-b"), "refund": refund, "off": orderWith("1", order.Cancelled), "antarctica": orderWith("1", order.Dead),
	}
	return evidence{
		accepted:  map[string]placed{"a": {}, "b": {}, "refund": {refundOf: "a"}, "off": {cancelAsked: true, cancelAccepted: true}, "antarctica": {undeliverable: true}},
		history:   h,
		audit:     audit.Report{Orders: audit.Tally{Accepted: 5, Confirmed: 3, Cancelled: 1, Dead: 1, Refunds: 1}},
		delivered: map[string]int{"mail-a": 1, "mail-b": 1, "mail-refund": 1},
	}
}

// mailRepeated makes the mail of order a one that a second owner repeated, and counted this many
// times.
func (e *evidence) mailRepeated(counted int) {
	a := confirmed("mail-a")
	a.changes, a.uncertain = orderWith("1122", order.Working, order.Mailing, order.Mailing, order.Confirmed).changes, counted
	e.history.orders["a"] = a
	e.delivered["mail-a"] = 2
	e.injected = []injectedFault{workerFault(2.5, 3.5)}
}

func workerFault(from, to float64) injectedFault {
	return injectedFault{fault: fault{kind: kind{name: "worker-kill", component: componentWorkers, interrupts: true}}, began: after(from), ended: after(to)}
}

func mailFault(from, to float64) injectedFault {
	return injectedFault{fault: fault{kind: kind{name: "smtp-hangup", component: componentMail}}, began: after(from), ended: after(to)}
}

func TestBrokenPromisesAreReported(t *testing.T) {
	t.Parallel()
	for _, row := range []broken{
		{"nothing is wrong", func(*evidence) {}, nil},
		{"accepted, without a state", func(e *evidence) { delete(e.history.orders, "b"); delete(e.delivered, "mail-b") }, []string{"lost: b"}},
		{"accepted, not final", func(e *evidence) { e.history.orders["b"].changes = e.history.orders["b"].changes[:2] }, []string{"lost: b"}},
		{"an unexpected dead letter", func(e *evidence) { e.history.orders["b"] = orderWith("1", order.Dead); delete(e.delivered, "mail-b") }, []string{"status: b is dead"}},
		{"a dead letter after three uncertain mails", func(e *evidence) {
			e.history.orders["b"] = orderWith("1", order.Dead)
			e.history.orders["b"].uncertain, e.audit.Orders.Confirmed, e.audit.Orders.Dead = 3, 2, 2
			delete(e.delivered, "mail-b")
		}, nil},
		{"confirmed without a route", func(e *evidence) { e.history.orders["antarctica"] = confirmed("mail-b") }, []string{"status: antarctica is confirmed"}},
		{"confirmed without a mail", func(e *evidence) { delete(e.delivered, "mail-a") }, []string{"not mailed: a"}},
		{"a mail of no order", func(e *evidence) { e.delivered["stray"] = 1 }, []string{"unknown mail"}},
		{"mailed twice, counted", func(e *evidence) { e.mailRepeated(1) }, nil},
		{"mailed twice, not counted", func(e *evidence) { e.mailRepeated(0) }, []string{"mailed twice: a"}},
		{"mailed twice, without a kill", func(e *evidence) { e.mailRepeated(1); e.injected[0].interrupts = false }, []string{"mailed twice: 1 repeated mails"}},
		{"mailed twice, long after a kill", func(e *evidence) { e.mailRepeated(1); e.injected[0] = workerFault(-30, -20) }, []string{"mailed twice: 1 repeated mails"}},
		{"mailed twice, not in flight during a kill", func(e *evidence) {
			e.history.orders["a"].uncertain, e.delivered["mail-a"] = 1, 2
		}, []string{"mailed twice: 1 repeated mails"}},
		{"mailed twice, mail server did not answer", func(e *evidence) {
			e.history.orders["a"].uncertain, e.delivered["mail-a"], e.injected = 1, 2, []injectedFault{mailFault(2.5, 4)}
		}, nil},
		{"mailed twice, mail server did not answer later", func(e *evidence) {
			e.history.orders["a"].uncertain, e.delivered["mail-a"], e.injected = 1, 2, []injectedFault{mailFault(3.5, 4)}
		}, []string{"mailed twice: 1 repeated mails"}},
		{"the audit finds fewer", func(e *evidence) { e.audit.Orders.Accepted = 4 }, []string{"accepted: the API accepted 5"}},
		{"the audit finds more", func(e *evidence) { e.audit.Orders.Accepted = 6 }, []string{"accepted: the API accepted 5"}},
		{"the audit finds no refund", func(e *evidence) { e.audit.Orders.Refunds = 0 }, []string{"refunds: the API accepted 1"}},
		{"the audit finds one refund more", func(e *evidence) { e.audit.Orders.Refunds = 2 }, []string{"refunds: the API accepted 1"}},
		{"one request without an answer", func(e *evidence) { e.audit.Orders.Accepted, e.audit.Orders.Refunds, e.unknown = 6, 2, 1 }, nil},
		{"one order is in flight", func(e *evidence) { e.audit.Orders.InFlight = 1 }, []string{"in flight: 1"}},
		{"a fault of the audit", func(e *evidence) {
			e.audit.Faults = []audit.Fault{{Kind: "number-twice", Count: 2, Where: []audit.Place{{Order: "a"}}}}
		}, []string{"audit: 2 number-twice"}},
		{"refused by the API", func(e *evidence) { e.refused = []error{errors.New("422")} }, []string{"refused: 422"}},
		{"an unreadable state", func(e *evidence) { e.history.err = wire.ErrUndecodable }, []string{"orders.status has an unreadable record"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.check(t)
		})
	}
}

func TestBrokenPromisesOfCancelsAndRefundsAreReported(t *testing.T) {
	t.Parallel()
	late := func(e *evidence) *orderHistory {
		e.history.orders["off"], e.delivered["mail-off"] = confirmed("mail-off"), 1
		return e.history.orders["off"]
	}
	for _, row := range []broken{
		{"cancelled without a request", func(e *evidence) { e.accepted["off"] = placed{} }, []string{"status: off is cancelled"}},
		{"cancel too late", func(e *evidence) { late(e).cancelAnswered = true }, nil},
		{"cancel not answered", func(e *evidence) { late(e) }, []string{"not answered: the cancel of off"}},
		{"cancel refused", func(e *evidence) { late(e); e.accepted["off"] = placed{cancelAsked: true} }, nil},
		{"cancelled, but dead", func(e *evidence) { e.history.orders["off"].changes[0].status = order.Dead }, []string{"status: off is dead"}},
		{"cancelled, but mailed", func(e *evidence) { e.history.orders["off"].messageID, e.delivered["m"] = "m", 1 }, []string{"cancelled: off"}},
		{"cancelled, but invoiced", func(e *evidence) {
			e.history.orders["off"].invoiced, e.history.orders["off"].numbers = true, []string{"INV-1"}
		}, []string{"cancelled: off"}},
		{"an invoice for a refund", func(e *evidence) { e.history.orders["refund"].numbers[0] = "INV-1" }, []string{"numbers: refund"}},
		{"a credit note for an order", func(e *evidence) { e.history.orders["a"].numbers[0] = "CRN-2" }, []string{"numbers: a"}},
		{"two credit notes for a refund", func(e *evidence) {
			e.history.orders["refund"].numbers = []string{"CRN-1", "CRN-2"}
		}, []string{"numbers: refund"}},
		{"a cent too much", func(e *evidence) { e.history.orders["refund"].total.Minor++ }, []string{"refunded: 1.20 of a"}},
		{"refunded without an invoice", func(e *evidence) { e.history.orders["a"].invoiced = false }, []string{"refunded: 1.19 of a"}},
		{"a refund of an unknown order", func(e *evidence) { e.history.orders["refund"].refundOf = "ghost" }, []string{"refunded: 1.19 of ghost"}},
		{"a refund that is not mailed", func(e *evidence) { delete(e.delivered, "mail-refund") }, []string{"not mailed: refund"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.check(t)
		})
	}
}

// broken is a run with one broken promise.
type broken struct {
	name string
	does func(*evidence)
	want []string // beginnings of the violations
}

func (row broken) check(t *testing.T) {
	t.Helper()
	e := clean()
	row.does(&e)
	got := check(e).Violations
	for i, v := range got {
		if i < len(row.want) && strings.HasPrefix(v, row.want[i]) {
			got[i] = row.want[i]
		}
	}
	if diff := cmp.Diff(row.want, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}

func TestFindingsAreCounted(t *testing.T) {
	t.Parallel()
	e := clean()
	e.mailRepeated(0)
	e.unknown, e.audit.StaleStates, e.audit.Orders.Lost = 1, 4, 2
	e.audit.Faults = []audit.Fault{{Kind: "number-twice", Count: 3, Where: []audit.Place{{}}}}
	e.exits = []exit{{name: "api-2"}}
	e.skipped = map[string]int{"disk-full": 1}
	kill := workerFault(2.5, 3.5)
	full := injectedFault{fault: fault{kind: kind{name: "disk-full", component: componentAPIs}}, began: after(1), ended: after(1)}
	e.injected = []injectedFault{kill, full}
	got := check(e)
	got.Violations = nil
	want := &findings{
		Accepted: 5, Refunds: 1, Cancelled: 1, Confirmed: 3, DeadLetters: 1, Unknown: 1, Lost: 2, DuplicateNumbers: 3, RepeatedUncounted: 1, Interrupted: 1, StaleStates: 4, UnexpectedExits: 1,
		LongestStall: 3 * time.Second,
		Kinds: []kindFindings{
			{Name: "worker-kill", Times: 1, Begun: []time.Duration{time.Second / 2}, Ended: []time.Duration{time.Second / 2}, Stall: time.Second},
			{Name: "disk-full", Skipped: 1, Begun: []time.Duration{2 * time.Second}, Ended: []time.Duration{2 * time.Second}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestStallNeedsADueOrder(t *testing.T) {
	t.Parallel()
	one := orderWith("11", order.Working, order.Confirmed)
	late := &orderHistory{placed: after(100), changes: []change{{after(107), order.Working, 1}, {after(108), order.Confirmed, 1}}}
	parked := orderWith("111", order.Working, order.Waiting, order.Confirmed)
	parked.changes[2].at = after(50)
	isConfirmed := func(c change) bool { return c.status == order.Confirmed }
	for _, row := range []struct {
		name     string
		orders   []*orderHistory
		progress func(change) bool
		want     []stall
	}{
		{"nothing", nil, isConfirmed, nil},
		{"until the confirmation", []*orderHistory{one}, isConfirmed, []stall{{clock, after(2)}}},
		{"any change is progress", []*orderHistory{one}, func(change) bool { return true }, []stall{{clock, after(1)}, {after(1), after(2)}}},
		{"no order is due", []*orderHistory{one, late}, isConfirmed, []stall{{clock, after(2)}, {after(100), after(108)}}},
		{"the order is parked", []*orderHistory{parked}, isConfirmed, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(row.want, stalls(row.orders, row.progress), cmp.AllowUnexported(stall{})); diff != "" {
				t.Errorf("stalls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStallWithoutAFaultIsUnexplained(t *testing.T) {
	t.Parallel()
	e := clean()
	e.history.orders["late"] = &orderHistory{placed: after(100), changes: []change{{after(107), order.Confirmed, 1}}}
	e.injected = []injectedFault{mailFault(0, 2)}
	if got := check(e); got.LongestStall != 7*time.Second || got.UnexplainedStall != 7*time.Second {
		t.Errorf("got longest %s, unexplained %s; want 7s for both", got.LongestStall, got.UnexplainedStall)
	}
	e.injected = append(e.injected, mailFault(90, 91))
	if got := check(e); got.LongestStall != 7*time.Second || got.UnexplainedStall != 0 {
		t.Errorf("soon after a fault: got longest %s, unexplained %s; want 7s and none", got.LongestStall, got.UnexplainedStall)
	}
}

func TestMailIsInterruptedIfItsOwnerWroteNoOutcome(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		history *orderHistory
		want    int
	}{
		{"confirmed by its owner", confirmed(""), 0},
		{"killed before the mail", orderWith("1222", order.Working, order.Working, order.Mailing, order.Confirmed), 0},
		{"killed during the mail", orderWith("1122", order.Working, order.Mailing, order.Mailing, order.Confirmed), 1},
		{"killed twice", orderWith("123", order.Mailing, order.Mailing, order.Mailing), 3},
		{"repeated by its owner", orderWith("111", order.Mailing, order.Mailing, order.Confirmed), 0},
	} {
		if got := row.history.interrupted([]injectedFault{workerFault(0, 1)}); got != row.want {
			t.Errorf("%s: got %d, want %d", row.name, got, row.want)
		}
		if got := row.history.interrupted([]injectedFault{mailFault(0, 9)}); got != 0 {
			t.Errorf("%s, no worker interrupted: got %d, want 0", row.name, got)
		}
	}
}

// state is a record of orders.status, at an offset.
func state(offset, owner, rev int64, s order.Status) *kgo.Record {
	st := order.Order{ID: "ord_1", PlacedAt: clock}.Begin(order.Origin{})
	kafkatest.Force(&st, order.Change{Rev: rev, At: after(float64(offset)), Status: s})
	st.Progress.Email = &order.Email{MessageID: "mail-1", Uncertain: int(rev)}
	r := wire.State(st, owner)
	r.Offset, r.Timestamp = offset, clock.Add(clockStep) // the clock of the broker is wrong
	return r
}

func claimed(offset int64) *kgo.Record {
	r := wire.Claim{Worker: "w", At: clock}.Record()
	r.Offset = offset
	return r
}

func TestHistoryLeavesOutStaleStates(t *testing.T) {
	t.Parallel()
	h := newHistory()
	for _, r := range []*kgo.Record{
		claimed(0), state(1, 0, 1, order.Mailing), claimed(2), state(3, 0, 2, order.Confirmed), state(4, 2, 2, order.Mailing),
	} {
		h.add(r)
	}
	want := map[string]*orderHistory{"ord_1": {
		placed: clock, messageID: "mail-1", uncertain: 2,
		changes: []change{{after(1), order.Mailing, 0}, {after(4), order.Mailing, 2}},
	}}
	if diff := cmp.Diff(want, h.orders, cmp.AllowUnexported(orderHistory{}, change{})); diff != "" || h.err != nil {
		t.Errorf("error %v, orders (-want +got):\n%s", h.err, diff)
	}
	if left := h.unfinished([]string{"ord_1"}, nil); len(left) != 1 {
		t.Errorf("got %v unfinished, want one: a stale state confirms nothing", left)
	}
	h.add(state(5, 2, 3, order.Confirmed))
	if left := h.unfinished([]string{"ord_1", "ord_1"}, nil); len(left) != 0 {
		t.Errorf("got %v unfinished, want none", left)
	}
	<-h.news
	h.add(&kgo.Record{Value: []byte("?")})
	if !errors.Is(h.err, wire.ErrUndecodable) {
		t.Errorf("an undecodable record: got %v, want ErrUndecodable", h.err)
	}
}
