package main

import (
	"strings"
	"testing"
	"time"

	"example.com/orders/shared/golden"
)

func TestTables(t *testing.T) {
	t.Parallel()
	f := &findings{
		Accepted: 3960, Refunds: 360, Confirmed: 3840, Cancelled: 30, DeadLetters: 90, RepeatedCounted: 7, Interrupted: 12, StaleStates: 3, UnexpectedExits: 1,
		LongestStall: 9400 * time.Millisecond, UnexplainedStall: 800 * time.Millisecond,
		Kinds: []kindFindings{
			{Name: "worker-kill", Times: 3, Begun: []time.Duration{3e9, 1e9, 2e9}, Ended: []time.Duration{1e8, 2e8, 3e8}, Stall: 11 * time.Second},
			{Name: "disk-full", Skipped: 2},
			{Name: "smtp-down", Times: 1, Begun: []time.Duration{-1}, Ended: []time.Duration{-1}},
		},
	}
	var b strings.Builder
	for _, table := range f.tables() {
		table.text(&b)
		table.markdown(&b)
	}
	golden.Compare(t, "testdata/tables.golden", b.String())
}

func TestSpreadIsMinimumMedianAndMaximum(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for _, row := range []struct {
		all  []time.Duration
		want string
	}{
		{nil, "-"},
		{[]time.Duration{2 * s}, "2.0 / 2.0 / 2.0 s"},
		{[]time.Duration{9 * s, s, 3 * s}, "1.0 / 3.0 / 9.0 s"},
		{[]time.Duration{s, -1, 3 * s}, "1.0 / 3.0 / 3.0 s"},
		{[]time.Duration{-1, -1}, "never"},
	} {
		if got := spread(row.all); got != row.want {
			t.Errorf("%v: got %q, want %q", row.all, got, row.want)
		}
	}
}
