package sqlite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/tables"
	"example.com/orders/shared/cputime"
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
			query, args, err := tables.DeadLettersQuery(t.Context(), s.db, f, nil, after, sequence)
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
			want := len(view.DeadLetterStates())
			if len(f.States) > 0 {
				want = 2 // each once
			}
			// In the sequence of the index: a page is read, not sorted.
			if sorts(plan) || searches != want {
				t.Errorf("%+v: got plan %q, want %d searches that are merged", f, plan, want)
			}
		}
	}
}

// TestWhatACauseHasInCommonIsReadByIndexes bounds how much is read: the entries of the cause in one index,
// and 1,000 orders of each sample.
func TestWhatACauseHasInCommonIsReadByIndexes(t *testing.T) {
	t.Parallel()
	s := empty(t)
	want := []string{
		"SEARCH dead_letters USING COVERING INDEX dead_letters_cause (cause=?)", "SEARCH l USING INTEGER PRIMARY KEY (rowid=?)",
		"SEARCH o USING INDEX orders_offset (partition=? AND offset=?)",
	}
	plan := strings.Join(s.plan(t, tables.CauseOrdersQuery, []any{"cause_1", 1_000}), "\n")
	for _, step := range want {
		if !strings.Contains(plan, step) {
			t.Errorf("got plan %q, want %q in it", plan, step)
		}
	}
	if strings.Contains(plan, "SCAN dead_letters") || strings.Contains(plan, "SCAN o") || strings.Contains(plan, "SCAN l") {
		t.Errorf("got plan %q, want no scan of a table", plan)
	}
	all, err := deadLetters(t, 3_000, 2).CauseOrders(t.Context(), "cause_1", 1_000)
	if err != nil || len(all) != 1_000 {
		t.Errorf("got %d orders, %v; want 1000", len(all), err)
	}
}

// deadLetters is a store of n dead letters of some causes. Each has an order, of which a tenth are
// confirmed since, and the words of a customer.
func deadLetters(t testing.TB, n, causes int) *Store {
	t.Helper()
	s := empty(t)
	now := time.Now()
	for from := 0; from < n; from += 1_000 {
		var b view.Batch
		for i := from; i < min(n, from+1_000); i++ {
			id := order.ID(fmt.Sprintf("ord_%026d", i))
			row := view.Row{ID: id, Partition: int32(i % 12), Offset: int64(i), PlacedAt: now, Status: order.Dead, Rev: 1, Begun: true, Value: make([]byte, 1_500)}
			l := view.Failed{Partition: row.Partition, Offset: row.Offset, CauseID: fmt.Sprintf("cause_%d", i%causes), Text: "order …: step shipping: …"}
			l.Origin, l.Key, l.Rev, l.Step, l.Class, l.Reason = order.Origin{Partition: row.Partition, Offset: row.Offset}, []byte(id), 1, order.StepShipping, failure.Permanent, failure.NoRoute
			l.Message = fmt.Sprintf("order %s: step shipping: the rate card has no zone for country %q, customer %d", id, "AQ", i)
			l.FirstFailed, l.LastFailed = now.Add(-time.Duration(i)*time.Second), now.Add(-time.Duration(i)*time.Second)
			l.Words = []string{fmt.Sprintf("customer%d", i), "example", "com", fmt.Sprintf("name%d", i%100)}
			b.Changes = append(b.Changes, view.Changed{Row: row}, l)
			if i%10 == 0 {
				row.Status, row.Rev = order.Confirmed, 2
				b.Changes = append(b.Changes, view.Changed{Row: row}, view.Answered{Origin: l.Origin, Number: 1, Outcome: view.Confirmed, Rev: 2, At: now})
			}
		}
		must(t, s.Apply(t.Context(), b))
	}
	return s
}

// TestListsAndGroupsOfManyDeadLettersAreFast has 10,000 dead letters of 7 causes. What counts is CPU time, and the best of several
// rounds, because other programs use the machine, too.
func TestListsAndGroupsOfManyDeadLettersAreFast(t *testing.T) {
	t.Parallel()
	s := deadLetters(t, 10_000, 7)
	page := func(f view.DeadLetterFilter, words ...string) func() int {
		f.Limit = 51
		return func() int {
			all, err := s.DeadLetters(t.Context(), f, words, view.Cursor{})
			must(t, err)
			return len(all)
		}
	}
	groups := func(f view.DeadLetterFilter) func() int {
		return func() int {
			all, err := s.Groups(t.Context(), f, nil, time.Now().Add(-23*time.Hour))
			must(t, err)
			return len(all)
		}
	}
	open := []view.DeadLetterState{view.Open}
	for _, row := range []struct {
		name string
		want int
		most time.Duration
		ask  func() int
	}{
		{"all", 51, 50 * time.Millisecond, page(view.DeadLetterFilter{})},
		{"open", 51, 50 * time.Millisecond, page(view.DeadLetterFilter{States: view.Unsettled()})},
		{"one cause", 51, 50 * time.Millisecond, page(view.DeadLetterFilter{Cause: "cause_3", States: open})},
		{"old", 51, 50 * time.Millisecond, page(view.DeadLetterFilter{To: time.Now().Add(-9_000 * time.Second)})},
		{"a customer", 1, 50 * time.Millisecond, page(view.DeadLetterFilter{}, "customer7777")},
		{"a common word", 51, 50 * time.Millisecond, page(view.DeadLetterFilter{States: open}, "example", "com")},
		{"two words", 51, 50 * time.Millisecond, page(view.DeadLetterFilter{States: open}, "name7", "exam")},
		{"groups", 7, 10 * time.Millisecond, groups(view.DeadLetterFilter{})},
		{"open groups", 7, 10 * time.Millisecond, groups(view.DeadLetterFilter{States: view.Unsettled()})},
		{"groups of a step", 7, 100 * time.Millisecond, groups(view.DeadLetterFilter{Step: order.StepShipping, From: time.Now().Add(-12 * time.Hour)})},
	} {
		best, most := time.Hour, slower*row.most
		for round := 0; round < 3 || best >= most && round < 10; round++ {
			best = min(best, cputime.Of(func() {
				if got := row.ask(); got != row.want {
					t.Fatalf("%s: got %d, want %d", row.name, got, row.want)
				}
			}))
		}
		t.Logf("%s: %s", row.name, best)
		if best >= most {
			t.Errorf("%s: took %s, want less than %s", row.name, best, most)
		}
	}
}
