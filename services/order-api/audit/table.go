package audit

import (
	"cmp"
	"errors"
	"hash/maphash"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/wire"
)

// table has everything that was read from one partition number: an entry for each offset of orders
// with any records about it. It is not safe for concurrent use.
type table struct {
	origin order.Origin // of offset 0
	orders string       // name of the topic orders
	seed   maphash.Seed
	next   map[string]int64 // by topic: next offset to read

	pages       map[int64]*[pageSize]entry
	deadLetters map[int64]int64     // origins, by the offset of the dead letter
	copies      map[int64]document  // further invoices of an origin, by their offset; few
	uncertain   map[int64]uncertain // orders with uncertain mails, by their offset; few
	refunds     map[int64]refund    // by their offset; few
	blocked     map[Batch]bool      // of all topics
	skipped     map[Batch]bool      // of all topics
	replays     map[int64]*replays  // of replay jobs, by the offset of the order
	erased      map[uint64]bool     // keys of orders whose newest record in orders.status is a tombstone; few
	fold        status.Fold

	invoicesFrom, deadLettersFrom, replaysFrom int64 // start offsets of their topics: older records were deleted

	replayed int64 // committed offset of the topic for replays

	start  int64     // offset of the oldest record in orders (the horizon); -1 before it is known
	oldest time.Time // time of that record; zero if there is none

	stale, foreign, unreadable, repeated int64
	dismissed                            int
	passed                               bool // in the last round, records were deleted that were not committed
}

// pageSize is the number of entries that are allocated together. It is small, because a single
// offset may be far from all others.
const pageSize = 64

// entry has what is known about one offset of orders. Offsets in it are stored plus one: zero is
// none.
type entry struct {
	key           uint64 // hash of the order ID; zero for a record without one
	document      uint64 // hash of the bytes of the first invoice
	pointer       uint64 // hash of the SHA-256 in the state
	kept          int64  // offset of the first invoice in orders.invoices
	pointerAt     int64  // offset of the invoice in the state
	deadLetterAt  int64  // offset of the dead letter in the state
	rev           int32  // of the state
	deadLetterRev int32  // of the state that belongs to the newest dead letter
	parked        int32  // rev of the newest change to a parked status
	total         uint32 // hash of the total of the invoice; zero before it is known
	facts         facts
	wrong         kinds // faults in this round
	suspected     kinds // faults in the last round
	number        uint8 // of its status
	void          void
	carried       uint8 // the last round that found a record of it in a carrier
}

// document is an invoice with the offset of its order.
type document struct {
	origin int64
	hash   uint64
}

// uncertain is an order with mails that were sent again because the outcome was unknown.
type uncertain struct {
	id    order.ID
	mails int
}

// facts are flags of an entry.
type facts uint8

const (
	hasRecord facts = 1 << iota
	hasDeadLetter
	claimedTwice // by two order IDs, or by the number of another order
	keptUnlike   // two invoices with different bytes
	hashedWrong  // the header of the invoice has another SHA-256
	isRefund     // by its record or its state
)

// newerStatus is the status of a state that this version does not know, and its number in an entry.
const (
	newerStatus order.Status = "newer"
	newerNumber uint8        = 255
)

// numberOf is a status as an entry has it; 0 is that of an order without a state.
func numberOf(s order.Status) uint8 {
	if n := s.Number(); n > 0 {
		return n
	}
	return newerNumber
}

// status is that of the order's newest state, or "" without a state.
func (e *entry) status() order.Status {
	switch e.number {
	case 0:
		return ""
	case newerNumber:
		return newerStatus
	}
	return order.Numbered(e.number)
}

// void is the reason of a void record.
type void uint8

const (
	notVoid void = iota
	voidDuplicate
	voidUndecodable
	voidOther // cancelled, as in the state
)

func newTable(origin order.Origin, orders string, seed maphash.Seed) *table {
	return &table{
		origin: origin, orders: orders, seed: seed, next: map[string]int64{}, start: -1,
		pages: map[int64]*[pageSize]entry{}, deadLetters: map[int64]int64{}, copies: map[int64]document{}, uncertain: map[int64]uncertain{},
		refunds: map[int64]refund{}, blocked: map[Batch]bool{}, skipped: map[Batch]bool{}, erased: map[uint64]bool{},
		replays: map[int64]*replays{},
	}
}

