//go:build synctests

package pipeline_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// callOff cancels the order of a record, as the desk does.
func (l *line) callOff(t *testing.T, placed *kgo.Record) *kgo.Record {
	t.Helper()
	return l.put(t, l.Topics.Replay, wire.CancelRequest{Order: order.ID(placed.Key), Origin: l.ledger.Origin(placed.Offset), At: time.Now()}.Record())
}

// patient is a line whose orders are tried again.
func patient(t *testing.T) *line {
	t.Helper()
	l := setup(t)
	l.settings.Retry = retry.Policy{Retries: 2, For: time.Hour}
	l.restart()
	return l
}

// isCancelled checks that an order got neither an invoice nor a mail, and that its number says why.
func (l *line) isCancelled(t *testing.T, placed *kgo.Record) {
	t.Helper()
	if n := len(l.Invoices(t)); n != 0 || l.email.done != 0 {
		t.Errorf("got %d invoices and %d mails, want none", n, l.email.done)
	}
	if diff := cmp.Diff(map[string]string{"0": "cancelled"}, l.voids(t)); diff != "" {
		t.Errorf("void (-want +got):\n%s", diff)
	}
}

func TestACancelThatIsReadFirstWins(t *testing.T) {
	t.Parallel()
	byOwners(t, func(t *testing.T, l *line, next func()) {
		placed := l.place(t, "ord_1")
		off := l.callOff(t, placed)
		l.work(t, off)
		next()
		l.work(t, placed)
		l.work(t, off) // as after a crash before the commit
		l.tells(t, "ord_1", "accepted", "cancelled")
		l.isCancelled(t, placed)
		scrape := httptest.NewRecorder()
		l.settings.Meter.Handler().ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
		if want := `outcomes_total{outcome="cancelled"} 1`; !strings.Contains(scrape.Body.String(), want) {
			t.Errorf("got %s, want %s in it", scrape.Body, want)
		}
	})
}

func TestParkedOrderWithoutInvoiceIsCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := patient(t)
		l.invoice.do = fail
		placed := l.place(t, "ord_1")
		l.work(t, placed)
		l.invoice.do = nil
		l.work(t, l.callOff(t, placed))
		l.work(t, l.Records(t, l.Topics.Retry10s)[0])
		l.tells(t, "ord_1", "accepted", "working", "retrying internal", "cancelled")
		l.isCancelled(t, placed)
	})
}

func TestACancelIsRefusedOnceTheInvoiceIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := patient(t)
		l.email.do = fail
		placed := l.place(t, "ord_1")
		l.work(t, placed)
		l.work(t, l.callOff(t, placed))
		l.takeOver(t)
		l.work(t, l.callOff(t, placed)) // has its answer
		l.email.do = nil
		l.work(t, l.Records(t, l.Topics.Retry10s)[0]) // belongs to the state that was parked, not with the answer
		l.work(t, l.callOff(t, placed))
		l.tells(t, "ord_1", "accepted", "working", "mailing", "retrying internal", "retrying cancel-refused", "mailing", "confirmed")
		if len(l.voids(t)) != 0 || l.email.done != 1 {
			t.Errorf("got void %v and %d mails, want one mail", l.voids(t), l.email.done)
		}
	})
}

func TestAnOrderThatHasEndedIsNotCancelled(t *testing.T) {
	t.Parallel()
	byMemory(t, func(t *testing.T, l *line, next func()) {
		confirmed, dead := l.place(t, "ord_1"), l.place(t, "ord_2")
		l.work(t, confirmed)
		l.email.do = refuse
		l.work(t, dead)
		l.email.do = nil
		off, off2 := l.callOff(t, confirmed), l.callOff(t, dead)
		next() // reads all again, as when offsets are deleted
		l.work(t, off)
		l.work(t, off2)
		l.work(t, l.sendBack(t, l.deadLetter(t))) // the answer did not make it another dead letter
		l.tells(t, "ord_1", "accepted", "working", "mailing", "confirmed", "confirmed cancel-refused")
		l.tells(t, "ord_2", "accepted", "working", "mailing", "dead recipient-refused", "dead cancel-refused", "mailing #1", "confirmed #1")
		if len(l.voids(t)) != 0 {
			t.Errorf("got void %v, want none", l.voids(t))
		}
	})
}

