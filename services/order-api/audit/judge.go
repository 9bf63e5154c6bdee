package audit

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"time"

	"example.com/orders/shared/order"
)

// verdict is what a round of reading one partition number comes to.
type verdict struct {
	unread        error // why nothing was read, and all else means nothing; or nil
	orders, older Tally // of what stands in orders, and of what is older than that
	faults        [len(meanings)]found
	fresh         int // suspicions that the round before did not have
	dismissed     int // suspicions of all rounds that the next one did not confirm
	doubts        []doubt

	start, end, committed, untraced     int64
	oldest                              time.Time
	void, foreign, unreadable, repeated int64
	deadLettersGone                     int64
	blocked, skipped                    map[Batch]bool
}

// found is how often a kind of fault was found, and the first offsets.
type found struct {
	count int64
	where []int64
}

func (f *found) add(offset, n int64) {
	f.count += n
	if len(f.where) < maxNamed {
		f.where = append(f.where, offset)
	}
}

// judgement is a round of judging one partition number.
type judgement struct {
	*table
	v     verdict
	round uint8
}

// judge says of each offset what has become of it. Faults are those suspicions that the round before had too.
func (t *table) judge(b bounds, round uint8) verdict {
	// What cannot be read at the start of the log is there all the same.
	for b, ok := t.hole(t.start - 1); ok; b, ok = t.hole(t.start - 1) {
		t.start = b.From
	}
	j := &judgement{table: t, round: round, v: verdict{
		start: t.start, end: b.ends[t.orders], committed: b.committed[t.orders], oldest: t.oldest,
		void: t.void, foreign: t.foreign, unreadable: t.unreadable, repeated: t.repeated, blocked: t.blocked, skipped: t.skipped,
	}}
	all := t.members()
	for rest := all; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].key == rest[0].key && rest[0].key != 0 {
			n++
		}
		j.order(rest[:n])
		rest = rest[n:]
	}
	// Of many faults the oldest are named.
	slices.SortFunc(all, func(a, b member) int { return cmp.Compare(a.offset, b.offset) })
	j.dropped(all)
	j.countSkipped(all)
	for _, m := range all {
		j.confirm(m.offset, j.at(m.offset))
	}
	j.v.dismissed = j.dismissed
	for _, at := range slices.Sorted(maps.Keys(t.doubts)) {
		j.v.doubts = append(j.v.doubts, t.doubts[at])
	}
	return j.v
}

// order judges the offsets that carry one order ID: one of them is the order, the others are repeats of it.
func (j *judgement) order(offsets []member) {
	main := j.main(offsets)
	for i, m := range offsets {
		e := j.at(m.offset)
		e.wrong = j.contradictions(m.offset, e)
		switch {
		case !j.stands(m.offset, e):
			e.wrong |= unplaced
		case i == main:
			e.wrong |= j.place(m.offset, e)
		default:
			e.wrong |= j.repeat(m.offset, e)
		}
	}
}

// stands reports whether an order stands, or stood, at an offset.
func (j *judgement) stands(offset int64, e *entry) bool {
	_, hole := j.hole(offset)
	return offset < j.start || e.facts&hasRecord != 0 || hole
}

// hole is the batch that could not be read and to which an offset of orders belongs; false if there is none.
func (t *table) hole(offset int64) (Batch, bool) {
	for _, some := range []map[Batch]bool{t.blocked, t.skipped} {
		for b := range some {
			if b.Topic == t.orders && b.From <= offset && offset < b.To {
				return b, true
			}
		}
	}
	return Batch{}, false
}

// countSkipped counts the offsets of skipped batches that nothing else is known of: they hold no order.
func (j *judgement) countSkipped(traces []member) {
	for b := range j.skipped {
		if b.Topic != j.orders {
			continue
		}
		j.v.orders.Undecodable += b.To - b.From
		for _, m := range traces {
			if b.From <= m.offset && m.offset < b.To {
				j.v.orders.Undecodable--
			}
		}
	}
}

// main is the index of the offset that is the order: the one with a state, else the first that nothing is said against.
// A repeat without an order that it repeats is the order itself, and lost. -1 is none: no record of the ID is an order.
func (j *judgement) main(offsets []member) int {
	first, repeat := -1, -1
	for i, m := range offsets {
		e := j.at(m.offset)
		switch {
		case !j.stands(m.offset, e):
		case e.status() != "":
			return i
		case e.void == voidDuplicate:
			if repeat < 0 {
				repeat = i
			}
		case e.void != voidUndecodable && first < 0:
			first = i
		}
	}
	if first < 0 {
		return repeat
	}
	return first
}

// inFlight reports whether a worker will come across the order at an offset.
func (j *judgement) inFlight(offset int64, e *entry) bool {
	return e.facts&hasRecord != 0 && offset >= j.v.committed || e.carried == j.round
}

// tally is the one that an offset is counted in.
func (j *judgement) tally(offset int64) *Tally {
	if offset >= j.start {
		return &j.v.orders
	}
	return &j.v.older
}

// place counts an order in the one place where it is, and says what is missing there.
func (j *judgement) place(offset int64, e *entry) kinds {
	tally, inFlight := j.tally(offset), j.inFlight(offset, e)
	place, wrong := j.find(offset, e, tally, inFlight)
	*place++
	tally.Accepted++
	if e.facts&isRefund != 0 {
		tally.Refunds++
	}
	switch {
	case place != &tally.InFlight:
	case e.status() == order.Retrying:
		tally.Retrying++
	case e.status() == order.Waiting:
		tally.Waiting++
	}
	if place == &tally.Erased {
		return wrong // what is left of it proves nothing
	}
	return wrong | j.lacks(e, inFlight)
}

