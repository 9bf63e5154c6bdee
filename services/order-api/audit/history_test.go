package audit_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
)

// worker writes what a correct worker writes to one partition, record by record, through takeovers,
// retries, waits, replays and commits.
type worker struct {
	*clerk
	trips     []*trip              // by offset
	shop      *[]*trip             // orders of all partitions
	errands   map[string][]*errand // by topic and offset
	left      []*errand            // that a crash left behind: workers ignore it
	committed map[string]int64
}

// trip is the progress of an order.
type trip struct {
	*paper
	kind        string // order, poison or repeat
	of          *trip  // that it repeats
	plan        []string
	last        string // what was written last
	finished    bool   // as it was placed
	resting     bool   // parked, and not due
	deadLetters int
	next        *errand // written, and its state is not; or nil
	asked       *errand // that is not answered yet, or nil
}

// errand is a record in another topic that continues a trip.
type errand struct {
	of       *trip
	topic    string
	offset   int64
	act      int
	answered bool
}

// plans are the possible histories of an order.
func plans() [][]string {
	return [][]string{
		{"working", "invoice", "mailing", "confirmed"},
		{"dead letter", "dead"},
		{"cancelled", "call off"},
		{"retry.10s", "retrying", "cancelled", "call off"},
		{"working", "dead letter", "dead"},
		{"working", "invoice", "mailing", "dead letter", "dead"},
		{"retry.10s", "retrying", "working", "invoice", "mailing", "confirmed"},
		{"working", "retry.10s", "retrying", "retry.2m", "retrying", "dead letter", "dead"},
		{"working", "invoice", "waiting.", "waiting", "mailing", "confirmed"},
		{"working", "invoice", "mailing", "retry.2m", "retrying", "mailing", "waiting.", "waiting", "mailing", "confirmed"},
	}
}

// pens are the topics of parked orders, as plans name them.
func (w *worker) pens() map[string]string {
	return map[string]string{"retry.10s": w.topics.Retry10s, "retry.2m": w.topics.Retry2m, "waiting.": w.topics.Waiting}
}

// step performs the step with a number.
func (w *worker) step(n int) {
	kind, n := n%16, n/16
	switch kind {
	case 0, 1:
		tr := &trip{paper: w.place(nil), kind: "order", plan: plans()[n%len(plans())]}
		w.trips, *w.shop = append(w.trips, tr), append(*w.shop, tr)
	case 2:
		w.trips = append(w.trips, &trip{paper: w.poison(""), kind: "poison", plan: []string{"dead letter", "void"}})
	case 3:
		if of := choose(w.trips, n, func(tr *trip) bool { return tr.kind == "order" }); of != nil {
			w.trips = append(w.trips, &trip{paper: w.place(of.paper), kind: "repeat", of: of, plan: []string{"repeat"}})
		}
	case 4:
		w.takeOver(n)
	case 5:
		if tr := choose(w.trips, n, func(tr *trip) bool { return tr.state > 0 }); tr != nil && len(w.claims) > 1 {
			w.haunt(tr.paper)
			w.late(tr, n)
			w.repair(tr.paper)
		}
	case 6:
		w.commits()
	case 7:
		w.requestReplay(n)
	case 8:
		for _, e := range w.left {
			e.answered = true
		}
		w.left = nil
	case 9:
		if tr := choose(w.trips, n, func(tr *trip) bool { return tr.resting }); tr != nil {
			tr.resting = false
		}
	case 10:
		w.giveBack(n)
	default:
		// A duplicate waits in its lane until the order is finished.
		ready := func(tr *trip) bool { return len(tr.plan) > 0 && !tr.resting && (tr.of == nil || tr.of.finished) }
		if tr := choose(w.trips, n, ready); tr != nil {
			w.advance(tr)
		}
	}
}

// giveBack refunds an order of any partition, in two parts or at once.
func (w *worker) giveBack(n int) {
	of := choose(*w.shop, n, func(tr *trip) bool { return tr.Status == order.Confirmed && len(tr.refunds) <= n%2 })
	if of == nil {
		return
	}
	if p := w.refund(of.paper, []order.Line{piece}[:n/2%2]...); p != nil {
		w.trips = append(w.trips, &trip{paper: p, kind: "order", plan: plans()[n/4%len(plans())]})
	}
}

