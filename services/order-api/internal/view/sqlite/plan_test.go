package sqlite

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/view/tables"
	"example.com/orders/shared/order"
)

// recorder notes the queries that it runs.
type recorder struct {
	*database
	queries []string
	args    [][]any
}

func (r *recorder) Each(ctx context.Context, row func(tables.Scan) error, query string, args ...any) error {
	r.queries, r.args = append(r.queries, query), append(r.args, args)
	return r.database.Each(ctx, row, query, args...)
}

// TestWhatPagesAndProbesAskForIsFoundByAnIndex has the questions about one order, and those that are
// asked again and again.
func TestWhatPagesAndProbesAskForIsFoundByAnIndex(t *testing.T) {
	t.Parallel()
	s := filled(t, 2_000, 3)
	for name, ask := range map[string]func(q tables.Tables) error{
		"order":   func(q tables.Tables) error { _, err := q.Order(t.Context(), "ord_000007"); return err },
		"refunds": func(q tables.Tables) error { _, err := q.Refunds(t.Context(), "ord_1"); return err },
		"count":   func(q tables.Tables) error { _, _, err := q.Count(t.Context(), order.Dead); return err },
		"oldest":  func(q tables.Tables) error { _, err := q.Oldest(t.Context(), 0, 5, time.UnixMilli(5)); return err },
	} {
		r := &recorder{database: s.db}
		must(t, ask(tables.New(func(do func(tables.Reader) error) error { return do(r) })))
		if len(r.queries) != 1 {
			t.Errorf("%s: got %d queries, want 1", name, len(r.queries))
		}
		plan := s.plan(t, r.queries[0], r.args[0])
		scans := func(step string) bool { return strings.HasPrefix(step, "SCAN o") } // also a whole index
		if sorts(plan) || slices.ContainsFunc(plan, scans) || !slices.ContainsFunc(plan, func(step string) bool { return strings.Contains(step, "SEARCH o") }) {
			t.Errorf("%s: got plan %q, want a search of orders, and no sorting", name, plan)
		}
	}
}
