package storetest

import (
	"fmt"
	"testing"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// acted is an act that began in a minute, which is its ID, too.
func acted(n int, outcome wire.Outcome) view.Acted {
	return view.Acted{Act: wire.Act{
		ID: fmt.Sprintf("act_%02d", n), At: minute(n), Cause: order.Cause{Actor: order.Actor{Kind: order.ActorOperator, ID: "ann:1"}},
		Kind: "replay", Target: fmt.Sprintf("dead-letter/1-%d", n), Reason: "Depot is back", Outcome: outcome, Address: "192.0.2.0/24", Count: 1,
	}}
}

// acts reads all pages of a filter.
func (s *store) acts(f view.ActFilter) (all []wire.Act) {
	s.t.Helper()
	for after := (view.Cursor{}); ; {
		page, err := s.Acts(s.t.Context(), f, after)
		s.check(err)
		for _, a := range page {
			all = append(all, a)
			after = view.Cursor{At: a.At, ID: a.ID}
		}
		if len(page) < f.Limit {
			return all
		}
	}
}

func givesOutcomes(t *testing.T, s *store) {
	refused, another, first := acted(1, wire.Refused), acted(1, wire.Done), acted(2, wire.Done)
	refused.Problem = "dead-letter-closed"
	another.Kind, another.Reason = "refund", "Changed later"
	s.reset(acted(1, wire.Unknown))
	equal(t, "without an outcome", s.acts(view.ActFilter{Limit: 9}), []wire.Act{acted(1, wire.Unknown).Act})
	s.apply(refused, another, acted(1, wire.Unknown), first, acted(2, wire.Unknown))
	equal(t, "the first outcome", s.acts(view.ActFilter{Limit: 9}), []wire.Act{first.Act, refused.Act})
}

func selectsActs(t *testing.T, s *store) {
	twin, guest := acted(3, wire.Done), acted(4, wire.Refused)
	twin.ID = "act_03b"
	guest.Cause, guest.Kind, guest.Target = order.Cause{}, "denied", "/v1/audit"
	s.reset(acted(1, wire.Done), acted(2, wire.Unknown), acted(3, wire.Done), twin, guest)
	const id1, id2, id3, id3b, id4 = "act_01", "act_02", "act_03", "act_03b", "act_04"
	for _, row := range []struct {
		name   string
		filter view.ActFilter
		want   []string
	}{
		{"all", view.ActFilter{}, []string{id4, id3b, id3, id2, id1}},
		{"actor", view.ActFilter{Actor: "operator:ann:1"}, []string{id3b, id3, id2, id1}},
		{"no such actor", view.ActFilter{Actor: "operator:ann"}, nil},
		{"act", view.ActFilter{Kind: "denied"}, []string{id4}},
		{"target", view.ActFilter{Target: "dead-letter/1-3"}, []string{id3b, id3}},
		{"outcome", view.ActFilter{Outcome: wire.Unknown}, []string{id2}},
		{"from is included, to is excluded", view.ActFilter{From: minute(2), To: minute(4)}, []string{id3b, id3, id2}},
		{"all at once", view.ActFilter{
			Actor: "operator:ann:1", Kind: "replay", Target: "dead-letter/1-1", Outcome: wire.Done, From: minute(1), To: minute(2),
		}, []string{id1}},
	} {
		for _, limit := range []int{1, 10} {
			row.filter.Limit = limit
			var got []string
			for _, a := range s.acts(row.filter) {
				got = append(got, a.ID)
			}
			equal(t, row.name, got, row.want)
		}
	}
}
