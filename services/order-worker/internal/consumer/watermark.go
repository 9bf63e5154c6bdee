package consumer

import "sort"

// watermark knows which offsets of one partition are finished, and so what may be committed: nothing at or above the oldest unfinished one.
type watermark struct {
	begun []begun // in order of offset, the oldest first: it is unfinished whenever there is one
	next  int64   // what may be committed when begun is empty; meaningful once any is true
	any   bool
}

type begun struct {
	offset   int64
	finished bool
}

// begin takes the next offset. Offsets rise, but not always by one: compaction and transactions leave gaps.
func (w *watermark) begin(offset int64) {
	w.begun = append(w.begun, begun{offset: offset})
	w.any = true
}

// finish marks an offset as finished.
func (w *watermark) finish(offset int64) {
	i := sort.Search(len(w.begun), func(i int) bool { return w.begun[i].offset >= offset })
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

// span is how far the highest begun offset stands above the oldest unfinished one.
func (w *watermark) span() int64 {
	if len(w.begun) == 0 {
		return 0
	}
	return w.begun[len(w.begun)-1].offset - w.begun[0].offset + 1
}
