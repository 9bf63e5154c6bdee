package ledger

import (
	"testing"
	"time"
)

// A record arrives each second, and the end of the topic is observed every ten seconds.
func TestHistoryFindsTheLastMarkBeforeAWindow(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	h := history{{Mark: Mark{Offset: 3, Floor: 5}}}
	for s := int64(10); s <= 1000; s += 10 {
		h = h.note(mark{Mark{3 + s, 5 + 2*s}, begun.Add(time.Duration(s) * time.Second)})
	}
	for _, row := range []struct {
		name   string
		offset int64
		window time.Duration
		want   int // the place of the mark, or -1
	}{
		{"below all marks: the log was cut", 2, 0, -1},
		{"at the committed mark", 3, 0, 0},
		{"before the first observation", 12, 0, 0},
		{"at an observation", 13, 0, 1},
		{"behind it", 22, 0, 1},
		{"behind the last", 5000, 0, 100},
		{"a minute before", 503, time.Minute, 44},
		{"a minute before the first observations", 43, time.Minute, 0},
	} {
		if got := h.since(row.offset, row.window); got != row.want {
			t.Errorf("%s: got mark %d, want %d", row.name, got, row.want)
		}
	}
	for s := int64(1010); s <= 100_000; s += 10 {
		h = h.note(mark{Mark{3 + s, 5 + 2*s}, begun.Add(time.Duration(s) * time.Second)})
	}
	if len(h) > maxMarks || h[0].Offset != 3 || h[len(h)-2].Offset != 3+99_990 {
		t.Errorf("got %d marks from %d to %d before the last, want at most %d, the first and the newest", len(h), h[0].Offset, h[len(h)-2].Offset, maxMarks)
	}
}