// find says which count of a tally an order belongs to.
func (j *judgement) find(offset int64, e *entry, tally *Tally, inFlight bool) (place *int64, wrong kinds) {
	deadLetter, buried := j.deadLetters[e.deadLetterAt-1]
	switch {
	case j.erased[e.key]:
		return &tally.Erased, 0
	case e.status() == order.Confirmed:
		return &tally.Confirmed, 0
	case e.status() == order.Cancelled:
		return &tally.Cancelled, 0
	case e.status() == order.Discarded:
		return &tally.Discarded, 0
	case e.status() == order.Dead && buried && deadLetter == offset:
		return &tally.Dead, 0
	case e.status() == order.Dead && e.deadLetterAt != 0 && e.deadLetterAt <= j.deadLettersFrom:
		j.v.deadLettersGone++ // its state is where a replay takes it from
		return &tally.Dead, 0
	case e.status() == order.Dead:
		return &tally.Lost, noDeadLetter
	case inFlight:
		return &tally.InFlight, 0
	case e.facts&hasDeadLetter != 0:
		return &tally.Dead, noDeath // its dead letter is where an operator finds it
	case e.status() == "":
		return &tally.Lost, lost
	default:
		return &tally.Lost, stuck
	}
}

// lacks says what an order that has ended should have left.
func (j *judgement) lacks(e *entry, inFlight bool) kinds {
	switch {
	case e.status() == order.Confirmed && e.pointerAt == 0:
		return noInvoice
	case (e.status() == order.Cancelled || e.status() == order.Discarded) && e.void == notVoid && e.kept == 0 && !inFlight:
		return j.noVoid()
	// Each dead letter of a dead order goes with a state that is written after it. One of an order
	// that went well came from a worker that had lost the partition.
	case e.status() == order.Dead && e.deadLetterRev > e.rev && !inFlight:
		return noDeath
	}
	return 0
}

// noVoid is that fault, unless the void record may be one of those that were deleted from its topic.
func (j *judgement) noVoid() kinds {
	if j.invoicesFrom > 0 {
		return 0
	}
	return noVoid
}

// repeat counts an offset that is not the order which its ID names.
func (j *judgement) repeat(offset int64, e *entry) kinds {
	tally := j.tally(offset)
	if e.void == voidUndecodable && e.status() == "" {
		tally.Undecodable++
		switch {
		case e.facts&hasDeadLetter != 0:
		case j.deadLettersFrom > 0:
			j.v.deadLettersGone++
		default:
			return noDeadLetter
		}
		return 0
	}
	tally.Duplicates++
	if e.status() != "" {
		return twice
	}
	if e.void == notVoid && !j.inFlight(offset, e) {
		return j.noVoid()
	}
	return 0
}

// contradictions are wrong wherever the order is.
func (j *judgement) contradictions(offset int64, e *entry) (wrong kinds) {
	if e.facts&(claimedTwice|keptUnlike) != 0 {
		wrong |= numberTwice
	}
	if e.facts&hashedWrong != 0 {
		wrong |= unequal
	}
	if e.pointerAt != 0 {
		wrong |= j.pointer(offset, e)
	}
	if e.void == voidDuplicate && (e.status() != "" || e.kept != 0) || e.void == voidOther && e.status() == order.Confirmed {
		wrong |= twoPlaces
	}
	return wrong
}

// pointer follows the pointer of a state to its invoice.
func (j *judgement) pointer(offset int64, e *entry) kinds {
	if j.deleted(e) {
		return invoiceGone
	}
	at := document{offset, e.document}
	if e.pointerAt != e.kept {
		at = j.copies[e.pointerAt-1]
		if at == (document{}) || at.origin != offset {
			return noInvoice
		}
	}
	if at.hash != e.pointer {
		return unequal
	}
	return 0
}

// dropped judges the offsets below the horizon that left no trace. Below the committed offset they prove nothing: the
// loss of a backlog may have been accepted. At or above it, the log has dropped what nobody had worked on.
func (j *judgement) dropped(traces []member) {
	split := j.start
	if j.v.committed >= 0 {
		split = min(split, j.v.committed)
	}
	j.v.untraced = split
	n := j.start - split
	for _, m := range traces {
		if m.offset < split {
			j.v.untraced--
		} else if m.offset < j.start {
			n--
		}
	}
	j.v.older.Accepted += n
	j.v.older.Lost += n
	switch {
	case n > 0 && j.passed:
		j.v.faults[passedOver.index()].add(split, n)
	case n > 0:
		j.v.fresh++
	case j.passed:
		j.dismissed++
	}
	j.passed = n > 0
}

// confirm turns what is wrong into faults if the round before found it too.
func (j *judgement) confirm(offset int64, e *entry) {
	j.v.fresh += bits.OnesCount32(uint32(e.wrong &^ e.suspected))
	j.dismissed += bits.OnesCount32(uint32(e.suspected &^ e.wrong))
	for named := e.wrong & e.suspected; named != 0; named &= named - 1 {
		j.v.faults[named.index()].add(offset, 1)
	}
	e.suspected = e.wrong
}