// at returns the entry of an offset of orders, and creates it if there is none.
func (t *table) at(offset int64) *entry {
	p := t.pages[offset/pageSize]
	if p == nil {
		p = new([pageSize]entry)
		t.pages[offset/pageSize] = p
	}
	return &p[offset%pageSize]
}

// belongs notes the order ID that a record has for an offset.
func (t *table) belongs(e *entry, key []byte) {
	if len(key) == 0 {
		return
	}
	hash := maphash.Bytes(t.seed, key)
	if e.key == 0 {
		e.key = hash
	}
	if e.key != hash {
		e.facts |= claimedTwice
	}
}

// issued reports whether an offset has an invoice, or had one that was deleted.
func (t *table) issued(e *entry) bool { return e.kept != 0 || t.deleted(e) }

// deleted reports whether the invoice that a state points to was deleted from its topic.
func (t *table) deleted(e *entry) bool { return e.pointerAt != 0 && e.pointerAt <= t.invoicesFrom }

// placed adds a record of orders.
func (t *table) placed(r *kgo.Record) error {
	if t.start < 0 {
		t.start, t.oldest = r.Offset, r.Timestamp
	}
	e := t.at(r.Offset)
	e.facts |= hasRecord
	t.belongs(e, r.Key)
	if t.invoicesFrom > 0 && e.void == notVoid {
		// Its void record may have been deleted.
		if _, err := wire.ReadOrder(r); errors.Is(err, wire.ErrUndecodable) {
			e.void = voidUndecodable
		}
	}
	if wire.Type(r) == wire.TypeRefund {
		o, _ := wire.ReadOrder(r) // on an error it is no refund either
		t.refund(r.Offset, o)
	}
	return nil
}

// settle sets the horizon to the end of orders if the topic is empty.
func (t *table) settle(end int64) {
	if t.start < 0 {
		t.start = end
	}
}

// state adds a record of orders.status. For most states it reads the headers only.
func (t *table) state(r *kgo.Record) error {
	head, verdict, err := t.fold.Apply(r)
	if err != nil {
		t.unreadable++
		return nil
	}
	if verdict == status.Stale {
		t.stale++
	}
	if verdict == status.Erased {
		t.erased[maphash.Bytes(t.seed, r.Key)] = true
	}
	if verdict != status.Current {
		return nil
	}
	e := t.at(head.Origin)
	t.belongs(e, r.Key)
	delete(t.erased, maphash.Bytes(t.seed, r.Key))
	e.rev, e.number = int32(head.Rev), numberOf(head.Status)
	e.pointer, e.pointerAt, e.deadLetterAt = 0, 0, 0
	if straight(head) && e.facts&hasRecord != 0 {
		return nil
	}
	trail, err := wire.ReadTrail(r)
	if errors.Is(err, wire.ErrUndecodable) {
		t.unreadable++
		return nil
	}
	if err != nil {
		return err
	}
	// The state contains the order, which may be deleted from orders.
	if e.facts&isRefund == 0 && trail.Number == t.place(head.Origin).CreditNoteNumber() {
		s, _ := wire.ReadState(r)
		t.refund(head.Origin, s.Order)
	}
	if trail.Number != "" && trail.Number != t.number(head.Origin) {
		e.facts |= claimedTwice
	}
	t.follow(e, trail)
	t.answer(head.Origin, trail)
	delete(t.uncertain, head.Origin)
	if trail.Uncertain > 0 {
		t.uncertain[head.Origin] = uncertain{order.ID(r.Key), trail.Uncertain}
	}
	return nil
}

// straight reports whether a state is one of the two of a first attempt without failures. The audit
// needs only the headers of these.
func straight(h wire.Head) bool {
	return h.Status == order.Working && h.Rev == 1 || h.Status == order.Mailing && h.Rev == 2
}

