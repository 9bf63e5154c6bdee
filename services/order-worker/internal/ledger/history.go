package ledger

import (
	"slices"
	"sort"
	"time"
)

// history tells how far orders.status was when the records of another topic's partition arrived, and
// when that was by our clock. It has what this process observed. It does not use time stamps of
// brokers: a clock can be set, and then a later record has an earlier time.
type history []mark // ascending; the first is the one that was committed, or zero

// Mark is a position in a topic's partition with a floor in orders.status: all states that were written
// because of records at or above Offset are at or above Floor. Workers commit marks with their offsets,
// so that the next owner knows how much of orders.status it must read.
type Mark struct{ Offset, Floor int64 }

// mark is a Mark and its time: records below Offset arrived before it, the others after it. The time of
// a mark of another worker is zero.
type mark struct {
	Mark
	at time.Time
}

// MarkEvery is the minimum time between two marks. The ends of topics are read half as often.
const MarkEvery = 5 * time.Second

// slack is how inexact the time of a mark may be.
const slack = 2 * MarkEvery

// maxMarks bounds a history when nothing is committed for long. Then every second mark of the older half
// is dropped, and since finds an older one than it could there, which only costs reading.
const maxMarks = 256

func (h history) note(m mark) history {
	if len(h) == 0 {
		h = history{{}}
	}
	if last := h[len(h)-1]; m.Offset < last.Offset || m.at.Sub(last.at) < MarkEvery {
		return h
	}
	if h = append(h, m); len(h) > maxMarks {
		for i := 1; i < len(h)/2; i++ {
			h = slices.Delete(h, i, i+1)
		}
	}
	return h
}

// at is the index of the last mark at or below an offset, or -1.
func (h history) at(offset int64) int {
	return sort.Search(len(h), func(i int) bool { return h[i].Offset > offset }) - 1
}

// arrived is a time before the record at an offset arrived, or zero.
func (h history) arrived(offset int64) time.Time {
	if i := h.at(offset); i >= 0 {
		return h[i].at
	}
	return time.Time{}
}

// since is the index of the last mark whose earlier records all arrived more than a window before the
// record at an offset, or -1.
func (h history) since(offset int64, window time.Duration) int {
	until := h.arrived(offset).Add(-window)
	i := h.at(offset)
	for i > 0 && h[i].at.After(until) {
		i--
	}
	return i
}
