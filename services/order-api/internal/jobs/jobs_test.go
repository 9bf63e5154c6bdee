//go:build synctests

package jobs_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func confirm(*order.State, int) order.Status { return order.Confirmed }

func TestAJobReplaysEachDeadLetterOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 150)
		s.work(t, func(state *order.State, _ int) order.Status {
			if state.Origin.Offset%10 == 3 {
				return order.Dead
			}
			return order.Confirmed
		})
		i := s.start(t, "api-1")
		id := i.create(t, jobs.Spec{IDs: append(slices.Clone(s.ids), s.ids[:2]...), Reason: "Depot is back"})
		p := i.await(t, id, phase(jobs.Done))
		want := map[view.ReplayOutcome]int{view.Confirmed: 135, view.FailedAgain: 15}
		if diff := cmp.Diff(want, p.Counts); diff != "" || p.Sent != 150 {
			t.Errorf("got %d sent (-want +got):\n%s", p.Sent, diff)
		}
		s.workedOnce(t, 150)
		if got := len(s.Records(t, s.Topics.Replay)); got != 150 {
			t.Errorf("got %d requests, want 150", got)
		}
	})
}

// TestAJobHaltsWithinItsStepAndFinishesTheRest has every third dead letter fail again until the cause
// is removed.
func TestAJobHaltsWithinItsStepAndFinishesTheRest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 300)
		var mended atomic.Bool
		ids := s.ids[:300]
		s.work(t, func(state *order.State, _ int) order.Status {
			if slices.Index(ids, state.Origin.String())%3 == 2 && !mended.Load() {
				return order.Dead
			}
			return order.Confirmed
		})
		i := s.start(t, "api-1")
		id := i.create(t, jobs.Spec{IDs: ids, StopAbove: 0.1})
		p := i.await(t, id, phase(jobs.Halted))
		// The first step has one item, which is confirmed. Of the second one, 2 of 5 fail.
		want := map[view.ReplayOutcome]int{view.Confirmed: 4, view.FailedAgain: 2}
		if diff := cmp.Diff(want, p.Counts); diff != "" || p.NotSent != 294 {
			t.Errorf("halted with %d not sent (-want +got):\n%s", p.NotSent, diff)
		}
		if h := p.Halt; h == nil || h.Step != 1 || h.Bad < 1 || h.Of != 5 || h.Reason == "" {
			t.Errorf("got the reason %+v, want the figures of step 1", h)
		}
		if f := p.Failures; len(f) != 1 || f[0].Step != order.StepShipping || f[0].Reason != "no-route" || f[0].Count != 2 || f[0].New {
			t.Errorf("got failures %+v, want two for the known cause", f)
		}
		kafkatest.Pass(2 * time.Minute)
		if got := i.get(t, id); got.Sent != 6 {
			t.Errorf("later: got %d sent, want no more than 6", got.Sent)
		}
		mended.Store(true)
		must(t, i.Command(ann(t), id, jobs.Event{Kind: wire.JobResume, Reason: "the rate card has the route"}))
		p = i.await(t, id, phase(jobs.Done))
		want = map[view.ReplayOutcome]int{view.Confirmed: 298, view.FailedAgain: 2}
		if diff := cmp.Diff(want, p.Counts); diff != "" || p.Base != 6 {
			t.Errorf("done, with the second ramp at %d (-want +got):\n%s", p.Base, diff)
		}
		s.workedOnce(t, 300)
	})
}

