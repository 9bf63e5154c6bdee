//go:build synctests

package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// edited is a replay of a dead letter with an edited order.
func edited(t *testing.T, l dlq.DeadLetter, version int, edit func(*order.Order)) *wire.ReplayRequest {
	t.Helper()
	q := replayOf(l)
	o, err := q.Order()
	if err != nil {
		t.Fatal(err)
	}
	o.Source = nil
	edit(&o)
	// With space, which a state does not keep: the bytes of the edit are those of the next dead letter.
	q.Value, q.Edit = append([]byte("\n"), wire.Order(o).Value...), version
	return q
}

func (l *line) ask(t *testing.T, q *wire.ReplayRequest) *kgo.Record {
	t.Helper()
	return l.put(t, l.Topics.Replay, q.Record())
}

// onlyTo refuses orders to all countries but one.
func onlyTo(country string) func(context.Context, *order.Work) error {
	return func(ctx context.Context, w *order.Work) error {
		if w.Order.ShipTo.Country != country {
			return refuse(ctx, w)
		}
		return nil
	}
}

func to(country string) func(*order.Order) {
	return func(o *order.Order) { o.ShipTo.Country = country }
}

func TestAnEditedReplayTakesTheEditOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.shipping.plan = onlyTo("PL")
		l.work(t, l.place(t, "ord_1"))
		first := l.deadLetter(t)
		hash := l.States(t)["ord_1"].BodyHash
		q := edited(t, first, 1, to("FR"))
		q.Job = "job_1"
		l.work(t, l.ask(t, q))
		again, s := l.deadLetter(t), l.States(t)["ord_1"]
		if !bytes.Equal(again.Value, q.Value) || again.Edit != 1 || again.Job != "job_1" || again.Replays != 1 {
			t.Errorf("got dead letter %+v, want the bytes of edit 1, and its job", again)
		}
		if all := l.DeadLetters(t); !bytes.Equal(all[0].Value, first.Value) || all[0].Edit != 0 {
			t.Errorf("got %+v as the first dead letter, want what was placed", all[0])
		}
		if s.Order.ShipTo.Country != "FR" || s.Edit != 1 || s.BodyHash != hash {
			t.Errorf("got state %+v, want the edited order with the hash of what was placed", s)
		}
		l.takeOver(t)
		l.work(t, l.ask(t, edited(t, again, 2, to("PL"))))
		s = l.States(t)["ord_1"]
		if s.Order.ShipTo.Country != "PL" || s.Edit != 2 || s.BodyHash != hash {
			t.Errorf("got state %+v, want edit 2", s)
		}
		l.tells(t, "ord_1", "accepted", "dead recipient-refused", "dead recipient-refused #1", "working #2", "mailing #2", "confirmed #2")
		if job := s.Timeline[2].Job; job != "job_1" || s.Timeline[5].Job != "" {
			t.Errorf("got %+v, want the job in the changes of its replay alone", s.Timeline)
		}
		if r := l.Records(t, l.Topics.Orders)[0]; !bytes.Equal(r.Value, first.Value) {
			t.Errorf("got %s in orders, want what was placed", r.Value)
		}
	})
}

// TestAReplayWithoutAnEditKeepsTheLastOne has a desk that replays what it read before the edit.
func TestAReplayWithoutAnEditKeepsTheLastOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.email.do = refuse
		l.work(t, l.place(t, "ord_1"))
		first := l.deadLetter(t)
		l.work(t, l.ask(t, edited(t, first, 3, func(o *order.Order) { o.Customer.Email = "eve@example.com" })))
		second := l.deadLetter(t)
		stale := replayOf(second)
		stale.Value, stale.Edit = first.Value, 0
		l.work(t, l.ask(t, stale))
		last := l.deadLetter(t)
		third, err := last.Order()
		if s := l.States(t)["ord_1"]; err != nil || s.Order.Customer.Email != "eve@example.com" || third.Customer.Email != "eve@example.com" || last.Edit != 3 {
			t.Errorf("got order %+v and dead letter %+v, %v; want edit 3 in both", s.Order, third, err)
		}
		l.work(t, l.ask(t, edited(t, l.deadLetter(t), 2, func(o *order.Order) { o.Note = "older" })))
		if s := l.States(t)["ord_1"]; s.Edit != 3 || s.Timeline[len(s.Timeline)-1].Reason != order.EditRefused {
			t.Errorf("got edit %d and timeline %v, want the older edit refused", s.Edit, s.Timeline)
		}
	})
}