func choose(trips []*trip, n int, fits func(*trip) bool) *trip {
	var all []*trip
	for _, tr := range trips {
		if fits(tr) {
			all = append(all, tr)
		}
	}
	if len(all) == 0 {
		return nil
	}
	// Few are in flight at once, the oldest first: so an order is processed completely between two
	// requests of an audit.
	return all[n%min(len(all), 2)]
}

// advance writes the next record of a trip.
func (w *worker) advance(tr *trip) {
	tr.last, tr.plan = tr.plan[0], tr.plan[1:]
	switch pen := w.pens()[tr.last]; {
	case pen != "":
		tr.next = w.errand(tr, pen, len(w.acts), w.carry(tr.paper, pen))
		return
	case tr.last == "invoice":
		w.keep(tr.paper, "%PDF "+tr.Progress.Invoice.Number)()
	case tr.last == "dead letter":
		tr.deadLetters++
		w.deadLetter(tr.paper)
	case tr.last == "void":
		w.void(tr.paper, failure.Undecodable)
	case tr.last == "call off":
		w.void(tr.paper, failure.Cancelled)
	case tr.last == "repeat":
		w.void(tr.paper, failure.Duplicate)
	default:
		w.write(tr.paper, order.Status(tr.last))
	}
	if len(tr.plan) > 0 && tr.next == nil {
		return
	}
	tr.finished = true
	if tr.asked != nil {
		tr.asked.answered = true
	}
	tr.asked, tr.next = tr.next, nil
	tr.resting = tr.asked != nil
}

func (w *worker) errand(tr *trip, topic string, act int, offset int64) *errand {
	e := &errand{of: tr, topic: topic, offset: offset, act: act}
	w.errands[topic] = append(w.errands[topic], e)
	return e
}

// takeOver is a new owner that continues every order after its last record. It ignores a dead
// letter or a retry record without a state: the order may fail again or not.
func (w *worker) takeOver(n int) {
	w.claim()
	for _, tr := range w.trips {
		if tr.last != "dead letter" && tr.next == nil || len(tr.plan) == 0 {
			continue
		}
		if tr.next != nil {
			w.left, tr.next = append(w.left, tr.next), nil
		}
		if n++; n%2 == 0 || tr.kind == "poison" {
			tr.plan = append([]string{tr.last}, tr.plan...)
		} else {
			tr.plan = w.rest(tr)
		}
		tr.last = ""
	}
}

// late is a record that an earlier owner sent before it lost the partition and that arrives now:
// the dead letter or the invoice of an order that the new owner is processing, or has finished.
func (w *worker) late(tr *trip, n int) {
	switch {
	case tr.finished && tr.asked == nil && tr.Status != order.Confirmed:
	case n%2 == 0:
		w.append(w.topics.DLQ, w.partition, w.asDeadLetter(tr.paper).Record())
	case tr.Progress.Invoice != nil:
		w.keep(tr.paper, "%PDF "+tr.Progress.Invoice.Number)
	}
}

// rest is the number of records until an order is confirmed.
func (w *worker) rest(tr *trip) []string {
	switch i := tr.Progress.Invoice; {
	case i == nil:
		return plans()[0]
	case i.Kept == nil:
		return plans()[0][1:]
	default:
		return plans()[0][2:]
	}
}

// requestReplay is an operator who replays a dead letter.
func (w *worker) requestReplay(n int) {
	dead := func(tr *trip) bool {
		return tr.finished && tr.asked == nil && (tr.kind == "poison" || tr.Status == order.Dead)
	}
	newest := slices.Clone(w.trips)
	slices.Reverse(newest)
	tr := choose(newest, n, dead)
	if tr == nil {
		return
	}
	tr.asked = w.errand(tr, w.topics.Replay, len(w.acts), w.replay(tr.paper))
	switch {
	case tr.kind == "poison":
		tr.plan = []string{"dead letter"}
	case n%3 == 0:
		tr.plan = []string{"dead letter", "dead"}
	case n%3 == 1:
		tr.plan = append([]string{"retry.10s", "retrying"}, w.rest(tr)...)
	default:
		tr.plan = w.rest(tr)
	}
}

// commits commits the offset of the oldest unfinished record of each topic.
func (w *worker) commits() {
	offset := int64(len(w.trips))
	for _, tr := range slices.Backward(w.trips) {
		if !tr.finished {
			offset = tr.Origin.Offset
		}
	}
	w.committed[w.topics.Orders] = offset
	for topic, errands := range w.errands {
		w.committed[topic] = int64(len(errands))
		for _, e := range slices.Backward(errands) {
			if !e.answered {
				w.committed[topic] = e.offset
			}
		}
	}
	for _, topic := range w.sources() {
		w.commit(topic, w.committed[topic])
	}
}