// TestAJobPausesAtEachNewCauseOnce has one dead letter in each step fail again: first for the cause that it had,
// then for another one, and then for that one again.
func TestAJobPausesAtEachNewCauseOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 60)
		known, fresh := s.ids[2], []string{s.ids[5], s.ids[25]}
		s.work(t, func(state *order.State, _ int) order.Status {
			id := state.Origin.String()
			s.message = ""
			if slices.Contains(fresh, id) {
				s.message = "the carrier has gone"
			}
			if id == known || s.message != "" {
				return order.Dead
			}
			return order.Confirmed
		})
		i := s.start(t, "api-1")
		other := i.await(t, i.create(t, jobs.Spec{IDs: s.ids[55:], Ramp: []int{}}), phase(jobs.Done))
		id := i.create(t, jobs.Spec{IDs: s.ids[:50], Ramp: []int{4, 4, 4}, PauseOnNewCause: true})
		p := i.await(t, id, phase(jobs.Halted))
		if p.Sent != 8 || p.Counts[view.FailedAgain] != 2 || other.Halt != nil {
			t.Errorf("got %d sent, %v; want a halt after the second step", p.Sent, p.Counts)
		}
		l, err := i.view.DeadLetter(t.Context(), fresh[0])
		must(t, err)
		if h := p.Halt; h == nil || !slices.Equal(h.Causes, []string{l.CauseID}) || !strings.Contains(h.Reason, l.CauseID) || !strings.Contains(h.Reason, "no-route") {
			t.Errorf("got the reason %+v, want cause %s", h, l.CauseID)
		}
		news := map[string]bool{}
		for _, f := range p.Failures {
			news[f.Cause] = f.New
		}
		before, err := i.view.DeadLetter(t.Context(), known)
		must(t, err)
		if diff := cmp.Diff(map[string]bool{l.CauseID: true, before.CauseID: false}, news); diff != "" {
			t.Errorf("new causes (-want +got):\n%s", diff)
		}
		must(t, i.Command(ann(t), id, jobs.Event{Kind: wire.JobResume}))
		p = i.await(t, id, phase(jobs.Done))
		if diff := cmp.Diff(map[view.ReplayOutcome]int{view.Confirmed: 47, view.FailedAgain: 3}, p.Counts); diff != "" {
			t.Errorf("done (-want +got):\n%s", diff)
		}
	})
}

// TestACauseIsNewForTheDeadLettersThatDidNotHaveIt has one of two fail for the cause that the other one had.
func TestACauseIsNewForTheDeadLettersThatDidNotHaveIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 2)
		s.message = "the carrier has gone"
		dead := func(*order.State, int) order.Status { return order.Dead }
		s.work(t, dead)
		i := s.start(t, "api-1")
		i.await(t, i.create(t, jobs.Spec{IDs: s.ids[:1]}), phase(jobs.Done))
		p := i.await(t, i.create(t, jobs.Spec{IDs: s.ids, Ramp: []int{}}), func(p jobs.Progress) bool { return len(p.Failures) == 2 && p.Phase == jobs.Done })
		if a, b := p.Failures[0], p.Failures[1]; a.Cause != b.Cause || !a.New || b.New || a.Count != 1 || b.Count != 1 {
			t.Errorf("got %+v, want one cause, which is new for one of two", p.Failures)
		}
	})
}

func TestRetryingRepliesCountForTheStopRule(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 20)
		s.work(t, func(*order.State, int) order.Status { return order.Retrying })
		i := s.start(t, "api-1")
		p := i.await(t, i.create(t, jobs.Spec{IDs: s.ids[:20], StopAbove: 0.5}), phase(jobs.Halted))
		if diff := cmp.Diff(map[view.ReplayOutcome]int{view.Retrying: 1}, p.Counts); diff != "" {
			t.Errorf("halted (-want +got):\n%s", diff)
		}
	})
}

func TestTheRateHoldsInTheRampToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 126)
		s.work(t, confirm)
		i := s.start(t, "api-1")
		began := time.Now()
		id := i.create(t, jobs.Spec{IDs: s.ids[:126], Rate: 2})
		p := i.await(t, id, func(p jobs.Progress) bool { return p.Sent >= 60 })
		if took := time.Since(began); took < 29*time.Second || took > 35*time.Second {
			t.Errorf("60 items took %s, want 30 s at 2 a second", took)
		}
		if p.Observed < 1.5 || p.Observed > 2.5 || p.Left < 25*time.Second || p.Left > 45*time.Second {
			t.Errorf("got a rate of %.2f, and %s left, want 2 and about 33 s", p.Observed, p.Left)
		}
		must(t, i.Command(ann(t), id, jobs.Event{Kind: wire.JobRate, Rate: 100}))
		changed := time.Now()
		i.await(t, id, phase(jobs.Done))
		if took := time.Since(changed); took > 3*time.Second {
			t.Errorf("the rest took %s, want less than a second or two at 100 a second", took)
		}
	})
}

