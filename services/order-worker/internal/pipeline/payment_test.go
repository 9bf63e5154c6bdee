//go:build synctests

package pipeline_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// paid is a payment of so many cents.
func paid(reference string, cents int64) order.Payment {
	return order.Payment{Method: order.Card, Reference: reference, PaidAt: time.Now().UTC().Truncate(time.Second), Amount: order.EUR.Cents(cents)}
}

// pay reports a payment for the order of a record, as the API does that has seen no state.
func (l *line) pay(t *testing.T, placed *kgo.Record, p order.Payment) *kgo.Record {
	t.Helper()
	q := wire.PaymentRequest{Order: order.ID(placed.Key), Origin: l.ledger.Origin(placed.Offset), Payment: p, At: time.Now()}
	return l.put(t, l.Topics.Replay, q.Record())
}

// has compares the payments of an order, and how many of them its invoice states.
func (l *line) has(t *testing.T, id order.ID, stated int, want ...order.Payment) {
	t.Helper()
	s := l.States(t)[id]
	if diff := cmp.Diff(want, s.Payments); diff != "" {
		t.Errorf("payments of %s (-want +got):\n%s", id, diff)
	}
	if got := s.Stated(); len(got) != stated {
		t.Errorf("the invoice of %s states %v, want the first %d", id, got, stated)
	}
}

func TestAPaymentBeforeItsOrderIsBegunIsOnTheInvoice(t *testing.T) {
	t.Parallel()
	byOwners(t, func(t *testing.T, l *line, next func()) {
		placed, a, b := l.place(t, "ord_1"), paid("a", 100), paid("b", 50)
		first := l.pay(t, placed, a)
		l.work(t, first)
		next()
		l.work(t, l.pay(t, placed, b))
		l.work(t, first) // as after a crash before the commit
		l.work(t, placed)
		l.work(t, l.pay(t, placed, a)) // the webhook is called twice
		l.tells(t, "ord_1", "accepted", "accepted payment-received", "accepted payment-received", "working", "mailing", "confirmed")
		l.has(t, "ord_1", 2, a, b)
	})
}

func TestALatePaymentChangesNoInvoice(t *testing.T) {
	t.Parallel()
	byMemory(t, func(t *testing.T, l *line, next func()) {
		placed := l.place(t, "ord_1")
		l.work(t, placed)
		invoices := len(l.Records(t, l.Topics.Invoices))
		next()
		a, other := paid("a", 100), paid("a", 101)
		l.work(t, l.pay(t, placed, a))
		l.work(t, l.pay(t, placed, other))
		l.work(t, l.pay(t, placed, other)) // has its answer
		l.takeOver(t)
		l.work(t, l.pay(t, placed, a))
		l.tells(t, "ord_1", "accepted", "working", "mailing", "confirmed", "confirmed payment-received", "confirmed payment-refused")
		l.has(t, "ord_1", 0, a)
		if got := len(l.Records(t, l.Topics.Invoices)); got != invoices {
			t.Errorf("got %d records of invoices, want %d as before", got, invoices)
		}
	})
}

// TestAPaymentOfAParkedOrderIsOnTheInvoiceUnlessThatIsStored pays between two attempts.
func TestAPaymentOfAParkedOrderIsOnTheInvoiceUnlessThatIsStored(t *testing.T) {
	t.Parallel()
	for stated, failing := range map[int]func(*line) *step{
		1: func(l *line) *step { return l.invoice }, 0: func(l *line) *step { return l.email },
	} {
		synctest.Test(t, func(t *testing.T) {
			l := patient(t)
			failing(l).do = fail
			placed, a := l.place(t, "ord_1"), paid("a", 100)
			l.work(t, placed)
			l.work(t, l.pay(t, placed, a))
			failing(l).do = nil
			l.takeOver(t)
			l.work(t, l.Records(t, l.Topics.Retry10s)[0])
			if got := l.States(t)["ord_1"].Status; got != order.Confirmed {
				t.Errorf("got %s, want it confirmed: %v", got, l.story(t, "ord_1"))
			}
			l.has(t, "ord_1", stated, a)
		})
	}
}

func TestAPaymentOfAnInvoiceThatIsStoredUnseenIsNotOnIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		placed := l.storedUnseen(t)
		l.work(t, l.pay(t, placed, paid("a", 100)))
		l.has(t, "ord_1", 0, paid("a", 100))
	})
}

// TestMoneyForADeadOrACancelledOrderIsRecorded replays the dead one: the payment is no newer failure.
func TestMoneyForADeadOrACancelledOrderIsRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		cancelled, dead := l.place(t, "ord_1"), l.place(t, "ord_2")
		l.work(t, l.callOff(t, cancelled))
		l.shipping.plan = refuse
		l.work(t, dead)
		l.shipping.plan = nil
		a := paid("a", 100)
		l.work(t, l.pay(t, cancelled, a))
		l.work(t, l.pay(t, dead, a))
		l.work(t, l.sendBack(t, l.deadLetter(t)))
		l.tells(t, "ord_1", "accepted", "cancelled", "cancelled payment-received")
		l.tells(t, "ord_2", "accepted", "dead recipient-refused", "dead payment-received", "working #1", "mailing #1", "confirmed #1")
		l.has(t, "ord_1", 0, a)
		l.has(t, "ord_2", 1, a)
		s := l.States(t)["ord_1"]
		if b := s.Balance(nil); b.State() != order.ReturnDue || b.Return() != order.EUR.Cents(100) {
			t.Errorf("got %s %+v, want 1.00 to return", b.State(), b)
		}
	})
}

// TestManyPaymentsDoNotStrandAParkedOrder has more payments than an order can have.
func TestManyPaymentsDoNotStrandAParkedOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := patient(t)
		l.invoice.do = fail
		placed := l.place(t, "ord_1")
		l.work(t, placed)
		for n := range order.MaxPayments + 50 {
			l.work(t, l.pay(t, placed, paid(strings.Repeat("x", n%60)+"y", 1+int64(n))))
		}
		l.invoice.do = nil
		l.work(t, l.Records(t, l.Topics.Retry10s)[0])
		s := l.States(t)["ord_1"]
		if s.Status != order.Confirmed || len(s.Payments) != order.MaxPayments {
			t.Errorf("got %s with %d payments, want it confirmed with %d", s.Status, len(s.Payments), order.MaxPayments)
		}
	})
}

func TestAPaymentOfNothingIsIgnored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		placed := l.place(t, "ord_1")
		none := &kgo.Record{Key: []byte("ord_2"), Offset: 9}
		junk := wire.PaymentRequest{Order: "ord_1", Origin: l.ledger.Origin(0), Payment: paid("a", 1), At: time.Now()}.Record()
		junk.Value = []byte("{")
		l.work(t, l.pay(t, none, paid("a", 1)))
		l.work(t, l.put(t, l.Topics.Replay, junk))
		l.blocksNewer(t, wire.PaymentRequest{Order: "ord_1", Origin: l.ledger.Origin(0), Payment: paid("a", 1), At: time.Now()}.Record())
		l.work(t, placed)
		l.tells(t, "ord_1", "accepted", "working", "mailing", "confirmed")
		if len(l.States(t)) != 1 {
			t.Errorf("got %d states, want one", len(l.States(t)))
		}
	})
}
