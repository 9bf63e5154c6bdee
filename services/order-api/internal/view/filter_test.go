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
		if _, err := parseCursor(text); err != nil && !errors.Is(err, ErrCursor) {
			t.Errorf("foreign cursor %q: got %v, want ErrCursor or nil", text, err)
		}
		want := Cursor{time.UnixMilli(millis), id}
		got, err := parseCursor(want.String())
		if err != nil {
			t.Fatalf("own cursor of %d, %q: %v", millis, id, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("own cursor (-want +got):\n%s", diff)
		}
	})
}
