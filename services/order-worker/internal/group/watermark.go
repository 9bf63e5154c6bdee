package group

import (
	"slices"
	"sort"

	"github.com/twmb/franz-go/pkg/kgo"
)

// watermark knows which offsets of one partition are finished, and so what may be committed: nothing at or above the oldest unfinished one.
type watermark struct {
	begun []begun // by offset, the oldest first: it is unfinished whenever there is one
	next  int64   // what may be committed when begun is empty; meaningful once any is true
	epoch int32   // leader epoch of the newest finished record with nothing unfinished below it; negative if unknown
	any   bool
}

type begun struct {
	offset   int64
	epoch    int32
	finished bool
}

// begin takes an offset. Offsets rise, with gaps where transactions end. They step back when a partition's log was cut
// (an unclean election of its leader): what is committed steps back with them then, and nothing is passed over.
func (w *watermark) begin(offset int64, epoch int32) {
	at := len(w.begun)
	for at > 0 && w.begun[at-1].offset > offset {
		at--
	}
	w.begun = slices.Insert(w.begun, at, begun{offset: offset, epoch: epoch})
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
		w.next, w.epoch = w.begun[0].offset+1, w.begun[0].epoch
		w.begun = w.begun[1:]
	}
}

// committable is the offset to commit, with the epoch of what stands below; false means that nothing was begun yet.
func (w *watermark) committable() (kgo.EpochOffset, bool) {
	if len(w.begun) > 0 {
		return kgo.EpochOffset{Epoch: w.epoch, Offset: w.begun[0].offset}, true
	}
	return kgo.EpochOffset{Epoch: w.epoch, Offset: w.next}, w.any
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
