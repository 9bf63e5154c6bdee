package ctl

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"
)

func TestTablesFitTheTerminal(t *testing.T) {
	t.Parallel()
	rows := [][]string{
		{"3-124", "open", "shipping", "the rate card has no zone for 南极洲 in any carrier"},
		{"10-7", "parked", "email", "line\nbreak \x1b[2J"},
	}
	for columns, want := range map[int]string{
		0:   "3-124  open    shipping  the rate card has no zone for 南极洲 in any carrier\n10-7   parked  email     line break �[2J\n",
		200: "ID     STATE   STEP      MESSAGE\n3-124  open    shipping  the rate card has no zone for 南极洲 in any carrier\n10-7   parked  email     line break �[2J\n",
		60:  "ID     STATE   STEP      MESSAGE\n3-124  open    shipping  the rate card has no zone for 南极…\n10-7   parked  email     line break �[2J\n",
		30:  "ID     STATE   STEP\n3-124  open    shipping\n10-7   parked  email\n",
		20:  "ID     STATE\n3-124  open\n10-7   parked\n",
		3:   "ID\n3-…\n10…\n",
	} {
		var out strings.Builder
		p := &printer{out: &out, columns: columns}
		table := p.table("ID", "STATE", "STEP", "MESSAGE")
		for _, cells := range rows {
			if err := table.row(nil, append([]string(nil), cells...)...); err != nil {
				t.Fatal(err)
			}
		}
		if err := table.flush(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", columns, diff)
		}
		for line := range strings.Lines(out.String()) {
			if w := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); columns > 0 && w > columns {
				t.Errorf("%d columns: %q is %d wide", columns, line, w)
			}
		}
	}
}

func TestColumnsOfLaterPagesKeepTheirPlace(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	table := (&printer{out: &out}).table("ID", "MESSAGE")
	for _, id := range []string{"100-1000", "1-1"} {
		if err := table.row(nil, id, "m"); err != nil {
			t.Fatal(err)
		}
		if err := table.flush(); err != nil {
			t.Fatal(err)
		}
	}
	if want := "100-1000  m\n1-1       m\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestBarFitsTheTerminal(t *testing.T) {
	t.Parallel()
	for _, b := range []bar{
		{columns: 40, total: 10, done: 4, text: "ramping (step 2 of 4), 1 failed again"},
		{columns: 10, total: 0, done: 5, text: "\x1b[2J\n南极洲"},
		{columns: 80, total: 3, done: -7},
		{columns: 80, total: 3, done: 99},
	} {
		var out strings.Builder
		b.draw(&out)
		line := strings.TrimPrefix(out.String(), "\r")
		if w := runewidth.StringWidth(line); w >= b.columns || strings.ContainsAny(line, "\n\x1b") {
			t.Errorf("%+v: got %q, %d wide", b, line, w)
		}
	}
}