func TestEachStepOfTheRampWaitsForItsResults(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 200)
		i := s.start(t, "api-1")
		id := i.create(t, jobs.Spec{IDs: s.ids[:200]})
		kafkatest.Pass(4 * time.Minute)
		if p := i.get(t, id); p.Sent != 1 || p.Phase != jobs.Ramping {
			t.Errorf("without a worker: got %d sent, %s; want 1, ramping", p.Sent, p.Phase)
		}
		kafkatest.Pass(2 * time.Minute)
		if p := i.get(t, id); p.Phase != jobs.Stalled {
			t.Errorf("5 minutes without a result: got %s, want stalled", p.Phase)
		}
		s.work(t, confirm)
		p := i.await(t, id, phase(jobs.Done))
		var sizes []int
		for _, step := range p.Steps {
			sizes = append(sizes, step.To-step.From)
		}
		if diff := cmp.Diff([]int{1, 5, 20, 100, 74}, sizes); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
	})
}

func TestAJobWaitsWhileADependencyIsDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 50)
		var parked []*order.State
		s.work(t, func(state *order.State, _ int) order.Status {
			if len(parked) < 3 {
				parked = append(parked, state)
				return order.Waiting
			}
			return order.Confirmed
		})
		i := s.start(t, "api-1")
		id := i.create(t, jobs.Spec{IDs: s.ids[:50], StopAbove: 0.01, Ramp: []int{3, 10}})
		i.await(t, id, phase(jobs.Waiting))
		kafkatest.Pass(2 * time.Minute)
		if p := i.get(t, id); p.Sent != 3 || p.Phase != jobs.Waiting {
			t.Errorf("later: got %d sent, %s; want 3, waiting", p.Sent, p.Phase)
		}
		s.mu.Lock()
		for _, state := range parked {
			s.Produce(t, s.change(t, state, order.Change{Status: order.Confirmed, Replay: 1, Job: id}))
		}
		s.mu.Unlock()
		if p := i.await(t, id, phase(jobs.Done)); p.Counts[view.Confirmed] != 50 {
			t.Errorf("got %v, want 50 confirmed", p.Counts)
		}
	})
}

// TestAnyInstanceWatchesPausesAndResumesAJob has the job run by one of two instances.
func TestAnyInstanceWatchesPausesAndResumesAJob(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 100)
		s.work(t, confirm)
		one, two := s.start(t, "api-1"), s.start(t, "api-2")
		for n, pair := range [][2]*instance{{one, two}, {two, one}} {
			here, there := pair[0], pair[1]
			ids := s.ids[50*n : 50*n+50]
			id := here.create(t, jobs.Spec{IDs: ids, Rate: 5})
			there.await(t, id, func(p jobs.Progress) bool { return p.Sent >= 5 })
			must(t, there.Command(ann(t), id, jobs.Event{Kind: wire.JobPause}))
			kafkatest.Pass(time.Second) // a batch may be on its way
			paused := here.await(t, id, phase(jobs.Paused))
			kafkatest.Pass(2 * time.Minute)
			if p := here.get(t, id); p.Sent != paused.Sent || p.NotSent == 0 {
				t.Errorf("paused: got %d sent, later %d", paused.Sent, p.Sent)
			}
			if err := here.Command(ann(t), id, jobs.Event{Kind: wire.JobPause}); !errors.Is(err, jobs.ErrState) {
				t.Errorf("a second pause: got %v, want ErrState", err)
			}
			must(t, here.Command(ann(t), id, jobs.Event{Kind: wire.JobResume}))
			there.await(t, id, phase(jobs.Done))
		}
		s.workedOnce(t, 100)
	})
}

