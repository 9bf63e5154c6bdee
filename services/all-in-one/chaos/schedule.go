package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// The components of the system. Faults of one component never overlap: with two of three brokers
// down, nothing can be written.
const (
	componentWorkers = "workers"
	componentAPIs    = "apis"
	componentKafka   = "kafka"
	componentMail    = "mail"
)

// kind is a kind of fault.
type kind struct {
	name              string
	component         string
	targets           int // number of instances to choose one from; zero: it concerns all
	shortest, longest time.Duration
	recovery          time.Duration // estimated time until the component works again
	interrupts        bool          // a worker may lose in-flight orders
	share             int           // if not zero: it lasts up to 1/share of the run, if that is longer than longest
	inject            func(*system, context.Context, fault) error
}

// fault is one fault of a schedule.
type fault struct {
	kind
	at       time.Duration // since the start of the load
	target   int           // instance, from 1; zero: all
	duration time.Duration
}

func (f fault) String() string {
	target := f.component
	if f.target > 0 {
		target = fmt.Sprint(strings.TrimSuffix(f.component, "s"), " ", f.target)
	}
	return fmt.Sprintf("%6s  %-16s %-10s %s", f.at.Round(time.Second), f.name, target, f.duration.Round(time.Second))
}

// The times of a schedule.
const (
	warmUp   = 5 * time.Second // before the first fault: every worker has partitions then
	overlap  = 3 * time.Second // how long a fault may overlap the next
	restMin  = 3 * time.Second // between two faults, for recovery
	restMax  = 9 * time.Second
	coolDown = 10 * time.Second // after the last fault, still under load
)

// newPlan returns the schedule of a run, which depends on the seed only. Each kind occurs once
// before one occurs again. If lasting is not zero, it is the duration of each fault.
func newPlan(seed uint64, length, lasting time.Duration, from []kind) []fault {
	rng := rand.New(rand.NewPCG(seed, 0))
	var plan []fault
	var deck []kind
	end, free := warmUp-restMin, map[string]time.Duration{}
	for {
		if len(deck) == 0 {
			deck = slices.Clone(from)
			rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		f := fault{kind: deck[0], duration: cmp.Or(lasting, deck[0].randomDuration(rng, length))}
		deck = deck[1:]
		if f.targets > 0 {
			f.target = 1 + rng.IntN(f.targets)
		}
		f.at = end + between(rng, restMin, restMax)
		// One in three begins before the previous one ends, unless both concern one component.
		if rng.IntN(3) == 0 && len(plan) > 0 {
			f.at = max(plan[len(plan)-1].at, end-overlap, free[f.component]+restMin)
		}
		free[f.component] = f.at + f.duration + f.recovery
		if end = max(end, free[f.component]); end > length-coolDown {
			return plan
		}
		plan = append(plan, f)
	}
}

func (k kind) randomDuration(rng *rand.Rand, length time.Duration) time.Duration {
	longest := k.longest
	if k.share > 0 {
		longest = max(longest, length/time.Duration(k.share))
	}
	return between(rng, k.shortest, longest)
}

// between returns a random duration, rounded to 0.1 s for readability.
func between(rng *rand.Rand, least, most time.Duration) time.Duration {
	return (least + time.Duration(rng.Int64N(int64(most-least)+1))).Round(100 * time.Millisecond)
}

// choose returns the kinds with these names, or all kinds if there are none.
func choose(names []string) ([]kind, error) {
	if len(names) == 0 {
		return kinds(), nil
	}
	var chosen []kind
	for _, name := range names {
		i := slices.IndexFunc(kinds(), func(k kind) bool { return k.name == name })
		if i < 0 {
			var known []string
			for _, k := range kinds() {
				known = append(known, k.name)
			}
			return nil, fmt.Errorf("--only %q: unknown kind, want one of %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, kinds()[i])
	}
	return chosen, nil
}

func printPlan(w io.Writer, plan []fault) {
	for _, f := range plan {
		fmt.Fprintln(w, f)
	}
}
