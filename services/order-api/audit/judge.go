package audit

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"

	"example.com/orders/shared/order"
)

// judgement is one round for one partition number.
type judgement struct {
	*table
	v     verdict
	round uint8
}

// judge decides for each offset what has become of it. A fault counts if the round before suspected
// it, too.
func (t *table) judge(b bounds, round uint8) verdict {
	// An unreadable batch at the start of the log is not deleted.
	for b, ok := t.hole(t.start - 1); ok; b, ok = t.hole(t.start - 1) {
		t.start = b.From
	}
	j := &judgement{table: t, round: round, v: verdict{
		start: t.start, end: b.ends[t.orders], committed: b.committed[t.orders], oldest: t.oldest,
		stale: t.stale, foreign: t.foreign, unreadable: t.unreadable, repeated: t.repeated, blocked: t.blocked, skipped: t.skipped,
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
	// Name the oldest faults.
	slices.SortFunc(all, func(a, b member) int { return cmp.Compare(a.offset, b.offset) })
	j.dropped(all)
	j.countSkipped(all)
	for _, m := range all {
		j.confirm(m.offset, j.at(m.offset))
	}
	j.v.dismissed = j.dismissed
	for _, at := range slices.Sorted(maps.Keys(t.uncertain)) {
		j.v.uncertain = append(j.v.uncertain, t.uncertain[at])
	}
	return j.v
}

// order judges the offsets with the same order ID: one of them is the order, the others are
// duplicates.
func (j *judgement) order(offsets []member) {
	main := j.main(offsets)
	for i, m := range offsets {
		e := j.at(m.offset)
		e.wrong = j.contradictions(m.offset, e) | j.promised(m.offset, e)
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

// stands reports whether there is, or was, an order at an offset.
func (j *judgement) stands(offset int64, e *entry) bool {
	_, hole := j.hole(offset)
	return offset < j.start || e.facts&hasRecord != 0 || hole
}

// hole returns the unreadable batch that contains an offset of orders; false if there is none.
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

// countSkipped counts the offsets of skipped batches without any traces as undecodable.
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

// main returns the index of the offset that is the order: the one with a state, else the first
// without a void record. If all have void records as duplicates, the first of them is the order,
// and lost. -1 means that no record with the ID is an order.
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

// inFlight reports whether a worker will still read a record of the order.
func (j *judgement) inFlight(offset int64, e *entry) bool {
	return e.facts&hasRecord != 0 && offset >= j.v.committed || e.carried == j.round
}

// tally returns the tally that counts an offset.
func (j *judgement) tally(offset int64) *Tally {
	if offset >= j.start {
		return &j.v.orders
	}
	return &j.v.older
}

// place counts an order in its place, and returns what is missing there.
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
		return wrong // its other records may be erased, too
	}
	return wrong | j.missing(e, inFlight)
}

// find returns the counter of the place that an order is in.
func (j *judgement) find(offset int64, e *entry, tally *Tally, inFlight bool) (place *int64, wrong kinds) {
	deadLetter, exists := j.deadLetters[e.deadLetterAt-1]
	switch {
	case j.erased[e.key]:
		return &tally.Erased, 0
	case e.status() == order.Confirmed:
		return &tally.Confirmed, 0
	case e.status() == order.Cancelled:
		return &tally.Cancelled, 0
	case e.status() == order.Dead && exists && deadLetter == offset:
		return &tally.Dead, 0
	case e.status() == order.Dead && e.deadLetterAt != 0 && e.deadLetterAt <= j.deadLettersFrom:
		j.v.deadLettersGone++ // a replay uses the state
		return &tally.Dead, 0
	case e.status() == order.Dead:
		return &tally.Lost, noDeadLetter
	case inFlight:
		return &tally.InFlight, 0
	case e.facts&hasDeadLetter != 0:
		return &tally.Dead, noDeath // an operator can find its dead letter
	case e.status() == "":
		return &tally.Lost, lost
	default:
		return &tally.Lost, stuck
	}
}

// missing returns which records of a final order are missing.
func (j *judgement) missing(e *entry, inFlight bool) kinds {
	switch {
	case e.status() == order.Confirmed && e.pointerAt == 0:
		return noInvoice
	case e.status() == order.Cancelled && e.void == notVoid && e.kept == 0 && !inFlight:
		return j.noVoid()
	// A dead letter of a dead order belongs to a state that is written after it. A confirmed order
	// can have one that was written by a worker after it had lost the partition.
	case e.status() == order.Dead && e.deadLetterRev > e.rev && !inFlight:
		return noDeath
	}
	return 0
}

// noVoid is the fault noVoid, unless records were deleted from the topic of the invoices.
func (j *judgement) noVoid() kinds {
	if j.invoicesFrom > 0 {
		return 0
	}
	return noVoid
}

// repeat counts an offset that is not the order with its ID.
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

// contradictions returns the faults that do not depend on the place of the order.
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

// pointer compares the pointer in a state with the invoice.
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

// dropped judges offsets below the horizon without any traces. Below the committed offset they are
// untraced: the loss of a backlog may have been accepted (--accept-loss). Above it, the log was
// deleted before a worker had processed it.
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
		j.v.fault(passedOver, split, n)
	case n > 0:
		j.v.fresh++
	case j.passed:
		j.dismissed++
	}
	j.passed = n > 0
}

// confirm counts the faults that the round before suspected, too.
func (j *judgement) confirm(offset int64, e *entry) {
	j.v.fresh += bits.OnesCount32(uint32(e.wrong &^ e.suspected))
	j.dismissed += bits.OnesCount32(uint32(e.suspected &^ e.wrong))
	j.v.fault(e.wrong&e.suspected, offset, 1)
	e.suspected = e.wrong
}
