package sqlite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

func TestEveryListOfDeadLettersIsAnsweredByAnIndex(t *testing.T) {
	t.Parallel()
	s := empty(t)
	class := failure.Permanent
	for bits := range 1 << 8 {
		f, index := view.DeadLetterFilter{Limit: 51}, "dead_letters_state"
		var after view.Cursor
		for i, set := range []func(){
			func() { f.Class, index = &class, "dead_letters_class" },
			func() { f.Topic, index = view.Ours, "dead_letters_foreign" },
			func() { f.Step, index = order.StepEmail, "dead_letters_step" },
			func() { f.Reason, index = failure.NoRoute, "dead_letters_reason" },
			func() { f.Cause, index = "cause_1", "dead_letters_cause" },
			func() { f.States = []view.DeadLetterState{view.Open, view.Lost, view.Open} },
			func() { f.From, f.To = time.UnixMilli(5), time.UnixMilli(900) },
			func() { after = view.Cursor{At: time.UnixMilli(700), ID: "1-1"} },
		} {
			if bits&(1<<i) != 0 {
				set()
			}
		}
		for _, sequence := range []string{"ASC", "DESC"} {
			query, args, err := s.pick(t.Context(), f, nil, after, sequence)
			must(t, err)
			plan := s.plan(t, query, args)
			searches := 0
			for _, step := range plan {
				if strings.Contains(step, "dead_letters") {
					searches++
					if !strings.Contains(step, fmt.Sprintf("SEARCH dead_letters USING COVERING INDEX %s (", index)) && !strings.Contains(step, fmt.Sprintf("SEARCH dead_letters USING INDEX %s (", index)) {
						t.Errorf("%+v: got %q, want index %s", f, step, index)
					}
				}
			}
			// In the sequence of the index: a page is read, not sorted.
			if want := len(states(f)); sorts(plan) || searches != want {
				t.Errorf("%+v: got plan %q, want %d searches that are merged", f, plan, want)
			}
		}
	}
}