// TestAnInstanceWaitsForAJobOfAnother has one that has not read the job when it is asked for it.
func TestAnInstanceWaitsForAJobOfAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 1)
		one, two := s.start(t, "api-1"), s.connect(t, "api-2")
		two.freezeAt(int16(kmsg.Fetch))
		for p := range int32(kafkatest.Partitions) { // each fetch that waits for a record is answered
			s.put(t, s.Topics.Desk, p, wire.Decision{ID: fmt.Sprintf("d%d", p), At: time.Now(), Kind: wire.Note, DeadLetter: s.ids[0], Text: "x"}.Record())
		}
		kafkatest.Pass(10 * time.Second)
		defer two.thaw()
		id := one.create(t, jobs.Spec{IDs: s.ids})
		if _, err := two.view.Job(t.Context(), id); !errors.Is(err, view.ErrUnknown) {
			t.Fatalf("got %v, want ErrUnknown: it cannot read", err)
		}
		found := make(chan error, 2)
		go func() { // received below
			_, err := two.Get(t.Context(), id)
			found <- err
		}()
		go func() { found <- two.Command(ann(t), id, jobs.Event{Kind: wire.JobPause}) }() // received below
		synctest.Wait()
		two.thaw()
		must(t, <-found)
		must(t, <-found)
	})
}

func TestACancelledJobSendsNoMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 100)
		s.work(t, confirm)
		i := s.start(t, "api-1")
		id := i.create(t, jobs.Spec{IDs: s.ids[:100], Rate: 1})
		i.await(t, id, func(p jobs.Progress) bool { return p.Sent >= 3 })
		must(t, i.Command(ann(t), id, jobs.Event{Kind: wire.JobCancel}))
		kafkatest.Pass(2 * time.Minute)
		if p := i.get(t, id); p.Sent > 5 || p.NotSent != 100-p.Sent || p.Phase != jobs.Cancelled {
			t.Errorf("got %d sent, %d not sent, %s", p.Sent, p.NotSent, p.Phase)
		}
		for _, kind := range []wire.JobEventKind{wire.JobPause, wire.JobResume, wire.JobCancel, wire.JobRate, wire.JobHalt} {
			if err := i.Command(ann(t), id, jobs.Event{Kind: kind}); !errors.Is(err, jobs.ErrState) {
				t.Errorf("%s after the cancel: got %v, want ErrState", kind, err)
			}
		}
	})
}

// TestTwoJobsAndAnOperatorWorkOnADeadLetterOnce has all of them ask for the same replays at the same time. The
// counts of each job have the answers to its own requests.
func TestTwoJobsAndAnOperatorWorkOnADeadLetterOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 60)
		i := s.start(t, "api-1")
		spec := jobs.Spec{IDs: s.ids[:60], Ramp: []int{}}
		first, second := i.create(t, spec), i.create(t, spec)
		_, err := i.desk.Replay(ann(t), s.ids[0], false)
		must(t, err)
		sent := func(p jobs.Progress) bool { return p.Sent == 60 }
		i.await(t, first, sent)
		i.await(t, second, sent)
		s.work(t, confirm)
		confirmed := 0
		for _, id := range []string{first, second} {
			p := i.await(t, id, phase(jobs.Done))
			if p.Counts[view.Confirmed]+p.Counts[view.AlreadyDone] != 60 {
				t.Errorf("got %v, want each confirmed or already done", p.Counts)
			}
			confirmed += p.Counts[view.Confirmed]
		}
		if confirmed != 60 && confirmed != 59 {
			t.Errorf("got %d confirmed by both jobs, want each once but the one of the operator", confirmed)
		}
		s.workedOnce(t, 60)
		id := i.create(t, spec)
		p := i.await(t, id, phase(jobs.Done))
		if diff := cmp.Diff(map[wire.SkipReason]int{wire.SkipClosed: 60}, p.Skipped); diff != "" {
			t.Errorf("a third job, after them (-want +got):\n%s", diff)
		}
	})
}

