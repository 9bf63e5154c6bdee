package group

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

// bench is lanes whose work a test ends by hand. It lives in a synctest bubble: Wait lets everything settle.
type bench struct {
	*lanes
	paused  []string
	sought  []string
	thirsty bool

	mu   sync.Mutex
	hand map[string]chan error // what is in hand, by topic, partition and offset
}

func setup(t *testing.T, limit int) *bench {
	b := &bench{hand: map[string]chan error{}}
	b.lanes = &lanes{limit: limit, log: slog.New(slog.NewTextHandler(t.Output(), nil)), fetch: b.fetch, seek: b.seek, thirst: func() { b.thirsty = true }}
	t.Cleanup(func() {
		for _, number := range b.numbers() {
			b.drain(number)
		}
		b.end(nil, b.names()...)
	})
	return b
}

func (b *bench) fetch(topic string, partition int32, paused bool) {
	name := fmt.Sprintf("%s/%d", topic, partition)
	b.paused = slices.DeleteFunc(b.paused, func(s string) bool { return s == name })
	if paused {
		b.paused = append(b.paused, name)
	}
}

func (b *bench) seek(topic string, partition int32, at kgo.EpochOffset) {
	b.sought = append(b.sought, fmt.Sprintf("%s/%d@%d", topic, partition, at.Offset))
}

// own adds a partition of all topics.
func (b *bench) own(number int32) *partition {
	p := &partition{
		number: number, work: b.work, stopping: make(chan struct{}), lanes: map[string][]record{}, inHand: map[record]time.Time{},
		sources: []*source{
			{topic: "replay"}, {topic: "retry", arrivals: arrivals{delay: delay}}, {topic: "waiting", room: &b.room}, {topic: "orders"},
		},
	}
	b.add(p)
	return p
}

func (b *bench) work(r *kgo.Record) error {
	end := make(chan error)
	b.mu.Lock()
	b.hand[name(r)] = end
	b.mu.Unlock()
	err := <-end
	b.mu.Lock()
	delete(b.hand, name(r))
	b.mu.Unlock()
	return err
}

func name(r *kgo.Record) string { return fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset) }

// end finishes what is in hand under these names.
func (b *bench) end(err error, names ...string) {
	for _, n := range names {
		synctest.Wait()
		b.mu.Lock()
		end := b.hand[n]
		b.mu.Unlock()
		end <- err // for ever, if it is not in hand: the bubble says so
	}
	synctest.Wait()
}

// holds checks what is in hand.
func (b *bench) holds(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, b.names()); diff != "" {
		t.Errorf("in hand (-want +got):\n%s", diff)
	}
}

// committed is what may be committed of orders/0.
func (b *bench) committed() int64 {
	offsets, _ := b.committable()
	return offsets["orders"][0].Offset
}

func (b *bench) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.hand))
}

// fetched makes records with these keys and rising offsets, and hands them over.
func (b *bench) fetched(topic string, number int32, first int64, keys ...string) {
	var records []*kgo.Record
	for i, key := range keys {
		records = append(records, &kgo.Record{Topic: topic, Partition: number, Offset: first + int64(i), Key: []byte(key), Value: []byte("{}")})
	}
	b.offer(topic, number, records)
}

// distinct are n keys.
func distinct(n int) []string {
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprint("k", i))
	}
	return keys
}

func TestOneKeyIsOneSequenceOverAllTopics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 10)
		b.own(0)
		b.fetched("orders", 0, 0, "a", "b", "a")
		b.fetched("replay", 0, 0, "a", "c")
		b.holds(t, "orders/0@0", "orders/0@1", "replay/0@1")
		b.end(nil, "orders/0@0")
		b.holds(t, "orders/0@1", "orders/0@2", "replay/0@1")
		b.end(nil, "orders/0@2")
		b.holds(t, "orders/0@1", "replay/0@0", "replay/0@1")
		b.end(nil, "replay/0@0", "orders/0@1", "replay/0@1")
		b.fetched("orders", 0, 3, "a")
		b.holds(t, "orders/0@3")
	})
}

func TestRecordsWithoutKeyWaitForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 10)
		b.own(0)
		b.fetched("orders", 0, 0, "", "", "a")
		b.fetched("replay", 0, 0, "")
		b.holds(t, "orders/0@0", "orders/0@1", "orders/0@2", "replay/0@0")
	})
}

func TestPartitionsAndTopicsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 4)
		b.own(0)
		b.own(1)
		b.fetched("replay", 0, 0, distinct(9)...)
		b.holds(t, "replay/0@0", "replay/0@1") // half of the slots, for the other may come at any time
		b.fetched("orders", 0, 0, "x", "y", "z")
		b.fetched("orders", 1, 0, "x", "y", "z")
		b.holds(t, "orders/1@0", "orders/1@1", "replay/0@0", "replay/0@1")
		b.end(nil, "replay/0@0")
		b.holds(t, "orders/0@0", "orders/1@0", "orders/1@1", "replay/0@1") // a flood of replays holds up no order
		b.end(nil, "replay/0@1", "orders/1@0")
		b.holds(t, "orders/0@0", "orders/1@1", "orders/1@2", "replay/0@2")
		b.end(nil, "orders/0@0", "orders/1@1", "orders/1@2", "replay/0@2")
		b.holds(t, "orders/0@1", "replay/0@3")
		b.remove(b.drain(1))
		b.end(nil, "replay/0@3")
		b.holds(t, "orders/0@1", "orders/0@2", "replay/0@4", "replay/0@5") // who is alone takes all
	})
}

func TestNoMoreThanSpanIsBegunAheadOfTheSlowest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 2)
		b.own(0)
		b.fetched("orders", 0, 0, distinct(maxSpan+10)...)
		for i := 1; i < maxSpan; i++ {
			b.end(nil, fmt.Sprintf("orders/0@%d", i))
		}
		b.holds(t, "orders/0@0")
		if got := b.committed(); got != 0 {
			t.Errorf("committable: got %d, want 0: the oldest is unfinished", got)
		}
		b.end(nil, "orders/0@0")
		b.holds(t, "orders/0@1000", "orders/0@1001")
		if got := b.committed(); got != maxSpan {
			t.Errorf("committable: got %d, want %d", got, maxSpan)
		}
	})
}

func TestFetchingPausesWhileEnoughWaits(t *testing.T) {
	t.Parallel()
	large := make([]byte, queueBytes/4)
	for _, row := range []struct {
		name    string
		waiting []*kgo.Record // behind one that is in hand
		paused  bool
	}{
		{"few", manyOf(queueRecords-1, "k", nil), false},
		{"many", manyOf(queueRecords, "k", nil), true},
		{"large", manyOf(4, "k", large), true},
		{"large behind the one in hand", manyOf(4, "first", large), true},
		{"large headers", manyOf(4, "k", nil, kgo.RecordHeader{Key: "h", Value: large}), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, 1)
				b.own(0)
				b.offer("orders", 0, append(manyOf(1, "first", nil), row.waiting...))
				synctest.Wait()
				if got := len(b.paused) > 0; got != row.paused {
					t.Errorf("paused: got %t, want %t", got, row.paused)
				}
				for i := range 1 + len(row.waiting) {
					b.end(nil, fmt.Sprintf("orders/0@%d", i))
				}
				if len(b.paused) > 0 {
					t.Errorf("got %v paused, want none when all is finished", b.paused)
				}
			})
		})
	}
}

// manyOf makes n records; with the key "k", each has its own.
func manyOf(n int, key string, value []byte, headers ...kgo.RecordHeader) []*kgo.Record {
	var records []*kgo.Record
	for i := range n {
		r := &kgo.Record{Topic: "orders", Offset: int64(i), Key: []byte(key), Value: value, Headers: headers}
		if key != "first" {
			r.Key, r.Offset = fmt.Append(nil, key, i), int64(i+1)
		} else if n > 1 {
			r.Offset = int64(i + 1)
		}
		records = append(records, r)
	}
	return records
}

