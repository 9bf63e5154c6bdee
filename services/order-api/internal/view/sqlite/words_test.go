package sqlite

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/tables"
	"example.com/orders/shared/order"
)

// filled is a store of n confirmed orders, of which a tenth are refunds. Each has the words
// customer, example and com and its number, and a first name and a last name of which there are
// few.
func filled(t *testing.T, n, names int) *Store {
	t.Helper()
	s := empty(t)
	var b view.Batch
	for i := range n {
		o := view.Row{
			ID: order.ID(fmt.Sprintf("ord_%06d", i)), Offset: int64(i), PlacedAt: time.UnixMilli(int64(i)), Status: order.Confirmed, Value: []byte("{}"),
			Words: []string{"customer", fmt.Sprint(i), "example", "com", fmt.Sprintf("first%d", i%names), fmt.Sprintf("last%d", i/names%names)},
		}
		if i%7 < 2 {
			o.Owner = order.Actor{Kind: order.ActorCustomer, ID: fmt.Sprint(i % 7)}
		}
		if i%100 < 90 {
			o.Reference = fmt.Sprint("2026-", i/20)
		}
		if i%10 == 9 {
			o.RefundOf = "ord_1"
		}
		b.Changes = append(b.Changes, view.Changed{Row: o})
	}
	must(t, s.Apply(t.Context(), b))
	return s
}

// plan is how SQLite answers a query.
func (s *Store) plan(t *testing.T, query string, args []any) (plan []string) {
	t.Helper()
	must(t, s.db.Each(t.Context(), func(scan tables.Scan) error {
		var id, parent, unused int
		var step string
		err := scan(&id, &parent, &unused, &step)
		// Whether a dead order is discarded is looked up by the primary key of dead letters.
		if !strings.HasPrefix(step, "CORRELATED SCALAR SUBQUERY") && step != "SEARCH d USING INDEX sqlite_autoindex_dead_letters_1 (id=?)" {
			plan = append(plan, step)
		}
		return err
	}, "EXPLAIN QUERY PLAN "+query, args...))
	return plan
}

// sorts reports whether a plan reads more than it answers.
func sorts(plan []string) bool {
	return slices.ContainsFunc(plan, func(step string) bool { return strings.Contains(step, "TEMP B-TREE FOR") })
}

func TestEveryListOfOrdersIsAnsweredByAnIndex(t *testing.T) {
	t.Parallel()
	s := filled(t, 8_000, 3)
	at := func(n int64) time.Time { return time.UnixMilli(n) }
	for i := range 4 {
		refunds, owner := i%2 == 1, order.Actor{}
		if i >= 2 {
			owner = order.Actor{Kind: order.ActorCustomer, ID: "1"}
		}
		for _, status := range []order.Status{"", order.Confirmed} {
			for _, page := range []struct {
				view.Filter
				after view.Cursor
			}{{}, {Filter: view.Filter{From: at(5)}}, {Filter: view.Filter{From: at(5), To: at(900)}}, {after: view.Cursor{At: at(900), ID: "ord_000900"}}} {
				f := page.Filter
				f.Refunds, f.Owner, f.Status, f.Limit = refunds, owner, status, 51
				plan := func(words ...string) []string {
					query, args, err := tables.OrdersQuery(t.Context(), s.db, f, words, page.after)
					must(t, err)
					return s.plan(t, query, args)
				}
				// In the sequence of an index: what is read is what is answered.
				if got := plan(); sorts(got) || len(got) != 1 || !strings.Contains(got[0], "INDEX") {
					t.Errorf("%+v: got plan %q, want one index", f, got)
				} else if by := strings.Contains(got[0], "s_owner (owner=?"); by != (i >= 2) {
					t.Errorf("%+v: got plan %q, want the index of owners: %t", f, got, i >= 2)
				}
				f.Reference = "2026-7"
				if got := plan(); sorts(got) || len(got) != 1 || !strings.Contains(got[0], "orders_reference (reference=?") {
					t.Errorf("%+v: got plan %q, want the index of references", f, got)
				}
				f.Reference = ""
				if got := plan("customer", "777"); !strings.Contains(got[0], "SEARCH o USING INTEGER PRIMARY KEY") {
					t.Errorf("%+v, rare word: got plan %q, want the few orders of that customer", f, got)
				}
				if got := plan("first1", "last2"); !strings.Contains(got[0], "SEARCH o USING INTEGER PRIMARY KEY") {
					t.Errorf("%+v, common words: got plan %q, want the few orders that have both", f, got)
				}
				if got := plan("example", "com"); len(got) != 1 || !strings.Contains(got[0], "INDEX") {
					t.Errorf("%+v, words that all have: got plan %q, want the orders from the newest on", f, got)
				}
			}
		}
	}
}

// TestTheIndexOfWordsFollowsItsOrders has a state that names another customer than the order did.
func TestTheIndexOfWordsFollowsItsOrders(t *testing.T) {
	t.Parallel()
	s := filled(t, 3, 1)
	found := func(words ...string) int {
		rows, err := s.Orders(t.Context(), view.Filter{Limit: 9}, words, view.Cursor{})
		must(t, err)
		return len(rows)
	}
	if got := []int{found("customer"), found("cust"), found("2"), found("2", "com"), found("ustomer"), found("2", "1")}; !slices.Equal(got, []int{3, 3, 1, 1, 0, 0}) {
		t.Errorf("got %v orders", got)
	}
	ada := view.Changed{Row: view.Row{ID: "ord_000002", PlacedAt: time.UnixMilli(2), Status: order.Confirmed, Words: []string{"ada", "org"}, Value: []byte("{}")}}
	must(t, s.Apply(t.Context(), view.Batch{Changes: []view.Change{ada}}))
	if got := []int{found("customer"), found("2"), found("ada")}; !slices.Equal(got, []int{2, 0, 1}) {
		t.Errorf("after a change: got %v orders", got)
	}
	erased := view.Erased{ID: "ord_000002", At: time.UnixMilli(2)}
	must(t, s.Apply(t.Context(), view.Batch{Changes: []view.Change{erased}}))
	var left int
	must(t, s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM order_words WHERE row NOT IN (SELECT rowid FROM orders) OR word IN ('2', 'ada')").Scan(&left))
	if left != 0 {
		t.Errorf("got %d words left over", left)
	}
}
