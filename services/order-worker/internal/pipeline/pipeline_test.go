//go:build synctests

package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

func TestIntentIsWrittenBeforeItsEffect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		var seen []order.State
		look := func(_ context.Context, w *order.Work) error {
			seen = append(seen, l.States(t)[w.Order.ID])
			return nil
		}
		l.invoice.do, l.email.do = look, look
		l.work(t, l.place(t, "ord_1"))
		l.tells(t, "ord_1", "accepted", "working", "mailing", "confirmed")
		working, mailing := seen[0], seen[1]
		if working.Status != order.Working || working.Progress.Shipping == nil || working.Progress.Invoice.Number != working.Origin.InvoiceNumber() {
			t.Errorf("while the invoice is rendered: got %+v, want it working, with shipping and number", working)
		}
		if mailing.Status != order.Mailing || mailing.Progress.Invoice.Kept == nil || mailing.Progress.Email.MessageID == "" {
			t.Errorf("while the mail is sent: got %+v, want it mailing, with invoice and Message-ID", mailing)
		}
		if done := l.States(t)["ord_1"]; !done.Progress.Has(order.StepEmail) || done.Rev != 3 {
			t.Errorf("at the end: got %+v, want all steps finished at rev 3", done)
		}
	})
}

// The wait is for a fetch, with the states of other orders in it: a step without an effect does not pay for it.
func TestOnlyAnEffectWaitsUntilItsIntentCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		waits := 0
		l.cfg.Applied = func(context.Context, int32, int64) error {
			waits++
			return nil
		}
		l.takeOver(t)
		waited := map[order.Step]int{}
		for _, s := range []*step{l.shipping, l.invoice, l.email} {
			s.do = func(context.Context, *order.Work) error {
				waited[s.name] = waits
				return nil
			}
		}
		l.work(t, l.place(t, "ord_1"))
		if diff := cmp.Diff(map[order.Step]int{order.StepShipping: 0, order.StepInvoice: 1, order.StepEmail: 2}, waited); diff != "" {
			t.Errorf("waits before each step (-want +got):\n%s", diff)
		}
	})
}

func TestNoEffectWithoutAnAcknowledgedIntent(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name         string
		before       func(*line) *step // Kafka stops when this step is planned
		issued, sent int
	}{
		{"invoice", func(l *line) *step { return l.invoice }, 0, 0},
		{"email", func(l *line) *step { return l.email }, 1, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t)
				r := l.place(t, "ord_1")
				var back func()
				row.before(l).plan = func(context.Context, *order.Work) error {
					back = l.Away()
					return nil
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := l.Handle(ctx, l.ledger, r, l.stopping); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want it to wait for the whole hour", err)
				}
				if l.invoice.done != row.issued || l.email.done != row.sent {
					t.Errorf("got %d issued, %d mailed; want %d, %d", l.invoice.done, l.email.done, row.issued, row.sent)
				}
				back()
				row.before(l).plan = nil
				l.takeOver(t)
				l.work(t, r)
				if got := l.States(t)["ord_1"].Status; got != order.Confirmed || l.email.done != 1 || len(l.DeadLetters(t)) != 0 {
					t.Errorf("got %s, %d mails, %d dead letters; want it confirmed and mailed once", got, l.email.done, len(l.DeadLetters(t)))
				}
			})
		})
	}
}

