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

// table is all that was read about one partition number: an entry for each offset of the topic orders that anything was
// said about. It is for one goroutine.
type table struct {
	origin order.Origin // with offset 0: of the whole partition number
	orders string       // name of the topic orders
	seed   maphash.Seed
	next   map[string]int64 // by topic: where to read on

	pages       map[int64]*[pageSize]entry
	deadLetters map[int64]int64    // origins, by the offset of the dead letter
	copies      map[int64]document // second and later invoices of an origin, by their offset; few
	doubts      map[int64]doubt    // orders whose mail is uncertain, by their offset; few
	refunds     map[int64]refund   // by their offset; few
	blocked     map[Batch]bool     // of all topics
	skipped     map[Batch]bool     // of all topics
	erased      map[uint64]bool    // keys of orders whose newest record in orders.status is a tombstone; few
	fold        status.Fold

	invoicesFrom, deadLettersFrom int64 // where their logs start: what stood before was deleted

	start  int64     // offset of the oldest record in orders: the horizon; -1 before it is known
	oldest time.Time // when that was appended; zero if there is none

	void, foreign, unreadable, repeated int64
	dismissed                           int
	passed                              bool // the round before found that the log had dropped what was not committed
}

// pageSize is how many entries are allocated together: few enough that a stray offset costs little.
const pageSize = 64

// entry is what is known of one offset of orders. Offsets in it are one higher than they are, so that zero is none.
type entry struct {
	key           uint64 // of the order's ID; zero is a record without one
	document      uint64 // of the first invoice's bytes
	pointer       uint64 // of the hash that the state points with
	kept          int64  // offset in orders.invoices of the first invoice
	pointerAt     int64  // the offset that the state points at
	deadLetterAt  int64  // the dead letter that the state points at
	rev           int32  // of the state
	deadLetterRev int32  // of the state that the newest dead letter goes with
	parked        int32  // rev of the newest change to a parked status
	total         uint32 // of the hash of what the invoice comes to; zero before that is known
	facts         facts
	wrong         kinds // what this round finds wrong
	suspected     kinds // what the round before found wrong
	number        uint8 // of its status
	void          void
	carried       uint8 // the last round that found it in a carrier
}

// document is an invoice that is not the first of its origin.
type document struct {
	origin int64
	hash   uint64
}

// doubt is a mail that was sent again although it may have gone out.
type doubt struct {
	id    order.ID
	mails int
}

// facts are what is known of an offset beside its numbers.
type facts uint8

const (
	hasRecord facts = 1 << iota
	hasDeadLetter
	claimedTwice // by orders with different IDs, or by number of another order
	keptUnlike   // two invoices with different bytes
	hashedWrong  // the invoice's own header does not fit its bytes
	isRefund     // by its record, or by its state
)

// statuses numbers the statuses for entries, which hold one in a byte. The first is that of an order
// without a state, the last one is of a newer version.
var statuses = mustFit(slices.Concat([]order.Status{""}, order.Statuses(), []order.Status{"newer"}))

// mustFit panics if the numbers of the statuses do not fit into a byte.
func mustFit(all []order.Status) []order.Status {
	if len(all) > 256 {
		panic("audit: too many statuses for a byte")
	}
	return all
}

// numberOf is the index of a status in statuses.
func numberOf(s order.Status) uint8 {
	if i := slices.Index(statuses, s); i > 0 {
		return uint8(i)
	}
	return uint8(len(statuses) - 1)
}

// status is that of the order's newest state, or "" without a state.
func (e *entry) status() order.Status { return statuses[e.number] }

// void is what a void record says.
type void uint8

const (
	notVoid void = iota
	voidDuplicate
	voidUndecodable
	voidOther // a reason that comes with a state: cancelled, discarded
)

func newTable(origin order.Origin, orders string, seed maphash.Seed) *table {
	return &table{
		origin: origin, orders: orders, seed: seed, next: map[string]int64{}, start: -1,
		pages: map[int64]*[pageSize]entry{}, deadLetters: map[int64]int64{}, copies: map[int64]document{}, doubts: map[int64]doubt{},
		refunds: map[int64]refund{}, blocked: map[Batch]bool{}, skipped: map[Batch]bool{}, erased: map[uint64]bool{},
	}
}

// at returns the entry of an offset of orders, and makes it.
func (t *table) at(offset int64) *entry {
	p := t.pages[offset/pageSize]
	if p == nil {
		p = new([pageSize]entry)
		t.pages[offset/pageSize] = p
	}
	return &p[offset%pageSize]
}

// belongs notes which order an offset is said to be of.
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

