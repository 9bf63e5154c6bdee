package audit

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"example.com/orders/shared/order"
)

// Report is the result of an audit.
type Report struct {
	Prefix string    `json:"prefix"`
	Group  string    `json:"group"`
	Began  time.Time `json:"began"`

	Orders Tally `json:"orders"` // orders whose records are in the topic
	Older  Tally `json:"older"`  // older orders, known by their other records

	Horizon   time.Time `json:"horizon"`   // time of the oldest record in orders; zero if there is none
	Untraced  int64     `json:"untraced"`  // older offsets without any traces
	Committed bool      `json:"committed"` // the group has committed offsets

	// Counts of events that break no promise.
	StaleStates     int64     `json:"stale_states"`      // written by workers after they had lost the partition
	Repeated        int64     `json:"repeated"`          // invoices that were stored again with the same bytes
	DeadLettersGone int64     `json:"dead_letters_gone"` // dead letters that were deleted from their topic
	Foreign         int64     `json:"foreign"`           // dead letters of other applications
	Unreadable      int64     `json:"unreadable"`        // records of other programs in other topics than orders
	Dismissed       int       `json:"dismissed"`         // suspected faults that the next round did not confirm
	Unsettled       int       `json:"unsettled"`         // suspected faults of the last round: run the audit again
	Uncertain       Uncertain `json:"uncertain"`

	Unread     []Unread    `json:"unread,omitempty"`  // partitions that were not audited
	Skipped    []Batch     `json:"skipped,omitempty"` // unreadable batches that an operator has skipped
	Blocked    []Batch     `json:"blocked,omitempty"` // unreadable batches that block their partition
	Faults     []Fault     `json:"faults"`            // one for each kind that was found
	Partitions []Partition `json:"partitions"`
}

// Batch is an unreadable batch of a topic.
type Batch struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"` // offset after the batch
	Reason    string `json:"reason"`
}

// Unread is a partition number that was not audited. No tally includes it.
type Unread struct {
	Partition int32  `json:"partition"`
	Reason    string `json:"reason"`
}

// Uncertain counts mails that were sent again because the outcome of the first attempt was unknown,
// as after a crash.
type Uncertain struct {
	Mails  int64      `json:"mails"`
	Orders int64      `json:"orders"`
	IDs    []order.ID `json:"ids"` // of the first maxUncertain orders
}

// Tally counts orders by place. Accepted is the sum of Confirmed, Cancelled, Dead, Erased,
// InFlight and Lost.
type Tally struct {
	Accepted  int64 `json:"accepted"`
	Confirmed int64 `json:"confirmed"`
	Cancelled int64 `json:"cancelled"`
	Dead      int64 `json:"dead"`   // with a dead letter
	Erased    int64 `json:"erased"` // by a tombstone in orders.status
	InFlight  int64 `json:"in_flight"`
	Retrying  int64 `json:"retrying"` // of those in flight
	Waiting   int64 `json:"waiting"`  // of those in flight
	Lost      int64 `json:"lost"`     // in no place

	Refunds     int64 `json:"refunds"`     // included in Accepted
	Duplicates  int64 `json:"duplicates"`  // further records of an order
	Undecodable int64 `json:"undecodable"` // records that are no orders
}

func (t *Tally) add(o Tally) {
	for _, row := range []struct {
		sum *int64
		n   int64
	}{
		{&t.Accepted, o.Accepted},
		{&t.Confirmed, o.Confirmed},
		{&t.Cancelled, o.Cancelled},
		{&t.Dead, o.Dead},
		{&t.Erased, o.Erased},
		{&t.InFlight, o.InFlight},
		{&t.Retrying, o.Retrying},
		{&t.Waiting, o.Waiting},
		{&t.Lost, o.Lost},
		{&t.Refunds, o.Refunds},
		{&t.Duplicates, o.Duplicates},
		{&t.Undecodable, o.Undecodable},
	} {
		*row.sum += row.n
	}
}

// Fault is a kind of broken promise, with the number of faults and the first places.
type Fault struct {
	Kind  string  `json:"kind"`
	Count int64   `json:"count"`
	Where []Place `json:"where"`
}

// Place is an offset of the topic orders.
type Place struct {
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Order     order.ID `json:"order,omitempty"` // or empty: the order is no longer in the topic
}

// Partition has the offsets of a partition of orders.
type Partition struct {
	Start     int64 `json:"start"`     // of the oldest record
	Committed int64 `json:"committed"` // by the group; negative if it has committed nothing
	End       int64 `json:"end"`
}

// kinds is a set of kinds of fault, with a bit for each.
type kinds uint32

// The kinds of fault.
const (
	lost kinds = 1 << iota
	stuck
	passedOver
	noDeadLetter
	noDeath
	noInvoice
	noVoid
	unequal
	numberTwice
	twice
	twoPlaces
	unplaced
	noOriginal
	overRefunded
	refundGap
	invoiceGone
	twoPartitions
	unanswered
	unasked
	replayTwice
)

