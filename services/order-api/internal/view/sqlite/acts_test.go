package sqlite

import (
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/tables"
	"example.com/orders/shared/wire"
)

func TestEveryListOfActsIsAnsweredByAnIndex(t *testing.T) {
	t.Parallel()
	s := empty(t)
	for bits := range 1 << 6 {
		f, index := view.ActFilter{Limit: 51}, "acts_at"
		var after view.Cursor
		for i, set := range []func(){
			func() { f.Outcome, index = wire.Done, "acts_outcome" },
			func() { f.Kind, index = "replay", "acts_act" },
			func() { f.Actor, index = "operator:ann", "acts_actor" },
			func() { f.Target, index = "order/ord_1", "acts_target" },
			func() { f.From, f.To = time.UnixMilli(5), time.UnixMilli(900) },
			func() { after = view.Cursor{At: time.UnixMilli(700), ID: "act_1"} },
		} {
			if bits&(1<<i) != 0 {
				set()
			}
		}
		query, args := tables.ActsQuery(f, after)
		// In the sequence of the index: a page is read, not sorted.
		if plan := s.plan(t, query, args); sorts(plan) || len(plan) != 1 || !strings.Contains(plan[0], "INDEX "+index) {
			t.Errorf("%+v: got plan %q, want index %s", f, plan, index)
		}
	}
}
