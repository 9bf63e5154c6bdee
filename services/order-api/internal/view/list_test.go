package view_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	_ "modernc.org/sqlite" // to spoil files

	"example.com/orders/services/order-api/internal/cause"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// query changes a closed view's file.
func query(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func ids(states []order.State) []order.ID {
	var all []order.ID
	for _, s := range states {
		all = append(all, s.Order.ID)
	}
	return all
}

func TestOrdersAreFiltered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	anna := placed(3)
	anna.Customer = order.Customer{Name: "Anna Иванова", Company: "Studio Nord", Email: "Anna@Example.com"}
	anna.Reference, anna.BillTo = "2026-1042", &order.BillTo{Company: "Holding Süd", Address: anna.ShipTo}
	b.put(t, b.Topics.Orders, wire.Order(placed(1)), wire.Order(placed(2)), wire.Order(anna))
	b.put(t, b.Topics.Status, wire.Claim{Worker: "w", At: time.Now()}.Record(), wire.State(b.at(placed(2), 1, order.Working), 0))
	v, _ := b.start(t)
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		filter view.Filter
		want   []order.ID
	}{
		"all, newest first":  {view.Filter{}, []order.ID{"ord_003", "ord_002", "ord_001"}},
		"status":             {view.Filter{Status: order.Working}, []order.ID{"ord_002"}},
		"name in any case":   {view.Filter{Customer: "ИВАНОВА"}, []order.ID{"ord_003"}},
		"e-mail in any case": {view.Filter{Customer: "ANNA@example.com"}, []order.ID{"ord_003"}},
		"number of the shop": {view.Filter{Reference: "2026-1042"}, []order.ID{"ord_003"}},
		"a part of a number": {view.Filter{Reference: "2026"}, nil},
		"company":            {view.Filter{Customer: "nord studio"}, []order.ID{"ord_003"}},
		"who is billed":      {view.Filter{Customer: "süd"}, []order.ID{"ord_003"}},
		"no wildcard":        {view.Filter{Customer: "%"}, nil},
		"from is included":   {view.Filter{From: noon.Add(2 * time.Minute)}, []order.ID{"ord_003", "ord_002"}},
		"to is excluded":     {view.Filter{To: noon.Add(2 * time.Minute)}, []order.ID{"ord_001"}},
		"all at once":        {view.Filter{Status: order.Accepted, Customer: "zoe", From: noon, To: noon.Add(time.Hour)}, []order.ID{"ord_001"}},
	} {
		row.filter.Limit = 10
		got, next, err := v.Orders(t.Context(), row.filter)
		if diff := cmp.Diff(row.want, ids(got)); diff != "" || next != "" || err != nil {
			t.Errorf("%s: next %q, %v (-want +got):\n%s", name, next, err, diff)
		}
	}
}

func TestPagesStayWhenOrdersArrive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// Two of them were placed in the same millisecond.
	twin := placed(4)
	twin.PlacedAt = placed(3).PlacedAt
	b.put(t, b.Topics.Orders, wire.Order(placed(1)), wire.Order(placed(2)), wire.Order(placed(3)), wire.Order(twin), wire.Order(placed(5)))
	v, _ := b.start(t)
	var pages [][]order.ID
	f := view.Filter{Limit: 2}
	for {
		page, next, err := v.Orders(t.Context(), f)
		must(t, err)
		pages = append(pages, ids(page))
		if next == "" {
			break
		}
		f.Cursor = next
		late := placed(10 + len(pages))
		watched(t, v, late.ID, func() { b.put(t, b.Topics.Orders, wire.Order(late)) })
	}
	want := [][]order.ID{{"ord_005", "ord_004"}, {"ord_003", "ord_002"}, {"ord_001"}}
	if diff := cmp.Diff(want, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func TestForeignCursorIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v, _ := b.start(t)
	for _, cursor := range []string{"!", "YQ", "YSBi", "1 ord_1"} {
		if _, _, err := v.Orders(t.Context(), view.Filter{Cursor: cursor, Limit: 1}); !errors.Is(err, view.ErrCursor) {
			t.Errorf("orders, cursor %q: got %v, want ErrCursor", cursor, err)
		}
		if _, _, err := v.DeadLetters(t.Context(), view.DeadLetterFilter{Cursor: cursor, Limit: 1}); !errors.Is(err, view.ErrCursor) {
			t.Errorf("dead letters, cursor %q: got %v, want ErrCursor", cursor, err)
		}
	}
}

// deadLetter is a dead letter of the order at an offset of partition 1.
func deadLetter(offset int64, o order.Order, reason failure.Reason, rev int64) dlq.DeadLetter {
	failed := time.Date(2026, 3, 2, 12, int(offset), 0, 0, time.UTC)
	r := wire.Order(o)
	return dlq.DeadLetter{
		Source: wire.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Origin: order.Origin{Partition: 1, Offset: offset}},
		Topic:  "orders", Group: "order-workers",
		Step: order.StepShipping, Class: failure.Permanent, Reason: reason, Message: "no route to AQ",
		Attempts: 2, FirstFailed: failed, LastFailed: failed.Add(time.Second), Worker: "w", Rev: rev,
	}
}

