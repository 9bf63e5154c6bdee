//go:build synctests

package worker_test

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// window is a row of the table in docs/guarantees.md: what is between two things that a worker does.
type window struct {
	name        string
	victim      func(*testing.T, *scene) // the order that is in the window
	kills       []kill
	ends        order.Status // of the victim; "" if it has no state
	deadLetters int
	uncertain   int
}

// kill is a death in a window: before the worker has said a thing, or after that, without the answer.
type kill struct {
	after bool
	what  string
	mails int // of the victim, in the end
}

func (k kill) String() string {
	if k.after {
		return "after " + k.what
	}
	return "before " + k.what
}

// windows is the table.
func windows() []window {
	const ok, dead = order.Confirmed, order.Dead
	return append([]window{
		{"claim to restore", placed, []kill{{true, "claim", 1}}, ok, 0, 0},
		{"restore to begin", placed, []kill{{false, "fetch", 1}, {true, "fetch", 1}}, ok, 0, 0},
		{"begin to working", placed, []kill{{false, "working", 1}}, ok, 0, 0},
		{"working to invoice", placed, []kill{{true, "working", 1}, {false, "invoice", 1}}, ok, 0, 0},
		{"invoice to mailing", placed, []kill{{true, "invoice", 1}, {false, "mailing", 1}}, ok, 0, 0},
		{"mailing to DATA", placed, []kill{{true, "mailing", 1}, {false, "RCPT", 1}, {false, "DATA", 1}}, ok, 0, 1},
		{"DATA to confirmed", placed, []kill{{true, "DATA", 1}, {false, ".", 1}, {true, ".", 2}, {false, "confirmed", 2}}, ok, 0, 1},
		{"confirmed to commit", placed, []kill{{true, "confirmed", 1}, {false, "commit", 1}, {true, "commit", 1}}, ok, 0, 0},
		{"uncertain to mailing", uncertain, []kill{{false, "mailing", 2}}, ok, 0, 1},
		{"uncertain mailing to DATA", uncertain, []kill{{true, "mailing", 2}, {false, "DATA", 2}}, ok, 0, 2},

		{"begin to dead letter", noRoute, []kill{{false, "dead letter", 0}}, dead, 1, 0},
		{"mailing to dead letter", refused, []kill{{true, "RCPT", 0}, {false, "dead letter", 0}}, dead, 1, 1},
		{"dead letter to dead", noRoute, []kill{{true, "dead letter", 0}, {false, "dead", 0}}, dead, 1, 0},
		{"dead to commit", noRoute, []kill{{true, "dead", 0}, {false, "commit", 0}, {true, "commit", 0}}, dead, 1, 0},

		{"mailing to retry record", busy, []kill{{false, "parked", 1}}, ok, 0, 1},
		{"retry record to retrying", busy, []kill{{true, "parked", 1}, {false, "retrying", 1}}, ok, 0, 1},
		{"retrying to commit", busy, []kill{{true, "retrying", 1}, {false, "commit", 1}, {true, "commit", 1}}, ok, 0, 0},
		{"retried: confirmed to commit", retried, []kill{{true, "confirmed", 1}, {false, "commit", 1}, {true, "commit", 1}}, ok, 0, 0},

		{"begin to waiting record", cutOff, []kill{{false, "parked", 1}}, ok, 0, 0},
		{"waiting record to waiting", cutOff, []kill{{true, "parked", 1}, {false, "waiting", 1}}, ok, 0, 0},
		{"waiting to commit", cutOff, []kill{{true, "waiting", 1}, {false, "commit", 1}, {true, "commit", 1}}, ok, 0, 0},
		{"waited: confirmed to commit", waited, []kill{{true, "confirmed", 1}, {false, "commit", 1}, {true, "commit", 1}}, ok, 0, 0},

		{"replay to dead letter", replayed, []kill{{false, "dead letter", 0}}, dead, 1, 1},
		{"replay: dead letter to dead", replayed, []kill{{true, "dead letter", 0}, {false, "dead", 0}}, dead, 1, 1},
		{"replay: dead to commit", replayed, []kill{{true, "dead", 0}, {false, "commit", 0}, {true, "commit", 0}}, dead, 1, 0},
		{"replay to mailing", cured, []kill{{false, "mailing", 1}}, ok, 1, 0},
		{"replay: mailing to DATA", cured, []kill{{true, "mailing", 1}, {false, "DATA", 1}}, ok, 1, 1},
		{"replay: confirmed to commit", cured, []kill{{true, "confirmed", 1}, {false, "commit", 1}, {true, "commit", 1}}, ok, 1, 0},

		{"undecodable: begin to dead letter", undecodable, []kill{{false, "dead letter", 0}}, "", 1, 0},
		{"undecodable: dead letter to void", undecodable, []kill{{true, "dead letter", 0}, {false, "void", 0}}, "", 1, 0},
		{"undecodable: void to commit", undecodable, []kill{{true, "void", 0}, {false, "commit", 0}, {true, "commit", 0}}, "", 1, 0},
		{"duplicate: begin to void", repeated, []kill{{false, "void", 1}}, ok, 0, 0},
		{"duplicate: void to commit", repeated, []kill{{true, "void", 1}, {false, "commit", 1}, {true, "commit", 1}}, ok, 0, 0},
		{"cancelled to void", cancelling, []kill{{true, "cancelled", 0}, {false, "void", 0}}, order.Cancelled, 0, 0},
		{"cancelled: void to commit", cancelling, []kill{{true, "void", 0}, {false, "commit", 0}, {true, "commit", 0}}, order.Cancelled, 0, 0},
		{"stale state to repair", overwritten, []kill{{false, "confirmed", 1}, {true, "confirmed", 1}}, ok, 0, 0},
	}, editWindows()...)
}

