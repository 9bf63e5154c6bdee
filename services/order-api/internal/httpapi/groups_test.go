//go:build synctests

package httpapi_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

// as is a client of a principal.
func (s *shop) as(t *testing.T, who string) *client.Client {
	t.Helper()
	c, err := s.client.WithToken(who, true)
	must(t, err)
	return c
}

// TestACauseShowsWhatItsOrdersHaveInCommon has dead orders of one mail domain to everywhere, one of
// which goes to a country of its own, and confirmed ones of other domains.
func TestACauseShowsWhatItsOrdersHaveInCommon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		var cause string
		for i := range 24 {
			o := wanted()
			if o.Customer.Email = fmt.Sprintf("customer%d@example.com", i); i%2 == 0 {
				o.Customer.Email = fmt.Sprintf("customer%d@full.test", i)
			}
			if i == 0 {
				o.ShipTo.Country = "FR"
			}
			state := s.placeAs(t, "vera", o)
			if i%2 == 0 {
				l, err := s.view.DeadLetter(t.Context(), s.failDead(t, &state))
				must(t, err)
				cause = l.CauseID
			} else {
				s.work(t, &state)
				s.advance(t, &state, order.Change{Status: order.Confirmed})
			}
		}
		g, err := s.as(t, "operator").Group(t.Context(), cause)
		must(t, err)
		if diff := cmp.Diff([]client.Common{{Field: "mail domain", Value: "full.test", Share: 1, Confirmed: 0}}, g.Common); diff != "" || g.Counts.Open != 12 {
			t.Errorf("got %d open, in common (-want +got):\n%s", g.Counts.Open, diff)
		}
		j, err := s.as(t, "operator").StartReplay(t.Context(), client.NewReplayJob{Selection: client.Selection{Filter: &client.DeadLetterFilter{Cause: cause}}})
		must(t, err)
		if g, err = s.as(t, "operator").Group(t.Context(), cause); err != nil || g.Job != j.ID {
			t.Errorf("got job %q, %v; want %s", g.Job, err, j.ID)
		}
	})
}

// TestWhatFewPeopleHaveInCommonIsNotShown has many orders of four customers with a domain of their own.
func TestWhatFewPeopleHaveInCommonIsNotShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		var cause string
		for i := range 30 {
			o := wanted()
			o.Customer.Email = fmt.Sprintf("customer%d@example.com", i)
			if i%2 == 0 {
				o.Customer.Email = fmt.Sprintf("customer%d@own.test", i/2%4)
			}
			state := s.placeAs(t, "vera", o)
			if i%2 == 0 {
				l, err := s.view.DeadLetter(t.Context(), s.failDead(t, &state))
				must(t, err)
				cause = l.CauseID
				continue
			}
			s.work(t, &state)
			s.advance(t, &state, order.Change{Status: order.Confirmed})
		}
		if g, err := s.as(t, "operator").Group(t.Context(), cause); err != nil || len(g.Common) != 0 {
			t.Errorf("got %+v, %v; want nothing that tells of few people", g.Common, err)
		}
	})
}

func TestACauseIsAssignedAndReleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := guarded(t)
		state := s.placeAs(t, "vera", wanted())
		l, err := s.view.DeadLetter(t.Context(), s.failDead(t, &state))
		must(t, err)
		support := s.as(t, "support")
		for _, row := range []struct {
			act  func() (*client.Assigned, error)
			want string
		}{
			{func() (*client.Assigned, error) { return support.Assign(t.Context(), l.CauseID, "") }, "operator:support"},
			{func() (*client.Assigned, error) { return support.Assign(t.Context(), l.CauseID, "Team Zürich") }, "Team Zürich"},
			{func() (*client.Assigned, error) { return nil, support.Release(t.Context(), l.CauseID) }, ""},
		} {
			time.Sleep(time.Millisecond)
			a, err := row.act()
			groups, _, err2 := support.Groups(t.Context(), client.DeadLetterFilter{}, 0)
			if err != nil || err2 != nil || len(groups) != 1 {
				t.Fatalf("%s: got %v, %v and %d groups", row.want, err, err2, len(groups))
			}
			got := groups[0].Assigned
			if diff := cmp.Diff(a, got); diff != "" || row.want == "" && got != nil || row.want != "" && (got == nil || got.To != row.want || got.By != "operator:support") {
				t.Errorf("%s: got %+v (-answer +listed):\n%s", row.want, got, diff)
			}
		}
		want := []string{
			"operator:support assign cause/" + l.CauseID + " done", "operator:support assign cause/" + l.CauseID + " done Team Zürich",
			"operator:support assign cause/" + l.CauseID + " done operator:support",
		}
		if diff := cmp.Diff(want, briefly(s.acts(t, ""))); diff != "" {
			t.Errorf("audit trail (-want +got):\n%s", diff)
		}
	})
}
