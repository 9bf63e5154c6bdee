package scheduler

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// naive keeps everything it was ever told: what it answers is the definition.
type naive struct {
	begun, unfinished []int64
	last              int64 // finished when nothing was unfinished any more
}

func (n *naive) finish(i int) int64 {
	offset := n.unfinished[i]
	n.unfinished = slices.Delete(n.unfinished, i, i+1)
	if len(n.unfinished) == 0 {
		n.last = slices.Max(n.begun)
		n.begun = nil
	}
	return offset
}

func (n *naive) committable() int64 {
	if len(n.unfinished) > 0 {
		// All below the oldest unfinished one may be committed, but no gap is known to be safe beyond it.
		return slices.Min(n.unfinished)
	}
	return n.last + 1
}

func TestNothingUnfinishedIsEverCommitted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var w watermark
		var n naive
		if got := w.committable(); got.Offset != 0 {
			t.Fatalf("committable: got %d before anything was begun, want the start", got.Offset)
		}
		offset := rapid.Int64Range(0, 100).Draw(t, "first offset")
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(n.unfinished) == 0 || rapid.Bool().Draw(t, "begin") {
				// One in a while the log was cut, and offsets come that came before.
				step := rapid.SampledFrom([]int64{1, 1, 1, 1, 2, 7, -1, -9}).Draw(t, "step")
				offset = max(0, offset+step)
				w.begin(offset, 0)
				n.begun, n.unfinished = append(n.begun, offset), append(n.unfinished, offset)
			} else {
				w.finish(n.finish(rapid.IntRange(0, len(n.unfinished)-1).Draw(t, "which")))
			}
			if got := w.committable(); got.Offset != n.committable() {
				t.Fatalf("committable: got %d, want %d; unfinished are %v", got.Offset, n.committable(), n.unfinished)
			}
			if got := w.unfinished(); got != len(n.unfinished) {
				t.Fatalf("unfinished: got %d, want %d", got, len(n.unfinished))
			}
		}
	})
}

func TestSpanIsMeasuredFromTheOldestUnfinished(t *testing.T) {
	t.Parallel()
	var w watermark
	if got := w.span(1_000_000); got != 0 {
		t.Errorf("nothing begun: got %d, want 0", got)
	}
	for _, offset := range []int64{10, 11, 50} {
		w.begin(offset, 0)
	}
	w.finish(11)
	if got := w.span(60); got != 50 {
		t.Errorf("10 unfinished: got %d, want 50", got)
	}
	w.finish(10)
	if got := w.span(60); got != 10 {
		t.Errorf("50 unfinished: got %d, want 10", got)
	}
}