func TestARefusedEditIsAnsweredAndChangesNothing(t *testing.T) {
	t.Parallel()
	other := sample("ord_2")
	for _, row := range []struct {
		name string
		edit func(*wire.ReplayRequest)
	}{
		{"of another owner", func(q *wire.ReplayRequest) {
			o := sample("ord_1")
			o.Owner = order.Actor{Kind: order.ActorCustomer, ID: "eve"}
			q.Value = wire.Order(o).Value
		}},
		{"of another ID", func(q *wire.ReplayRequest) { q.Value = wire.Order(other).Value }},
		{"that is no JSON", func(q *wire.ReplayRequest) { q.Value = []byte("{") }},
		{"that is empty", func(q *wire.ReplayRequest) { q.Value = nil }},
		{"that is no valid order", func(q *wire.ReplayRequest) { q.Value = bytes.Replace(q.Value, []byte(`"DE"`), []byte(`"??"`), 1) }},
		{"that is too large", func(q *wire.ReplayRequest) { q.Value = append(q.Value, bytes.Repeat([]byte(" "), 1<<20)...) }},
		{"with an unknown field", func(q *wire.ReplayRequest) {
			q.Value = bytes.Replace(q.Value, []byte(`{`), []byte(`{"admin":true,`), 1)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t)
				l.shipping.plan = refuse
				l.work(t, l.place(t, "ord_1"))
				l.shipping.plan = nil
				dead, before := l.deadLetter(t), l.States(t)["ord_1"]
				q := edited(t, dead, 1, func(*order.Order) {})
				q.Job = "job_1"
				row.edit(q)
				l.Client = stranger(t, l.Kafka)
				r := l.ask(t, q)
				l.work(t, r)
				l.work(t, r) // as after a crash before the commit
				l.tells(t, "ord_1", "accepted", "dead recipient-refused", "dead edit-refused #1")
				after := l.States(t)["ord_1"]
				if after.Edit != 0 || after.Replays != 0 || after.Order.Customer != before.Order.Customer || after.Timeline[2].Job != "job_1" || len(l.DeadLetters(t)) != 1 {
					t.Errorf("got state %+v, %d dead letters; want it unchanged", after, len(l.DeadLetters(t)))
				}
				// Its number is free again, and a worse edit with that number is answered again.
				q = edited(t, dead, 2, func(*order.Order) {})
				q.Rev, q.Job = after.Rev, "job_1"
				row.edit(q)
				l.work(t, l.ask(t, q))
				better := edited(t, dead, 3, to("FR"))
				better.Rev = after.Rev + 1
				l.work(t, l.ask(t, better))
				l.tells(t, "ord_1", "accepted", "dead recipient-refused", "dead edit-refused #1", "dead edit-refused #1", "working #1", "mailing #1", "confirmed #1")
			})
		})
	}
}

func TestOnceInvoicedOnlyWhatIsNotPrintedIsEdited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.email.do = refuse
		l.work(t, l.place(t, "ord_1"))
		dead, issued := l.deadLetter(t), l.Invoices(t)
		l.work(t, l.ask(t, edited(t, dead, 1, to("FR"))))
		l.tells(t, "ord_1", "accepted", "working", "mailing", "dead recipient-refused", "dead edit-refused #1")
		l.email.do = nil
		q := edited(t, dead, 2, func(o *order.Order) { o.Customer.Email = "new@example.com" })
		q.Rev++
		l.work(t, l.ask(t, q))
		l.tells(t, "ord_1", "accepted", "working", "mailing", "dead recipient-refused", "dead edit-refused #1", "mailing #1", "confirmed #1")
		if s := l.States(t)["ord_1"]; s.Order.Customer.Email != "new@example.com" || len(l.Invoices(t)["ord_1"]) != 1 || !bytes.Equal(issued["ord_1"][0].Value, l.Invoices(t)["ord_1"][0].Value) {
			t.Errorf("got %+v, want the new address, and the invoice as it was", s.Order.Customer)
		}
	})
}

