package scheduler

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

// delay is that of the topic retry of a bench.
const delay = 10 * time.Second

func TestAParkedOrderIsBegunTheDelayAfterItsReceipt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 10)
		b.own(0)
		b.own(1)
		received := time.Now()
		// The broker's clock is set to and fro meanwhile: whatever it says, each order is due the delay after it came.
		for i, stamped := range []time.Duration{-time.Hour, 0, time.Hour, -24 * time.Hour} {
			time.Sleep(time.Until(received.Add(time.Duration(i) * time.Second)))
			b.Offer("retry", 0, []*kgo.Record{{Topic: "retry", Offset: int64(i), Key: fmt.Append(nil, "k", i), Timestamp: received.Add(stamped)}})
		}
		b.fetched("orders", 0, 0, "new")
		b.working(t, "orders/0@0")
		for i := range 4 {
			time.Sleep(time.Until(received.Add(delay + time.Duration(i)*time.Second - 1)))
			b.working(t, append([]string{"orders/0@0"}, numbered("retry/0@", i)...)...)
			time.Sleep(1 * time.Nanosecond)
			b.working(t, append([]string{"orders/0@0"}, numbered("retry/0@", i+1)...)...)
		}
	})
}

// numbered are the first n records of a source.
func numbered(source string, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint(source, i))
	}
	return names
}

func TestWhatWasReceivedBeforeWaitsNoLongerThanTheDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		assigned := time.Now()
		a := arrivals{delay: delay, end: 10, assigned: assigned, stamped: assigned.Add(time.Hour)}
		for _, row := range []struct {
			name    string
			stamped time.Duration // relative to the time of the claim
			want    time.Duration
		}{
			{"it has waited for a part", -4 * time.Second, 6 * time.Second},
			{"it has waited for long", -time.Hour, delay - time.Hour},
			{"the clock was set back since", time.Hour, delay},
		} {
			r := &kgo.Record{Offset: 3, Timestamp: a.stamped.Add(row.stamped)}
			if got := a.wait(r, assigned); got != row.want {
				t.Errorf("%s: got a wait of %s, want %s", row.name, got, row.want)
			}
			if got := a.wait(r, assigned.Add(delay)); got > 0 {
				t.Errorf("%s: got a wait of %s after the delay, want none", row.name, got)
			}
		}
	})
}

// A source that is cut is not fetched. What is appended meanwhile has arrived all the same, and is not due later for it.
func TestArrivalsOfACutSourceCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := arrivals{delay: delay}
		for offset := range int64(5000) {
			a.note(offset, time.Now())
			time.Sleep(10 * time.Millisecond)
		}
		late := time.Now() // the last 10 s of 50 are not due
		for offset := range int64(5000) {
			a.note(offset, late) // it is fetched
			want := delay - time.Duration(5000-offset)*10*time.Millisecond
			got := a.wait(&kgo.Record{Offset: offset}, late)
			if max(0, got) < max(0, want) || max(0, got) > max(0, want)+delay/perDelay {
				t.Fatalf("offset %d: got a wait of %s, want %s", offset, got, want)
			}
		}
		if len(a.marks) > perDelay+1 {
			t.Errorf("got %d arrivals, want at most %d", len(a.marks), perDelay+1)
		}
	})
}

