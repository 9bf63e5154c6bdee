//go:build synctests

package pipeline_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

var (
	placedBy   = order.Cause{Actor: order.Actor{Kind: order.ActorCustomer, ID: "17"}, Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	replayedBy = order.Cause{Actor: order.Actor{Kind: order.ActorOperator, ID: "ann"}, Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8-00"}
)

// placeFor appends an order of a customer who has signed in.
func (l *line) placeFor(t *testing.T, c order.Cause) *kgo.Record {
	t.Helper()
	o := sample("ord_1")
	o.Cause = c
	return l.put(t, l.Topics.Orders, wire.Order(o))
}

// replayFor requests a replay of the newest dead letter, as the desk does for an operator who has
// signed in.
func (l *line) replayFor(t *testing.T) *kgo.Record {
	t.Helper()
	q := replayOf(l.deadLetter(t))
	q.Cause = replayedBy
	return l.put(t, l.Topics.Replay, q.Record())
}

// causes compares the cause of all records of a topic with that of the order.
func (l *line) causes(t *testing.T, topic string, n int) {
	t.Helper()
	records := l.Records(t, topic)
	for _, r := range records {
		if wire.Type(r) == wire.TypeClaim {
			continue
		}
		n--
		if diff := cmp.Diff(placedBy, wire.CauseOf(r)); diff != "" {
			t.Errorf("%s offset %d: cause (-want +got):\n%s", r.Topic, r.Offset, diff)
		}
	}
	if n != 0 {
		t.Errorf("%s: got %d records, want %d more", topic, len(records), n)
	}
}

func TestCauseGoesFromTheOrderToItsStatesAndItsInvoice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.work(t, l.placeFor(t, placedBy))
		l.causes(t, l.Topics.Status, 3)
		l.causes(t, l.Topics.Invoices, 1)
	})
}

func TestCauseGoesFromTheOrderToVoidNumbers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.work(t, l.put(t, l.Topics.Orders, wire.Order(sample("ord_1"))))
		l.work(t, l.placeFor(t, placedBy)) // a duplicate
		no := wire.Order(order.Order{ID: "ord_2", Cause: placedBy})
		l.work(t, l.put(t, l.Topics.Orders, no)) // no valid order
		if n := len(l.voids(t)); n != 2 {
			t.Fatalf("got %d void numbers, want 2", n)
		}
		for _, r := range l.Records(t, l.Topics.Invoices) {
			if wire.Type(r) == wire.TypeVoid && wire.CauseOf(r) != placedBy {
				t.Errorf("got %s caused by %+v, want %+v", r.Key, wire.CauseOf(r), placedBy)
			}
		}
		l.causes(t, l.Topics.DLQ, 1)
	})
}

func TestCauseOfACancelIsThatOfItsRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		r := l.placeFor(t, placedBy)
		c := wire.CancelRequest{Order: "ord_1", Origin: l.ledger.Origin(r.Offset), Cause: replayedBy, At: time.Now()}
		l.work(t, l.put(t, l.Topics.Replay, c.Record()))
		l.causes(t, l.Topics.Status, 1)
		void := l.Records(t, l.Topics.Invoices)[0]
		if got := wire.CauseOf(void); got != replayedBy {
			t.Errorf("got void number caused by %+v, want %+v", got, replayedBy)
		}
	})
}

// TestCauseSurvivesEachHop takes an order through retry, outage, dead letter, replay, and all of it
// again, with headers that are kept and with more than are kept.
func TestCauseSurvivesEachHop(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]int{"headers kept": 1, "headers too large": 20_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := setup(t).patient()
				o := sample("ord_1")
				o.Cause = placedBy
				placed := wire.Order(o)
				placed.Headers = append(placed.Headers, kgo.RecordHeader{Key: "x", Value: make([]byte, header)})
				l.email.do = busy
				l.work(t, l.put(t, l.Topics.Orders, placed))
				for round := range 2 {
					l.email.do = away
					r, _ := l.next(t)
					l.work(t, r)
					l.email.do = refuse
					l.takeOver(t)
					time.Sleep(time.Minute)
					r, parked := l.next(t)
					if parked.Status != order.Waiting {
						t.Fatalf("round %d: got it %s, want it waiting", round, parked.Status)
					}
					l.work(t, r)
					l.email.do = busy
					l.work(t, l.replayFor(t))
				}
				l.causes(t, l.Topics.Retry10s, 3)
				l.causes(t, l.Topics.Waiting, 2)
				l.causes(t, l.Topics.DLQ, 2)
				l.causes(t, l.Topics.Status, len(l.Records(t, l.Topics.Status))-3) // less the claims
				for _, d := range l.DeadLetters(t) {
					if (len(d.Headers) == 0) != (header > 1) {
						t.Errorf("got a dead letter with %d headers", len(d.Headers))
					}
				}
			})
		})
	}
}

// TestCauseSurvivesTheLossOfTheState replays an order whose state somebody has deleted.
func TestCauseSurvivesTheLossOfTheState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t)
		l.email.do = refuse
		l.work(t, l.placeFor(t, placedBy))
		replay := l.replayFor(t)
		if err := l.Cluster.DeleteRecords(l.Topics.Status, partition, -1); err != nil {
			t.Fatal(err)
		}
		l.work(t, replay)
		if got := l.deadLetter(t); got.Cause != placedBy || got.Replays != 1 {
			t.Errorf("got the dead letter of replay %d, caused by %+v; want that of replay 1 by %+v", got.Replays, got.Cause, placedBy)
		}
	})
}