func TestCrashWindows(t *testing.T) {
	t.Parallel()
	for _, w := range windows() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			for _, k := range w.kills {
				t.Run(k.String(), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { open(t).crash(t, w, k) })
				})
			}
		})
	}
}

// scene is a shop in which a worker is going to die with one order in flight, while others are in other stages.
type scene struct {
	*shop
	victim    order.Order
	partition int32
	offset    int64            // of the record that matters, in orders
	source    string           // the topic whose commit ends it: where the record stands that was worked on last
	parked    map[string]int64 // how many orders are parked in the victim's partition, by topic
	slots     int              // of the worker that dies; or zero: as many as any has
	rest      []order.Order    // of the other orders: those that are not placed yet
	patience  time.Duration    // until nothing can follow any more
	place     func()           // puts the victim where the worker finds it
	answer    func(recipient string) string
	repeats   bool   // an invoice may be written twice, byte for byte: its record was on its way when another worker wrote it
	also      func() // checks what else must hold in the end; or nil
}

// others is how many orders are in flight when the worker dies, at least.
const others = 12

// own leaves the answer to the mail server.
func own(string) string { return "" }

// crash kills a worker, starts another one, and looks at what has become of the orders.
func (s *shop) crash(t *testing.T, w window, k kill) {
	t.Helper()
	sc := &scene{shop: s, partition: 1, source: s.Topics.Orders, victim: sample("ann@example.com", 901), patience: 12 * time.Second, parked: map[string]int64{}, rest: orders(others), answer: own}
	s.mails.Behave(inbox.Behaviour{At: ".", Late: 300 * time.Millisecond})
	w.victim(t, sc)
	cfg := s.settings(t)
	cfg.Drain, cfg.Concurrency = time.Second, cmp.Or(sc.slots, cfg.Concurrency)
	p := s.tap(t, &cfg, sc.answer)
	var owned sync.Once
	p.dies(moment{k.after, func(said said) bool { return sc.is(said, k.what) }})
	assigned := make(chan struct{})
	cfg.Assigned = func([]int32) { owned.Do(func() { close(assigned) }) }
	s.run(t, "the worker that dies", func(ctx context.Context) error { return worker.Run(ctx, cfg) })
	select {
	case <-assigned:
	case <-p.died:
	}
	sc.others(t, others/2)
	time.Sleep(100 * time.Millisecond)
	sc.place()
	sc.others(t, len(sc.rest))
	select {
	case <-p.died:
	case <-time.After(10 * time.Minute):
		t.Fatalf("the worker never said %q of the victim", k.what)
	}
	if s.atDeath != nil {
		s.atDeath()
	}
	s.mails.Behave(inbox.Behaviour{})
	stop := s.work(t, func(c *worker.Config) { s.tap(t, c, sc.answer) })
	if s.Cluster != nil {
		time.Sleep(sc.patience)
	}
	s.Await(t, ended(others+min(1, len(w.ends))))
	stop()
	sc.settled(t, w, k)
	if sc.also != nil {
		sc.also()
	}
}