func TestADeadOrderWithoutAnInvoiceIsCancelled(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(*line){
		"nothing begun":     func(l *line) { l.shipping.plan = refuse },
		"invoice announced": func(l *line) { l.invoice.do = refuse },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t)
				broken(l)
				placed := l.place(t, "ord_1")
				l.work(t, placed)
				dead := l.deadLetter(t)
				l.shipping.plan, l.invoice.do = nil, nil
				off := l.callOff(t, placed)
				l.work(t, off)
				l.work(t, off) // as after a crash before the commit
				l.takeOver(t)
				replay := l.sendBack(t, dead) // of an operator who has not seen it
				l.work(t, replay)
				if story := l.story(t, "ord_1"); !slices.Equal(story[len(story)-2:], []string{"cancelled", "cancelled already-done #1"}) {
					t.Errorf("got %v, want it cancelled, and the replay refused", story)
				}
				l.isCancelled(t, placed)
			})
		})
	}
}

// TestADeadOrderWhoseInvoiceIsStoredUnseenIsNotCancelled has a worker that was killed after it had stored
// the invoice, and one that had no time to record it.
func TestADeadOrderWhoseInvoiceIsStoredUnseenIsNotCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		placed := l.storedUnseen(t)
		l.work(t, l.callOff(t, placed))
		l.tells(t, "ord_1", "accepted", "working", "dead recipient-refused", "dead cancel-refused")
	})
}

// TestACancelFindsWhatAPredecessorLeft takes over from workers that died in the middle.
func TestACancelFindsWhatAPredecessorLeft(t *testing.T) {
	t.Parallel()
	left := func(l *line, t *testing.T, kept bool) *kgo.Record {
		placed := l.place(t, "ord_1")
		w := sample("ord_1").Begin(l.ledger.Origin(0))
		l.invoice.settle(&w.Work)
		if err := l.ledger.Write(t.Context(), &w, order.Change{Status: order.Working}); err != nil {
			t.Fatal(err)
		}
		if kept {
			w.Document = []byte("%PDF")
			l.put(t, l.Topics.Invoices, wire.Invoice(&w, time.Now()))
		}
		l.takeOver(t)
		return placed
	}
	t.Run("invoice kept", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := setup(t)
			placed := left(l, t, true)
			l.work(t, l.callOff(t, placed))
			l.work(t, placed)
			l.tells(t, "ord_1", "accepted", "working", "working cancel-refused", "mailing", "confirmed")
			if n := len(l.Invoices(t)["ord_1"]); n != 1 || l.invoice.done != 0 {
				t.Errorf("got %d invoices, %d rendered; want the one that was kept", n, l.invoice.done)
			}
		})
	})
	t.Run("invoice only announced", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := setup(t)
			placed := left(l, t, false)
			l.work(t, l.callOff(t, placed))
			l.work(t, placed)
			l.tells(t, "ord_1", "accepted", "working", "cancelled")
			l.isCancelled(t, placed)
		})
	})
	t.Run("cancelled, and no void record", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := setup(t)
			placed := l.place(t, "ord_1")
			w := sample("ord_1").Begin(l.ledger.Origin(0))
			if err := l.ledger.Write(t.Context(), &w, order.Change{Status: order.Cancelled}); err != nil {
				t.Fatal(err)
			}
			off := l.callOff(t, placed)
			l.takeOver(t)
			l.work(t, placed)
			l.work(t, off)
			l.tells(t, "ord_1", "accepted", "cancelled")
			l.isCancelled(t, placed)
		})
	})
}

func TestACancelOfNothingIsIgnored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		placed := l.place(t, "ord_1")
		l.put(t, l.Topics.Orders, &kgo.Record{Value: []byte("no order")})
		junk := wire.CancelRequest{Order: "ord_1", Origin: l.ledger.Origin(0), At: time.Now()}.Record()
		junk.Value = []byte("{")
		for _, r := range []*kgo.Record{
			wire.CancelRequest{Order: "ord_2", Origin: l.ledger.Origin(0), At: time.Now()}.Record(),
			wire.CancelRequest{Order: "ord_2", Origin: l.ledger.Origin(1), At: time.Now()}.Record(),
			wire.CancelRequest{Order: "ord_2", Origin: l.ledger.Origin(9), At: time.Now()}.Record(),
			junk,
		} {
			l.work(t, l.put(t, l.Topics.Replay, r))
		}
		l.blocksNewer(t, wire.CancelRequest{Order: "ord_1", Origin: l.ledger.Origin(0), At: time.Now()}.Record())
		l.work(t, placed)
		l.tells(t, "ord_1", "accepted", "working", "mailing", "confirmed")
		if len(l.voids(t)) != 0 || len(l.States(t)) != 1 {
			t.Errorf("got void %v, %d states; want one order, confirmed", l.voids(t), len(l.States(t)))
		}
	})
}
