package ctl

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/config"
)

// screen emulates a terminal: a carriage return moves to the start of the line, and the erase
// sequence clears the line.
func screen(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		parts := strings.Split(strings.TrimSuffix(line, "\n"), "\r")
		lines = append(lines, strings.TrimPrefix(parts[len(parts)-1], "\x1b[K"))
	}
	return lines
}

func TestProgressBarStaysBelowTheLines(t *testing.T) {
	t.Parallel()
	var both strings.Builder // a terminal has stdout and stderr on one screen
	p := &printer{out: &both, err: &both, bar: &bar{total: 4}}
	p.bar.draw(p.err)
	p.bar.step(false)
	if err := p.result("first", nil); err != nil {
		t.Fatal(err)
	}
	p.bar.step(true)
	p.printError(config.Hint(errors.New("no bread"), "bake some"))
	p.bar.step(false)
	p.note("halfway")
	want := []string{"first", "ordersctl: no bread", "hint: bake some", "ordersctl: halfway", "[======================        ] 3/4, 1 failed"}
	if diff := cmp.Diff(want, screen(both.String())); diff != "" {
		t.Errorf("screen (-want +got):\n%s", diff)
	}
	p.hide()
	if got := screen(both.String()); got[len(got)-1] != "" {
		t.Errorf("got %q at the end, want the bar gone", got[len(got)-1])
	}
}

func TestProgressBarNeedsATerminal(t *testing.T) {
	t.Parallel()
	file, err := os.Create(t.TempDir() + "/stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range []*printer{{err: file}, {err: new(strings.Builder)}} {
		if p.show(10); p.bar != nil {
			t.Errorf("got a bar on %T, want none", p.err)
		}
	}
}
