package ledger

import (
	"crypto/sha256"
	"slices"
	"time"

	"example.com/orders/shared/order"
)

// repeats is how long after an order was placed its key may come again in the topic orders.
const repeats = 15 * time.Minute

// memory is what a ledger remembers of orders, without their IDs and without pointers, which the garbage collector would
// follow. It grows with the orders that are unfinished, and with those of the last half hour of the topic orders; the
// rest of the history costs nothing, and where it is read again a bit an order.
type memory struct {
	// Orders that are unfinished, and finished ones whose record in orders comes (again).
	kept map[key]entry
	// Finished orders whose key may be repeated. When the topic orders is read a quarter of an hour further, young ones
	// are old and old ones are forgotten: by when the records arrived, so that a backlog makes no difference.
	young, old map[key]entry
	turned     time.Time // before the record arrived at which that was last
	// Confirmed orders whose record comes again, by origin.
	done bits

	next   int64 // in orders, behind the newest record that was seen: what stands below does not come again
	newest int64 // state in orders.status
	whole  int64 // in orders.status: of each order with a state from here on the newest state is remembered
	turns  int64 // what whole is next time
}

// newMemory knows nothing; what comes in orders begins at next, and what it is told in orders.status at whole.
func newMemory(next, whole int64) *memory {
	return &memory{
		kept: map[key]entry{}, young: map[key]entry{}, old: map[key]entry{}, done: bits{},
		next: next, newest: whole - 1, whole: whole, turns: whole,
	}
}

// key stands for an order's ID. Anybody may choose one, so nobody may be able to choose two that look the same.
type key [16]byte

func keyOf[T order.ID | []byte](id T) key {
	sum := sha256.Sum256([]byte(id))
	return key(sum[:len(key{})])
}

// entry is what is remembered of an order; the rest is read when it is needed. It is packed, because there are many.
type entry struct {
	origin int64 // offset in orders
	state  int64 // offset of its newest state in orders.status, or unknown; the lowest byte is the status
}

// Erased is the Standing of an order whose state somebody has erased on purpose. No state says so of itself.
const Erased order.Status = "erased"

// unknown is no offset.
const unknown = -1

// statuses has those of a newer version at zero.
var statuses = mustFit(slices.Concat([]order.Status{""}, order.Statuses(), []order.Status{Erased}))

// mustFit panics when a byte is not enough to number the statuses.
func mustFit(all []order.Status) []order.Status {
	if len(all) > 256 {
		panic("ledger: too many statuses for a byte")
	}
	return all
}

func entryOf(origin, at int64, s order.Status) entry {
	return entry{origin, at<<8 | int64(max(0, slices.Index(statuses, s)))}
}

func (e entry) at() int64 { return e.state >> 8 }

func (e entry) standing() Standing { return Standing{e.origin, statuses[e.state&0xff]} }

func (e entry) final() bool { return e.standing().Status.Final() || e.erased() }

func (e entry) erased() bool { return e.standing().Status == Erased }

// moved is the same entry, of which the newest record stands elsewhere.
func (e entry) moved(at int64) entry { return entryOf(e.origin, at, e.standing().Status) }

func (m *memory) get(k key) (e entry, known bool) {
	for _, orders := range []map[key]entry{m.kept, m.young, m.old} {
		if e, known = orders[k]; known {
			return e, true
		}
	}
	return entry{}, false
}

func (m *memory) forget(k key) {
	delete(m.kept, k)
	delete(m.young, k)
	delete(m.old, k)
}

// erase remembers the tombstone of an order.
func (m *memory) erase(k key, at int64) {
	e, known := m.get(k)
	if !known {
		e.origin = unknown
	}
	m.put(k, entryOf(e.origin, at, Erased))
}

// put remembers the newest state of an order.
func (m *memory) put(k key, e entry) {
	m.forget(k)
	m.newest = max(m.newest, e.at())
	if !e.final() || e.origin >= m.next {
		m.kept[k] = e
		return
	}
	m.young[k] = e
}

// place takes notice of a record of the topic orders, and returns what is known of the order that it places. Arrived is a
// time before it did, by our clock, or zero.
func (m *memory) place(k key, offset int64, arrived time.Time) (entry, bool) {
	m.next = max(m.next, offset+1)
	m.turn(arrived)
	e, known := m.get(k)
	if !known && m.done.take(offset) {
		e, known = entryOf(offset, unknown, order.Confirmed), true
	}
	if known {
		m.put(k, e) // its record may have come for the last time
	}
	return e, known
}

// begun reports whether anything is known of the order that a record of the topic orders places.
func (m *memory) begun(k key, offset int64) bool {
	_, known := m.get(k)
	return known || m.done.has(offset)
}

// turn forgets the old and lets the young be old, when it is time.
func (m *memory) turn(arrived time.Time) {
	if m.turned.IsZero() {
		m.turned = arrived
	}
	if arrived.Sub(m.turned) < repeats+slack {
		return
	}
	m.turned = arrived
	m.old, m.young = m.young, map[key]entry{}
	m.whole, m.turns = m.turns, m.newest+1
}

// bits is a set of offsets, most of which lie side by side.
type bits map[int64]*chunk

// chunk is 4,096 offsets, a bit each.
type chunk [64]uint64

func (b bits) add(offset int64) {
	c := b[offset>>12]
	if c == nil {
		c = new(chunk)
		b[offset>>12] = c
	}
	c[offset>>6&63] |= 1 << (offset & 63)
}

func (b bits) has(offset int64) bool {
	c := b[offset>>12]
	return c != nil && c[offset>>6&63]&(1<<(offset&63)) != 0
}

// take removes an offset, and reports whether it was there.
func (b bits) take(offset int64) bool {
	c := b[offset>>12]
	if !b.has(offset) {
		return false
	}
	c[offset>>6&63] &^= 1 << (offset & 63)
	if *c == (chunk{}) {
		delete(b, offset>>12)
	}
	return true
}
