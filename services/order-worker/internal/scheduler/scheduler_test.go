package scheduler

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

	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/services/order-worker/internal/partition"
)

// bench is a scheduler whose work a test ends. It runs in a synctest bubble: Wait lets
// everything settle.
type bench struct {
	*Scheduler
	log         *slog.Logger
	paused      []string
	sought      []string
	needsRefill bool

	mu      sync.Mutex
	flights map[string]chan error // what is in flight, by topic, partition and offset
}

func setup(t *testing.T, slots int) *bench {
	b := &bench{flights: map[string]chan error{}, log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	b.Scheduler = New(Config{Slots: slots, Fetch: b.fetch, Seek: b.seek, RequestRefill: func() { b.needsRefill = true }})
	t.Cleanup(func() {
		for _, number := range b.Numbers() {
			b.find(number).Set(partition.Draining, nil)
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

// own adds a running partition of all topics.
func (b *bench) own(number int32) *Lanes { return b.ownWith(number, b.work) }

func (b *bench) ownWith(number int32, work func(*kgo.Record) error) *Lanes {
	p := partition.New(number, metrics.New(), b.log)
	p.Set(partition.Restoring, nil)
	p.Set(partition.Running, nil)
	l := NewLanes(p, work, func(kgo.EpochOffset) Metadata { return nil },
		Source{Topic: "replay"}, Source{Topic: "retry", Delay: delay}, Source{Topic: "waiting", Limited: true}, Source{Topic: "orders"})
	b.Add(l)
	return l
}

func (b *bench) work(r *kgo.Record) error {
	end := make(chan error)
	b.mu.Lock()
	b.flights[name(r)] = end
	b.mu.Unlock()
	err := <-end
	b.mu.Lock()
	delete(b.flights, name(r))
	b.mu.Unlock()
	return err
}

func name(r *kgo.Record) string { return fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset) }

// end finishes what is in flight under these names.
func (b *bench) end(err error, names ...string) {
	for _, n := range names {
		synctest.Wait()
		b.mu.Lock()
		end := b.flights[n]
		b.mu.Unlock()
		end <- err // for ever, if it is not in flight: the bubble says so
	}
	synctest.Wait()
}

// working checks what is in flight.
func (b *bench) working(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, b.names()); diff != "" {
		t.Errorf("in flight (-want +got):\n%s", diff)
	}
}

// committed is what may be committed of orders/0.
func (b *bench) committed() int64 {
	offsets, _ := b.Committable()
	return offsets["orders"][0].Offset
}

func (b *bench) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.flights))
}

// fetched makes records with these keys and rising offsets, and offers them.
func (b *bench) fetched(topic string, number int32, first int64, keys ...string) {
	var records []*kgo.Record
	for i, key := range keys {
		records = append(records, &kgo.Record{Topic: topic, Partition: number, Offset: first + int64(i), Key: []byte(key), Value: []byte("{}")})
	}
	b.Offer(topic, number, records)
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
		b.working(t, "orders/0@0", "orders/0@1", "replay/0@1")
		b.end(nil, "orders/0@0")
		b.working(t, "orders/0@1", "orders/0@2", "replay/0@1")
		b.end(nil, "orders/0@2")
		b.working(t, "orders/0@1", "replay/0@0", "replay/0@1")
		b.end(nil, "replay/0@0", "orders/0@1", "replay/0@1")
		b.fetched("orders", 0, 3, "a")
		b.working(t, "orders/0@3")
	})
}

func TestQueuedAreThoseInMemoryThatAreNotInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 2)
		b.own(0)
		b.fetched("orders", 0, 0, "a", "a", "b", "c") // a and b are in flight, the second a waits for the first, c for a slot
		b.fetched("retry", 0, 0, "d")                 // it is not due
		synctest.Wait()
		if got := b.Queued(0); got != 3 {
			t.Errorf("got %d records queued, want 3", got)
		}
		b.end(nil, "orders/0@0", "orders/0@1", "orders/0@2", "orders/0@3")
		if got := b.Queued(0); got != 1 {
			t.Errorf("got %d records queued, want the one that is not due", got)
		}
	})
}

func TestRecordsWithoutAKeyWaitForNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 10)
		b.own(0)
		b.fetched("orders", 0, 0, "", "", "a")
		b.fetched("replay", 0, 0, "")
		b.working(t, "orders/0@0", "orders/0@1", "orders/0@2", "replay/0@0")
	})
}

func TestPartitionsAndTopicsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 4)
		b.own(0)
		b.own(1)
		b.fetched("replay", 0, 0, distinct(9)...)
		b.working(t, "replay/0@0", "replay/0@1") // half of the slots, for the other may come at any time
		b.fetched("orders", 0, 0, "x", "y", "z")
		b.fetched("orders", 1, 0, "x", "y", "z")
		b.working(t, "orders/1@0", "orders/1@1", "replay/0@0", "replay/0@1")
		b.end(nil, "replay/0@0")
		b.working(t, "orders/0@0", "orders/1@0", "orders/1@1", "replay/0@1") // a flood of replays delays no order
		b.end(nil, "replay/0@1", "orders/1@0")
		b.working(t, "orders/0@0", "orders/1@1", "orders/1@2", "replay/0@2")
		b.end(nil, "orders/0@0", "orders/1@1", "orders/1@2", "replay/0@2")
		b.working(t, "orders/0@1", "replay/0@3")
		other := b.find(1)
		other.Set(partition.Draining, nil)
		b.Remove(other)
		b.end(nil, "replay/0@3")
		b.working(t, "orders/0@1", "orders/0@2", "replay/0@4", "replay/0@5") // the only partition takes all
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
		b.working(t, "orders/0@0")
		if got := b.committed(); got != 0 {
			t.Errorf("committable: got %d, want 0: the oldest is unfinished", got)
		}
		b.end(nil, "orders/0@0")
		b.working(t, "orders/0@1000", "orders/0@1001")
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
		waiting []*kgo.Record // behind one that is in flight
		paused  bool
	}{
		{"few", manyOf(queueRecords-1, "k", nil), false},
		{"many", manyOf(queueRecords, "k", nil), true},
		{"large", manyOf(4, "k", large), true},
		{"large behind the one in flight", manyOf(4, "first", large), true},
		{"large headers", manyOf(4, "k", nil, kgo.RecordHeader{Key: "h", Value: large}), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, 1)
				b.own(0)
				b.Offer("orders", 0, append(manyOf(1, "first", nil), row.waiting...))
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

func TestADrainingPartitionBeginsNothingAndIsIdleWhenNoOrderIsInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 3)
		p := b.own(0)
		b.fetched("orders", 0, 0, "a", "a", "b", "c", "d")
		b.working(t, "orders/0@0", "orders/0@2", "orders/0@3")
		if !p.Set(partition.Draining, nil) || p.Set(partition.Draining, nil) {
			t.Error("draining: want it once")
		}
		b.fetched("orders", 0, 5, "e")
		b.end(nil, "orders/0@2")
		b.end(errors.New("abandoned"), "orders/0@3")
		select {
		case <-p.Idle():
			t.Error("idle, but one is in flight")
		default:
		}
		b.end(nil, "orders/0@0")
		<-p.Idle()
		<-p.Draining()
		if got := b.committed(); got != 1 {
			t.Errorf("committable: got %d, want 1, which waited behind the first", got)
		}
		if got, removed := b.Remove(p); got != 2 || !removed {
			t.Errorf("abandoned: got %d, want 2: the one that failed and the one that waited", got)
		}
		offsets, _ := b.Committable()
		if _, removed := b.Remove(p); removed || len(b.Numbers()) != 0 || len(offsets) != 0 {
			t.Errorf("removed twice: got %t, numbers %v, committable %v", removed, b.Numbers(), offsets)
		}
		b.own(0)
		b.fetched("orders", 0, 1, "a")
		b.working(t, "orders/0@1")
	})
}

func TestABlockedPartitionBeginsNothingAndCommitsNothingBeyond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, 4)
		p := b.own(0)
		b.own(1)
		b.fetched("orders", 0, 0, "a", "b", "c", "d")
		newer := errors.New("newer")
		p.Set(partition.Blocked, newer)
		b.end(newer, "orders/0@0")
		b.end(nil, "orders/0@1")
		b.fetched("orders", 1, 0, "a", "b", "c")
		b.working(t, "orders/1@0", "orders/1@1")
		b.end(nil, "orders/1@0")
		b.working(t, "orders/1@1", "orders/1@2")
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
		flying, most, total := 0, 0, 0
		var mu sync.Mutex
		b := setup(t, 7)
		b.cfg.Fetch = func(string, int32, bool) {}
		work := func(r *kgo.Record) error {
			lane := fmt.Sprintf("%s/%d/%s", r.Topic, r.Partition, r.Key)
			mu.Lock()
			if last, again := seen[lane]; again && last >= r.Offset {
				t.Errorf("%s: offset %d after %d", lane, r.Offset, last)
			}
			seen[lane] = r.Offset
			flying, total = flying+1, total+1
			most = max(most, flying)
			mu.Unlock()
			time.Sleep(rand.N(time.Second))
			mu.Lock()
			flying--
			mu.Unlock()
			return nil
		}
		for number := range int32(3) {
			b.ownWith(number, work)
			for _, topic := range []string{"orders", "replay"} {
				var keys []string
				for range each {
					keys = append(keys, fmt.Sprint(rand.N(50)))
				}
				b.fetched(topic, number, 0, keys...)
			}
		}
		b.Wait()
		if most != 7 || total != 6*each {
			t.Errorf("got %d at once and %d in all, want 7 and %d", most, total, 6*each)
		}
		want := map[int32]kgo.EpochOffset{}
		for number := range int32(3) {
			want[number] = kgo.EpochOffset{Offset: each}
		}
		offsets, _ := b.Committable()
		delete(offsets, "retry")
		delete(offsets, "waiting")
		if diff := cmp.Diff(map[string]map[int32]kgo.EpochOffset{"orders": want, "replay": want}, offsets); diff != "" {
			t.Errorf("committable (-want +got):\n%s", diff)
		}
	})
}
