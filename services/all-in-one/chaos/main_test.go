package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/orders/shared/config"
)

// program runs chaos with arguments.
func program(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, func(string) string { return "" }, &out, &out)
	return out.String(), err
}

func TestPlanOnlyPrintsTheSchedule(t *testing.T) {
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
	f := check(clean())
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

func TestLogsAreKeptWhenAPromiseWasBroken(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, row := range []struct {
		name   string
		ctx    context.Context
		keep   bool
		failed bool
		want   []string // what is left
	}{
		{"success", t.Context(), false, false, nil},
		{"success, with --keep", t.Context(), true, false, []string{"kafka", "worker-1.log"}},
		{"a promise was broken", t.Context(), false, true, []string{"worker-1.log"}},
		{"interrupted", over, false, true, nil},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		err1 := os.MkdirAll(filepath.Join(dir, "kafka", "log"), 0o700)
		err2 := os.WriteFile(filepath.Join(dir, "worker-1.log"), nil, 0o600)
		var printed bytes.Buffer
		if err := errors.Join(err1, err2, removeData(row.ctx, settings{Keep: row.keep}, dir, row.failed, &printed)); err != nil {
			t.Fatal(err)
		}
		left, _ := filepath.Glob(filepath.Join(dir, "*"))
		for i := range left {
			left[i] = filepath.Base(left[i])
		}
		if !slices.Equal(left, row.want) || (len(left) > 0) != strings.Contains(printed.String(), dir) {
			t.Errorf("%s: got %q left, printed %q; want %q and the directory", row.name, left, &printed, row.want)
		}
	}
}