// index is the index of the lowest kind in meanings.
func (k kinds) index() int { return bits.TrailingZeros32(uint32(k)) }

// meanings has the name of each kind of fault, in the order of their bits, and what is wrong with
// an order that has it.
var meanings = [...]struct{ name, meaning string }{
	{"lost", "its offset is committed, but it has no result"},
	{"stuck", "its status is not final, but no worker will process it again"},
	{"passed-over", "deleted from the log before the group had committed it, from this offset on"},
	{"no-dead-letter", "dead or undecodable, but its dead letter is missing"},
	{"no-death", "has a dead letter, but the state that belongs to it is missing"},
	{"no-invoice", "the invoice that its state points to is missing"},
	{"no-void", "will never have an invoice, but has no void record with the reason"},
	{"unequal-hash", "the SHA-256 of its invoice differs from that in its state or in the header of the invoice"},
	{"number-twice", "its invoice number was used twice, or is of the wrong kind"},
	{"order-twice", "processed, although its ID belongs to an order at another offset"},
	{"two-places", "processed, although it has a void record"},
	{"unplaced", "other topics have records about it, but there is no order at this offset"},
	{"no-original", "a refund of an invoice that was not issued for its order, or that has another total"},
	{"over-refunded", "a refund with which more is refunded than was invoiced"},
	{"refund-gap", "a refund, but the previous refund of the same order is missing"},
	{"invoice-gone", "its invoice was issued, and later deleted from its topic"},
	{"two-partitions", "processed, although its ID was processed in another partition, too"},
	{"unanswered", "a job asked for its replay, and neither its timeline nor a dead letter has the result"},
	{"unasked", "its timeline names the replay of a job that did not ask for it"},
	{"replay-twice", "a job asked for one replay twice, or one replay was made for two jobs"},
}

// OK reports whether there are no faults, and everything could be read.
func (r *Report) OK() bool { return len(r.Faults)+len(r.Unread)+len(r.Blocked) == 0 }

// add adds the verdict on a partition number to the report, except its faults.
func (r *Report) add(v verdict) {
	if v.unread != nil {
		r.Unread = append(r.Unread, Unread{int32(len(r.Partitions)), v.unread.Error()})
		r.Partitions = append(r.Partitions, Partition{Committed: -1})
		return
	}
	r.Orders.add(v.orders)
	r.Older.add(v.older)
	if !v.oldest.IsZero() && (r.Horizon.IsZero() || v.oldest.Before(r.Horizon)) {
		r.Horizon = v.oldest.UTC()
	}
	r.Untraced += v.untraced
	r.Committed = r.Committed || v.committed >= 0
	r.StaleStates += v.stale
	for _, d := range v.uncertain {
		r.Uncertain.Orders++
		r.Uncertain.Mails += int64(d.mails)
		if len(r.Uncertain.IDs) < maxUncertain {
			r.Uncertain.IDs = append(r.Uncertain.IDs, d.id)
		}
	}
	r.Skipped = append(r.Skipped, sorted(v.skipped)...)
	r.Blocked = append(r.Blocked, sorted(v.blocked)...)
	r.Repeated += v.repeated
	r.DeadLettersGone += v.deadLettersGone
	r.Foreign += v.foreign
	r.Unreadable += v.unreadable
	r.Dismissed += v.dismissed
	r.Unsettled += v.fresh
	r.Partitions = append(r.Partitions, Partition{v.start, v.committed, v.end})
}

func sorted(batches map[Batch]bool) []Batch {
	return slices.SortedFunc(maps.Keys(batches), func(a, b Batch) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.From, b.From))
	})
}

// named returns the faults of all partition numbers, by kind.
func named(verdicts []verdict) []Fault {
	faults := []Fault{}
	for kind, m := range meanings {
		f := Fault{Kind: m.name}
		for number, v := range verdicts {
			f.Count += v.faults[kind].count
			for _, offset := range v.faults[kind].where {
				f.Where = append(f.Where, Place{Partition: int32(number), Offset: offset})
			}
		}
		if f.Count > 0 {
			f.Where = f.Where[:min(maxNamed, len(f.Where))]
			faults = append(faults, f)
		}
	}
	return faults
}