// settled reports whether all records of a trip are committed, except the one that it waits in.
func (w *worker) settled(tr *trip) bool {
	settled := tr.finished && tr.Origin.Offset < w.committed[w.topics.Orders]
	for topic, errands := range w.errands {
		for _, e := range errands {
			settled = settled && (e.of != tr || e.offset < w.committed[topic] || e == tr.asked && tr.Status.Parked())
		}
	}
	return settled
}

// sum is the expected tally.
func sum(workers []*worker) (t audit.Tally) {
	var all []*trip
	for _, w := range workers {
		all = append(all, w.trips...)
	}
	for _, tr := range all {
		if tr.kind == "repeat" {
			t.Duplicates++
			continue
		}
		if tr.kind == "poison" && tr.voided > 0 {
			t.Undecodable++
			continue
		}
		t.Accepted++
		if tr.Order.Refund != nil {
			t.Refunds++
		}
		switch tr.Status {
		case order.Confirmed:
			t.Confirmed++
		case order.Cancelled:
			t.Cancelled++
		case order.Dead:
			t.Dead++
		case order.Retrying:
			t.InFlight++
			t.Retrying++
		case order.Waiting:
			t.InFlight++
			t.Waiting++
		default:
			t.InFlight++
		}
	}
	return t
}

// essential are the acts that the audit must miss: the last records of each committed order.
func (w *worker) essential() (acts []int) {
	for _, tr := range w.trips {
		switch {
		case !w.settled(tr):
			continue
		case tr.kind == "poison" && tr.deadLetters == 1:
			acts = append(acts, tr.voided, tr.deadLetter)
		case tr.kind != "order", tr.Status == order.Cancelled:
			acts = append(acts, tr.voided)
		case tr.Status.Parked():
			acts = append(acts, tr.asked.act)
		case tr.Status == order.Confirmed:
			acts = append(acts, tr.kept)
		default:
			acts = append(acts, tr.deadLetter)
		}
		if tr.kind != "order" {
			continue
		}
		if tr.Status != order.Confirmed && tr.kept > 0 {
			acts = append(acts, tr.kept)
		}
		// Without the state of a retry, an order that was replayed is dead as it was.
		if !tr.twice && (tr.deadLetters == 0 || !tr.Status.Parked()) {
			acts = append(acts, tr.state)
		}
	}
	return acts
}

// work plays steps on the topics of a prefix.
func work(b *book, partitions int, steps []int) []*worker {
	var workers []*worker
	var shop []*trip
	for p := range int32(partitions) {
		workers = append(workers, &worker{clerk: newClerk(b, p), shop: &shop, errands: map[string][]*errand{}, committed: map[string]int64{}})
	}
	for _, n := range steps {
		workers[n%len(workers)].step(n / len(workers))
	}
	return workers
}

// TestEveryHistoryOfACorrectWorkerIsOK stops workers at any moment, and in half of the runs
// removes one record.
func TestEveryHistoryOfACorrectWorkerIsOK(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	prefix := 0
	rapid.Check(t, func(t *rapid.T) {
		prefix++
		b := newBook(t, k, fmt.Sprintf("shop%d", prefix))
		workers := work(b, kafkatest.Partitions, rapid.SliceOfN(rapid.IntRange(0, 1<<20), 1, 200).Draw(t, "steps"))
		var essential []int
		for _, w := range workers {
			essential = append(essential, w.essential()...)
		}
		lose := len(essential) > 0 && rapid.Bool().Draw(t, "lose")
		if lose {
			b.lose(rapid.SampledFrom(essential).Draw(t, "lost"))
		}
		b.play(t, k, len(b.acts))
		report, err := audit.Run(k.Client.Context(), k.Config(), b.topics, group)
		if err != nil {
			t.Fatal(err)
		}
		addsUp(t, report)
		if lose {
			if report.OK() {
				t.Fatalf("got no fault, want one for the record that is lost")
			}
			return
		}
		if !report.OK() || report.Dismissed+report.Unsettled > 0 {
			t.Fatalf("got faults %v, %d suspicions dismissed and %d unsettled; want none at all", named(report.Faults), report.Dismissed, report.Unsettled)
		}
		if diff := cmp.Diff(sum(workers), report.Orders); diff != "" {
			t.Fatalf("tally (-want +got):\n%s", diff)
		}
	})
}
