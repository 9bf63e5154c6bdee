//go:build synctests

package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// voids are the reasons of the offsets that get no invoice.
func (l *line) voids(t *testing.T) map[string]string {
	t.Helper()
	voids := map[string]string{}
	for _, r := range l.Records(t, l.Topics.Invoices) {
		if wire.Type(r) == wire.TypeVoid {
			voids[wire.Header(r, "origin")] = wire.Header(r, "reason")
		}
	}
	return voids
}

func TestLaterRecordsOfAnOrderAreDuplicates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		first, second, third := l.place(t, "ord_1"), l.place(t, "ord_1"), l.place(t, "ord_1")
		l.email.do = refuse
		l.work(t, first)
		l.work(t, second)
		l.email.do = nil
		l.work(t, l.sendBack(t, l.deadLetter(t)))
		l.takeOver(t)
		l.work(t, third)
		l.work(t, first) // as a worker does that finds no committed offsets
		l.tells(t, "ord_1", "accepted", "working", "mailing", "dead recipient-refused", "mailing #1", "confirmed #1")
		if diff := cmp.Diff(map[string]string{"1": "duplicate", "2": "duplicate"}, l.voids(t)); diff != "" {
			t.Errorf("void (-want +got):\n%s", diff)
		}
		if l.email.done != 1 || len(l.DeadLetters(t)) != 1 {
			t.Errorf("got %d mails, %d dead letters; want one each", l.email.done, len(l.DeadLetters(t)))
		}
	})
}

func TestRecordThatIsNoOrderBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	strange := sample("ord_1")
	strange.ShipTo.Country = "??"
	padded := append(wire.Order(sample("ord_1")).Value, bytes.Repeat([]byte(" "), topic.MaxOrder)...)
	hostile := []kgo.RecordHeader{
		{Key: "__dlq.errors.offset", Value: []byte("-1")}, {Key: "dlq-step", Value: []byte("email")}, {}, {Key: "x", Value: []byte{0xff}},
	}
	for _, row := range []struct {
		name   string
		record *kgo.Record
		own    int // headers that the dead letter keeps
	}{
		{"empty", &kgo.Record{}, 0},
		{"no JSON", &kgo.Record{Key: []byte("ord_1"), Value: []byte("hello")}, 0},
		{"no key", &kgo.Record{Value: wire.Order(sample("ord_1")).Value}, 0},
		{"another key", &kgo.Record{Key: []byte("ord_2"), Value: wire.Order(sample("ord_1")).Value}, 0},
		{"no valid order", &kgo.Record{Key: []byte("ord_1"), Value: wire.Order(strange).Value}, 0},
		{"larger than an order", &kgo.Record{Key: []byte("ord_1"), Value: padded}, 0},
		{"hostile headers", &kgo.Record{Key: []byte{0}, Value: []byte{0xff}, Headers: hostile}, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t)
				r := *row.record
				l.Client = stranger(t, l.Kafka)
				l.work(t, l.put(t, l.Topics.Orders, &r))
				deadLetter := l.deadLetter(t)
				if deadLetter.ID() != "2-0" || deadLetter.Reason != failure.Undecodable || deadLetter.Step != "" || deadLetter.Attempts != 1 {
					t.Errorf("got dead letter %+v, want 2-0 undecodable", deadLetter)
				}
				if !bytes.Equal(deadLetter.Key, row.record.Key) || !bytes.Equal(deadLetter.Value, row.record.Value) || len(deadLetter.Headers) != row.own {
					t.Errorf("got key %q, value of %d bytes, %d headers; want what came", deadLetter.Key, len(deadLetter.Value), len(deadLetter.Headers))
				}
				if diff := cmp.Diff(map[string]string{"0": "undecodable"}, l.voids(t)); diff != "" {
					t.Errorf("void (-want +got):\n%s", diff)
				}
				l.work(t, l.sendBack(t, deadLetter))
				if again := l.deadLetter(t); again.ID() != "2-0" || again.Replays != 1 || again.Attempts != 2 || len(l.voids(t)) != 1 {
					t.Errorf("replayed: got dead letter %+v and %d voids, want the same dead letter, its second attempt, and nothing else", again, len(l.voids(t)))
				}
				l.work(t, l.place(t, "ord_1"))
				l.tells(t, "ord_1", "accepted", "working", "mailing", "confirmed")
			})
		})
	}
}

