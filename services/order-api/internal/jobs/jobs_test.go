//go:build synctests

package jobs_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
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
		id := i.create(t, jobs.Spec{IDs: append(s.ids(150), s.ids(2)...), Reason: "Depot is back"})
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
