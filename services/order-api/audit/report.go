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

// Report is what an audit found. Its JSON is for machines, Write is for people.
type Report struct {
	Prefix string    `json:"prefix"`
	Group  string    `json:"group"`
	Began  time.Time `json:"began"`

	Orders Tally `json:"orders"` // whose records still stand in the topic
	Older  Tally `json:"older"`  // known by what was written about them

	Horizon   time.Time `json:"horizon"`   // when the oldest record still in orders was appended; zero if there is none
	Untraced  int64     `json:"untraced"`  // offsets older than that which nothing is known of
	Committed bool      `json:"committed"` // the group has committed something

	// Counted, and no fault: the promises are kept in spite of them, or do not cover them.
	VoidStates      int64 `json:"void_states"`       // written by workers that had lost their partition
	Repeated        int64 `json:"repeated"`          // invoices that were kept again with the same bytes
	DeadLettersGone int64 `json:"dead_letters_gone"` // dead letters of dead orders, or of what is no order, that were deleted from their topic
	Foreign         int64 `json:"foreign"`           // dead letters of other applications
	Unreadable      int64 `json:"unreadable"`        // records that are none of ours, in topics of ours
	Dismissed       int   `json:"dismissed"`         // suspicions that reading on did not confirm
	Unsettled       int   `json:"unsettled"`         // suspicions that came up last: another run confirms them or does not

	Uncertain Uncertain `json:"uncertain"` // counted too, and no fault

	Unread     []Unread    `json:"unread,omitempty"`  // what was not audited
	Skipped    []Batch     `json:"skipped,omitempty"` // batches that cannot be read, and are skipped by an operator's word
	Blocked    []Batch     `json:"blocked,omitempty"` // batches that cannot be read, and block their partition
	Faults     []Fault     `json:"faults"`            // one of each kind that was found
	Partitions []Partition `json:"partitions"`
}

// Batch is a batch of a topic that cannot be read.
type Batch struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"` // behind the last offset
	Reason    string `json:"reason"`
}

// Unread is a partition number that was not audited, and counted nowhere.
type Unread struct {
	Partition int32  `json:"partition"`
	Reason    string `json:"reason"`
}

// Uncertain are the mails that were sent again although they may have gone out: nobody lived to say so.
type Uncertain struct {
	Mails  int64      `json:"mails"`
	Orders int64      `json:"orders"`
	IDs    []order.ID `json:"ids"` // of these orders, at most maxUncertain
}

// Tally counts orders by the place where they are: Accepted is the sum of Confirmed, Cancelled, Discarded, Dead, Erased, InFlight and Lost.
type Tally struct {
	Accepted  int64 `json:"accepted"`
	Confirmed int64 `json:"confirmed"`
	Cancelled int64 `json:"cancelled"`
	Discarded int64 `json:"discarded"`
	Dead      int64 `json:"dead"`   // with a dead letter
	Erased    int64 `json:"erased"` // on purpose, by a tombstone in orders.status
	InFlight  int64 `json:"in_flight"`
	Retrying  int64 `json:"retrying"` // of those in flight
	Waiting   int64 `json:"waiting"`  // of those in flight
	Lost      int64 `json:"lost"`     // in no place at all

	Refunds     int64 `json:"refunds"`     // of those accepted, wherever they are
	Duplicates  int64 `json:"duplicates"`  // later records of an order
	Undecodable int64 `json:"undecodable"` // records that are no order
}