// TestAnEditKnowsOfAnInvoiceThatIsStoredUnseen has a former owner that stored the invoice and could not
// record it.
func TestAnEditKnowsOfAnInvoiceThatIsStoredUnseen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.invoice.do = refuse
		l.work(t, l.place(t, "ord_1"))
		l.invoice.do = nil
		s := l.States(t)["ord_1"]
		s.Document = []byte("%PDF")
		l.put(t, l.Topics.Invoices, wire.Invoice(&s, time.Now()))
		dead := l.deadLetter(t)
		l.work(t, l.ask(t, edited(t, dead, 1, to("FR"))))
		q := edited(t, dead, 2, func(o *order.Order) { o.Note = "free" })
		q.Rev++
		l.work(t, l.ask(t, q))
		l.tells(t, "ord_1", "accepted", "working", "dead recipient-refused", "dead edit-refused #1", "working #1", "mailing #1", "confirmed #1")
		if got := l.Invoices(t)["ord_1"]; len(got) != 1 || l.invoice.done != 0 {
			t.Errorf("got %d invoices, rendered %d times; want the one that was stored", len(got), l.invoice.done)
		}
	})
}

func TestAnEditBeforeTheInvoicePricesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.invoice.do = refuse
		l.work(t, l.place(t, "ord_1"))
		l.invoice.do = nil
		dead := l.deadLetter(t)
		planned := l.shipping.planned
		l.work(t, l.ask(t, edited(t, dead, 1, func(o *order.Order) { o.Lines[0].Quantity = 3 })))
		s := l.States(t)["ord_1"]
		if l.shipping.planned != planned+1 || s.Order.Lines[0].Quantity != 3 || s.Status != order.Confirmed || s.Progress.Invoice.Number != s.Origin.InvoiceNumber() {
			t.Errorf("got %d plans of shipping and state %+v, want it priced again, with its number", l.shipping.planned-planned, s)
		}
	})
}

// TestARecordThatIsNoOrderIsEditedIntoOne has a key, which an edit cannot change.
func TestARecordThatIsNoOrderIsEditedIntoOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.work(t, l.put(t, l.Topics.Orders, &kgo.Record{Key: []byte("ord_1"), Value: []byte("{broken")}))
		dead := l.deadLetter(t)
		into := func(dead dlq.DeadLetter, version int, value []byte) *wire.ReplayRequest {
			q := replayOf(dead)
			q.Value, q.Edit, q.Job = value, version, "job_1"
			return q
		}
		for version, wrong := range [][]byte{[]byte("{still broken"), wire.Order(sample("ord_2")).Value} {
			l.work(t, l.ask(t, into(l.deadLetter(t), version+1, wrong)))
			again := l.deadLetter(t)
			if again.Reason != failure.Undecodable || !bytes.Equal(again.Value, wrong) || again.Edit != version+1 || again.Job != "job_1" || again.Replays != version+1 {
				t.Errorf("got dead letter %+v, want the edit and its job in it", again)
			}
		}
		l.takeOver(t)
		q := into(l.deadLetter(t), 3, wire.Order(sample("ord_1")).Value)
		r := l.ask(t, q)
		l.work(t, r)
		l.work(t, r)
		l.tells(t, "ord_1", "accepted", "working #3", "mailing #3", "confirmed #3")
		s := l.States(t)["ord_1"]
		if s.Edit != 3 || s.Replays != 3 || s.Origin.Offset != dead.Origin.Offset || len(l.Invoices(t)["ord_1"]) != 1 {
			t.Errorf("got state %+v, want edit 3 at the place of the record", s)
		}
		// The number was announced void, and is issued: the invoice is behind the void record.
		if number := string(l.Invoices(t)["ord_1"][0].Key); number != s.Origin.InvoiceNumber() || len(l.voids(t)) != 1 {
			t.Errorf("got invoice %s and void numbers %v, want the number of the record", number, l.voids(t))
		}
		if got := l.Records(t, l.Topics.Orders); len(got) != 1 || string(got[0].Value) != "{broken" {
			t.Errorf("got %v in orders, want the record as it was", got)
		}
	})
}

