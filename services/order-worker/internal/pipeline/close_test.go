//go:build synctests

package pipeline_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func refuse(context.Context, *order.Work) error {
	return failure.New(failure.Permanent, failure.RecipientRefused, errors.New("550 no such user"))
}

func fail(context.Context, *order.Work) error { return errors.New("451 busy") }

func TestDeadLetterHasTheRecordAndTheProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.place(t, "ord_0")
		r := wire.Order(sample("ord_1"))
		own := append(r.Headers, kgo.RecordHeader{Key: "traceparent", Value: []byte("00-1")})
		r.Headers = append(own, kgo.RecordHeader{Key: "dlq-reason", Value: []byte("no-route")}) // somebody plays a dead letter
		l.put(t, l.Topics.Orders, r)
		l.email.do = refuse
		l.work(t, r)

		deadLetter, state := l.deadLetter(t), l.States(t)["ord_1"]
		want := dlq.DeadLetter{
			Source: wire.Source{Key: r.Key, Value: r.Value, Headers: own, Origin: order.Origin{Partition: partition, Offset: 1}},
			Cause:  order.Cause{Trace: "00-1"}, Topic: l.Topics.Orders, Group: "workers", Worker: "worker-1",
			Step: order.StepEmail, Class: failure.Permanent, Reason: failure.RecipientRefused, Message: "order ord_1: step email: 550 no such user",
			Attempts: 1, Rev: 3, Progress: state.Progress,
		}
		if diff := cmp.Diff(want, deadLetter, cmpopts.IgnoreFields(dlq.DeadLetter{}, "FirstFailed", "LastFailed")); diff != "" {
			t.Errorf("dead letter (-want +got):\n%s", diff)
		}
		if !deadLetter.Progress.Has(order.StepInvoice) || deadLetter.Progress.Has(order.StepEmail) || deadLetter.Progress.Invoice.Kept == nil {
			t.Errorf("progress: got %+v, want shipping and invoice finished", deadLetter.Progress)
		}
		if diff := cmp.Diff(&order.DeadLetter{ID: "2-1", Partition: partition, Step: order.StepEmail, Reason: "recipient-refused"}, state.DeadLetter); diff != "" {
			t.Errorf("pointer in the state (-want +got):\n%s", diff)
		}
		l.tells(t, "ord_1", "accepted", "working", "mailing", "dead recipient-refused")
	})
}

func TestReplayResumesAtTheStepThatFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.email.do = refuse
		l.work(t, l.place(t, "ord_1"))
		dead := l.States(t)["ord_1"].Progress
		time.Sleep(24 * time.Hour)
		l.email.do = func(_ context.Context, w *order.Work) error {
			if string(w.Document) != "ord_1, rendering 1" {
				t.Errorf("mailed %q, want the document that was issued", w.Document)
			}
			return nil
		}
		l.work(t, l.sendBack(t, l.deadLetter(t)))
		l.tells(t, "ord_1", "accepted", "working", "mailing", "dead recipient-refused", "mailing #1", "confirmed #1")
		if l.invoice.done != 1 || l.email.done != 1 || len(l.Invoices(t)["ord_1"]) != 1 {
			t.Errorf("got %d rendered, %d mailed, %d kept; want one each", l.invoice.done, l.email.done, len(l.Invoices(t)["ord_1"]))
		}
		got := l.States(t)["ord_1"]
		dead.Finish(order.StepEmail)
		if diff := cmp.Diff(dead, got.Progress); diff != "" || got.Replays != 1 {
			t.Errorf("got replays %d, progress (-as it was +now):\n%s", got.Replays, diff)
		}
	})
}

func TestNumberOfTheFirstAttemptStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.shipping.plan = func(context.Context, *order.Work) error {
			return failure.New(failure.Permanent, failure.NoRoute, errors.New("no route"))
		}
		r := l.place(t, "ord_1")
		l.work(t, r)
		l.tells(t, "ord_1", "accepted", "dead no-route")
		l.shipping.plan = nil
		l.work(t, l.sendBack(t, l.deadLetter(t)))
		if got, want := l.States(t)["ord_1"].Progress.Invoice.Number, l.ledger.Origin(r.Offset).InvoiceNumber(); got != want {
			t.Errorf("number: got %s, want %s", got, want)
		}
		l.tells(t, "ord_1", "accepted", "dead no-route", "working #1", "mailing #1", "confirmed #1")
	})
}

func TestDeadLetterThatFailsAgainKeepsItsHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.email.do = fail
		began := time.Now()
		l.work(t, l.place(t, "ord_1"))
		first := l.deadLetter(t)
		for range 2 {
			time.Sleep(time.Hour)
			l.work(t, l.sendBack(t, l.deadLetter(t)))
		}
		last := l.deadLetter(t)
		if first.Attempts != 3 || last.Attempts != 9 || last.Replays != 2 || last.ID() != first.ID() {
			t.Errorf("got %s with %d attempts, then %s with %d after %d replays; want 3, 9 and 2 of one dead letter",
				first.ID(), first.Attempts, last.ID(), last.Attempts, last.Replays)
		}
		if first.FirstFailed.Sub(began) > time.Second || !last.FirstFailed.Equal(first.FirstFailed) || last.LastFailed.Sub(began) < 2*time.Hour {
			t.Errorf("failed first at %s, last at %s; want %s, and two hours later", last.FirstFailed, last.LastFailed, first.FirstFailed)
		}
		l.tells(t, "ord_1", "accepted", "working", "mailing", "dead internal", "mailing #1", "dead internal #1", "mailing #2", "dead internal #2")
	})
}
