package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/wire"
)

// clock is when the load of every made-up run began.
var clock = time.UnixMilli(1_700_000_000_000).UTC()

// after is a moment so many seconds into the run.
func after(seconds float64) time.Time {
	return clock.Add(time.Duration(seconds * float64(time.Second)))
}

// lived is the life of an order that was placed at the start, from its changes: a second apart, and written by owners 1, 2, …
func lived(owners string, statuses ...order.Status) *life {
	l := &life{placed: clock}
	for i, s := range statuses {
		l.changes = append(l.changes, change{after(float64(i + 1)), s, int64(owners[i] - '0')})
	}
	return l
}

func confirmed(mail string) *life {
	l := lived("111", order.Working, order.Mailing, order.Confirmed)
	l.mail, l.kept, l.total, l.numbers = mail, true, order.EUR.Cents(119), []string{"INV-" + mail}
	return l
}

// clean is a run of five orders in which nothing went wrong: two are confirmed, of one of them all is given back, one was called
// off, and one goes where nobody ships.
func clean() evidence {
	h := newHistory()
	h.folds[0] = new(status.Fold)
	refund := confirmed("mail-refund")
	refund.of, refund.numbers = "a", []string{"CRN-1"}
	h.orders = map[string]*life{
		"a": confirmed("mail-a"), "b": confirmed("mail-b"), "refund": refund, "off": lived("1", order.Cancelled), "antarctica": lived("1", order.Dead),
	}
	return evidence{
		accepted:  map[string]placed{"a": {}, "b": {}, "refund": {of: "a"}, "off": {called: true, taken: true}, "antarctica": {hopeless: true}},
		history:   h,
		audit:     audit.Report{Orders: audit.Tally{Accepted: 5, Confirmed: 3, Cancelled: 1, Dead: 1, Refunds: 1}},
		delivered: map[string]int{"mail-a": 1, "mail-b": 1, "mail-refund": 1},
	}
}

// taken makes the mail of order a one that a second owner sent again, and counts as many times as given.
func (e *evidence) taken(counted int) {
	a := confirmed("mail-a")
	a.changes, a.uncertain = lived("1122", order.Working, order.Mailing, order.Mailing, order.Confirmed).changes, counted
	e.history.orders["a"] = a
	e.delivered["mail-a"] = 2
	e.played = []played{workerFault(2.5, 3.5)}
}

func workerFault(from, to float64) played {
	return played{fault: fault{kind: kind{name: "worker-kill", touches: theWorkers, cuts: true}}, began: after(from), ended: after(to)}
}

func mailFault(from, to float64) played {
	return played{fault: fault{kind: kind{name: "smtp-hangup", touches: theMail}}, began: after(from), ended: after(to)}
}