// TestARecordThatBecameAnOrderIsNotRefusedAgain has two jobs ask for the same replay, one of them with an edit.
func TestARecordThatBecameAnOrderIsNotRefusedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.work(t, l.put(t, l.Topics.Orders, &kgo.Record{Key: []byte("ord_1"), Value: []byte("{broken")}))
		q, other := replayOf(l.deadLetter(t)), replayOf(l.deadLetter(t))
		q.Value, q.Edit, q.Job, other.Job = wire.Order(sample("ord_1")).Value, 1, "job_1", "job_2"
		l.work(t, l.ask(t, q))
		l.work(t, l.ask(t, other))
		l.tells(t, "ord_1", "accepted", "working #1", "mailing #1", "confirmed #1", "confirmed already-done #1")
		if s := l.States(t)["ord_1"]; s.Timeline[4].Job != "job_2" || len(l.DeadLetters(t)) != 1 {
			t.Errorf("got %d dead letters and %+v, want one, and an answer to the other job", len(l.DeadLetters(t)), s.Timeline)
		}
	})
}

func TestARecordIsNotEditedIntoAnOrderThatExists(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.work(t, l.put(t, l.Topics.Orders, &kgo.Record{Key: []byte("ord_1"), Value: []byte("{")}))
		dead := l.deadLetter(t)
		l.work(t, l.place(t, "ord_1")) // the customer has repeated the request
		q := replayOf(dead)
		q.Value, q.Edit, q.Job = wire.Order(sample("ord_1")).Value, 1, "job_1"
		l.work(t, l.ask(t, q))
		if again := l.deadLetter(t); again.Reason != failure.Duplicate || again.Edit != 1 || again.Job != "job_1" || len(l.Invoices(t)["ord_1"]) != 1 {
			t.Errorf("got dead letter %+v, want it refused as a duplicate", again)
		}
	})
}

// TestARecordInAnotherPartitionStaysThere is edited, but its key belongs elsewhere.
func TestARecordInAnotherPartitionStaysThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.settings.Home = func([]byte, []kgo.RecordHeader) int32 { return partition + 1 }
		l.restart()
		l.work(t, l.place(t, "ord_1"))
		q := edited(t, l.deadLetter(t), 1, to("FR"))
		l.work(t, l.ask(t, q))
		if again := l.deadLetter(t); again.Reason != failure.WrongPartition || again.Edit != 1 || len(l.States(t)) != 0 {
			t.Errorf("got dead letter %+v, states %v; want it refused", again, l.States(t))
		}
	})
}

