package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// arrivals says when records of a topic's partition were received, by this process's monotonic clock: neither a step of a
// broker's clock nor one of this machine's makes a delay shorter or longer. Time stamps say which of two records came first,
// but not how long ago, so they count only for what stood in the log before the partition was assigned.
type arrivals struct {
	delay time.Duration
	// Of a record that stood in the log when the partition was assigned nobody here saw the arrival. It has waited as long as
	// the broker's clock says, but it never waits longer than the delay from then on.
	end      int64     // of the log then
	assigned time.Time // by our clock
	stamped  time.Time // the same moment by the broker's clock

	marks   []arrival // ascending; those whose records are all due are dropped
	settled int64     // records below are due
}

// arrival is the offsets below one, but for those of the arrival before: when the first and the last of them were received.
type arrival struct {
	below       int64
	first, last time.Time
}

// perDelay is how many arrivals are told apart within a delay: what comes closer together counts as one, and is due with
// its last record: late by less than that share, and never early.
const perDelay = 1000

// note takes notice of a record that was appended or fetched just now. One that was noted before changes nothing.
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

// wait is how long a record is not due yet; zero or less means that it is due.
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
		return a.delay // cannot be: what is fetched is noted
	}
	return a.delay - now.Sub(a.marks[i].last)
}