// TestWorkerCanStopAtAnyPoint stops the first worker at each point where something is done but not said, and lets a second one take over.
func TestWorkerCanStopAtAnyPoint(t *testing.T) {
	t.Parallel()
	type stop = func(ctx context.Context, w *order.Work) error
	for _, row := range []struct {
		name  string
		at    func(l *line, stop stop)
		mails int
		again []string // what is said before it is confirmed
	}{
		{"before anything is said", func(l *line, stop stop) { l.shipping.plan = stop }, 1, nil},
		{"after shipping", func(l *line, stop stop) { l.invoice.plan = stop }, 1, nil},
		{"while it renders", func(l *line, stop stop) { l.invoice.do = stop }, 1, nil},
		{"after the invoice was kept", func(l *line, stop stop) { l.email.plan = stop }, 1, nil},
		{"before the mail is sent", func(l *line, stop stop) { l.email.do = stop }, 1, []string{"mailing uncertain"}},
		{"after the mail went", func(l *line, stop stop) {
			l.email.effect = func(w *order.Work) { _ = stop(nil, w) }
		}, 2, []string{"mailing uncertain"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t)
				r := l.place(t, "ord_1")
				errStopped := errors.New("stopped")
				ctx, cancel := context.WithCancelCause(t.Context())
				row.at(l, func(context.Context, *order.Work) error {
					cancel(errStopped) // for the second worker this does nothing
					return context.Cause(ctx)
				})
				if err := l.Handle(ctx, l.ledger, r, l.stopping); !errors.Is(err, errStopped) {
					t.Fatalf("got %v, want %v", err, errStopped)
				}
				time.Sleep(time.Hour)
				l.shipping.plan, l.invoice.plan, l.invoice.do, l.email.plan, l.email.do = nil, nil, nil, nil, nil
				l.takeOver(t)
				l.work(t, r)
				l.tells(t, "ord_1", append(append([]string{"accepted", "working", "mailing"}, row.again...), "confirmed")...)
				if got := l.States(t)["ord_1"].Progress.Email.Uncertain; got != len(row.again) {
					t.Errorf("got uncertain %d times, want %d", got, len(row.again))
				}
				if issued := l.Invoices(t)["ord_1"]; len(issued) != 1 || l.invoice.done != 1 {
					t.Errorf("got %d invoices of %d renderings, want one", len(issued), l.invoice.done)
				}
				if l.email.done != row.mails {
					t.Errorf("mailed %d times, want %d", l.email.done, row.mails)
				}
			})
		})
	}
}

func TestWhatANewerVersionWroteSurvives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		r := l.place(t, "ord_1")
		newer := new(sample("ord_1").Begin(l.ledger.Origin(r.Offset)))
		added := map[order.Step]json.RawMessage{"loyalty": json.RawMessage(`{"points":7}`)}
		newer.Progress.Others, newer.Progress.Finished = added, []order.Step{"loyalty", order.StepShipping}
		newer.Progress.Shipping = &order.Shipping{Zone: "there", Price: order.EUR.Cents(990)}
		if err := l.ledger.Write(t.Context(), newer, order.Change{Status: order.Working}); err != nil {
			t.Fatal(err)
		}
		l.email.do = refuse
		l.work(t, r)
		for name, p := range map[string]order.Progress{"dead letter": l.deadLetter(t).Progress, "state": l.States(t)["ord_1"].Progress} {
			if diff := cmp.Diff(added, p.Others); diff != "" || !p.Has("loyalty") || p.Shipping.Zone != "there" {
				t.Errorf("%s: got finished %v, shipping %+v, others (-want +got):\n%s", name, p.Finished, p.Shipping, diff)
			}
		}
	})
}

func TestPanicOfAStepFailsItsOrderOnly(t *testing.T) {
	t.Parallel()
	bug := func(context.Context, *order.Work) error { panic("bug") }
	for _, row := range []struct {
		name string
		put  func(*line)
		step order.Step
	}{
		{"while it plans", func(l *line) { l.shipping.plan = bug }, order.StepShipping},
		{"in its effect", func(l *line) { l.invoice.do = bug }, order.StepInvoice},
		{"in an effect outside", func(l *line) { l.email.do = bug }, order.StepEmail},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t)
				row.put(l)
				l.work(t, l.place(t, "ord_1"))
				deadLetter := l.deadLetter(t)
				if deadLetter.Step != row.step || deadLetter.Reason != failure.Internal || deadLetter.Attempts != 3 || !strings.Contains(deadLetter.Message, "panic: bug") {
					t.Errorf("got dead letter %+v, want one of three attempts at %s that names the panic", deadLetter, row.step)
				}
				l.shipping.plan, l.invoice.do, l.email.do = nil, nil, nil
				l.work(t, l.place(t, "ord_2"))
				l.tells(t, "ord_2", "accepted", "working", "mailing", "confirmed")
			})
		})
	}
}