// TestAParkedOrderTakesItsJobAndItsEditAlong over retries, and workers.
func TestAParkedOrderTakesItsJobAndItsEditAlong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := patient(t)
		l.shipping.plan = refuse
		l.work(t, l.place(t, "ord_1"))
		l.shipping.plan, l.email.do = nil, fail
		q := edited(t, l.deadLetter(t), 1, to("FR"))
		q.Job = "job_1"
		l.work(t, l.ask(t, q))
		parked, err := wire.ReadParked(l.Records(t, l.Topics.Retry10s)[0])
		if err != nil || parked.Job != "job_1" || parked.Edit != 1 || !bytes.Equal(parked.Value, q.Value) {
			t.Errorf("got %+v, %v; want job and edit", parked, err)
		}
		second := replayOf(l.deadLetter(t)) // another job asks for the same replay
		second.Job = "job_2"
		l.work(t, l.ask(t, second))
		l.takeOver(t)
		l.email.do = refuse
		l.work(t, l.Records(t, l.Topics.Retry10s)[0])
		var jobs []string
		for _, c := range l.States(t)["ord_1"].Timeline {
			jobs = append(jobs, string(c.Status)+" "+c.Reason+" "+c.Job)
		}
		want := []string{
			"accepted  ", "dead recipient-refused ", "working  job_1", "mailing  job_1", "retrying internal job_1", "retrying conflict job_2",
			"mailing  job_1", "dead recipient-refused job_1",
		}
		if got := l.deadLetter(t); got.Job != "job_1" || got.Edit != 1 || !bytes.Equal(got.Value, q.Value) {
			t.Errorf("got dead letter %+v, want job and edit", got)
		}
		if !slices.Equal(jobs, want) {
			t.Errorf("got timeline %q, want %q", jobs, want)
		}
	})
}

// deathWatch calls dies behind a number of acknowledged writes.
type deathWatch struct {
	left int
	dies func()
}

// OnProduceRecordUnbuffered counts a write.
func (d *deathWatch) OnProduceRecordUnbuffered(_ *kgo.Record, err error) {
	if d.left--; err == nil && d.left == 0 {
		d.dies()
	}
}

// dying gives the next owner of the partition a client that kills it behind a write.
func (l *line) dying(t *testing.T, writes int, dies func()) {
	t.Helper()
	d := &deathWatch{}
	cl, err := l.Config().Connect(t.Context(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.AllowIdempotentProduceCancellation(), kgo.WithHooks(d))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	l.cfg.Producer = cl
	l.takeOver(t)
	d.left, d.dies = writes, dies
}

// TestAnEditSurvivesACrashAnywhere lets the worker die after each write of an edited replay, and the next
// one read the request again.
func TestAnEditSurvivesACrashAnywhere(t *testing.T) {
	t.Parallel()
	for _, ends := range []string{"confirmed", "dead"} {
		for writes := range 6 {
			synctest.Test(t, func(t *testing.T) {
				l := setup(t)
				l.shipping.plan = refuse
				l.work(t, l.place(t, "ord_1"))
				l.shipping.plan = nil
				if ends == "dead" {
					l.email.do = refuse
				}
				q := edited(t, l.deadLetter(t), 1, to("FR"))
				q.Job = "job_1"
				r := l.ask(t, q)
				killed := errors.New("killed")
				ctx, cancel := context.WithCancelCause(t.Context())
				l.dying(t, writes+1, func() { cancel(killed) })
				err := l.Handle(ctx, l.ledger, r, l.stopping)
				if err != nil && !errors.Is(err, killed) {
					t.Fatalf("write %d: got %v", writes, err)
				}
				l.cfg.Producer = l.Client
				l.takeOver(t)
				l.work(t, r)
				s := l.States(t)["ord_1"]
				if string(s.Status) != ends || s.Edit != 1 || s.Order.ShipTo.Country != "FR" || s.Replays != 1 || len(l.Invoices(t)["ord_1"]) != 1 {
					t.Errorf("write %d: got %s with edit %d, replay %d and %d invoices; want %s with the edit", writes, s.Status, s.Edit, s.Replays, len(l.Invoices(t)["ord_1"]), ends)
				}
				if last := s.Timeline[len(s.Timeline)-1]; last.Job != "job_1" || last.Replay != 1 {
					t.Errorf("write %d: got %+v, want the job's replay", writes, last)
				}
				if ends == "dead" {
					if dead := l.deadLetter(t); dead.Edit != 1 || dead.Job != "job_1" || !bytes.Equal(bytes.TrimSpace(dead.Value), bytes.TrimSpace(q.Value)) {
						t.Errorf("write %d: got dead letter %+v, want the edit", writes, dead)
					}
				}
			})
		}
	}
}
