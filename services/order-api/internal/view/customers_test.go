package view

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/order"
)

func TestWordsAreWhatPeopleSearchFor(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                          nil,
		" -@. ":                     nil,
		"Zoë ŁUKASIEWICZ":           {"zoë", "łukasiewicz"},
		"zoe.l+shop@Mail-1.test":    {"zoe", "l", "shop", "mail", "1", "test"},
		"山田 花子":                     {"山", "田", "花", "子"},
		"O'Brien, Obrien & O'Brien": {"o", "brien", "obrien"},
	} {
		if diff := cmp.Diff(want, words(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// filled is a view of n orders, of customer-0@example.com and so on, a tenth of them refunds, without a Kafka.
func filled(t *testing.T, n int) *View {
	t.Helper()
	f, err := openFile(t.Context(), filepath.Join(t.TempDir(), "view.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.close() })
	v := &View{file: f}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.make(t.Context(), nil))
	tx, err := f.db.BeginTx(t.Context(), nil)
	must(err)
	b := &batch{v: v, tx: tx, changed: map[order.ID]bool{}}
	for i := range n {
		o := order.Order{
			ID: order.ID(fmt.Sprintf("ord_%06d", i)), PlacedAt: time.UnixMilli(int64(i)),
			Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: fmt.Sprintf("customer-%d@example.com", i)},
		}
		refund := ""
		if i%10 == 9 {
			refund = "ord_1"
		}
		added, err := tx.ExecContext(t.Context(), "INSERT INTO orders (id, partition, origin, placed_at, status, rev, begun, state_at, who, refund_of, value)"+
			" VALUES (?, 0, ?, ?, 'confirmed', 0, 0, 0, ?, ?, '')", o.ID, i, i, who(o), refund)
		must(err)
		row, err := added.LastInsertId()
		must(err)
		must(b.addCustomer(t.Context(), customer{row, int64(i), who(o)}))
	}
	must(tx.Commit())
	return v
}

// plan is how SQLite answers a filter.
func (v *View) plan(t *testing.T, f Filter) []string {
	t.Helper()
	w, err := v.chosen(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := v.file.db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN SELECT id, partition, origin, begun, value FROM orders "+w.String()+newestFirst, append(w.args, 51)...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, step)
	}
	return plan
}

func TestEveryListIsAnsweredByAnIndex(t *testing.T) {
	t.Parallel()
	v := filled(t, 4*maxCandidates)
	at := func(n int64) time.Time { return time.UnixMilli(n) }
	for _, refunds := range []bool{false, true} {
		for _, status := range []order.Status{"", order.Confirmed} {
			for _, page := range []Filter{{}, {From: at(5)}, {From: at(5), To: at(900)}, {Cursor: cursor(at(900), "ord_000900")}} {
				f := page
				f.Refunds, f.Status = refunds, status
				plan := v.plan(t, f)
				// In the sequence of an index: what is read is what is answered.
				sorts := slices.ContainsFunc(plan, func(step string) bool { return strings.Contains(step, "TEMP B-TREE") })
				if sorts || len(plan) != 1 || !strings.Contains(plan[0], "INDEX") {
					t.Errorf("%+v: got plan %q, want one index", f, plan)
				}
				f.Customer = "customer 777"
				if plan := v.plan(t, f); !strings.Contains(plan[0], "SEARCH orders USING INTEGER PRIMARY KEY") {
					t.Errorf("%+v: got plan %q, want the few orders of that customer", f, plan)
				}
				f.Customer = "example.com"
				if plan := v.plan(t, f); len(plan) != 1 || !strings.Contains(plan[0], "INDEX") {
					t.Errorf("%+v: got plan %q, want the orders from the newest on", f, plan)
				}
			}
		}
	}
}

// TestTheIndexOfCustomersFollowsItsOrders has a state that names another customer than the order did, and an order that is removed.
func TestTheIndexOfCustomersFollowsItsOrders(t *testing.T) {
	t.Parallel()
	v := filled(t, 3)
	found := func(text string) (n int) {
		w, err := v.chosen(t.Context(), Filter{Customer: text})
		if err == nil {
			err = v.file.db.QueryRowContext(t.Context(), "SELECT count(*) FROM orders "+w.String(), w.args...).Scan(&n)
		}
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := []int{found("zoë"), found("ZO"), found("customer-2"), found("2 łuka"), found("oë"), found("@"), found("2 3")}; !slices.Equal(got, []int{3, 3, 1, 1, 0, 0, 0}) {
		t.Errorf("got %v orders", got)
	}
	change := func(do func(ctx context.Context, b *batch) error) {
		t.Helper()
		tx, err := v.file.db.BeginTx(t.Context(), nil)
		if err == nil {
			err = do(t.Context(), &batch{v: v, tx: tx})
		}
		if err != nil || tx.Commit() != nil {
			t.Fatal(err)
		}
	}
	o := order.Order{ID: "ord_000002", PlacedAt: time.UnixMilli(2), Customer: order.Customer{Name: "Ada", Email: "ada@example.org"}}
	change(func(ctx context.Context, b *batch) error {
		was, err := b.customer(ctx, o.ID)
		if err == nil {
			_, err = b.tx.ExecContext(ctx, "UPDATE orders SET who = ? WHERE id = ?", who(o), o.ID)
		}
		if err == nil {
			err = b.replaceCustomer(ctx, was, o)
		}
		return err
	})
	if got := []int{found("zoë"), found("customer-2"), found("ada")}; !slices.Equal(got, []int{2, 0, 1}) {
		t.Errorf("after a change: got %v orders", got)
	}
	var left int
	if err := v.file.db.QueryRowContext(t.Context(), "SELECT count(*) FROM customers WHERE row NOT IN (SELECT rowid FROM orders) OR word = '2'").Scan(&left); left != 0 || err != nil {
		t.Errorf("got %d words left over, %v", left, err)
	}
}