// issued reports whether an offset has a document, or had one that was deleted.
func (t *table) issued(e *entry) bool { return e.kept != 0 || t.deleted(e) }

// deleted reports whether the document that a state points at was deleted from its topic.
func (t *table) deleted(e *entry) bool { return e.pointerAt != 0 && e.pointerAt <= t.invoicesFrom }

// placed takes a record of orders.
func (t *table) placed(r *kgo.Record) error {
	if t.start < 0 {
		t.start, t.oldest = r.Offset, r.Timestamp
	}
	e := t.at(r.Offset)
	e.facts |= hasRecord
	t.belongs(e, r.Key)
	if t.invoicesFrom > 0 && e.void == notVoid {
		// The void record that says so may have been deleted.
		if _, err := wire.ReadOrder(r); errors.Is(err, wire.ErrUndecodable) {
			e.void = voidUndecodable
		}
	}
	if wire.Type(r) == wire.TypeRefund {
		o, _ := wire.ReadOrder(r) // what is no order is no refund
		t.refund(r.Offset, o)
	}
	return nil
}

// settle takes the end of orders as the horizon if no record of it is left.
func (t *table) settle(end int64) {
	if t.start < 0 {
		t.start = end
	}
}

// state takes a record of orders.status. Of most states that are not an end the headers will do.
func (t *table) state(r *kgo.Record) error {
	head, verdict, err := t.fold.Apply(r)
	if err != nil {
		t.unreadable++
		return nil
	}
	if verdict == status.Void {
		t.void++
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
	// A state goes on with the order as it was placed.
	if e.facts&isRefund == 0 && trail.Number == t.place(head.Origin).CreditNoteNumber() {
		s, _ := wire.ReadState(r)
		t.refund(head.Origin, s.Order)
	}
	if trail.Number != "" && trail.Number != t.number(head.Origin) {
		e.facts |= claimedTwice
	}
	t.follow(e, trail)
	delete(t.doubts, head.Origin)
	if trail.Uncertain > 0 {
		t.doubts[head.Origin] = doubt{order.ID(r.Key), trail.Uncertain}
	}
	return nil
}

// straight reports whether a state is one of the two that an order goes through at its first attempt: nobody needs what
// they point at, and nothing has gone wrong before them.
func straight(h wire.Head) bool {
	return h.Status == order.Working && h.Rev == 1 || h.Status == order.Mailing && h.Rev == 2
}

// follow notes what a state points at.
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

// invoice takes a record of orders.invoices. Of a document only its hash is kept.
func (t *table) invoice(r *kgo.Record) error {
	kind := wire.Type(r)
	offset, ok := origin(r)
	if !ok || kind != wire.TypeInvoice && kind != wire.TypeVoid {
		t.unreadable++
		return nil
	}
	if _, several := wire.Last(r); several {
		return nil // it goes with a batch that is skipped
	}
	e := t.at(offset)
	// Why an offset has no document is said under its invoice number, whatever stands there.
	if number := string(r.Key); number != t.number(offset) && (kind != wire.TypeVoid || number != t.place(offset).InvoiceNumber()) {
		e.facts |= claimedTwice
	}
	if kind == wire.TypeVoid {
		e.void = voided(wire.Header(r, "reason"))
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

// keep notes an invoice. A second one with the same bytes is what a worker leaves that stopped between keeping it and saying so.
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

// origin reads the header that says which offset of orders a record is about.
func origin(r *kgo.Record) (int64, bool) {
	offset, err := strconv.ParseInt(wire.Header(r, "origin"), 10, 64)
	return offset, err == nil && offset >= 0
}

func voided(reason string) void {
	switch failure.Reason(reason) {
	case failure.Duplicate:
		return voidDuplicate
	case failure.Undecodable, failure.WrongPartition: // an order that does not count where it stands is none there
		return voidUndecodable
	default:
		return voidOther
	}
}

// deadLetter takes a record of the dead-letter topic. Those of other applications, and about other
// topics, are not ours to judge.
func (t *table) deadLetter(r *kgo.Record) error {
	if s, ok := kafka.ReadSkip(r); ok {
		// Other topics may have been created again without orders: what is said of them is never held against anybody.
		if s.Topic != t.orders || s.Of(t.origin.Incarnation) {
			t.skipped[Batch{s.Topic, s.Partition, s.From, s.To, s.Reason}] = true
		}
		return nil
	}
	l, err := dlq.Read(r)
	if err != nil || l.Topic != t.orders || l.Origin.Partition != r.Partition {
		t.foreign++
		return nil
	}
	e := t.at(l.Origin.Offset)
	t.belongs(e, r.Key)
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

// members lists everything that is known of, the offsets of each order together.
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