// stranger is a client that sends what compression makes small enough.
func stranger(t *testing.T, k *kafkatest.Kafka) *kgo.Client {
	t.Helper()
	cl, err := k.Config().Connect(t.Context(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(4*topic.MaxOrder))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func TestRecordOfANewerVersionIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		r := l.put(t, l.Topics.Orders, &kgo.Record{Key: []byte("ord_1"), Value: []byte(`{"schema": 9, "id": {"as": "an object"}}`)})
		if err := l.Handle(t.Context(), l.ledger, r, l.stopping); !errors.Is(err, wire.ErrNewer) {
			t.Errorf("got %v, want %v", err, wire.ErrNewer)
		}
		if len(l.DeadLetters(t)) != 0 || len(l.voids(t)) != 0 {
			t.Errorf("got dead letters %v, voids %v; want none", l.DeadLetters(t), l.voids(t))
		}
	})
}

func TestUnreadableStateBlocksThePartition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		r := l.place(t, "ord_1")
		s := sample("ord_1").Begin(l.ledger.Origin(r.Offset))
		kafkatest.Record(t, &s, order.Change{Rev: 1, At: time.Now(), Status: order.Working})
		broken := wire.State(s, 0)
		broken.Value = []byte("{")
		l.put(t, l.Topics.Status, broken)
		l.takeOver(t)
		if err := l.Handle(t.Context(), l.ledger, r, l.stopping); !errors.Is(err, wire.ErrUndecodable) {
			t.Errorf("got %v, want %v", err, wire.ErrUndecodable)
		}
		if len(l.DeadLetters(t)) != 0 || len(l.voids(t)) != 0 {
			t.Errorf("got dead letters %v, voids %v; want none: the order may have been mailed", l.DeadLetters(t), l.voids(t))
		}
	})
}

// TestOrderWhoseStateIsLostStartsAgain deletes what only an operator can delete.
func TestOrderWhoseStateIsLostStartsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		r := l.place(t, "ord_1")
		s := sample("ord_1").Begin(l.ledger.Origin(r.Offset))
		if err := l.ledger.Write(t.Context(), &s, order.Change{Status: order.Working}); err != nil {
			t.Fatal(err)
		}
		if err := l.Cluster.DeleteRecords(l.Topics.Status, partition, -1); err != nil {
			t.Fatal(err)
		}
		l.work(t, r)
		if got := l.States(t)["ord_1"].Status; got != order.Confirmed || l.email.done != 1 {
			t.Errorf("got %s, %d mails; want it confirmed and mailed", got, l.email.done)
		}
	})
}

func TestReplayOfAForeignDeadLetterIsIgnored(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*wire.ReplayRequest)
	}{
		{"of another partition", func(q *wire.ReplayRequest) { q.Origin.Partition++ }},
		{"of an order that was not placed yet", func(q *wire.ReplayRequest) { q.Origin.Offset = 1 }},
		{"of the end of time", func(q *wire.ReplayRequest) { q.Origin.Offset = math.MaxInt64 }},
		{"without a number", func(q *wire.ReplayRequest) { q.Number = 0 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t)
				l.email.do = refuse
				l.work(t, l.place(t, "ord_1"))
				deadLetter := l.deadLetter(t)
				request := replayOf(deadLetter)
				row.change(request)
				l.work(t, l.put(t, l.Topics.Replay, request.Record()))
				l.work(t, l.put(t, l.Topics.Replay, deadLetter.Record())) // a dead letter is no request
				l.work(t, l.put(t, l.Topics.Replay, &kgo.Record{Key: []byte("ord_1"), Value: []byte("{}")}))
				l.tells(t, "ord_1", "accepted", "working", "mailing", "dead recipient-refused")
				if len(l.voids(t)) != 0 || len(l.DeadLetters(t)) != 1 {
					t.Errorf("got voids %v, %d dead letters; want nothing written", l.voids(t), len(l.DeadLetters(t)))
				}
			})
		})
	}
}