// others places the next n of the other orders.
func (sc *scene) others(t *testing.T, n int) {
	t.Helper()
	next := sc.rest[:n]
	sc.rest = sc.rest[n:]
	sc.shop.place(t, next...)
}

// is reports whether the worker says a thing of the victim.
func (sc *scene) is(s said, what string) bool {
	if s.what == "parked" && s.partition == sc.partition {
		if sc.source == s.topic && s.who == string(sc.victim.ID) {
			sc.offset = sc.parked[s.topic]
		}
		sc.parked[s.topic]++
	}
	if s.what != what {
		return false
	}
	switch what {
	case "claim":
		return s.partition == sc.partition
	case "fetch":
		return s.topic == sc.Topics.Orders
	case "commit":
		return s.topic == sc.source && s.partition == sc.partition && s.offset > sc.offset
	case "RCPT", "DATA", ".":
		return s.who == sc.victim.Customer.Email
	case "dead letter", "void":
		return s.partition == sc.partition && s.offset == sc.offset
	}
	return s.who == string(sc.victim.ID)
}

// settled checks that each order is in exactly one place, with one invoice and one mail, and that nothing is left to do.
func (sc *scene) settled(t *testing.T, w window, k kill) {
	t.Helper()
	states, want := sc.States(t), map[order.Status]int{order.Confirmed: others}
	if w.ends != "" {
		want[w.ends]++
	}
	if diff := gocmp.Diff(want, count(states)); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
	sc.lastWords(t, states)
	sc.mailed(t, states, w, k)
	sc.invoiced(t, states)
	deadLetters := map[string]bool{}
	for _, l := range sc.DeadLetters(t) {
		deadLetters[l.ID()] = true
	}
	if len(deadLetters) != w.deadLetters {
		t.Errorf("got dead letters %v, want %d", slices.Collect(maps.Keys(deadLetters)), w.deadLetters)
	}
	sc.nothingLeft(t)
}

// lastWords checks that no stale state is behind the one that counts: compaction keeps the last one.
func (sc *scene) lastWords(t *testing.T, states map[order.ID]order.State) {
	t.Helper()
	last := map[order.ID]order.Status{}
	for _, r := range sc.Records(t, sc.Topics.Status) {
		if wire.Type(r) == wire.TypeStatus {
			last[order.ID(r.Key)] = order.Status(wire.Header(r, "state"))
		}
	}
	for id, state := range states {
		if last[id] != state.Status {
			t.Errorf("%s is %s, but the last word is %s", id, state.Status, last[id])
		}
	}
}

// mailed checks that mails went out once, and twice only where that is counted.
func (sc *scene) mailed(t *testing.T, states map[order.ID]order.State, w window, k kill) {
	t.Helper()
	times := sc.mails.Deliveries()
	for id, state := range states {
		got, uncertain := times[mailID(state)], 0
		if e := state.Progress.Email; e != nil {
			uncertain = e.Uncertain
		}
		if id == sc.victim.ID {
			if got != k.mails || uncertain != w.uncertain {
				t.Errorf("the victim: got %d mails, %d uncertain; want %d, %d", got, uncertain, k.mails, w.uncertain)
			}
			continue
		}
		if got < 1 || got > 1+uncertain {
			t.Errorf("%s: got %d mails, %d uncertain; want one and as many more as are uncertain at most", id, got, uncertain)
		}
	}
}

