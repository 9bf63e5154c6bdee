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

// What a fault makes fail. Faults of the same thing never overlap: with two brokers of three away nothing could be written.
const (
	theWorkers = "workers"
	theAPIs    = "apis"
	theKafka   = "kafka"
	theMail    = "mail"
)

// kind is a kind of fault.
type kind struct {
	name              string
	touches           string
	targets           int // how many there are to choose from; zero: it concerns all
	shortest, longest time.Duration
	back              time.Duration // how long it takes, about, until what was broken is back
	cuts              bool          // a worker may lose what it has in hand
	share             int           // if not zero: it lasts up to such a part of the run, when that is longer
	play              func(*stage, context.Context, fault) error
}

// fault is one fault of a schedule.
type fault struct {
	kind
	at     time.Duration // since the load began
	target int           // from 1; zero: all
	lasts  time.Duration
}

func (f fault) String() string {
	target := f.touches
	if f.target > 0 {
		target = fmt.Sprint(strings.TrimSuffix(f.touches, "s"), " ", f.target)
	}
	return fmt.Sprintf("%6s  %-16s %-10s %s", f.at.Round(time.Second), f.name, target, f.lasts.Round(time.Second))
}

// The rhythm of a schedule.
const (
	warmUp   = 5 * time.Second // before the first fault, so that every worker has partitions
	overlap  = 3 * time.Second // how long a fault may run into the next
	restMin  = 3 * time.Second // between faults the system gets time to recover
	restMax  = 9 * time.Second
	coolDown = 10 * time.Second // behind the last fault, still under load
)

// draw makes the schedule of a run from its seed alone. Kinds are dealt like cards: each comes once before one comes again.
// A lasting that is not zero replaces that of every kind.
func draw(seed uint64, length, lasting time.Duration, from []kind) []fault {
	rng := rand.New(rand.NewPCG(seed, 0))
	var plan []fault
	var deck []kind
	end, free := warmUp-restMin, map[string]time.Duration{}
	for {
		if len(deck) == 0 {
			deck = slices.Clone(from)
			rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		f := fault{kind: deck[0], lasts: cmp.Or(lasting, deck[0].draw(rng, length))}
		deck = deck[1:]
		if f.targets > 0 {
			f.target = 1 + rng.IntN(f.targets)
		}
		f.at = end + between(rng, restMin, restMax)
		// One in three begins before the last is over, unless it breaks the same thing.
		if rng.IntN(3) == 0 && len(plan) > 0 {
			f.at = max(plan[len(plan)-1].at, end-overlap, free[f.touches]+restMin)
		}
		free[f.touches] = f.at + f.lasts + f.back
		if end = max(end, free[f.touches]); end > length-coolDown {
			return plan
		}
		plan = append(plan, f)
	}
}

func (k kind) draw(rng *rand.Rand, length time.Duration) time.Duration {
	longest := k.longest
	if k.share > 0 {
		longest = max(longest, length/time.Duration(k.share))
	}
	return between(rng, k.shortest, longest)
}

// between draws whole tenths of a second: people read the schedule.
func between(rng *rand.Rand, least, most time.Duration) time.Duration {
	return (least + time.Duration(rng.Int64N(int64(most-least)+1))).Round(100 * time.Millisecond)
}

// choose returns the kinds of a comma-separated list of names; an empty list is all.
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
			return nil, fmt.Errorf("--only %q: there is %s", name, strings.Join(known, ", "))
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
