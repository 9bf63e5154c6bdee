package scheduler

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// arrivals says when records of a topic's partition were received, by this process's monotonic
// clock: neither a step of a broker's clock nor one of this machine's makes a delay shorter or
// longer. Time stamps say which of two records was appended first, but not how long ago, so they are
// used only for records that were in the log before the partition was assigned.
type arrivals struct {
	delay time.Duration
	// The arrival of a record that was in the log when the partition was assigned is not known. It has
	// waited as long as the broker's clock says, and from then on it waits no longer than the delay.
	end      int64     // of the log then
	assigned time.Time // by our clock
	stamped  time.Time // the same moment by the broker's clock

	marks   []arrival // ascending; those whose records are all due are dropped
	settled int64     // records below are due
}

// arrival is the offsets below one, and not below that of the arrival before: when the first and
// the last of them were received.
type arrival struct {
	below       int64
	first, last time.Time
}

// perDelay is how many arrivals are told apart within a delay: records that arrive closer together
// count as one arrival, and are due with its last record: late by less than that share, never early.
const perDelay = 1000

// note records that a record was appended or fetched just now. A record that was noted before
// changes nothing.
func (a *arrivals) note(offset int64, now time.Time) {
	if a.delay == 0 || offset < max(a.end, a.settled) {
		return
	}
	due := 0
	for due < len(a.marks) && now.Sub(a.marks[due].last) >= a.delay {
		a.settled = a.marks[due].below
		due++
	}
	a.marks = slices.Delete(a.marks, 0, due)
	n := len(a.marks)
	switch {
	case n > 0 && offset < a.marks[n-1].below:
	case n > 0 && now.Sub(a.marks[n-1].first) < a.delay/perDelay:
		a.marks[n-1].below, a.marks[n-1].last = offset+1, now
	default:
		a.marks = append(a.marks, arrival{offset + 1, now, now})
	}
}

// wait is how long it takes until a record is due; zero or less means that it is due now.
func (a *arrivals) wait(r *kgo.Record, now time.Time) time.Duration {
	switch {
	case a.delay == 0 || a.end <= r.Offset && r.Offset < a.settled:
		return 0
	case r.Offset < a.end:
		return a.delay - max(0, a.stamped.Sub(r.Timestamp)) - now.Sub(a.assigned)
	}
	i, _ := slices.BinarySearchFunc(a.marks, r.Offset, func(m arrival, offset int64) int {
		if m.below <= offset {
			return -1
		}
		return 1
	})
	if i == len(a.marks) {
		return a.delay // not reached: what is fetched is noted
	}
	return a.delay - now.Sub(a.marks[i].last)
}
