package ledger

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/order"
)

// start is when the record at offset 0 of the topic orders was appended; one follows each second.
var start = time.Unix(1_000_000_000, 0)

func at(offset int64) time.Time { return start.Add(time.Duration(offset) * time.Second) }

func id(i int64) key { return keyOf(order.ID(fmt.Sprintf("ord_%d", i))) }

// finish shows an order to the memory and puts its last state there.
func (m *memory) finish(i int64, s order.Status) {
	m.place(id(i), i, at(i))
	m.put(id(i), entryOf(i, 2*i+1, s))
}

const quarter = int64(repeats / time.Second)

func TestFinishedOrdersAreRememberedAsLongAsTheyMayBeRepeated(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		status order.Status
		later  int64 // how much further the topic orders is read
		known  bool
	}{
		{"at once", order.Confirmed, 0, true},
		{"after a quarter of an hour", order.Confirmed, quarter, true},
		{"after half an hour", order.Confirmed, 2*quarter + 180, false},
		{"dead, after half an hour", order.Dead, 2*quarter + 180, false},
		{"unfinished, after a day", order.Working, 96 * quarter, true},
		{"waiting, after a day", order.Waiting, 96 * quarter, true},
		{"of a status of a newer version, after a day", "polished", 96 * quarter, true},
	} {
		m := newMemory(0, 0)
		m.finish(0, row.status)
		for i := int64(60); i <= row.later; i += 60 {
			m.finish(i, order.Confirmed)
		}
		got, known := m.place(id(0), row.later+1, at(row.later+1))
		want := entry{}
		if row.known {
			want = entryOf(0, 1, row.status)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{})); known != row.known || diff != "" {
			t.Errorf("%s: known: %t (-want +got):\n%s", row.name, known, diff)
		}
	}
}

func TestMemoryForgetsNothingWhileNoRecordArrives(t *testing.T) {
	t.Parallel()
	m := newMemory(0, 0)
	m.finish(0, order.Confirmed)
	for range 10 {
		m.place(id(1), 1, at(4*quarter)) // a jump in time is one turn, however long
	}
	if _, known := m.get(id(0)); !known {
		t.Error("an order that just finished is forgotten, because no order was placed for long")
	}
}

// TestOrdersWhoseRecordsAreReadAgainAreKnown has finished orders whose records in the topic orders are read again, hours later.
func TestOrdersWhoseRecordsAreReadAgainAreKnown(t *testing.T) {
	t.Parallel()
	const orders, next = 20_000, 10_000
	w := window{recent: 2 * orders, repeat: next - quarter, next: next}
	m := newMemory(w.next, w.recent)
	ends := []order.Status{order.Confirmed, order.Dead, order.Confirmed, order.Cancelled, order.Working}
	for i := range int64(orders) {
		m.restore(id(i), entryOf(i, 2*i, order.Mailing), w)
		m.restore(id(i), entryOf(i, 2*i+1, ends[i%5]), w)
	}
	if n := len(m.kept) + len(m.young); n > orders/5+orders/2*3/5+int(quarter) {
		t.Errorf("got %d orders remembered in full: the confirmed ones that come again should cost a bit", n)
	}
	for i := range int64(next) {
		if _, known := m.get(id(i)); known != (i >= w.repeat || ends[i%5] == order.Working) {
			t.Fatalf("order %d, whose record does not come again: known: %t", i, known)
		}
	}
	for i := int64(next); i < orders; i++ {
		repeat := id(max(next, i-quarter))
		for name, k := range map[string]key{"itself": id(i), "one a quarter of an hour before": repeat} {
			if e, known := m.place(k, i, at(i)); !known || e.status() != ends[e.origin%5] {
				t.Fatalf("order %d, %s: known: %t, %q", i, name, known, e.status())
			}
		}
	}
	if len(m.done) != 0 {
		t.Errorf("%d chunks of bits are left when all has come again", len(m.done))
	}
}

// TestReplayedOrderWhoseRecordIsReadAgainStays finishes an order twice before its first record is read again.
func TestReplayedOrderWhoseRecordIsReadAgainStays(t *testing.T) {
	t.Parallel()
	m := newMemory(0, 0)
	far := 10 * quarter
	m.put(id(far), entryOf(far, 5, order.Confirmed))
	for i := range far {
		m.finish(i, order.Confirmed)
	}
	if e, known := m.place(id(far), far, at(far)); !known || !e.final() {
		t.Errorf("known: %t, final: %t; want what a replay did to it", known, e.final())
	}
}

// TestMemoryIsWholeFromSomewhereOn checks what a recall relies on.
func TestMemoryIsWholeFromSomewhereOn(t *testing.T) {
	t.Parallel()
	m := newMemory(0, 0)
	const step = 10
	for i := int64(0); i < 10*quarter; i += step {
		m.finish(i, order.Confirmed)
		for j := m.whole / 2 / step * step; j < i; j += 37 * step {
			if _, known := m.get(id(j)); 2*j+1 >= m.whole && !known {
				t.Fatalf("at order %d: order %d is forgotten, though its state at %d is not below %d", i, j, 2*j+1, m.whole)
			}
		}
	}
	if behind := m.newest - m.whole; m.whole == 0 || behind > 2*2*quarter+2 {
		t.Errorf("got %d states from the newest back that are remembered, want those of half an hour", behind)
	}
}

func TestBitIsRemovedOnce(t *testing.T) {
	t.Parallel()
	b := bits{}
	offsets := []int64{0, 1, 63, 64, 4095, 4096, 1 << 40}
	for _, o := range offsets {
		if b.take(o) {
			t.Errorf("%d is there before it was added", o)
		}
		b.add(o)
	}
	for _, o := range offsets {
		if !b.take(o) || b.take(o) {
			t.Errorf("%d is not taken once", o)
		}
	}
	if len(b) != 0 {
		t.Errorf("%d chunks are left", len(b))
	}
}

func TestKeysOfIDsDiffer(t *testing.T) {
	t.Parallel()
	if keyOf(order.ID("ord_1")) != keyOf([]byte("ord_1")) || id(1) == id(2) {
		t.Error("an ID's key depends on more, or on less, than the ID")
	}
}

// TestWhatAnOrderCosts is not parallel: it weighs the heap.
func TestWhatAnOrderCosts(t *testing.T) {
	const orders = 1_000_000
	for _, row := range []struct {
		name  string
		fill  func(m *memory, i int64)
		bytes float64
	}{
		{"unfinished", func(m *memory, i int64) {
			m.put(key{byte(i), byte(i >> 8), byte(i >> 16)}, entryOf(i, i, order.Working))
		}, 90},
		{"confirmed, to be read again", func(m *memory, i int64) { m.done.add(i) }, 0.2},
	} {
		before := heap()
		m := newMemory(0, 0)
		for i := range int64(orders) {
			row.fill(m, i)
		}
		cost := float64(heap()-before) / orders
		runtime.KeepAlive(m)
		t.Logf("%s: %.2f bytes an order", row.name, cost)
		if cost > row.bytes {
			t.Errorf("%s: got %.2f bytes an order, want at most %.2f", row.name, cost, row.bytes)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
