//go:build synctests

package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func away(context.Context, *order.Work) error {
	return failure.New(failure.Down, failure.MailAway, errors.New("connection refused"))
}

func busy(context.Context, *order.Work) error {
	return failure.New(failure.Transient, failure.MailBusy, errors.New("451 busy"))
}

// patient puts failures off as the worker does by default.
func (l *line) patient() *line {
	l.settings.Retry = retry.Policy{Retries: 6, For: time.Hour}
	l.restart()
	return l
}

// next is the newest record that carries an order.
func (l *line) next(t *testing.T) (*kgo.Record, wire.Parked) {
	t.Helper()
	var newest *kgo.Record
	var parked wire.Parked
	for _, topic := range []string{l.Topics.Retry10s, l.Topics.Retry2m, l.Topics.Waiting} {
		for _, r := range l.Records(t, topic) {
			read, err := wire.ReadParked(r)
			if err != nil {
				t.Fatal(err)
			}
			if newest == nil || read.Rev > parked.Rev {
				newest, parked = r, read
			}
		}
	}
	if newest == nil {
		t.Fatal("got no parked order, want one")
	}
	return newest, parked
}

// outage opens the breaker with the fate of other orders.
func (l *line) outage() {
	for {
		report, err := l.server.Allow()
		if err != nil {
			return
		}
		report(away(context.Background(), nil))
	}
}

func TestFailureIsRetriedForAnHourThenDeadLettered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t).patient()
		l.email.do = busy
		began := time.Now()
		r := l.place(t, "ord_1")
		var topics []string
		for l.work(t, r); ; l.work(t, r) {
			next, _ := l.next(t)
			if r.Topic == next.Topic && r.Offset == next.Offset {
				break
			}
			r, topics = next, append(topics, next.Topic)
			time.Sleep(time.Until(r.Timestamp.Add(l.Topics.Delay(r.Topic))))
		}
		tries := len(topics) + 1
		want := slices.Repeat([]string{l.Topics.Retry10s}, 6)
		want = append(want, slices.Repeat([]string{l.Topics.Retry2m}, len(topics)-6)...)
		if diff := cmp.Diff(want, topics); diff != "" {
			t.Errorf("parked in (-want +got):\n%s", diff)
		}
		deadLetter := l.deadLetter(t)
		if took := deadLetter.LastFailed.Sub(began); took < time.Hour || took > time.Hour+3*time.Minute || deadLetter.Attempts != 3*tries {
			t.Errorf("got a dead letter after %s and %d attempts, want one after an hour, of %d", took, deadLetter.Attempts, 3*tries)
		}
		if deadLetter.FirstFailed.Sub(began) > time.Second || deadLetter.Reason != failure.MailBusy {
			t.Errorf("got dead letter %+v, want one that failed at once, of a busy server", deadLetter)
		}
		if l.invoice.done != 1 || len(l.Invoices(t)["ord_1"]) != 1 {
			t.Errorf("got %d rendered, %d kept; want one each", l.invoice.done, len(l.Invoices(t)["ord_1"]))
		}
	})
}

func TestRetryThatSucceedsSendsOneMail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t).patient()
		l.email.do = busy
		placed := l.place(t, "ord_1")
		l.work(t, placed)
		r, parked := l.next(t)
		if parked.Retries != 1 || parked.Attempts != 3 || parked.Rev != 3 || string(r.Value) != string(placed.Value) {
			t.Errorf("got %+v, want the first of a schedule, after 3 attempts, for rev 3, with the bytes that came", parked)
		}
		l.takeOver(t)
		l.work(t, placed) // its offset was not committed
		l.email.do = nil
		l.work(t, r)
		l.work(t, r)
		l.work(t, placed)
		l.tells(t, "ord_1", "accepted", "working", "mailing", "retrying mail-busy", "mailing", "confirmed")
		if l.email.done != 1 || l.States(t)["ord_1"].Progress.Email.Uncertain != 0 {
			t.Errorf("got %d mails, want one, certain", l.email.done)
		}
	})
}

func TestFailureBeforeAnyIntentIsRetriedToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t).patient()
		l.shipping.plan = fail
		l.work(t, l.place(t, "ord_1"))
		r, _ := l.next(t)
		l.shipping.plan = nil
		l.work(t, r)
		l.tells(t, "ord_1", "accepted", "retrying internal", "working", "mailing", "confirmed")
	})
}

func TestNoRetriesIsADeadLetterAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.settings.Retry = retry.Policy{For: time.Hour}
		l.restart()
		l.email.do = busy
		l.work(t, l.place(t, "ord_1"))
		l.tells(t, "ord_1", "accepted", "working", "mailing", "dead mail-busy")
	})
}

func TestReplayBeginsAFreshSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.settings.Retry = retry.Policy{Retries: 1}
		l.restart()
		l.email.do = busy
		l.work(t, l.place(t, "ord_1"))
		first, _ := l.next(t)
		l.work(t, first)
		replay := l.sendBack(t, l.deadLetter(t))
		l.work(t, replay)
		again, parked := l.next(t)
		if parked.Retries != 1 || parked.Replay != 1 || parked.Attempts != 9 || parked.Since.Before(again.Timestamp.Add(-time.Minute)) {
			t.Errorf("got %+v, want the first retry of replay 1, after 9 attempts", parked)
		}
		l.work(t, replay) // is read again, and has its answer
		l.work(t, first)  // is read again, and is of an earlier revision
		l.tells(t, "ord_1", "accepted", "working", "mailing", "retrying mail-busy", "mailing", "dead mail-busy", "mailing #1", "retrying mail-busy #1")
		l.email.do = nil
		l.work(t, again)
		if got := l.States(t)["ord_1"]; got.Status != order.Confirmed || got.Replays != 1 || l.email.done != 1 {
			t.Errorf("got %s, %d replays, %d mails; want it confirmed by replay 1, and mailed once", got.Status, got.Replays, l.email.done)
		}
	})
}

func TestReplayOfAParkedOrderIsAConflict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.settings.Retry = retry.Policy{Retries: 1}
		l.restart()
		l.email.do = busy
		l.work(t, l.place(t, "ord_1"))
		first, _ := l.next(t)
		l.work(t, first)
		dead := l.deadLetter(t)
		l.work(t, l.sendBack(t, dead))
		dead.Replays = 1 // somebody else has seen the number, and an old view
		l.work(t, l.sendBack(t, dead))
		l.email.do = nil
		again, _ := l.next(t)
		l.work(t, again)
		if diff := cmp.Diff([]string{"retrying mail-busy #1", "retrying conflict #2", "mailing #1", "confirmed #1"}, l.story(t, "ord_1")[7:]); diff != "" {
			t.Errorf("timeline (-want +got):\n%s", diff)
		}
	})
}

func TestOrderWaitsWhileWhatItNeedsIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t).patient()
		l.email.do = away
		l.work(t, l.place(t, "ord_1")) // finds out
		if l.email.planned != 6 {
			t.Errorf("got %d attempts, want five in a row, and one that is not made", l.email.planned)
		}
		l.email.do = func(context.Context, *order.Work) error {
			t.Error("tried, want it left alone")
			return nil
		}
		second := l.place(t, "ord_2")
		l.work(t, second) // gets the outcome as its answer
		l.tells(t, "ord_1", "accepted", "working", "mailing", "waiting mail-away")
		l.tells(t, "ord_2", "accepted", "working", "waiting mail-away")
		carried, parked := l.next(t)
		if carried.Topic != l.Topics.Waiting || parked.Attempts != 0 || parked.Retries != 0 || parked.Status != order.Waiting {
			t.Errorf("got %s, %+v; want it waiting, without an attempt or a retry counted", carried.Topic, parked)
		}
		time.Sleep(time.Hour)
		l.email.do = nil
		l.takeOver(t)
		l.work(t, second)
		for _, r := range l.Records(t, l.Topics.Waiting) {
			l.work(t, r)
			l.work(t, r)
		}
		l.tells(t, "ord_1", "accepted", "working", "mailing", "waiting mail-away", "mailing", "confirmed")
		l.tells(t, "ord_2", "accepted", "working", "waiting mail-away", "mailing", "confirmed")
		if l.email.done != 2 || len(l.DeadLetters(t)) != 0 {
			t.Errorf("got %d mails, %d dead letters; want one mail each", l.email.done, len(l.DeadLetters(t)))
		}
	})
}

func TestOutageUsesUpNoRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.settings.Retry = retry.Policy{Retries: 1}
		l.restart()
		l.email.do = busy
		l.work(t, l.place(t, "ord_1"))
		l.outage()
		r, _ := l.next(t)
		l.work(t, r)
		time.Sleep(time.Minute)
		waits, parked := l.next(t)
		if waits.Topic != l.Topics.Waiting || parked.Retries != 0 || !parked.Since.IsZero() || parked.Attempts != 3 {
			t.Errorf("got %s, %+v; want it waiting, with 3 attempts and no retry", waits.Topic, parked)
		}
		l.work(t, waits)
		if r, parked = l.next(t); r.Topic != l.Topics.Retry10s || parked.Retries != 1 || parked.Attempts != 6 {
			t.Errorf("got %s, %+v; want its first retry, after 6 attempts", r.Topic, parked)
		}
	})
}

func TestLongOutageLeavesTheHistoryInTheTimeline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t).patient()
		l.email.do = away
		l.work(t, l.place(t, "ord_1"))
		for range 30 {
			time.Sleep(6 * time.Second)
			r, _ := l.next(t)
			l.work(t, r)
		}
		l.tells(t, "ord_1", "accepted", "working", "mailing", "waiting mail-away")
		if got := l.email.planned; got < 60 {
			t.Errorf("got %d attempts, want one for each time it was allowed", got)
		}
		time.Sleep(6 * time.Second)
		l.email.do = nil
		r, _ := l.next(t)
		l.work(t, r)
		l.tells(t, "ord_1", "accepted", "working", "mailing", "waiting mail-away", "mailing", "confirmed")
	})
}

func TestOnlyTheNewestRecordCarriesAnOrderOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t).patient()
		l.email.do = busy
		l.work(t, l.place(t, "ord_1"))
		first, _ := l.next(t)
		l.work(t, first)
		second, _ := l.next(t)
		l.email.do = nil
		l.work(t, first)
		if l.email.done != 0 {
			t.Error("mailed by a record of an earlier parking, want nothing")
		}
		l.work(t, second)
		l.tells(t, "ord_1", "accepted", "working", "mailing", "retrying mail-busy", "mailing", "retrying mail-busy", "mailing", "confirmed")
	})
}

func TestRecordThatCarriesNothingIsIgnored(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*wire.Parked)
	}{
		{"of an order that no worker began", func(l *wire.Parked) {
			l.Key, l.Value, l.Origin.Offset = []byte("ord_0"), wire.Order(sample("ord_0")).Value, 0
		}},
		{"of another origin", func(l *wire.Parked) { l.Origin.Offset = 0 }},
		{"of a state that was never written", func(l *wire.Parked) { l.Rev++ }},
		{"of no order", func(l *wire.Parked) { l.Value = []byte("{") }},
		{"of an order that was not placed yet", func(l *wire.Parked) { l.Origin.Offset = 9 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t).patient()
				l.place(t, "ord_0")
				l.email.do = busy
				l.work(t, l.place(t, "ord_1"))
				_, parked := l.next(t)
				row.change(&parked)
				l.email.do = nil
				l.work(t, l.put(t, l.Topics.Waiting, parked.Record()))
				l.tells(t, "ord_1", "accepted", "working", "mailing", "retrying mail-busy")
				if len(l.DeadLetters(t)) != 0 || len(l.voids(t)) != 0 || len(l.States(t)) != 1 {
					t.Errorf("got dead letters %v, voids %v, %d orders; want nothing written", l.DeadLetters(t), l.voids(t), len(l.States(t)))
				}
			})
		})
	}
}

func TestInvoiceIsAdoptedHoweverLongItsOrderWasParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t).patient()
		r := l.place(t, "ord_1")
		ctx, kill := context.WithCancel(t.Context())
		l.email.plan = func(context.Context, *order.Work) error {
			kill() // the invoice is stored, and that is not recorded
			return ctx.Err()
		}
		if err := l.Handle(ctx, l.ledger, r, l.stopping); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want %v", err, context.Canceled)
		}
		l.email.plan = nil
		l.takeOver(t)
		time.Sleep(time.Hour)
		l.invoice.plan = fail
		l.work(t, r)
		l.invoice.plan = nil
		carried, _ := l.next(t)
		l.work(t, carried)
		l.tells(t, "ord_1", "accepted", "working", "retrying internal", "working", "mailing", "confirmed")
		if got := len(l.Invoices(t)["ord_1"]); got != 1 || l.invoice.done != 1 {
			t.Errorf("got %d invoices of %d renderings, want one", got, l.invoice.done)
		}
	})
}
