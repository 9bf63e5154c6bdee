package view

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func FuzzCursor(f *testing.F) {
	f.Add("", int64(0), "")
	f.Add("MTc3MjM2NjQwMDAwMCBvcmRfMQ", int64(1_772_366_400_000), "ord_1")
	f.Add("!", int64(-1), "an ID with spaces")
	f.Fuzz(func(t *testing.T, text string, millis int64, id string) {
		var w where
		if err := w.after(text, "(placed_at, id)"); err != nil && !errors.Is(err, ErrCursor) {
			t.Errorf("foreign cursor %q: got %v, want ErrCursor or nil", text, err)
		}
		w = where{}
		if err := w.after(cursor(time.UnixMilli(millis), id), "(placed_at, id)"); err != nil {
			t.Fatalf("own cursor of %d, %q: %v", millis, id, err)
		}
		want := where{[]string{"(placed_at, id) < (?, ?)"}, []any{millis, id}}
		if diff := cmp.Diff(want, w, cmp.AllowUnexported(where{})); diff != "" {
			t.Errorf("own cursor (-want +got):\n%s", diff)
		}
	})
}
