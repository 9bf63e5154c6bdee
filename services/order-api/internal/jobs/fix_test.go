//go:build synctests

package jobs_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// TestAPatchIsAppliedToWhatItFits edits what the test operation fits, records each edit, and skips the others.
func TestAPatchIsAppliedToWhatItFits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 3)
		s.work(t, confirm)
		i := s.start(t, "api-1")
		patch := func(city, note string) []byte {
			return []byte(`[{"op":"test","path":"/ship_to/city","value":"` + city + `"},{"op":"add","path":"/note","value":"` + note + `"}]`)
		}
		for _, text := range []string{`[]`, `{}`, `[{"op":"explode","path":"/note"}]`, `[{"op":"add","path":"note","value":1}]`, `nonsense`} {
			if _, err := i.Create(ann(t), jobs.Spec{IDs: s.ids, Patch: []byte(text)}); !errors.Is(err, jobs.ErrSpec) {
				t.Errorf("patch %s: got %v, want ErrSpec", text, err)
			}
		}
		p := i.await(t, i.create(t, jobs.Spec{IDs: s.ids, Patch: patch("Paris", "x")}), phase(jobs.Done))
		if diff := cmp.Diff(map[wire.SkipReason]int{wire.SkipRefused: 3}, p.Skipped); diff != "" {
			t.Errorf("a patch that fits nothing (-want +got):\n%s", diff)
		}
		id := i.create(t, jobs.Spec{IDs: s.ids, Patch: patch("Berlin", "Ring twice"), Reason: "customers asked"})
		p = i.await(t, id, phase(jobs.Done))
		if diff := cmp.Diff(map[view.ReplayOutcome]int{view.Confirmed: 3}, p.Counts); diff != "" {
			t.Errorf("a patch that fits all (-want +got):\n%s", diff)
		}
		for _, r := range s.Records(t, s.Topics.Replay) {
			q, err := wire.ReadReplayRequest(r)
			if err != nil || q.Edit != 1 || q.Job != id || q.EditReason != "customers asked" || q.EditedBy.Actor.ID != "ann" ||
				!strings.Contains(string(q.Value), "Ring twice") {
				t.Errorf("got %+v with value %s, %v; want edit 1 of the job", q, q.Value, err)
			}
		}
		for _, dl := range s.ids {
			decisions, err := i.view.Decisions(t.Context(), dl)
			if err != nil || len(decisions) != 1 || decisions[0].Kind != wire.Edit || decisions[0].Version != 1 || decisions[0].Text != "customers asked" {
				t.Errorf("%s: got decisions %+v, %v; want the edit", dl, decisions, err)
			}
		}
	})
}

// TestAPatchThatChangesNothingReplaysNothing is what the preview of the patch says, too.
func TestAPatchThatChangesNothingReplaysNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 3)
		s.work(t, confirm)
		i := s.start(t, "api-1")
		id := i.create(t, jobs.Spec{IDs: s.ids, Patch: []byte(`[{"op":"replace","path":"/ship_to/city","value":"Berlin"}]`)})
		p := i.await(t, id, phase(jobs.Done))
		if diff := cmp.Diff(map[wire.SkipReason]int{wire.SkipRefused: 3}, p.Skipped); diff != "" {
			t.Errorf("skipped (-want +got):\n%s", diff)
		}
		s.workedOnce(t, 0)
	})
}

// TestAReplayThatIsTooLargeIsSkipped has a dead letter that its topic takes because it is compressed.
func TestAReplayThatIsTooLargeIsSkipped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 3)
		s.work(t, confirm)
		i := s.start(t, "api-1")
		large := s.die(t, s.orders[s.ids[1]], 1)
		large[0].Value = append(large[0].Value, bytes.Repeat([]byte(" "), topic.MaxBytes(s.Topics.Replay))...)
		cl, err := s.Config().Connect(t.Context(), kgo.ProducerBatchMaxBytes(4<<20))
		must(t, err)
		defer cl.Close()
		for _, r := range large {
			must(t, cl.ProduceSync(t.Context(), r).FirstErr())
		}
		i.reread(t, s.ids[1], 1)
		id := i.create(t, jobs.Spec{IDs: s.ids, Ramp: []int{}})
		p := i.await(t, id, phase(jobs.Done))
		if diff := cmp.Diff(map[wire.SkipReason]int{wire.SkipTooLarge: 1}, p.Skipped); diff != "" || p.Counts[view.Confirmed] != 2 {
			t.Errorf("got %v, skipped (-want +got):\n%s", p.Counts, diff)
		}
	})
}

// reread waits until the view has a dead letter after a number of replays.
func (i *instance) reread(t *testing.T, id string, replays int) {
	t.Helper()
	changes, stop := i.Watch()
	defer stop()
	for {
		l, err := i.view.DeadLetter(t.Context(), id)
		must(t, err)
		if l.Replays == replays {
			return
		}
		<-changes
	}
}

// TestADryRunForecastsASampleOfEachCause changes nothing, and does not count as a replay.
func TestADryRunForecastsASampleOfEachCause(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 1100)
		s.work(t, confirm)
		i := s.start(t, "api-1")
		id := i.create(t, jobs.Spec{DryRun: true, Filter: view.DeadLetterFilter{States: view.Unsettled()}, Rate: 0})
		p := i.await(t, id, phase(jobs.Done))
		if p.Total != jobs.MaxDryRun || p.Counts[view.WouldPass]+p.Counts[view.WouldFail] != p.Total || p.Counts[view.WouldFail] == 0 {
			t.Errorf("got %d items with %v, want 1000 forecasts of both kinds", p.Total, p.Counts)
		}
		all, last, err := i.view.JobForecasts(t.Context(), id, -1, 2000)
		if err != nil || len(all) != p.Total || last != p.Total-1 {
			t.Errorf("got %d forecasts up to %d, %v", len(all), last, err)
		}
		s.workedOnce(t, 0)
		for _, state := range s.States(t) {
			if state.Status != order.Dead || state.Replays != 0 {
				t.Fatalf("%s is %s after %d replays, want it dead as before", state.Order.ID, state.Status, state.Replays)
			}
		}
		id = i.create(t, jobs.Spec{Filter: view.DeadLetterFilter{States: view.Unsettled()}, Ramp: []int{}})
		if p := i.await(t, id, phase(jobs.Done)); p.Counts[view.Confirmed] != 1100 {
			t.Errorf("a replay after it: got %v, want 1100 confirmed", p.Counts)
		}
	})
}
