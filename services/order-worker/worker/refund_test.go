//go:build synctests

package worker_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/order"
)

// refund is the first refund of a confirmed order, of all of it.
func refund(t *testing.T, of order.State) order.Order {
	t.Helper()
	o, wrong := of.Refund(nil, false, nil)
	if len(wrong) > 0 {
		t.Fatalf("refund is refused: %v", wrong)
	}
	o.PlacedAt, o.Refund.Key, o.Refund.Reason = time.Now().UTC().Truncate(time.Millisecond), "ab", "Arrived broken"
	return o
}

// mailID is the Message-ID of an order's mail, or of a refund's.
func mailID(s order.State) string {
	if s.Order.Refund != nil {
		return string(s.Order.ID) + ".credit-note@example.com"
	}
	return string(s.Order.ID) + ".invoice@example.com"
}

// number is that of an order's invoice, or of a refund's credit note.
func number(s order.State) string {
	if s.Order.Refund != nil {
		return s.Origin.CreditNoteNumber()
	}
	return s.Origin.InvoiceNumber()
}

func TestARefundGoesTheWayOfAnOrder(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		server inbox.Behaviour // while the refund is placed
		status order.Status    // that the refund comes to within half an hour
		mails  int             // of it, in the end
	}{
		{"at once", inbox.Behaviour{}, order.Confirmed, 1},
		{"the mail server is away", inbox.Behaviour{Down: true}, order.Waiting, 1},
		{"the mail server is busy", inbox.Behaviour{At: "RCPT", Code: 451}, order.Retrying, 1},
		{"the mail server loses an answer", inbox.Behaviour{At: ".", HangUp: true, Times: 1}, order.Confirmed, 2},
		{"the recipient is refused, and the dead letter is sent back", inbox.Behaviour{At: "RCPT", Code: 550}, order.Dead, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				stop := s.work(t)
				id := s.place(t, orders(3)...)[1]
				placed := s.Await(t, ended(3))
				s.mails.Behave(row.server)
				credit := refund(t, placed[id])
				s.place(t, credit)
				time.Sleep(30 * time.Minute)
				was := s.States(t)[credit.ID]
				there := func(c order.Change) bool { return c.Status == row.status }
				if (was.Status == order.Confirmed) != (row.status == order.Confirmed) || !slices.ContainsFunc(was.Timeline, there) {
					t.Errorf("in half an hour: got timeline %+v, want it %s", was.Timeline, row.status)
				}
				s.mails.Behave(inbox.Behaviour{})
				if row.status == order.Dead {
					s.sendBack(t)
				}
				time.Sleep(3 * time.Minute) // until what is tried again is due
				states := s.Await(t, func(all map[order.ID]order.State) bool { return count(all)[order.Confirmed] == 4 })
				stop()
				s.committedAll(t)
				s.credited(t, states[credit.ID], row.mails)
				delete(states, credit.ID)
				if diff := cmp.Diff(placed, states); diff != "" {
					t.Errorf("the orders (-before the refund +after it):\n%s", diff)
				}
				if got := len(s.Records(t, s.Topics.Invoices)); got != 4 {
					t.Errorf("got %d records of invoices, want three and the credit note", got)
				}
			})
		})
	}
}

// credited checks that a refund ended with one credit note and so many mails, of which no more than one was not uncertain.
func (s *shop) credited(t *testing.T, refund order.State, mails int) {
	t.Helper()
	if refund.Progress.Shipping != nil || !refund.Progress.Has(order.StepShipping) || refund.Progress.Invoice.Number != number(refund) {
		t.Errorf("got progress %+v, want nothing shipped, and credit note %s", refund.Progress, number(refund))
	}
	notes := s.Invoices(t)[refund.Order.ID]
	if len(notes) != 1 || string(notes[0].Key) != number(refund) {
		t.Fatalf("got %d credit notes %+v, want one, %s", len(notes), notes, number(refund))
	}
	if got := s.mails.Deliveries()[mailID(refund)]; got != mails || refund.Progress.Email.Uncertain != mails-1 {
		t.Errorf("got %d mails, uncertain %d times; want %d mails", got, refund.Progress.Email.Uncertain, mails)
	}
}

// TestACrashMakesNoSecondCreditNote kills a worker in the windows of an order, in the middle of a refund.
func TestACrashMakesNoSecondCreditNote(t *testing.T) {
	t.Parallel()
	for _, w := range []window{
		{"before its mail", returned, []kill{{false, "working", 1}, {true, "working", 1}, {true, "invoice", 1}, {false, "mailing", 1}}, order.Confirmed, 0, 0},
		{"its mail", returned, []kill{{false, "DATA", 1}, {true, ".", 2}, {false, "confirmed", 2}}, order.Confirmed, 0, 1},
		{"behind its mail", returned, []kill{{true, "confirmed", 1}, {false, "commit", 1}}, order.Confirmed, 0, 0},
	} {
		for _, k := range w.kills {
			t.Run(w.name+": "+k.what, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { open(t).crash(t, w, k) })
			})
		}
	}
}

// returned is a refund of an order that somebody else has worked on.
func returned(t *testing.T, sc *scene) {
	of := sc.victim.Begin(order.Origin{Incarnation: "7KQ2MX"})
	net, tax := order.EUR.Cents(4980), order.EUR.Cents(946)
	of.Progress.Shipping = &order.Shipping{Service: order.Standard, Price: order.EUR.Cents(0)}
	of.Progress.Invoice = &order.Invoice{
		Number: "INV-7KQ2MX-00-0000000", IssuedAt: time.Now().UTC(), Language: "de", Net: net, Tax: tax, Total: net.Plus(tax),
		Taxes: []order.Tax{{Category: order.VATStandard, Rate: 1900, Net: net, Tax: tax}},
	}
	sc.victim = refund(t, of)
	placed(t, sc)
}
