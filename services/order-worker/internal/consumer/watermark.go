package consumer

import (
	"slices"
	"sort"
)

// watermark knows which offsets of one partition are finished, and so what may be committed: nothing at or above the oldest unfinished one.
type watermark struct {
	begun []begun // by offset, the oldest first: it is unfinished whenever there is one
	next  int64   // what may be committed when begun is empty; meaningful once any is true
	any   bool
}

type begun struct {
	offset   int64
	finished bool
}

// begin takes an offset. Offsets rise, with gaps where transactions end. They step back when a partition's log was cut
// (an unclean election of its leader): what is committed steps back with them then, and nothing is passed over.
func (w *watermark) begin(offset int64) {
	at := len(w.begun)
	for at > 0 && w.begun[at-1].offset > offset {
		at--
	}
	w.begun = slices.Insert(w.begun, at, begun{offset: offset})
	w.any = true
}

// finish marks an offset as finished, one of its records if several were begun.
func (w *watermark) finish(offset int64) {
	i := sort.Search(len(w.begun), func(i int) bool { return w.begun[i].offset >= offset })
	for w.begun[i].finished {
		i++
	}
	w.begun[i].finished = true
	for len(w.begun) > 0 && w.begun[0].finished {
		w.next = w.begun[0].offset + 1
		w.begun = w.begun[1:]
	}
}

// committable is the offset to commit; false means that nothing was begun yet.
func (w *watermark) committable() (int64, bool) {
	if len(w.begun) > 0 {
		return w.begun[0].offset, true
	}
	return w.next, w.any
}

// span is how far an offset that is not begun yet stands above the oldest unfinished one.
func (w *watermark) span(offset int64) int64 {
	if len(w.begun) == 0 {
		return 0
	}
	return offset - w.begun[0].offset
}

// unfinished counts what was begun and not finished.
func (w *watermark) unfinished() int {
	n := 0
	for _, b := range w.begun {
		if !b.finished {
			n++
		}
	}
	return n
}