func TestOrdersThatWaitAreBegunWithinTheRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 10)
		orders, again := 0, 5*time.Second
		b.room.ask = func() (int, time.Duration) { return orders, again }
		change := func(n int, d time.Duration) {
			b.Scheduler.mu.Lock() // under which it is asked
			defer b.Scheduler.mu.Unlock()
			orders, again = n, d
		}
		b.own(0)
		b.own(1)
		b.fetched("waiting", 0, 0, distinct(9)...)
		b.fetched("waiting", 1, 0, distinct(9)...)
		b.fetched("orders", 1, 0, "x")
		b.working(t, "orders/1@0")
		change(1, 0)
		time.Sleep(5*time.Second - 1)
		b.working(t, "orders/1@0")
		time.Sleep(time.Nanosecond)
		b.working(t, "orders/1@0", "waiting/0@0")
		b.end(nil, "waiting/0@0")
		b.working(t, "orders/1@0", "waiting/1@0") // partitions take turns
		time.Sleep(time.Hour)                     // nothing ends: nothing is begun
		b.working(t, "orders/1@0", "waiting/1@0")
		change(3, 0)
		b.end(nil, "waiting/1@0")
		b.working(t, "orders/1@0", "waiting/0@1", "waiting/0@2", "waiting/1@1")
		b.Scheduler.mu.Lock()
		b.room.ask = nil
		b.Scheduler.mu.Unlock()
		b.end(nil, "orders/1@0")
		if got := len(b.names()); got != 10 {
			t.Errorf("without a bound: got %d in flight, want all slots taken", got)
		}
	})
}

func TestWhatWaitsSharesTheSlotsWithWhatIsNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 4)
		b.own(0)
		b.fetched("orders", 0, 0, "x")
		for _, topic := range []string{"waiting", "retry", "orders"} {
			var keys []string
			for _, key := range distinct(20) {
				keys = append(keys, topic+key)
			}
			b.fetched(topic, 0, 1, keys...)
		}
		begun := map[string]int{}
		for range 9 {
			synctest.Wait()
			for _, name := range b.names() {
				topic, _, _ := strings.Cut(name, "/")
				begun[topic]++
			}
			b.end(nil, b.names()...)
		}
		for topic, n := range begun {
			if n < 11 {
				t.Errorf("%s: got %d of 36 turns, want about a third: %v", topic, n, begun)
			}
		}
	})
}

func TestBeforeAClosedGateLittleIsKeptAndNothingIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 1)
		b.own(0)
		var all []*kgo.Record
		for i := range 200 {
			all = append(all, &kgo.Record{Topic: "retry", Offset: int64(i), Key: fmt.Append(nil, i), Value: make([]byte, 1000), Timestamp: time.Now()})
		}
		b.Offer("retry", 0, all[:150])
		b.Offer("retry", 0, all[150:]) // fetched before it was cut
		s := b.find(0).source("retry")
		if s.bytes > closedBytes || len(b.paused) != 1 || b.needsRefill {
			t.Errorf("got %d bytes kept, paused %v, refill %t; want at most %d, paused, and no refill", s.bytes, b.paused, b.needsRefill, closedBytes)
		}
		b.Refill()
		if b.sought != nil {
			t.Errorf("sought %v before anything is due, want nothing", b.sought)
		}
		b.Scheduler.mu.Lock()
		kept := len(s.queue)
		b.Scheduler.mu.Unlock()
		time.Sleep(delay)
		synctest.Wait()
		if !b.needsRefill {
			t.Error("no refill is requested when what is kept is due")
		}
		b.Refill()
		if diff := cmp.Diff([]string{fmt.Sprintf("retry/0@%d", kept)}, b.sought); diff != "" || len(b.paused) != 0 {
			t.Errorf("paused %v, sought (-want +got):\n%s", b.paused, diff)
		}
		b.Offer("retry", 0, all[kept:])
		for i := range all {
			b.end(nil, fmt.Sprintf("retry/0@%d", i))
		}
		offsets, _ := b.Committable()
		if got := offsets["retry"][0].Offset; got != 200 {
			t.Errorf("committable: got %d, want all 200", got)
		}
	})
}

func TestOneRecordIsKeptHoweverLarge(t *testing.T) {
	t.Parallel()
	s := newSource(Source{Delay: delay})
	large := &kgo.Record{Value: make([]byte, 2*closedBytes), Timestamp: time.Now()}
	s.put([]*kgo.Record{large, large})
	s.trim()
	if len(s.queue) != 1 {
		t.Errorf("got %d records kept, want one", len(s.queue))
	}
}