func TestBrokenPromisesAreSeen(t *testing.T) {
	t.Parallel()
	for _, row := range []broken{
		{"nothing happened", func(*evidence) {}, nil},
		{"accepted, and no state", func(e *evidence) { delete(e.history.orders, "b"); delete(e.delivered, "mail-b") }, []string{"lost: b"}},
		{"accepted, and not ended", func(e *evidence) { e.history.orders["b"].changes = e.history.orders["b"].changes[:2] }, []string{"lost: b"}},
		{"a dead letter that should be none", func(e *evidence) { e.history.orders["b"] = lived("1", order.Dead); delete(e.delivered, "mail-b") }, []string{"b is dead"}},
		{"a dead letter after three doubts", func(e *evidence) {
			e.history.orders["b"] = lived("1", order.Dead)
			e.history.orders["b"].uncertain, e.audit.Orders.Confirmed, e.audit.Orders.Dead = 3, 2, 2
			delete(e.delivered, "mail-b")
		}, nil},
		{"shipped where nobody ships", func(e *evidence) { e.history.orders["antarctica"] = confirmed("mail-b") }, []string{"antarctica is confirmed"}},
		{"confirmed, and no mail", func(e *evidence) { delete(e.delivered, "mail-a") }, []string{"not mailed: a"}},
		{"a mail of no order", func(e *evidence) { e.delivered["stray"] = 1 }, []string{"mailed for nothing"}},
		{"mailed again, and counted", func(e *evidence) { e.taken(1) }, nil},
		{"mailed again, and not counted", func(e *evidence) { e.taken(0) }, []string{"mailed twice: a"}},
		{"mailed again, and nobody was killed", func(e *evidence) { e.taken(1); e.played[0].cuts = false }, []string{"mailed twice: 1 mails too many"}},
		{"mailed again, long after a kill", func(e *evidence) { e.taken(1); e.played[0] = workerFault(-30, -20) }, []string{"mailed twice: 1 mails too many"}},
		{"counted, and nobody had it in hand", func(e *evidence) {
			e.history.orders["a"].uncertain, e.delivered["mail-a"] = 1, 2
		}, []string{"mailed twice: 1 mails too many"}},
		{"counted, and hung up on", func(e *evidence) {
			e.history.orders["a"].uncertain, e.delivered["mail-a"], e.played = 1, 2, []played{mailFault(2.5, 4)}
		}, nil},
		{"counted, and hung up on later", func(e *evidence) {
			e.history.orders["a"].uncertain, e.delivered["mail-a"], e.played = 1, 2, []played{mailFault(3.5, 4)}
		}, []string{"mailed twice: 1 mails too many"}},
		{"the audit finds fewer", func(e *evidence) { e.audit.Orders.Accepted = 4 }, []string{"accepted: 5"}},
		{"the audit finds more", func(e *evidence) { e.audit.Orders.Accepted = 6 }, []string{"accepted: 5"}},
		{"the audit finds no refund", func(e *evidence) { e.audit.Orders.Refunds = 0 }, []string{"refunds: 1"}},
		{"the audit finds one refund more", func(e *evidence) { e.audit.Orders.Refunds = 2 }, []string{"refunds: 1"}},
		{"one more without an answer", func(e *evidence) { e.audit.Orders.Accepted, e.audit.Orders.Refunds, e.unknown = 6, 2, 1 }, nil},
		{"one is in flight", func(e *evidence) { e.audit.Orders.InFlight = 1 }, []string{"in flight: 1"}},
		{"a fault of the audit", func(e *evidence) {
			e.audit.Faults = []audit.Fault{{Kind: "number-twice", Count: 2, Where: []audit.Place{{Order: "a"}}}}
		}, []string{"audit: 2 number-twice"}},
		{"refused by the API", func(e *evidence) { e.refused = []error{errors.New("422")} }, []string{"refused: 422"}},
		{"an unreadable state", func(e *evidence) { e.history.err = wire.ErrUndecodable }, []string{"orders.status has a record"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.sees(t)
		})
	}
}

func TestBrokenPromisesAboutRegretsAreSeen(t *testing.T) {
	t.Parallel()
	late := func(e *evidence) *life {
		e.history.orders["off"], e.delivered["mail-off"] = confirmed("mail-off"), 1
		return e.history.orders["off"]
	}
	for _, row := range []broken{
		{"cancelled, and nobody asked", func(e *evidence) { e.accepted["off"] = placed{} }, []string{"off is cancelled"}},
		{"called off too late", func(e *evidence) { late(e).answered = true }, nil},
		{"called off, and not answered", func(e *evidence) { late(e) }, []string{"not answered: the cancel of off"}},
		{"called off, and refused", func(e *evidence) { late(e); e.accepted["off"] = placed{called: true} }, nil},
		{"called off, and dead", func(e *evidence) { e.history.orders["off"].changes[0].status = order.Dead }, []string{"off is dead"}},
		{"called off, and mailed", func(e *evidence) { e.history.orders["off"].mail, e.delivered["m"] = "m", 1 }, []string{"called off: off"}},
		{"called off, and invoiced", func(e *evidence) {
			e.history.orders["off"].kept, e.history.orders["off"].numbers = true, []string{"INV-1"}
		}, []string{"called off: off"}},
		{"an invoice for a refund", func(e *evidence) { e.history.orders["refund"].numbers[0] = "INV-1" }, []string{"numbers: refund"}},
		{"a credit note for an order", func(e *evidence) { e.history.orders["a"].numbers[0] = "CRN-2" }, []string{"numbers: a"}},
		{"two credit notes for a refund", func(e *evidence) {
			e.history.orders["refund"].numbers = []string{"CRN-1", "CRN-2"}
		}, []string{"numbers: refund"}},
		{"a cent too much", func(e *evidence) { e.history.orders["refund"].total.Minor++ }, []string{"refunded: 1.20 of a"}},
		{"given back, and not invoiced", func(e *evidence) { e.history.orders["a"].kept = false }, []string{"refunded: 1.19 of a"}},
		{"a refund of nothing", func(e *evidence) { e.history.orders["refund"].of = "ghost" }, []string{"refunded: 1.19 of ghost"}},
		{"a refund that is not mailed", func(e *evidence) { delete(e.delivered, "mail-refund") }, []string{"not mailed: refund"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.sees(t)
		})
	}
}

