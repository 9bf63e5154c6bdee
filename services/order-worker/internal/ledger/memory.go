package ledger

import (
	"crypto/sha256"
	"time"

	"example.com/orders/shared/order"
)

// repeats is how long after an order was placed a record with the same key can arrive in the topic orders.
const repeats = 15 * time.Minute

// memory is what a ledger remembers of orders, without their IDs and without pointers, which the garbage
// collector would follow. Its size grows with the unfinished orders and with those of the last half hour
// of the topic orders. Earlier orders take nothing, or a bit each if their records are read again.
type memory struct {
	// Orders that are unfinished, and finished ones whose record in orders is still to be read, or again.
	kept map[key]entry
	// Finished orders whose key can be repeated. When the topic orders is read a quarter of an hour
	// further, by the arrival of its records, the old ones are forgotten and the young ones become old.
	young, old map[key]entry
	turned     time.Time // arrival of the record at which that happened last, or earlier
	// Confirmed orders whose record is read again, by origin.
	done bits

	next   int64 // offset in orders behind the newest record that was placed: records below are not read again
	newest int64 // offset in orders.status of the newest state
	whole  int64 // offset in orders.status: every order with a state from here on is remembered
	turns  int64 // the value of whole after the next turn
}

// newMemory returns an empty memory. Orders are read from next on, and orders.status from whole on.
func newMemory(next, whole int64) *memory {
	return &memory{
		kept: map[key]entry{}, young: map[key]entry{}, old: map[key]entry{}, done: bits{},
		next: next, newest: whole - 1, whole: whole, turns: whole,
	}
}

// key is a cryptographic hash of an order's ID: clients influence IDs, and must not find two with one key.
type key [16]byte

func keyOf[T order.ID | []byte](id T) key {
	sum := sha256.Sum256([]byte(id))
	return key(sum[:len(key{})])
}

// entry is what is remembered of an order; the rest is read when it is needed. It is packed, since there
// are many.
type entry struct {
	origin int64 // offset in orders
	state  int64 // offset of its newest state in orders.status, or unknown, and the status in the lowest byte
}

// erased is the status of an order that an operator has erased. No state has it.
const erased order.Status = "erased"

// unknown is no offset.
const unknown = -1

// erasedNumber is no number of another status.
const erasedNumber = 255

func entryOf(origin, at int64, s order.Status) entry {
	n := s.Number()
	if s == erased {
		n = erasedNumber
	}
	return entry{origin, at<<8 | int64(n)}
}

func (e entry) at() int64 { return e.state >> 8 }

// status is empty for one of a newer version.
func (e entry) status() order.Status {
	switch n := uint8(e.state); n {
	case 0:
		return ""
	case erasedNumber:
		return erased
	default:
		return order.Numbered(n)
	}
}

func (e entry) final() bool { return e.status().Final() || e.erased() }

func (e entry) erased() bool { return e.status() == erased }

// moved is the same entry with its newest record at another offset.
func (e entry) moved(at int64) entry { return entryOf(e.origin, at, e.status()) }

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
	m.put(k, entryOf(e.origin, at, erased))
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

// place notes that a record of the topic orders was read, and returns what is known of its order. Arrived
// is the time of its arrival by our clock, or earlier, or zero.
func (m *memory) place(k key, offset int64, arrived time.Time) (entry, bool) {
	m.next = max(m.next, offset+1)
	m.turn(arrived)
	e, known := m.get(k)
	if !known && m.done.take(offset) {
		e, known = entryOf(offset, unknown, order.Confirmed), true
	}
	if known {
		m.put(k, e) // its record may have been read for the last time
	}
	return e, known
}

// begun reports whether anything is known of the order of a record of the topic orders.
func (m *memory) begun(k key, offset int64) bool {
	_, known := m.get(k)
	return known || m.done.has(offset)
}

// turn forgets the old orders and makes the young ones old, when it is time.
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

// bits is a set of offsets, most of which are adjacent.
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

// take removes an offset and reports whether it was in the set.
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
