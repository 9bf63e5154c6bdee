package scheduler

import (
	"slices"
	"sort"

	"github.com/twmb/franz-go/pkg/kgo"
)

// watermark is the commit watermark of one topic's partition: nothing at or above the oldest
// unfinished record may be committed.
type watermark struct {
	begun []begun // by offset, the oldest first: it is unfinished whenever there is one
	// next may be committed when begun is empty. Its epoch is that of the newest finished record with
	// nothing unfinished below it, negative if unknown.
	next kgo.EpochOffset
}

type begun struct {
	offset   int64
	epoch    int32
	finished bool
}

// begin adds an offset. Offsets rise, with gaps where a transaction was aborted. They step back when a
// partition's log was cut (an unclean election of its leader): the watermark steps back with them
// then, and no record is passed over.
func (w *watermark) begin(offset int64, epoch int32) {
	at := len(w.begun)
	for at > 0 && w.begun[at-1].offset > offset {
		at--
	}
	w.begun = slices.Insert(w.begun, at, begun{offset: offset, epoch: epoch})
}

// finish marks an offset as finished, one of its records if several were begun.
func (w *watermark) finish(offset int64) {
	i := sort.Search(len(w.begun), func(i int) bool { return w.begun[i].offset >= offset })
	for w.begun[i].finished {
		i++
	}
	w.begun[i].finished = true
	for len(w.begun) > 0 && w.begun[0].finished {
		w.next = kgo.EpochOffset{Epoch: w.begun[0].epoch, Offset: w.begun[0].offset + 1}
		w.begun = w.begun[1:]
	}
}

// committable is the offset to commit, with the epoch of the record below it.
func (w *watermark) committable() kgo.EpochOffset {
	if len(w.begun) > 0 {
		return kgo.EpochOffset{Epoch: w.next.Epoch, Offset: w.begun[0].offset}
	}
	return w.next
}

// span is how far an offset that is not begun yet is above the oldest unfinished one.
func (w *watermark) span(offset int64) int64 {
	if len(w.begun) == 0 {
		return 0
	}
	return offset - w.begun[0].offset
}

func (w *watermark) unfinished() int {
	n := 0
	for _, b := range w.begun {
		if !b.finished {
			n++
		}
	}
	return n
}
