package main

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestTablesForPeople(t *testing.T) {
	t.Parallel()
	f := &findings{
		Accepted: 3960, Refunds: 360, Confirmed: 3840, Cancelled: 30, DeadLetters: 90, TwiceCounted: 7, InDoubt: 12, StaleStates: 3, Fell: 1,
		Longest: 9400 * time.Millisecond, Unexplained: 800 * time.Millisecond,
		Kinds: []kindFindings{
			{Name: "worker-kill", Times: 3, Begun: []time.Duration{3e9, 1e9, 2e9}, Ended: []time.Duration{1e8, 2e8, 3e8}, Still: 11 * time.Second},
			{Name: "disk-full", Skipped: 2},
			{Name: "smtp-down", Times: 1, Begun: []time.Duration{-1}, Ended: []time.Duration{-1}},
		},
	}
	var b strings.Builder
	for _, table := range f.tables() {
		table.text(&b)
		table.markdown(&b)
	}
	const golden = "testdata/tables.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

func TestSpreadIsLeastMedianAndMost(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for _, row := range []struct {
		all  []time.Duration
		want string
	}{
		{nil, "-"},
		{[]time.Duration{2 * s}, "2.0 / 2.0 / 2.0 s"},
		{[]time.Duration{9 * s, s, 3 * s}, "1.0 / 3.0 / 9.0 s"},
		{[]time.Duration{s, -1, 3 * s}, "never"},
	} {
		if got := spread(row.all); got != row.want {
			t.Errorf("%v: got %q, want %q", row.all, got, row.want)
		}
	}
}