// broken is a promise that is broken in a run where nothing else is wrong.
type broken struct {
	name string
	does func(*evidence)
	want []string // what violations begin with
}

func (row broken) sees(t *testing.T) {
	t.Helper()
	e := clean()
	row.does(&e)
	got := judge(e).Violations
	for i, v := range got {
		if i < len(row.want) && strings.HasPrefix(v, row.want[i]) {
			got[i] = row.want[i]
		}
	}
	if diff := cmp.Diff(row.want, got); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}

func TestFindingsCount(t *testing.T) {
	t.Parallel()
	e := clean()
	e.taken(0)
	e.unknown, e.audit.VoidStates, e.audit.Orders.Lost = 1, 4, 2
	e.audit.Faults = []audit.Fault{{Kind: "number-twice", Count: 3, Where: []audit.Place{{}}}}
	e.fallen = []fallen{{name: "api-2"}}
	e.skipped = map[string]int{"disk-full": 1}
	kill := workerFault(2.5, 3.5)
	full := played{fault: fault{kind: kind{name: "disk-full", touches: theAPIs}}, began: after(1), ended: after(1)}
	e.played = []played{kill, full}
	got := judge(e)
	got.Violations = nil
	want := &findings{
		Accepted: 5, Refunds: 1, Cancelled: 1, Confirmed: 3, DeadLetters: 1, Unknown: 1, Lost: 2, NumbersTwice: 3, TwiceUncounted: 1, InDoubt: 1, VoidStates: 4, Fell: 1,
		Longest: 3 * time.Second,
		Kinds: []kindFindings{
			{Name: "worker-kill", Times: 1, Begun: []time.Duration{time.Second / 2}, Ended: []time.Duration{time.Second / 2}, Still: time.Second},
			{Name: "disk-full", Skipped: 1, Begun: []time.Duration{2 * time.Second}, Ended: []time.Duration{2 * time.Second}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestPauseNeedsSomethingDue(t *testing.T) {
	t.Parallel()
	one := lived("11", order.Working, order.Confirmed)
	late := &life{placed: after(100), changes: []change{{after(107), order.Working, 1}, {after(108), order.Confirmed, 1}}}
	parked := lived("111", order.Working, order.Waiting, order.Confirmed)
	parked.changes[2].at = after(50)
	isConfirmed := func(c change) bool { return c.status == order.Confirmed }
	for _, row := range []struct {
		name     string
		lives    []*life
		progress func(change) bool
		want     []pause
	}{
		{"nothing", nil, isConfirmed, nil},
		{"until it is confirmed", []*life{one}, isConfirmed, []pause{{clock, after(2)}}},
		{"any change is progress", []*life{one}, func(change) bool { return true }, []pause{{clock, after(1)}, {after(1), after(2)}}},
		{"not while nothing is due", []*life{one, late}, isConfirmed, []pause{{clock, after(2)}, {after(100), after(108)}}},
		{"not while it must wait", []*life{parked}, isConfirmed, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(row.want, pauses(row.lives, row.progress), cmp.AllowUnexported(pause{})); diff != "" {
				t.Errorf("pauses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPauseWithoutAFaultIsUnexplained(t *testing.T) {
	t.Parallel()
	e := clean()
	e.history.orders["late"] = &life{placed: after(100), changes: []change{{after(107), order.Confirmed, 1}}}
	e.played = []played{mailFault(0, 2)}
	if got := judge(e); got.Longest != 7*time.Second || got.Unexplained != 7*time.Second {
		t.Errorf("got longest %s, unexplained %s; want 7s for both", got.Longest, got.Unexplained)
	}
	e.played = append(e.played, mailFault(90, 91))
	if got := judge(e); got.Longest != 7*time.Second || got.Unexplained != 0 {
		t.Errorf("soon after a fault: got longest %s, unexplained %s; want 7s and none", got.Longest, got.Unexplained)
	}
}

func TestInDoubtIsWhatAnOwnerDidNotFinish(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		life *life
		want int
	}{
		{"confirmed by its owner", confirmed(""), 0},
		{"killed before it mailed", lived("1222", order.Working, order.Working, order.Mailing, order.Confirmed), 0},
		{"killed while it mailed", lived("1122", order.Working, order.Mailing, order.Mailing, order.Confirmed), 1},
		{"killed twice", lived("123", order.Mailing, order.Mailing, order.Mailing), 3},
		{"tried again by its owner", lived("111", order.Mailing, order.Mailing, order.Confirmed), 0},
	} {
		if got := row.life.inDoubt([]played{workerFault(0, 1)}); got != row.want {
			t.Errorf("%s: got %d, want %d", row.name, got, row.want)
		}
		if got := row.life.inDoubt([]played{mailFault(0, 9)}); got != 0 {
			t.Errorf("%s, and no worker lost anything: got %d, want 0", row.name, got)
		}
	}
}

// state is a record of orders.status, at an offset.
func state(offset, owner, rev int64, s order.Status) *kgo.Record {
	st := order.Order{ID: "ord_1", PlacedAt: clock}.Begin(order.Origin{})
	st.Record(order.Change{Rev: rev, At: after(float64(offset)), Status: s})
	st.Progress.Email = &order.Email{MessageID: "mail-1", Uncertain: int(rev)}
	r := wire.State(st, owner)
	r.Offset, r.Timestamp = offset, clock.Add(clockStep) // by the brokers' clock, which is wrong
	return r
}

func claimed(offset int64) *kgo.Record {
	r := wire.Claim{Worker: "w", At: clock}.Record()
	r.Offset = offset
	return r
}

func TestHistoryLeavesOutWhatIsVoid(t *testing.T) {
	t.Parallel()
	h := newHistory()
	for _, r := range []*kgo.Record{
		claimed(0), state(1, 0, 1, order.Mailing), claimed(2), state(3, 0, 2, order.Confirmed), state(4, 2, 2, order.Mailing),
	} {
		h.add(r)
	}
	want := map[string]*life{"ord_1": {
		placed: clock, mail: "mail-1", uncertain: 2,
		changes: []change{{after(1), order.Mailing, 0}, {after(4), order.Mailing, 2}},
	}}
	if diff := cmp.Diff(want, h.orders, cmp.AllowUnexported(life{}, change{})); diff != "" || h.err != nil {
		t.Errorf("error %v, orders (-want +got):\n%s", h.err, diff)
	}
	if left := h.unfinished([]string{"ord_1"}, nil); len(left) != 1 {
		t.Errorf("got %v unfinished, want one: a void state confirms nothing", left)
	}
	h.add(state(5, 2, 3, order.Confirmed))
	if left := h.unfinished([]string{"ord_1", "ord_1"}, nil); len(left) != 0 {
		t.Errorf("got %v unfinished, want none", left)
	}
	<-h.news
	h.add(&kgo.Record{Value: []byte("?")})
	if !errors.Is(h.err, wire.ErrUndecodable) {
		t.Errorf("a record that is none: got %v, want ErrUndecodable", h.err)
	}
}