// Write prints the report as text.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "audit of %s, processed by group %s, at %s\n\n", r.Prefix, r.Group, r.Began.Format(time.RFC3339))
	if !r.Committed {
		fmt.Fprintf(&b, "Group %s has committed nothing: every order without a final status counts as in flight.\n\n", r.Group)
	}
	fmt.Fprintf(&b, "%-24s %12s %12s\n", "orders", "in the topic", "older")
	for _, row := range []struct {
		label string
		count func(Tally) int64
	}{
		{"accepted", func(t Tally) int64 { return t.Accepted }},
		{"  confirmed", func(t Tally) int64 { return t.Confirmed }},
		{"  cancelled", func(t Tally) int64 { return t.Cancelled }},
		{"  dead, with dead letter", func(t Tally) int64 { return t.Dead }},
		{"  erased", func(t Tally) int64 { return t.Erased }},
		{"  in flight", func(t Tally) int64 { return t.InFlight }},
		{"    retrying", func(t Tally) int64 { return t.Retrying }},
		{"    waiting", func(t Tally) int64 { return t.Waiting }},
		{"  lost", func(t Tally) int64 { return t.Lost }},
		{"refunds (included)", func(t Tally) int64 { return t.Refunds }},
		{"duplicate records", func(t Tally) int64 { return t.Duplicates }},
		{"undecodable records", func(t Tally) int64 { return t.Undecodable }},
	} {
		fmt.Fprintf(&b, "%-24s %12d %12d\n", row.label, row.count(r.Orders), row.count(r.Older))
	}
	r.writeHorizon(&b)
	r.writeNotes(&b)
	r.writeFaults(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeHorizon prints how far back the topic proves which orders were accepted.
func (r *Report) writeHorizon(b *strings.Builder) {
	var dropped int64
	for _, p := range r.Partitions {
		dropped += p.Start
	}
	from := "it has no records"
	if !r.Horizon.IsZero() {
		from = "its oldest record is from " + r.Horizon.Format(time.RFC3339)
	}
	if dropped == 0 {
		fmt.Fprintf(b, "\nhorizon: %s is complete; %s\n", r.Prefix, from)
		return
	}
	fmt.Fprintf(b, "\nhorizon: %d old records were deleted from %s; %s; nothing is known about %d of the deleted ones\n", dropped, r.Prefix, from, r.Untraced)
}

// writeNotes prints counts that are no faults. The first two are always printed.
func (r *Report) writeNotes(b *strings.Builder) {
	for i, row := range []struct {
		n       int64
		meaning string
	}{
		{r.StaleStates, "stale states, ignored: written by workers after they had lost the partition"},
		{r.Uncertain.Mails, fmt.Sprintf("uncertain mails, of %d orders: the outcome of the first attempt was unknown, so they may have been sent twice", r.Uncertain.Orders)},
		{r.Repeated, "invoices stored again with the same bytes"},
		{r.DeadLettersGone, "dead letters deleted from the topic: a replay uses the current state of the order"},
		{r.Foreign, "dead letters of other applications"},
		{r.Unreadable, "unreadable records in other topics than " + r.Prefix},
		{int64(r.Dismissed), "suspected faults that another round of reading did not confirm"},
		{int64(r.Unsettled), "suspected faults that are not confirmed yet: run the audit again"},
	} {
		if row.n > 0 || i < 2 {
			fmt.Fprintf(b, "%d %s\n", row.n, row.meaning)
		}
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(b, "skipped: offsets %d to %d of %s/%d: %s\n", s.From, s.To-1, s.Topic, s.Partition, s.Reason)
	}
}

func (r *Report) writeFaults(b *strings.Builder) {
	if r.OK() {
		fmt.Fprintf(b, "\nok: every order is in exactly one place\n")
		return
	}
	for _, u := range r.Unread {
		fmt.Fprintf(b, "\npartition %d is not audited: %s\n", u.Partition, u.Reason)
	}
	for _, u := range r.Blocked {
		fmt.Fprintf(b, "\nunreadable: offsets %d to %d of %s/%d block the partition: %s\n", u.From, u.To-1, u.Topic, u.Partition, u.Reason)
		fmt.Fprintf(b, "  to skip them: ordersctl topics skip %s %d %d\n", u.Topic, u.Partition, u.From)
	}
	count := int64(len(r.Blocked))
	for _, f := range r.Faults {
		count += f.Count
		fmt.Fprintf(b, "\n%d %s: %s\n", f.Count, f.Kind, f.meaning())
		for _, at := range f.Where {
			fmt.Fprintf(b, "  %s\n", strings.TrimSpace(fmt.Sprintf("%d-%d %s", at.Partition, at.Offset, at.Order)))
		}
		if more := f.Count - int64(len(f.Where)); more > 0 {
			fmt.Fprintf(b, "  and %d more\n", more)
		}
	}
	fmt.Fprintf(b, "\nnot ok: %d faults\n", count)
	if len(r.Unread) > 0 {
		fmt.Fprintf(b, "run the audit again when the leaders of %d partitions are available\n", len(r.Unread))
	}
}

func (f Fault) meaning() string {
	for _, m := range meanings {
		if m.name == f.Kind {
			return m.meaning
		}
	}
	return ""
}
