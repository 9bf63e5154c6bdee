package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// job is a job of partition 2 that was created in a minute, which is its ID, too.
func job(n, total int) view.JobDefined {
	return view.JobDefined{Partition: 2, Job: wire.Job{
		JobHead: wire.JobHead{ID: fmt.Sprintf("job_%02d", n), At: minute(n), Cause: order.Cause{Actor: order.Actor{Kind: order.ActorOperator, ID: "ann"}}},
		Kind:    wire.JobReplay, Total: total, Chunks: 1 + (total-1)/wire.MaxChunk, Rate: 10, Ramp: []int{1, 5}, StopAbove: 0.1, Reason: "Depot is back",
	}}
}

// chunks is the selection of a job: dead letters of partition 1, from offset 0 on.
func chunks(j view.JobDefined) (all []view.Change) {
	for n := range j.Chunks {
		c := wire.JobChunk{JobHead: j.JobHead, N: n}
		for i := n * wire.MaxChunk; i < min(j.Total, (n+1)*wire.MaxChunk); i++ {
			c.IDs = append(c.IDs, fmt.Sprintf("1-%d", i))
		}
		all = append(all, view.JobSelected{JobChunk: c})
	}
	return all
}

// batch sends items of a job, each as the first replay of its dead letter.
func batch(j view.JobDefined, from, to, step int) view.JobAdvanced {
	b := wire.JobBatch{JobHead: j.JobHead, From: from, To: to, Step: step, Numbers: slices.Repeat([]int{1}, to-from)}
	b.Cause.Actor = order.Actor{Kind: order.ActorService, ID: "api-1"}
	return view.JobAdvanced{JobBatch: b}
}

func event(j view.JobDefined, kind wire.JobEventKind) view.JobEvented {
	return view.JobEvented{JobEvent: wire.JobEvent{JobHead: j.JobHead, Event: kind, Act: "act_1"}}
}

// answered is the outcome of the first replay of the dead letter at an offset, for the first job.
func answered(offset int64, outcome view.ReplayOutcome, rev int64) view.Answered {
	return view.Answered{Origin: order.Origin{Partition: 1, Offset: offset}, Number: 1, Job: "job_01", Outcome: outcome, Rev: rev, At: minute(int(rev))}
}

func (s *store) job(id string) view.Job {
	s.t.Helper()
	j, err := s.Job(s.t.Context(), id)
	s.check(err)
	if j == nil {
		return view.Job{}
	}
	return *j
}

// results counts a job's items by outcome.
func (s *store) results(id string) map[view.ReplayOutcome]int {
	s.t.Helper()
	_, all, err := s.JobResults(s.t.Context(), id)
	s.check(err)
	got := map[view.ReplayOutcome]int{}
	for _, r := range all {
		got[r.Outcome] += r.Count
	}
	return got
}

func foldsJobs(t *testing.T, s *store) {
	j, skipped := job(1, 9), batch(job(1, 9), 1, 3, 1)
	skipped.Numbers[0], skipped.Skipped = 0, map[int]wire.SkipReason{1: wire.SkipClosed}
	s.reset(append(chunks(j), j, j, batch(j, 0, 1, 0), batch(j, 0, 1, 0), skipped, event(j, wire.JobHalt), event(j, wire.JobPause))...)
	want := view.NewJob(j.Job, 2)
	want.Cursor, want.Step, want.Sent, want.Runner, want.State = 3, 1, 2, "api-1", view.JobHalted
	want.Skipped, want.Records = map[wire.SkipReason]int{wire.SkipClosed: 1}, 4
	want.Halt = &view.Halt{At: j.At}
	equal(t, "job", s.job(j.ID), want)
	equal(t, "results", s.results(j.ID), map[view.ReplayOutcome]int{view.InFlight: 2})
	s.apply(event(j, wire.JobResume), batch(j, 9, 10, 2), batch(j, 2, 4, 2), view.JobEvented{JobEvent: wire.JobEvent{JobHead: j.JobHead, Event: wire.JobRate, Rate: 3}})
	want.State, want.Base, want.BaseStep, want.Halt, want.Records, want.Limit = view.JobRunning, 3, 2, nil, 6, 3
	equal(t, "resumed, with batches that are not the next", s.job(j.ID), want)
	s.apply(event(job(7, 1), wire.JobPause), batch(job(7, 1), 0, 1, 0))
	equal(t, "a job that is not known", s.job("job_07"), view.Job{})
}

