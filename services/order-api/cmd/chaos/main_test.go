package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/orders/shared/config"
)

// program runs it as a person would.
func program(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, func(string) string { return "" }, &out, &out)
	return out.String(), err
}

func TestPlanIsPrintedAndNothingDone(t *testing.T) {
	t.Parallel()
	one, err := program(t, "--plan", "--seed", "5")
	if err != nil || !strings.HasPrefix(one, "chaos --minutes 3 --seed 5 --rate 20: ") {
		t.Errorf("got %q, %v", one, err)
	}
	if again, _ := program(t, "--plan", "--seed", "5"); again != one {
		t.Errorf("the same seed: got\n%s\nand\n%s", one, again)
	}
	only, err := program(t, "--plan", "--seed", "5", "--minutes", "12", "--only", "smtp-down", "--lasting", "10m")
	if err != nil || !strings.Contains(only, "smtp-down        mail       10m0s\n") {
		t.Errorf("one outage of ten minutes: got %q, %v", only, err)
	}
}

func TestWrongUsageIsRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--minutes", "0"}, {"--rate", "-1"}, {"--only", "earthquake"}, {"--lasting", "-1s"}, {"extra"}} {
		if out, err := program(t, args...); err == nil {
			t.Errorf("%q: got %q, want an error", args, out)
		}
	}
	if help, err := program(t, "--help"); !errors.Is(err, config.ErrHelp) || !strings.Contains(help, "--seed") {
		t.Errorf("--help: got %q, %v", help, err)
	}
}

func TestReportIsAnErrorWhenAPromiseIsBroken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "table.md")
	var out bytes.Buffer
	f := judge(clean())
	if err := report(settings{Table: file, Minutes: 3, Seed: 1, Rate: 20}, f, &out); err != nil || !strings.HasSuffix(out.String(), "ok: every promise was kept\n") {
		t.Errorf("got %q, %v", &out, err)
	}
	if md, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(md), "`scripts/chaos --minutes 3 --seed 1 --rate 20`\n\n| what | found |\n") {
		t.Errorf("the table's file: got %q, %v", md, err)
	}
	for range 50 {
		f.violated("lost: ord_1")
	}
	out.Reset()
	if err := report(settings{}, f, &out); err == nil || err.Error() != "promises broken: 50" || !strings.HasSuffix(out.String(), "and 10 more\n") {
		t.Errorf("got %q, %v", &out, err)
	}
}