// TestAStoppedRunnerIsFenced stops the instance that runs a job for longer than its session, and lets
// it continue: while it reads, before it writes, and before it commits.
func TestAStoppedRunnerIsFenced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 400)
		s.work(t, confirm)
		all := map[string]*instance{"api-1": s.start(t, "api-1"), "api-2": s.start(t, "api-2")}
		id := all["api-1"].create(t, jobs.Spec{IDs: s.ids[:400], Ramp: []int{}, Rate: 20})
		watcher := s.connect(t, "watcher")
		for n, key := range []kmsg.Key{kmsg.Fetch, kmsg.Produce, kmsg.EndTxn} {
			sent := 20 + 100*n
			stopped := watcher.await(t, id, func(p jobs.Progress) bool { return p.Sent >= sent }).Runner
			all[stopped].freezeAt(int16(key))
			watcher.await(t, id, func(p jobs.Progress) bool { return p.Runner != stopped && p.Sent >= sent+30 })
			all[stopped].thaw()
			kafkatest.Pass(time.Second)
		}
		p := watcher.await(t, id, phase(jobs.Done))
		if p.Counts[view.Confirmed] != 400 {
			t.Errorf("got %v, want 400 confirmed", p.Counts)
		}
		s.workedOnce(t, 400)
		if got := len(s.Records(t, s.Topics.Replay)); got != 400 {
			t.Errorf("got %d requests, want each once", got)
		}
	})
}

// TestOutstandingRepliesAreBounded has a worker that takes nothing.
func TestOutstandingRepliesAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 1300)
		i := s.start(t, "api-1")
		id := i.create(t, jobs.Spec{IDs: s.ids[:1300], Ramp: []int{}})
		kafkatest.Pass(time.Minute)
		if p := i.get(t, id); p.Sent != 1000 {
			t.Errorf("got %d sent, want 1000", p.Sent)
		}
	})
}

func TestJobsThatCannotBeCreated(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 1)
		i := s.start(t, "api-1")
		ids := s.ids[:1]
		for name, row := range map[string]struct {
			spec jobs.Spec
			want error
		}{
			"no selection":      {jobs.Spec{IDs: []string{}}, jobs.ErrEmpty},
			"a rate below zero": {jobs.Spec{IDs: ids, Rate: -1}, jobs.ErrSpec},
			"no rate":           {jobs.Spec{IDs: ids, Rate: math.NaN()}, jobs.ErrSpec},
			"an endless rate":   {jobs.Spec{IDs: ids, Rate: math.Inf(1)}, jobs.ErrSpec},
			"a step of nothing": {jobs.Spec{IDs: ids, Ramp: []int{1, 0}}, jobs.ErrSpec},
			"a share of 1":      {jobs.Spec{IDs: ids, StopAbove: 1}, jobs.ErrSpec},
			"a share below 0":   {jobs.Spec{IDs: ids, StopAbove: -0.1}, jobs.ErrSpec},
			"half a patch":      {jobs.Spec{IDs: ids, Patch: []byte(`[{"op"`)}, jobs.ErrSpec},
			"two lines":         {jobs.Spec{IDs: ids, Reason: "a\nb"}, jobs.ErrSpec},
			"a long dry run":    {jobs.Spec{IDs: many(1001), DryRun: true}, jobs.ErrSpec},
		} {
			if _, err := i.Create(ann(t), row.spec); !errors.Is(err, row.want) {
				t.Errorf("%s: got %v, want %v", name, err, row.want)
			}
		}
		if _, err := i.Get(t.Context(), "job_1"); !errors.Is(err, jobs.ErrUnknown) {
			t.Errorf("got %v, want ErrUnknown", err)
		}
		if err := i.Command(ann(t), "job_1", jobs.Event{Kind: wire.JobPause}); !errors.Is(err, jobs.ErrUnknown) {
			t.Errorf("got %v, want ErrUnknown", err)
		}
		id := i.create(t, jobs.Spec{IDs: []string{"9-9", "x", "2-99999", ""}})
		p := i.await(t, id, phase(jobs.Done))
		if diff := cmp.Diff(map[wire.SkipReason]int{wire.SkipUnknown: 4}, p.Skipped); diff != "" {
			t.Errorf("what is no dead letter (-want +got):\n%s", diff)
		}
	})
}

func many(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("1-%d", i))
	}
	return ids
}