func records(deadLetters ...dlq.DeadLetter) []*kgo.Record {
	var all []*kgo.Record
	for _, l := range deadLetters {
		all = append(all, l.Record())
	}
	return all
}

func TestDeadLetterStateFollowsItsOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	states := []order.State{
		b.at(placed(0), 0, order.Dead),
		b.at(placed(1), 1, order.Dead, order.Working),
		b.at(placed(2), 2, order.Dead, order.Working, order.Confirmed),
		b.at(placed(3), 3, order.Working), // its dead letter is there, its dead state is not yet
	}
	b.put(t, b.Topics.Status, wire.Claim{Worker: "w", At: time.Now()}.Record())
	for i, s := range states {
		b.put(t, b.Topics.Orders, wire.Order(s.Order))
		b.put(t, b.Topics.Status, wire.State(s, 0))
		b.put(t, b.Topics.DLQ, records(deadLetter(int64(i), s.Order, failure.NoRoute, []int64{1, 1, 1, 2}[i]))...)
	}
	undecodable := deadLetter(4, placed(0), failure.Undecodable, 0)
	undecodable.Key, undecodable.Value = []byte("?"), []byte("no order")
	b.put(t, b.Topics.DLQ, records(undecodable)...)
	b.put(t, b.Topics.DLQ, &kgo.Record{Value: []byte("no dead letter")})

	v, _ := b.start(t)
	all, next, err := v.DeadLetters(t.Context(), view.DeadLetterFilter{Limit: 10})
	if err != nil || next != "" {
		t.Fatalf("got next %q, %v", next, err)
	}
	type row struct {
		ID    string
		Order order.ID
		State view.DeadLetterState
	}
	var got []row
	for _, l := range all {
		got = append(got, row{l.ID(), l.Order, l.State})
	}
	want := []row{
		{"1-4", "", view.Open},
		{"1-3", "ord_003", view.Open},
		{"1-2", "ord_002", view.Closed},
		{"1-1", "ord_001", view.Replayed},
		{"1-0", "ord_000", view.Open},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

func TestNewestDeadLetterCounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := deadLetter(0, placed(0), failure.NoRoute, 1)
	newest := deadLetter(0, placed(0), failure.RecipientRefused, 4)
	newest.Step, newest.Message, newest.Replays, newest.LastFailed = order.StepEmail, "550", 1, first.LastFailed.Add(time.Hour)
	b.put(t, b.Topics.Orders, wire.Order(placed(0)))
	b.put(t, b.Topics.DLQ, records(first, newest)...)
	v, _ := b.start(t)

	want := view.DeadLetter{DeadLetter: newest, Partition: 1, Offset: 1, Order: "ord_000", OrderStatus: order.Accepted, State: view.Open, Text: "550"}
	want.CauseID = cause.ID("", "email", "recipient-refused", "550")
	want.Key, want.Value, want.Headers, want.DeadLetter.Group = nil, nil, nil, ""
	got, err := v.DeadLetter(t.Context(), "1-0")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("dead letter: %v (-want +got):\n%s", err, diff)
	}
	if _, err := v.DeadLetter(t.Context(), "1-1"); !errors.Is(err, view.ErrUnknown) {
		t.Errorf("dead letter that does not exist: got %v, want ErrUnknown", err)
	}
}

func TestDeadLettersAreFilteredAndPaged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	refused := deadLetter(2, placed(2), failure.RecipientRefused, 1)
	refused.Step = order.StepEmail
	b.put(t, b.Topics.DLQ, records(deadLetter(0, placed(0), failure.NoRoute, 1), deadLetter(1, placed(1), failure.TooHeavy, 1), refused)...)
	v, _ := b.start(t)
	for name, row := range map[string]struct {
		filter view.DeadLetterFilter
		want   [][]string
	}{
		"pages":  {view.DeadLetterFilter{Limit: 2}, [][]string{{"1-2", "1-1"}, {"1-0"}}},
		"step":   {view.DeadLetterFilter{Limit: 2, Step: order.StepEmail}, [][]string{{"1-2"}}},
		"reason": {view.DeadLetterFilter{Limit: 2, Reason: failure.NoRoute}, [][]string{{"1-0"}}},
		"state":  {view.DeadLetterFilter{Limit: 2, States: []view.DeadLetterState{view.Closed}}, [][]string{nil}},
	} {
		var got [][]string
		for f := row.filter; ; {
			page, next, err := v.DeadLetters(t.Context(), f)
			must(t, err)
			var names []string
			for _, l := range page {
				names = append(names, l.ID())
			}
			got = append(got, names)
			if f.Cursor = next; next == "" {
				break
			}
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