// invoiced checks that each order has one invoice (a refund: one credit note), if it came that far, with the number of its place.
func (sc *scene) invoiced(t *testing.T, states map[order.ID]order.State) {
	t.Helper()
	want, got := map[order.ID][]string{}, map[order.ID][]string{}
	for id, state := range states {
		if state.Progress.Invoice != nil {
			want[id] = []string{number(state)}
		}
	}
	for id, records := range sc.Invoices(t) {
		for i, r := range records {
			if first := records[0]; i == 0 || !sc.repeats || string(r.Key) != string(first.Key) || string(r.Value) != string(first.Value) {
				got[id] = append(got[id], string(r.Key))
			}
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("invoices (-want +got):\n%s", diff)
	}
}

// nothingLeft checks that all is committed: in orders, and wherever orders wait or come back from.
func (sc *scene) nothingLeft(t *testing.T) {
	t.Helper()
	committed := sc.Committed(t, sc.Prefix)
	for _, topic := range []string{sc.Topics.Orders, sc.Topics.Retry10s, sc.Topics.Retry2m, sc.Topics.Waiting, sc.Topics.Replay} {
		left := map[int32]int64{}
		for _, r := range sc.Records(t, topic) {
			if r.Offset >= committed[topic][r.Partition] {
				left[r.Partition]++
			}
		}
		if len(left) > 0 {
			t.Errorf("%s: left to be worked on, by partition: %v", topic, left)
		}
	}
}

// placed is an order that nothing is wrong with.
func placed(t *testing.T, sc *scene) {
	sc.place = func() {
		sc.Produce(t, sc.record(sc.partition, sc.victim))
	}
	// The partition is empty but for a third of the others before it.
	sc.offset = others / 2 / 3
}

// noRoute is an order that is a dead letter before anything was begun.
func noRoute(t *testing.T, sc *scene) {
	sc.victim.ShipTo.Country = "AQ"
	placed(t, sc)
}

// refused is an order that is a dead letter when everything but its mail is done.
func refused(t *testing.T, sc *scene) {
	sc.victim.Customer.Email = "nobody@refused.test"
	placed(t, sc)
}

// undecodable is a record that is no order, and so has no state.
func undecodable(t *testing.T, sc *scene) {
	placed(t, sc)
	sc.place = func() {
		sc.Produce(t, &kgo.Record{Topic: sc.Topics.Orders, Partition: sc.partition, Value: []byte("\xff{")})
	}
}

// repeated is the second record of an order.
func repeated(t *testing.T, sc *scene) {
	placed(t, sc)
	sc.offset++
	sc.place = func() { sc.Produce(t, sc.record(sc.partition, sc.victim), sc.record(sc.partition, sc.victim)) }
}

// cancelling is an order whose customer cancels it while the one slot is busy: the worker reads the cancel first.
func cancelling(t *testing.T, sc *scene) {
	placed(t, sc)
	sc.slots, sc.source = 1, sc.Topics.Replay
	ask := func(r *kgo.Record) {
		r.Topic, r.Partition = sc.Topics.Replay, sc.partition
		sc.Produce(t, r)
	}
	for range sc.offset { // so that it stands where its order stands in orders
		ask(&kgo.Record{})
	}
	stop := sc.work(t)
	time.Sleep(5 * time.Second)
	stop()
	sc.place = func() {
		placed := sc.record(sc.partition, sc.victim)
		sc.Produce(t, placed)
		ask(wire.CancelRequest{Order: sc.victim.ID, Origin: order.Origin{Offset: placed.Offset}, At: time.Now()}.Record())
	}
}

// before lets another worker finish the victim, and ends it.
func (sc *scene) before(t *testing.T) order.State {
	t.Helper()
	stop := sc.work(t, func(c *worker.Config) { sc.tap(t, c, func(to string) string { return sc.answer(to) }) })
	sc.Produce(t, sc.record(sc.partition, sc.victim))
	states := sc.Await(t, ended(1))
	stop()
	sc.offset = 0
	return states[sc.victim.ID]
}

// refuse lets the mail server refuse the victim's recipient a number of times.
func (sc *scene) refuse(times int64, answer string) {
	var left atomic.Int64
	left.Store(times)
	sc.answer = func(to string) string {
		if to == sc.victim.Customer.Email && left.Add(-1) >= 0 {
			return answer
		}
		return ""
	}
}

// busy is an order that is retried twice.
func busy(t *testing.T, sc *scene) {
	placed(t, sc)
	sc.patience = 50 * time.Second
	sc.refuse(6, "451 4.3.0 try again later")
}

// retried is an order that was retrying once, and is mailed then.
func retried(t *testing.T, sc *scene) {
	placed(t, sc)
	sc.patience = 25 * time.Second
	sc.refuse(3, "451 4.3.0 try again later")
	sc.source = sc.Topics.Retry10s
}

// cutOff is an order that is placed while the mail server is known to be away.
func cutOff(t *testing.T, sc *scene) {
	placed(t, sc)
	sc.offset, sc.patience = others/3, 40*time.Second
	sc.place = func() {
		sc.mails.Behave(inbox.Behaviour{Down: true})
		sc.others(t, len(sc.rest)) // which open the circuit breaker
		time.Sleep(3 * time.Second)
		sc.Produce(t, sc.record(sc.partition, sc.victim))
	}
}

// waited is an order that waits until the mail server is back.
func waited(t *testing.T, sc *scene) {
	cutOff(t, sc)
	sc.source = sc.Topics.Waiting
	place := sc.place
	sc.place = func() {
		place()
		time.Sleep(2 * time.Second)
		sc.mails.Behave(inbox.Behaviour{})
	}
}

// uncertain is an order whose last worker died when the mail server had just accepted its mail.
func uncertain(t *testing.T, sc *scene) {
	cfg := sc.settings(t)
	cfg.Drain = time.Second
	p := sc.tap(t, &cfg, sc.answer)
	p.dies(moment{true, func(s said) bool { return s.what == "." }})
	sc.run(t, "the worker before", func(ctx context.Context) error { return worker.Run(ctx, cfg) })
	sc.Produce(t, sc.record(sc.partition, sc.victim))
	<-p.died
	sc.place = func() {}
}

// replayed is a dead letter that is sent back and fails again, at its mail.
func replayed(t *testing.T, sc *scene) {
	sc.refuse(math.MaxInt64, "550 5.1.1 no such user here")
	sc.before(t)
	sc.source = sc.Topics.Replay
	sc.place = func() { sc.sendBack(t) }
}

// cured is a dead letter that is sent back after what was wrong with it is put right.
func cured(t *testing.T, sc *scene) {
	replayed(t, sc)
	sc.answer = own
}

// overwritten is a finished order, behind whose state a worker that has lost the partition writes another one.
func overwritten(t *testing.T, sc *scene) {
	state := sc.before(t)
	sc.place = func() {
		kafkatest.Force(&state, order.Change{Rev: 9, At: time.Now(), Status: order.Working})
		late := wire.State(state, 0)
		late.Topic, late.Partition = sc.Topics.Status, sc.partition
		sc.Produce(t, late)
	}
}

// A worker can wake after any time, with an unwritten state of an order that is long finished: the owner does not remember
// such an order, but it must not lose it either.
func TestAStaleStateOfAnOrderFinishedLongAgoIsRepaired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		sc := &scene{shop: s, partition: 1, victim: sample("ann@example.com", 901), answer: own}
		overwritten(t, sc)
		time.Sleep(2 * time.Hour)
		stop := s.work(t)
		s.place(t, orders(3)...)
		s.Await(t, ended(4))
		sc.place()
		time.Sleep(5 * time.Second)
		stop()
		sc.lastWords(t, s.States(t))
		s.confirmedOnce(t, 4)
	})
}
