package sqlite

import (
	"cmp"
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
					r := &recorder{database: s.db}
					_, err := tables.New(func(do func(tables.Reader) error) error { return do(r) }).Orders(t.Context(), f, words, page.after)
					must(t, err)
					last := len(r.queries) - 1
					return s.plan(t, r.queries[last], r.args[last])
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
				// An index of the status, the owner or of refunds may tell of fewer.
				for _, words := range [][]string{{"first1", "last2"}, {"example", "com"}} {
					if got := plan(words...); !strings.Contains(got[0], "SEARCH o USING INTEGER PRIMARY KEY") && (i == 0 && status == "" || !strings.Contains(got[0], "INDEX")) {
						t.Errorf("%+v, %v: got plan %q, want windows of the orders that have a word, or an index", f, words, got)
					}
				}
			}
		}
	}
}

// TestSearchesFindWhatTheyWouldWithoutAnIndex compares searches with the orders whose words begin so. Windows end
// between orders that were placed at the same time, and within them.
func TestSearchesFindWhatTheyWouldWithoutAnIndex(t *testing.T) {
	t.Parallel()
	s, all := empty(t), []view.Row{}
	var b view.Batch
	for i := range 6_000 {
		o := view.Row{
			ID: order.ID(fmt.Sprintf("ord_%06d", i*7919%6_000)), Offset: int64(i), PlacedAt: time.UnixMilli(int64(i / 30)), Status: order.Statuses()[i%67%8], Value: []byte("{}"),
			Words: []string{"all", fmt.Sprint("n", i), fmt.Sprint("tenth", i%10), fmt.Sprint("third", i%3), fmt.Sprint("rare", i/7%1_000), strings.Repeat("long", 20) + fmt.Sprint(i%3)},
		}
		if i%5 < 2 {
			o.Owner = order.Actor{Kind: order.ActorCustomer, ID: fmt.Sprint(i % 5 * (1 + i%50/49))}
		}
		if i%6 == 0 {
			o.RefundOf = "ord_1"
		}
		all, b.Changes = append(all, o), append(b.Changes, view.Changed{Row: o})
	}
	must(t, s.Apply(t.Context(), b))
	slices.SortFunc(all, func(a, b view.Row) int {
		return cmp.Or(b.PlacedAt.Compare(a.PlacedAt), strings.Compare(string(b.ID), string(a.ID)))
	})
	for i, words := range [][]string{
		{"all"},
		{"tenth3"},
		{"tenth"},
		{"rare5"},
		{"rare"},
		{"n12"},
		{"n1"},
		{"n"},
		{"tenth1", "rare7"},
		{"tenth1", "tenth2"},
		{"tenth3", "third1"},
		{"tenth5", "third", "all"},
		{"all", "tenth4", "long"},
		{"nothing"},
		{"all", "nothing"},
		{strings.Repeat("long", 20) + "1"},
		{"rare12", "n9", "all"},
	} {
		for k := range 24 {
			f := view.Filter{Limit: 1 + 55*(k%3), Refunds: k%4 == 3}
			var after view.Cursor
			f.Status = []order.Status{"", order.Accepted, order.Cancelled}[k%3]
			if k%8 >= 4 {
				f.Owner = order.Actor{Kind: order.ActorCustomer, ID: fmt.Sprint(k % 3)}
			}
			if k >= 12 {
				f.From, f.To = time.UnixMilli(int64(10*k%90)), time.UnixMilli(190)
			}
			if at := all[(i*24+k)*14]; k%2 == 1 {
				after = view.Cursor{At: at.PlacedAt, ID: string(at.ID)}
			}
			want := matching(all, f, words, after)
			rows, err := s.Orders(t.Context(), f, words, after)
			must(t, err)
			var got []order.ID
			for _, r := range rows {
				got = append(got, r.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%+v of %v after %v:\ngot  %v\nwant %v", f, words, after, got, want)
			}
		}
	}
}

// matching are the IDs of the orders of a page, of all orders in their sequence.
func matching(all []view.Row, f view.Filter, words []string, after view.Cursor) (ids []order.ID) {
	for _, o := range all {
		later := after != view.Cursor{} && cmp.Or(o.PlacedAt.Compare(after.At), strings.Compare(string(o.ID), after.ID)) >= 0
		switch {
		case later, (o.RefundOf != "") != f.Refunds, f.Status != "" && o.Status != f.Status, f.Owner != order.Actor{} && o.Owner != f.Owner,
			!f.From.IsZero() && o.PlacedAt.Before(f.From), !f.To.IsZero() && !o.PlacedAt.Before(f.To), len(ids) == f.Limit:
			continue
		}
		missing := func(word string) bool {
			return !slices.ContainsFunc(o.Words, func(w string) bool { return strings.HasPrefix(w, word) })
		}
		if !slices.ContainsFunc(words, missing) {
			ids = append(ids, o.ID)
		}
	}
	return ids
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