func (t *Tally) add(o Tally) {
	for _, row := range []struct {
		sum *int64
		n   int64
	}{
		{&t.Accepted, o.Accepted},
		{&t.Confirmed, o.Confirmed},
		{&t.Cancelled, o.Cancelled},
		{&t.Discarded, o.Discarded},
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

// Fault is a kind of broken promise, with how often it was found and the first places.
type Fault struct {
	Kind  string  `json:"kind"`
	Count int64   `json:"count"`
	Where []Place `json:"where"`
}

// Place is an offset of the topic orders.
type Place struct {
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Order     order.ID `json:"order,omitempty"` // or empty: the record is gone
}

// Partition is how far the worker group has come in a partition of orders.
type Partition struct {
	Start     int64 `json:"start"`     // of what is left of the log
	Committed int64 `json:"committed"` // negative if nothing is
	End       int64 `json:"end"`
}

// kinds is a set of kinds of fault, a bit each.
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
)

// index is the place of the lowest of the kinds in meanings.
func (k kinds) index() int { return bits.TrailingZeros32(uint32(k)) }

// meanings names the kinds of fault, in the order of their bits, and says what is wrong with an offset that has it.
var meanings = [...]struct{ name, meaning string }{
	{"lost", "committed as finished, and nothing says what became of it"},
	{"stuck", "begun and not finished, and no worker will come across it again"},
	{"passed-over", "from this offset on: dropped by the log before the group had committed it"},
	{"no-dead-letter", "dead or undecodable, and its dead letter is not there"},
	{"no-death", "its dead letter is there, and the state that goes with it is not"},
	{"no-invoice", "the invoice that its state must point at is not there"},
	{"no-void", "will never have an invoice, and no void record says why"},
	{"unequal-hash", "its invoice has not the SHA-256 that its state, or the invoice's own header, says"},
	{"number-twice", "its number was used twice, or is not of its kind"},
	{"order-twice", "worked on, although its ID stands for an order at another offset"},
	{"two-places", "has a void record, and was worked on nevertheless"},
	{"unplaced", "something was written about it, and no order stands there"},
	{"no-original", "a refund, and the invoice that it names was not issued for its order, or not over that much"},
	{"over-refunded", "with its credit note more is given back than was invoiced"},
	{"refund-gap", "a refund, and the one before it of the same order is not there"},
	{"invoice-gone", "its invoice was issued, and deleted from its topic since"},
	{"two-partitions", "worked on, and its ID was worked on in another partition too"},
}

// OK reports whether every promise that the audit can judge was kept, and everything could be read.
func (r *Report) OK() bool { return len(r.Faults)+len(r.Unread)+len(r.Blocked) == 0 }

// add takes the verdict on a partition number into the report, but for its faults.
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
	r.VoidStates += v.void
	for _, d := range v.doubts {
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

// named lists the faults of all partition numbers, by kind.
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

// Write prints the report for people.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "audit of %s, worked on by group %s, at %s\n\n", r.Prefix, r.Group, r.Began.Format(time.RFC3339))
	if !r.Committed {
		fmt.Fprintf(&b, "Group %s has committed nothing: every order that has not ended counts as in flight.\n\n", r.Group)
	}
	fmt.Fprintf(&b, "%-24s %12s %12s\n", "orders", "in the topic", "older")
	for _, row := range []struct {
		label string
		count func(Tally) int64
	}{
		{"accepted", func(t Tally) int64 { return t.Accepted }},
		{"  confirmed", func(t Tally) int64 { return t.Confirmed }},
		{"  cancelled", func(t Tally) int64 { return t.Cancelled }},
		{"  discarded", func(t Tally) int64 { return t.Discarded }},
		{"  dead, with dead letter", func(t Tally) int64 { return t.Dead }},
		{"  erased", func(t Tally) int64 { return t.Erased }},
		{"  in flight", func(t Tally) int64 { return t.InFlight }},
		{"    retrying", func(t Tally) int64 { return t.Retrying }},
		{"    waiting", func(t Tally) int64 { return t.Waiting }},
		{"  lost", func(t Tally) int64 { return t.Lost }},
		{"refunds among them", func(t Tally) int64 { return t.Refunds }},
		{"repeats of them", func(t Tally) int64 { return t.Duplicates }},
		{"no order at all", func(t Tally) int64 { return t.Undecodable }},
	} {
		fmt.Fprintf(&b, "%-24s %12d %12d\n", row.label, row.count(r.Orders), row.count(r.Older))
	}
	r.writeHorizon(&b)
	r.writeNotes(&b)
	r.writeFaults(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeHorizon says how far back there is proof of what was accepted.
func (r *Report) writeHorizon(b *strings.Builder) {
	var dropped int64
	for _, p := range r.Partitions {
		dropped += p.Start
	}
	from := "no record is left"
	if !r.Horizon.IsZero() {
		from = "its oldest record is of " + r.Horizon.Format(time.RFC3339)
	}
	if dropped == 0 {
		fmt.Fprintf(b, "\nhorizon: %s holds everything since its beginning; %s\n", r.Prefix, from)
		return
	}
	fmt.Fprintf(b, "\nhorizon: %s has dropped %d records; %s; of %d nothing is known\n", r.Prefix, dropped, from, r.Untraced)
}

// writeNotes prints what is counted and is no fault. The first two are always of interest.
func (r *Report) writeNotes(b *strings.Builder) {
	for i, row := range []struct {
		n       int64
		meaning string
	}{
		{r.VoidStates, "void states: written by workers that had lost their partition"},
		{r.Uncertain.Mails, fmt.Sprintf("uncertain mails, of %d orders: may have gone out twice", r.Uncertain.Orders)},
		{r.Repeated, "invoices kept again with the same bytes"},
		{r.DeadLettersGone, "dead letters deleted from the topic: a replay takes their orders as they stand"},
		{r.Foreign, "dead letters of other applications"},
		{r.Unreadable, "unreadable records beside those in " + r.Prefix},
		{int64(r.Dismissed), "suspicions that reading on did not confirm"},
		{int64(r.Unsettled), "suspicions that are not settled: run it again"},
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
		fmt.Fprintf(b, "run it again when the %d partitions that are not audited have leaders\n", len(r.Unread))
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
