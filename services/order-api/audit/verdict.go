package audit

import "time"

// verdict is the result of a round of reading one partition number.
type verdict struct {
	unread        error // why the partition was not read; or nil. If it is set, the other fields are not
	orders, older Tally // of orders whose records are in the topic, and of older ones
	faults        [len(meanings)]found
	fresh         int // suspected faults that are new in this round
	dismissed     int // suspected faults of all rounds that the next round did not confirm
	uncertain     []uncertain

	start, end, committed, untraced      int64
	oldest                               time.Time
	stale, foreign, unreadable, repeated int64
	deadLettersGone                      int64
	blocked, skipped                     map[Batch]bool
}

// found is the number of faults of a kind, and the offsets of the first ones.
type found struct {
	count int64
	where []int64
}

// fault adds n faults of each of some kinds at an offset.
func (v *verdict) fault(of kinds, offset, n int64) {
	for ; of != 0; of &= of - 1 {
		f := &v.faults[of.index()]
		f.count += n
		if len(f.where) < maxNamed {
			f.where = append(f.where, offset)
		}
	}
}