// countsResults has results before and after their items, twice, and of replays of somebody else.
func countsResults(t *testing.T, s *store) {
	j, twin := job(1, 9), job(2, 9)
	other := answered(0, view.Confirmed, 9)
	other.Number = 2
	later := answered(6, view.FailedAgain, 9)
	later.Number = 2
	dead, reason := failed(0, 5), answered(0, view.FailedAgain, 5)
	dead.CauseID, reason.Step, reason.Reason = "cause", order.StepShipping, "no-route"
	before, too, ended := failed(0, 1), reason, answered(1, view.AlreadyDone, 5)
	before.Replays, before.CauseID, too.Job, ended.Job = 0, "another", twin.ID, twin.ID
	changes := []view.Change{before, dead, reason, too, ended, answered(0, view.Retrying, 3), answered(1, view.FailedAgain, 0), j, twin}
	s.reset(slices.Concat(changes, chunks(j), chunks(twin), []view.Change{
		batch(j, 0, 9, 0), batch(twin, 0, 2, 0), answered(1, view.Confirmed, 4), answered(2, view.Waiting, 4), answered(3, view.Retrying, 4),
		answered(4, view.AlreadyDone, 4), answered(5, view.Conflicted, 4), answered(6, view.InFlight, 4), later, other, answered(99, view.Confirmed, 1),
		view.Changed{Row: changed(7, order.Working, 2).Row},
		view.Erased{ID: "ord_07", Partition: 1, At: minute(9)},
	})...)
	equal(t, "results", s.results(j.ID), map[view.ReplayOutcome]int{
		view.FailedAgain: 2, view.Confirmed: 1, view.Waiting: 1, view.Retrying: 1, view.AlreadyDone: 1, view.OrderErased: 1, view.Conflicted: 1, view.InFlight: 1,
	})
	equal(t, "results of a job with the same dead letters", s.results(twin.ID), map[view.ReplayOutcome]int{view.FailedAgain: 1, view.AlreadyDone: 1})
	found, all, err := s.JobResults(t.Context(), twin.ID) // sorted by outcome
	s.check(err)
	equal(t, "the same job", *found, s.job(twin.ID))
	equal(t, "the failure with its cause", all[1], view.JobResult{Outcome: view.FailedAgain, Failed: order.StepShipping, Reason: "no-route", Cause: "cause", New: true, Count: 1, Revs: 5, Last: minute(5)})
	dead.Message = ""
	s.apply(dead)
	_, all, err = s.JobResults(t.Context(), twin.ID)
	s.check(err)
	equal(t, "its record is not known yet", all[1].New, false)
	dead.Message, before.CauseID = "no route", "cause"
	s.apply(dead, before)
	_, all, err = s.JobResults(t.Context(), twin.ID)
	s.check(err)
	equal(t, "the cause is the one that it had before", all[1].New, false)
	equal(t, "results of no job", s.results("job_09"), map[view.ReplayOutcome]int{})
}

func selectsItems(t *testing.T, s *store) {
	j := job(1, 2500)
	s.reset(chunks(j)...) // the job is not known yet
	for _, row := range []struct{ from, to int }{{0, 1}, {999, 1001}, {1000, 2000}, {0, 2500}, {2499, 2500}} {
		got, err := s.JobItems(t.Context(), &view.Job{Job: j.Job}, row.from, row.to)
		s.check(err)
		var want []string
		for i := row.from; i < row.to; i++ {
			want = append(want, fmt.Sprintf("1-%d", i))
		}
		equal(t, "items", got, want)
	}
	if got, err := s.JobItems(t.Context(), &view.Job{Job: j.Job}, 2500, 2600); err != nil || len(got) != 0 {
		t.Errorf("items behind the end: got %q, %v", got, err)
	}
}

func selectsJobs(t *testing.T, s *store) {
	elsewhere := job(3, 1)
	elsewhere.Partition = 1
	s.reset(job(1, 1), job(2, 1), elsewhere, event(job(2, 1), wire.JobCancel))
	here := int32(2)
	for _, row := range []struct {
		name   string
		filter view.JobFilter
		after  view.Cursor
		want   []string
	}{
		{"all", view.JobFilter{Limit: 9}, view.Cursor{}, []string{"job_03", "job_02", "job_01"}},
		{"a page", view.JobFilter{Limit: 1}, view.Cursor{At: minute(3), ID: "job_03"}, []string{"job_02"}},
		{"unfinished", view.JobFilter{Limit: 9, Unfinished: true}, view.Cursor{}, []string{"job_03", "job_01"}},
		{"of a partition", view.JobFilter{Limit: 9, Unfinished: true, Partition: &here}, view.Cursor{}, []string{"job_01"}},
	} {
		found, err := s.Jobs(t.Context(), row.filter, row.after)
		s.check(err)
		var got []string
		for _, j := range found {
			got = append(got, j.ID)
			if !j.At.Equal(j.At.Truncate(time.Minute)) || j.Cause.Actor.ID != "ann" {
				t.Errorf("%s: got %s at %s by %+v", row.name, j.ID, j.At, j.Cause)
			}
		}
		equal(t, row.name, got, row.want)
	}
}

// forecasts has a dry run whose dead letters are replayed meanwhile.
func forecasts(t *testing.T, s *store) {
	j := job(1, 4)
	j.Kind = wire.JobDryRun
	forecast := func(offset int, o wire.StepOutcome) view.Forecasted {
		return view.Forecasted{Forecast: wire.Forecast{
			Job: j.ID, DeadLetter: fmt.Sprintf("1-%d", offset), At: minute(5), Steps: []wire.StepForecast{{Step: order.StepShipping, Outcome: o}}, Total: order.EUR.Cents(100),
		}}
	}
	elsewhere := forecast(3, wire.StepFails)
	elsewhere.Job = "job_09"
	replayed := answered(3, view.Confirmed, 4)
	later := answered(3, view.Confirmed, 5)
	later.Number = 2
	s.reset(slices.Concat([]view.Change{forecast(0, wire.StepFails), elsewhere, j}, chunks(j), []view.Change{
		batch(j, 0, 4, 0), forecast(1, wire.StepNotTried), forecast(2, wire.StepOK), forecast(2, wire.StepFails), replayed, later,
	})...)
	equal(t, "results", s.results(j.ID), map[view.ReplayOutcome]int{view.WouldPass: 1, view.WouldFail: 2, view.InFlight: 1})
	var got []wire.Forecast
	for after, page := -1, []wire.Forecast(nil); ; got = append(got, page...) {
		var err error
		page, after, err = s.JobForecasts(t.Context(), j.ID, after, 2)
		s.check(err)
		if len(page) == 0 {
			break
		}
	}
	equal(t, "forecasts", got, []wire.Forecast{
		forecast(0, wire.StepFails).Forecast, forecast(1, wire.StepNotTried).Forecast, forecast(2, wire.StepFails).Forecast,
	})
}
