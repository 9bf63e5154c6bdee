package consumer

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

func TestACarriedOrderIsBegunWhenItIsDueAndNotBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 10)
		p := b.own(0)
		// The broker's clock is a minute ahead of ours: it counts, as it does for the time of the appending.
		p.now = func() time.Time { return time.Now().Add(time.Minute) }
		b.own(1)
		appended := time.Now().Add(time.Minute)
		for i, after := range []time.Duration{-time.Hour, 0, time.Millisecond, 3 * time.Second} {
			b.offer("retry", 0, []*kgo.Record{{Topic: "retry", Offset: int64(i), Key: fmt.Append(nil, "k", i), Timestamp: appended.Add(after)}})
		}
		b.holds(t, "retry/0@0")
		b.fetched("orders", 0, 0, "new")
		b.holds(t, "orders/0@0", "retry/0@0")
		for _, row := range []struct {
			at   time.Duration
			hand []string
		}{
			{delay - 1, nil},
			{delay, []string{"retry/0@1"}},
			{delay + time.Millisecond, []string{"retry/0@1", "retry/0@2"}},
			{delay + 3*time.Second - 1, []string{"retry/0@1", "retry/0@2"}},
			{delay + 3*time.Second, []string{"retry/0@1", "retry/0@2", "retry/0@3"}},
		} {
			time.Sleep(time.Until(appended.Add(row.at - time.Minute)))
			b.holds(t, append([]string{"orders/0@0", "retry/0@0"}, row.hand...)...)
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
			b.lanes.mu.Lock() // under which it is asked
			defer b.lanes.mu.Unlock()
			orders, again = n, d
		}
		b.own(0)
		b.own(1)
		b.fetched("waiting", 0, 0, distinct(9)...)
		b.fetched("waiting", 1, 0, distinct(9)...)
		b.fetched("orders", 1, 0, "x")
		b.holds(t, "orders/1@0")
		change(1, 0)
		time.Sleep(5*time.Second - 1)
		b.holds(t, "orders/1@0")
		time.Sleep(time.Nanosecond)
		b.holds(t, "orders/1@0", "waiting/0@0")
		b.end(nil, "waiting/0@0")
		b.holds(t, "orders/1@0", "waiting/1@0") // partitions take turns
		time.Sleep(time.Hour)                   // nothing ends: nothing is begun
		b.holds(t, "orders/1@0", "waiting/1@0")
		change(3, 0)
		b.end(nil, "waiting/1@0")
		b.holds(t, "orders/1@0", "waiting/0@1", "waiting/0@2", "waiting/1@1")
		b.lanes.mu.Lock()
		b.room.ask = nil
		b.lanes.mu.Unlock()
		b.end(nil, "orders/1@0")
		if got := len(b.names()); got != 10 {
			t.Errorf("without a bound: got %d in hand, want all slots taken", got)
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
			for _, hand := range b.names() {
				topic, _, _ := strings.Cut(hand, "/")
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

func TestBeforeAShutGateLittleIsHeldAndNothingIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 1)
		b.own(0)
		var all []*kgo.Record
		for i := range 200 {
			all = append(all, &kgo.Record{Topic: "retry", Offset: int64(i), Key: fmt.Append(nil, i), Value: make([]byte, 1000), Timestamp: time.Now()})
		}
		b.offer("retry", 0, all[:150])
		b.offer("retry", 0, all[150:]) // fetched before it was cut
		s := b.source("retry", 0)
		if s.bytes > heldBytes || len(b.paused) != 1 || b.thirsty {
			t.Errorf("got %d bytes held, paused %v, thirsty %t; want at most %d, paused, and no thirst", s.bytes, b.paused, b.thirsty, heldBytes)
		}
		b.refill()
		if b.sought != nil {
			t.Errorf("sought %v before anything is due, want nothing", b.sought)
		}
		b.lanes.mu.Lock()
		held := len(s.queue)
		b.lanes.mu.Unlock()
		time.Sleep(delay)
		synctest.Wait()
		if !b.thirsty {
			t.Error("not thirsty when what is held is due")
		}
		b.refill()
		if diff := cmp.Diff([]string{fmt.Sprintf("retry/0@%d", held)}, b.sought); diff != "" || len(b.paused) != 0 {
			t.Errorf("paused %v, sought (-want +got):\n%s", b.paused, diff)
		}
		b.offer("retry", 0, all[held:])
		for i := range all {
			b.end(nil, fmt.Sprintf("retry/0@%d", i))
		}
		if got := b.committable()["retry"][0].Offset; got != 200 {
			t.Errorf("committable: got %d, want all 200", got)
		}
	})
}

func TestOneRecordIsHeldHoweverLarge(t *testing.T) {
	t.Parallel()
	s := &source{delay: delay}
	large := &kgo.Record{Value: make([]byte, 2*heldBytes), Timestamp: time.Now()}
	s.put([]*kgo.Record{large, large})
	s.trim()
	if len(s.queue) != 1 {
		t.Errorf("got %d records held, want one", len(s.queue))
	}
}

func (b *bench) source(topic string, number int32) *source {
	for _, s := range b.find(number).sources {
		if s.topic == topic {
			return s
		}
	}
	return nil
}