func TestReplayBeginsNoOrderThatWasNotPlaced(t *testing.T) {
	t.Parallel()
	for _, offset := range []int64{1, math.MaxInt64} {
		synctest.Test(t, func(t *testing.T) {
			l := setup(t)
			l.place(t, "ord_1")
			forged := dlq.DeadLetter{Source: wire.Source{Key: []byte("ord_2"), Value: wire.Order(sample("ord_2")).Value}, Topic: l.Topics.Orders}
			forged.Origin = order.Origin{Partition: partition, Offset: offset}
			l.work(t, l.sendBack(t, forged))
			if len(l.States(t)) != 0 || len(l.DeadLetters(t)) != 0 || len(l.voids(t)) != 0 {
				t.Errorf("offset %d: got states %v, dead letters %v, voids %v; want nothing", offset, l.States(t), l.DeadLetters(t), l.voids(t))
			}
		})
	}
}

// TestAReplayOfAnotherPlaceIsIgnored has a dead letter of an order that names the place of another
// one, which is not begun yet.
func TestAReplayOfAnotherPlaceIsIgnored(t *testing.T) {
	t.Parallel()
	for _, value := range [][]byte{wire.Order(sample("ord_2")).Value, []byte("no order")} {
		synctest.Test(t, func(t *testing.T) {
			l := setup(t)
			r := l.place(t, "ord_1")
			other := dlq.DeadLetter{Source: wire.Source{Key: []byte("ord_2"), Value: value}, Topic: l.Topics.Orders}
			other.Origin = order.Origin{Partition: partition, Offset: r.Offset}
			l.work(t, l.sendBack(t, other))
			if len(l.States(t)) != 0 || len(l.DeadLetters(t)) != 0 || len(l.voids(t)) != 0 {
				t.Errorf("got states %v, dead letters %v, voids %v; want nothing", l.States(t), l.DeadLetters(t), l.voids(t))
			}
		})
	}
}

func TestEveryReplayIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.email.do = refuse
		l.work(t, l.place(t, "ord_1"))
		first := l.deadLetter(t)
		replay := l.sendBack(t, first)
		l.work(t, replay) // fails again
		second := l.deadLetter(t)

		late := first
		late.Replays = second.Replays // an operator who has seen the number, but an old dead letter
		conflicting := l.sendBack(t, late)
		l.work(t, conflicting)
		l.work(t, conflicting)
		l.work(t, replay)
		history := []string{"accepted", "working", "mailing", "dead recipient-refused", "mailing #1", "dead recipient-refused #1", "dead conflict #2"}
		l.tells(t, "ord_1", history...)

		l.email.do = nil
		l.work(t, l.sendBack(t, second)) // the conflict has not made this one old
		third := second
		third.Replays = 2
		done := l.sendBack(t, third)
		l.work(t, done)
		l.work(t, done)
		l.tells(t, "ord_1", append(history, "mailing #2", "confirmed #2", "confirmed already-done #3")...)
		if l.email.done != 1 {
			t.Errorf("mailed %d times, want once", l.email.done)
		}
	})
}

func TestReplayFindsItsOrderInProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		r := l.place(t, "ord_1")
		errStopped := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		l.email.do = func(ctx context.Context, w *order.Work) error {
			// The dead letter is written, and the worker stops before the state is.
			deadLetter := dlq.DeadLetter{
				Source: wire.Source{Key: r.Key, Value: r.Value, Origin: w.Origin},
				Topic:  l.Topics.Orders, Step: order.StepEmail,
				Reason: failure.RecipientRefused, Rev: l.States(t)[w.Order.ID].Rev + 1, Progress: w.Progress,
			}
			if _, err := l.ledger.DeadLetter(ctx, &deadLetter); err != nil {
				return err
			}
			cancel(errStopped)
			return ctx.Err()
		}
		if err := l.Handle(ctx, l.ledger, r, l.stopping); !errors.Is(err, errStopped) {
			t.Fatalf("got %v, want %v", err, errStopped)
		}
		l.email.do = nil
		l.takeOver(t)
		l.work(t, l.sendBack(t, l.deadLetter(t)))
		l.work(t, r)
		l.tells(t, "ord_1", "accepted", "working", "mailing", "mailing uncertain #1", "confirmed #1")
		if got := l.States(t)["ord_1"]; got.Replays != 1 || l.email.done != 1 {
			t.Errorf("got %d replays, %d mails; want one each", got.Replays, l.email.done)
		}
	})
}
