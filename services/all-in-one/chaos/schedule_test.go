package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func printed(plan []fault) string {
	var b bytes.Buffer
	printPlan(&b, plan)
	return b.String()
}

func TestScheduleDependsOnTheSeedOnly(t *testing.T) {
	t.Parallel()
	one, again, other := newPlan(7, 10*time.Minute, 0, kinds()), newPlan(7, 10*time.Minute, 0, kinds()), newPlan(8, 10*time.Minute, 0, kinds())
	if diff := cmp.Diff(printed(one), printed(again)); diff != "" {
		t.Errorf("seed 7 twice (-first +second):\n%s", diff)
	}
	if printed(one) == printed(other) {
		t.Errorf("seeds 7 and 8: got the same schedule:\n%s", printed(one))
	}
}

func TestThirtyMinutesHaveEveryKind(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		times := map[string]int{}
		for _, f := range newPlan(seed, 30*time.Minute, 0, kinds()) {
			times[f.name]++
		}
		for _, k := range kinds() {
			if times[k.name] < 2 {
				t.Errorf("seed %d: got %s %d times, want it at least twice", seed, k.name, times[k.name])
			}
		}
	}
}

func TestFaultsLeaveRoomForRecovery(t *testing.T) {
	t.Parallel()
	const length = 30 * time.Minute
	overlaps := 0
	for seed := range uint64(20) {
		over := map[string]time.Duration{}
		plan := newPlan(seed, length, 0, kinds())
		for i, f := range plan {
			if f.at < over[f.component] {
				t.Errorf("seed %d: %s begins before the last fault of the %s is over", seed, f, f.component)
			}
			if end := f.at + f.duration + f.recovery; end > length-coolDown {
				t.Errorf("seed %d: %s ends too late", seed, f)
			} else {
				over[f.component] = end
			}
			if f.targets > 0 && (f.target < 1 || f.target > f.targets) || f.targets == 0 && f.target != 0 {
				t.Errorf("seed %d: %s: got target %d of %d", seed, f, f.target, f.targets)
			}
			if i > 0 && f.at < plan[i-1].at+plan[i-1].duration+plan[i-1].recovery {
				overlaps++
			}
		}
	}
	if overlaps == 0 {
		t.Error("got no faults that overlap, want some")
	}
}

func TestMailOutagesGrowWithTheRun(t *testing.T) {
	t.Parallel()
	only, err := choose([]string{"smtp-down"})
	if err != nil {
		t.Fatal(err)
	}
	longest := func(minutes int) (most time.Duration) {
		for _, f := range newPlan(1, time.Duration(minutes)*time.Minute, 0, only) {
			most = max(most, f.duration)
		}
		return most
	}
	if short, long := longest(3), longest(60); short > 20*time.Second || long < 2*time.Minute {
		t.Errorf("got up to %s in 3 minutes and %s in 60, want seconds and minutes", short, long)
	}
	for _, f := range newPlan(1, time.Hour, 10*time.Minute, only) {
		if f.duration != 10*time.Minute {
			t.Errorf("got %s, want 10 minutes as asked for", f)
		}
	}
}

func TestKindsAreChosenByName(t *testing.T) {
	t.Parallel()
	names := func(kinds []kind) (all []string) {
		for _, k := range kinds {
			all = append(all, k.name)
		}
		return all
	}
	for _, row := range []struct{ only, want []string }{
		{nil, names(kinds())},
		{[]string{"scale-1-6-2", "api-kill"}, []string{"scale-1-6-2", "api-kill"}},
	} {
		got, err := choose(row.only)
		if err != nil || !slices.Equal(names(got), row.want) {
			t.Errorf("%v: got %v, %v; want %v", row.only, names(got), err, row.want)
		}
	}
	if _, err := choose([]string{"earthquake"}); err == nil || !strings.Contains(err.Error(), "worker-kill") {
		t.Errorf("got %v, want an error that names the kinds", err)
	}
}