func TestDrainBeginsNothingAndEndsWhenNoneIsInHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 3)
		p := b.own(0)
		b.fetched("orders", 0, 0, "a", "a", "b", "c", "d")
		b.holds(t, "orders/0@0", "orders/0@2", "orders/0@3")
		if b.drain(0) != p || b.drain(7) != nil {
			t.Error("drain: want the partition that is owned, and nil for another")
		}
		b.drain(0) // as a rebalance does while the worker stops
		b.fetched("orders", 0, 5, "e")
		b.end(nil, "orders/0@2")
		b.end(errors.New("abandoned"), "orders/0@3")
		select {
		case <-p.idle:
			t.Error("idle, but one is in hand")
		default:
		}
		b.end(nil, "orders/0@0")
		<-p.idle
		<-p.stopping
		if got := b.committed(); got != 1 {
			t.Errorf("committable: got %d, want 1, which waited behind the first", got)
		}
		if got, removed := b.remove(p); got != 2 || !removed {
			t.Errorf("abandoned: got %d, want 2: the one that failed and the one that waited", got)
		}
		offsets, _ := b.committable()
		if _, removed := b.remove(p); removed || len(b.numbers()) != 0 || len(offsets) != 0 {
			t.Errorf("removed twice: got %t, numbers %v, committable %v", removed, b.numbers(), offsets)
		}
		b.own(0)
		b.fetched("orders", 0, 1, "a")
		b.holds(t, "orders/0@1")
	})
}

func TestHeldPartitionBeginsNothingAndCommitsNothingBeyond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 4)
		b.own(0)
		b.own(1)
		b.fetched("orders", 0, 0, "a", "b", "c", "d")
		b.end(fmt.Errorf("%w: newer", errHeld), "orders/0@0")
		b.end(nil, "orders/0@1")
		b.fetched("orders", 1, 0, "a", "b", "c")
		b.holds(t, "orders/1@0", "orders/1@1")
		b.end(nil, "orders/1@0")
		b.holds(t, "orders/1@1", "orders/1@2")
		if got := b.committed(); got != 0 {
			t.Errorf("committable: got %d, want 0", got)
		}
	})
}

func TestEveryRecordIsWorkedOnOnceAndInItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const each = 500
		seen := map[string]int64{} // by topic, partition and key, the last offset
		inHand, most, total := 0, 0, 0
		var mu sync.Mutex
		b := setup(t, 7)
		b.lanes.fetch = func(string, int32, bool) {}
		work := func(r *kgo.Record) error {
			lane := fmt.Sprintf("%s/%d/%s", r.Topic, r.Partition, r.Key)
			mu.Lock()
			if last, again := seen[lane]; again && last >= r.Offset {
				t.Errorf("%s: offset %d after %d", lane, r.Offset, last)
			}
			seen[lane] = r.Offset
			inHand, total = inHand+1, total+1
			most = max(most, inHand)
			mu.Unlock()
			time.Sleep(rand.N(time.Second))
			mu.Lock()
			inHand--
			mu.Unlock()
			return nil
		}
		for number := range int32(3) {
			b.own(number).work = work
			for _, topic := range []string{"orders", "replay"} {
				var keys []string
				for range each {
					keys = append(keys, fmt.Sprint(rand.N(50)))
				}
				b.fetched(topic, number, 0, keys...)
			}
		}
		b.wg.Wait()
		if most != 7 || total != 6*each {
			t.Errorf("got %d at once and %d in all, want 7 and %d", most, total, 6*each)
		}
		want := map[int32]kgo.EpochOffset{}
		for number := range int32(3) {
			want[number] = kgo.EpochOffset{Offset: each}
		}
		offsets, _ := b.committable()
		if diff := cmp.Diff(map[string]map[int32]kgo.EpochOffset{"orders": want, "replay": want}, offsets); diff != "" {
			t.Errorf("committable (-want +got):\n%s", diff)
		}
	})
}