// follow notes what a state points to.
func (t *table) follow(e *entry, trail wire.Trail) {
	e.parked = int32(trail.Parked)
	if trail.Number != "" {
		e.total = total(t.seed, trail.Total)
	}
	if trail.Kept != nil {
		e.pointer, e.pointerAt = maphash.String(t.seed, trail.Kept.SHA256), trail.Kept.Offset+1
	}
	if trail.DeadLetter != nil {
		e.deadLetterAt = trail.DeadLetter.Offset + 1
	}
}

// invoice adds a record of orders.invoices. It keeps only the hash of the document.
func (t *table) invoice(r *kgo.Record) error {
	kind := wire.Type(r)
	offset, ok := origin(r)
	if !ok || kind != wire.TypeInvoice && kind != wire.TypeVoid {
		t.unreadable++
		return nil
	}
	var void wire.VoidNumber
	if kind == wire.TypeVoid {
		var err error
		if void, err = wire.ReadVoidNumber(r); err != nil {
			t.unreadable++
			return newer(err)
		}
	}
	if void.To > 0 {
		return nil // written for a skipped batch
	}
	e := t.at(offset)
	// A void record always has the invoice number of its offset as key, even for a refund.
	if number := string(r.Key); number != t.number(offset) && (kind != wire.TypeVoid || number != t.place(offset).InvoiceNumber()) {
		e.facts |= claimedTwice
	}
	if kind == wire.TypeVoid {
		e.void = voided(void.Reason)
		return nil
	}
	t.belongs(e, []byte(wire.Header(r, "order")))
	sum := wire.SHA256(r.Value)
	if wire.Header(r, "sha256") != sum {
		e.facts |= hashedWrong
	}
	t.keep(e, document{offset, maphash.String(t.seed, sum)}, r.Offset)
	return nil
}

// keep notes an invoice. A crash between writing the invoice and the state leaves a second one with
// the same bytes.
func (t *table) keep(e *entry, d document, at int64) {
	if e.kept == 0 {
		e.document, e.kept = d.hash, at+1
		return
	}
	t.copies[at] = d
	if d.hash != e.document {
		e.facts |= keptUnlike
		return
	}
	t.repeated++
}

// origin reads the header with the offset of the order that a record is about.
func origin(r *kgo.Record) (int64, bool) {
	offset, err := strconv.ParseInt(wire.Header(r, "origin"), 10, 64)
	return offset, err == nil && offset >= 0
}

func voided(reason string) void {
	switch failure.Reason(reason) {
	case failure.Duplicate:
		return voidDuplicate
	case failure.Undecodable, failure.WrongPartition: // in the wrong partition, a record is no order
		return voidUndecodable
	default:
		return voidOther
	}
}

// deadLetter adds a record of the dead-letter topic. It only counts dead letters of other
// applications and of other topics.
func (t *table) deadLetter(r *kgo.Record) error {
	if s, ok := kafka.ReadSkip(r); ok {
		// A skip of another topic explains no fault, so its incarnation does not matter.
		if s.Topic != t.orders || s.Of(t.origin.Incarnation) {
			t.skipped[Batch{s.Topic, s.Partition, s.From, s.To, s.Reason}] = true
		}
		return nil
	}
	l, err := dlq.Read(r)
	if err != nil || l.Topic != t.orders || l.Origin.Partition != r.Partition {
		t.foreign++
		return newer(err)
	}
	e := t.at(l.Origin.Offset)
	t.belongs(e, r.Key)
	t.failedAgain(&l)
	e.facts |= hasDeadLetter
	e.deadLetterRev = max(e.deadLetterRev, int32(l.Rev))
	t.deadLetters[r.Offset] = l.Origin.Offset
	return nil
}

// member is an offset with the key of its order.
type member struct {
	key    uint64
	offset int64
}

// members lists all entries, sorted by order ID.
func (t *table) members() []member {
	all := make([]member, 0, len(t.pages)*pageSize)
	for number, p := range t.pages {
		for i := range p {
			if p[i] != (entry{}) {
				all = append(all, member{p[i].key, number*pageSize + int64(i)})
			}
		}
	}
	slices.SortFunc(all, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.offset, b.offset))
	})
	return all
}
