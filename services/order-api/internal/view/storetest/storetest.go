// Package storetest has the tests that each view.Store must pass.
package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
)

// Run runs all tests. Place is called for each test, and returns a function that opens one store,
// which is empty at first: the test closes it before it opens it again.
func Run(t *testing.T, place func(t *testing.T) (open func() view.Store)) {
	for name, test := range map[string]func(*testing.T, *store){
		"is unavailable before it is opened":          isUnavailable,
		"resumes where its last batch ended":          resumes,
		"does not resume for other topics":            fitsItsTopics,
		"applies all of a batch or nothing":           appliesAllOrNothing,
		"keeps the first order of an ID":              keepsTheFirst,
		"replaces an order by its state":              replaces,
		"tells which orders it has":                   tellsKnown,
		"forgets an erased order":                     erases,
		"selects orders":                              selectsOrders,
		"lists orders by page":                        pagesOrders,
		"finds the refunds of an order":               findsRefunds,
		"finds the oldest order that is not begun":    findsOldest,
		"keeps the newest dead letter":                keepsTheNewest,
		"does not replace a dead letter by a copy":    ignoresCopies,
		"does not replace a dead letter of its order": ignoresForeign,
		"knows the state of a dead letter":            knowsStates,
		"selects dead letters":                        selectsDeadLetters,
		"applies decisions about a dead letter":       decides,
		"knows which dead orders are discarded":       discards,
		"applies the next version of an edit":         edits,
		"forgets the edits of an erased order":        forgetsEdits,
		"knows dead letters of other programs":        knowsForeign,
		"keeps all failures of a dead letter":         keepsFailures,
		"finds dead letters":                          findsDeadLetters,
		"selects dead letters after one":              selectsAfter,
		"groups dead letters":                         groupsDeadLetters,
		"counts as it goes":                           countsAsItGoes,
		"gives an act its first outcome":              givesOutcomes,
		"selects acts":                                selectsActs,
		"folds the records of a job":                  foldsJobs,
		"counts the results of a job":                 countsResults,
		"selects the items of a job":                  selectsItems,
		"keeps the forecasts of a dry run":            forecasts,
		"selects jobs":                                selectsJobs,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &store{t: t, open: place(t)}
			s.Store = s.open()
			t.Cleanup(func() { s.check(s.Close()) })
			test(t, s)
		})
	}
}

// store is one that is tested.
type store struct {
	view.Store
	t    *testing.T
	open func() view.Store
}

func (s *store) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// reset empties the store and applies changes.
func (s *store) reset(changes ...view.Change) {
	s.t.Helper()
	s.check(s.Reset(s.t.Context(), topics()))
	s.apply(changes...)
}

func (s *store) apply(changes ...view.Change) {
	s.t.Helper()
	s.check(s.Apply(s.t.Context(), view.Batch{Changes: changes}))
}

// order returns an order without its words, which stores do not return.
func (s *store) order(id order.ID) view.Row {
	s.t.Helper()
	row, err := s.Order(s.t.Context(), id)
	s.check(err)
	if row == nil {
		return view.Row{}
	}
	return *row
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
	}
}

func topics() map[string]kadm.TopicID {
	return map[string]kadm.TopicID{"orders": {1}, "orders.status": {2}, "orders.dlq": {3}, "orders.desk": {4}}
}

// minute is a time.
func minute(n int) time.Time { return time.Date(2026, 3, 1, 12, n, 0, 0, time.UTC) }

// placed is an order of partition 1 that was placed in a minute, which is its ID and offset, too.
func placed(n int, words ...string) view.Placed {
	return view.Placed{Row: view.Row{
		ID: order.ID(fmt.Sprintf("ord_%02d", n)), Partition: 1, Offset: int64(n), PlacedAt: minute(n),
		Status: order.Accepted, Words: words, Value: fmt.Appendf(nil, "placed %d", n),
	}, Written: minute(n)}
}

// changed is the state of such an order.
func changed(n int, status order.Status, rev int64) view.Changed {
	row := placed(n).Row
	row.Status, row.Rev, row.Begun, row.StateAt, row.Value = status, rev, true, 100+int64(n), []byte(status)
	return view.Changed{Row: row}
}

// failed is the dead letter of such an order.
func failed(n int, rev int64) view.Failed {
	l := dlq.DeadLetter{
		Step: order.StepShipping, Class: failure.Permanent, Reason: failure.NoRoute, Message: "no route", Attempts: 2,
		FirstFailed: minute(n), LastFailed: minute(n + 1), Worker: "w", Replays: 1, Rev: rev,
	}
	l.Key, l.Origin = []byte(placed(n).ID), order.Origin{Partition: 1, Offset: int64(n)}
	return view.Failed{DeadLetter: l, Partition: 1, Offset: 10 + int64(n)}
}

func isUnavailable(t *testing.T, s *store) {
	_, err := s.Order(t.Context(), "ord_01")
	for _, err := range []error{err, s.Apply(t.Context(), view.Batch{}), s.Trim(t.Context(), "", 0, 1)} {
		var unavailable *view.UnavailableError
		if !errors.As(err, &unavailable) || !errors.Is(err, view.ErrStore) {
			t.Errorf("got %v, want an UnavailableError", err)
		}
	}
}

func resumes(t *testing.T, s *store) {
	if got, err := s.Resume(t.Context(), topics()); got != nil || err != nil {
		t.Errorf("empty: got %v, %v, want nil", got, err)
	}
	s.reset()
	orders, status := kafka.Partition{Topic: "orders", Number: 1}, kafka.Partition{Topic: "orders.status"}
	want := map[kafka.Partition]view.Position{orders: {Next: 5, Epoch: 1, Claim: -1}, status: {Next: 1, Epoch: -1}}
	s.check(s.Apply(t.Context(), view.Batch{Changes: []view.Change{placed(1)}, Positions: want}))
	want[status] = view.Position{Next: 9, Epoch: 2, Claim: 7, Stale: 3}
	s.check(s.Apply(t.Context(), view.Batch{Positions: map[kafka.Partition]view.Position{status: want[status]}}))
	s.check(s.Close())
	s.Store = s.open()
	got, err := s.Resume(t.Context(), topics())
	s.check(err)
	equal(t, "positions", got, want)
	equal(t, "order", s.order("ord_01"), bare(placed(1).Row))
	s.check(s.Check())
}

// bare is a row as a store returns it.
func bare(r view.Row) view.Row {
	r.Words = nil
	return r
}

func fitsItsTopics(t *testing.T, s *store) {
	s.reset(placed(1))
	s.check(s.Close())
	s.Store = s.open()
	recreated := topics()
	recreated["orders"] = kadm.TopicID{9}
	if got, err := s.Resume(t.Context(), recreated); got != nil || err != nil {
		t.Errorf("got %v, %v, want nil", got, err)
	}
	s.check(s.Reset(t.Context(), recreated))
	equal(t, "order of the topic before", s.order("ord_01"), view.Row{})
	got, err := s.Resume(t.Context(), recreated)
	s.check(err)
	if got == nil {
		t.Error("after a reset: got nil, want no positions")
	}
}

func appliesAllOrNothing(t *testing.T, s *store) {
	s.reset(placed(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := view.Batch{Changes: []view.Change{changed(1, order.Working, 1), placed(2)}}
	if err := s.Apply(ctx, b); err == nil {
		t.Error("cancelled: got no error")
	}
	both := func() []view.Row { return []view.Row{s.order("ord_01"), s.order("ord_02")} }
	equal(t, "after a failure", both(), []view.Row{bare(placed(1).Row), {}})
	s.check(s.Apply(t.Context(), b))
	equal(t, "when repeated", both(), []view.Row{changed(1, order.Working, 1).Row, bare(placed(2).Row)})
}

func keepsTheFirst(t *testing.T, s *store) {
	repeat := placed(1)
	repeat.Offset, repeat.Value = 7, []byte("another")
	s.reset(placed(1), repeat)
	equal(t, "order", s.order("ord_01"), bare(placed(1).Row))
}

func replaces(t *testing.T, s *store) {
	repeat := placed(3)
	repeat.ID = "ord_01"
	s.reset(changed(2, order.Working, 1), repeat, changed(1, order.Dead, 2), placed(1))
	equal(t, "state without an order", s.order("ord_02"), changed(2, order.Working, 1).Row)
	equal(t, "state of a repeat", s.order("ord_01"), changed(1, order.Dead, 2).Row)
}

func tellsKnown(t *testing.T, s *store) {
	s.reset(placed(1), changed(2, order.Working, 1), placed(3), view.Erased{ID: "ord_03", Partition: 1, At: minute(5)})
	for _, row := range []struct {
		asked []order.ID
		want  map[order.ID]bool
	}{
		{nil, map[order.ID]bool{}},
		{[]order.ID{"ord_04", "no ID", "\x00"}, map[order.ID]bool{}},
		{[]order.ID{"ord_01", "ord_02", "ord_03", "ord_01"}, map[order.ID]bool{"ord_01": true, "ord_02": true}},
	} {
		got, err := s.Known(t.Context(), row.asked)
		s.check(err)
		equal(t, fmt.Sprintf("known of %q", row.asked), got, row.want)
	}
}

func erases(t *testing.T, s *store) {
	s.reset(placed(1, "anna"), placed(2), changed(2, order.Working, 1),
		view.Erased{ID: "ord_01", Partition: 1, At: minute(5)}, view.Erased{ID: "ord_02", Partition: 2, At: minute(5)})
	equal(t, "erased", s.order("ord_01"), view.Row{})
	equal(t, "of another partition", s.order("ord_02"), changed(2, order.Working, 1).Row)
	s.apply(placed(1, "anna"))
	equal(t, "read again", s.order("ord_01"), view.Row{})
	later := placed(1, "anna")
	later.Written, later.PlacedAt = minute(6), minute(6)
	s.apply(later)
	equal(t, "placed later", s.order("ord_01"), bare(later.Row))
	s.apply(view.Erased{ID: "ord_01", Partition: 1, At: minute(5)})
	equal(t, "placed later, and the tombstone is read", s.order("ord_01"), bare(later.Row))
}

// ids returns the IDs of the orders that a filter selects.
func (s *store) ids(f view.Filter, after view.Cursor, words ...string) (all []order.ID) {
	s.t.Helper()
	rows, err := s.Orders(s.t.Context(), f, words, after)
	s.check(err)
	for _, r := range rows {
		all = append(all, r.ID)
	}
	return all
}

func selectsOrders(t *testing.T, s *store) {
	refund := placed(4, "anna", "berg")
	refund.RefundOf = "ord_01"
	renamed := changed(3, order.Working, 1)
	renamed.Words = []string{"anna", "wood"}
	ann, ann2 := order.Actor{Kind: order.ActorCustomer, ID: "ann"}, order.Actor{Kind: order.ActorOperator, ID: "ann"}
	bos := placed(2, "bo", "berg")
	bos.Owner, renamed.Owner, refund.Owner = ann, ann, ann
	s.reset(placed(1, "anna", "berg"), bos, placed(3, "cy"), renamed, refund)
	for _, row := range []struct {
		name   string
		filter view.Filter
		words  []string
		want   []order.ID
	}{
		{"all", view.Filter{}, nil, []order.ID{"ord_03", "ord_02", "ord_01"}},
		{"status", view.Filter{Status: order.Accepted}, nil, []order.ID{"ord_02", "ord_01"}},
		{"refunds", view.Filter{Refunds: true}, nil, []order.ID{"ord_04"}},
		{"from is included", view.Filter{From: minute(2)}, nil, []order.ID{"ord_03", "ord_02"}},
		{"to is excluded", view.Filter{To: minute(2)}, nil, []order.ID{"ord_01"}},
		{"limit", view.Filter{Limit: 1}, nil, []order.ID{"ord_03"}},
		{"an owner", view.Filter{Owner: ann}, nil, []order.ID{"ord_03", "ord_02"}},
		{"refunds of an owner", view.Filter{Owner: ann, Refunds: true}, nil, []order.ID{"ord_04"}},
		{"an owner of another kind", view.Filter{Owner: ann2}, nil, nil},
		{"an owner and a status", view.Filter{Owner: ann, Status: order.Accepted}, nil, []order.ID{"ord_02"}},
		{"an owner and a word", view.Filter{Owner: ann}, []string{"anna"}, []order.ID{"ord_03"}},
		{"a word", view.Filter{}, []string{"anna"}, []order.ID{"ord_03", "ord_01"}},
		{"the beginning of a word", view.Filter{}, []string{"b"}, []order.ID{"ord_02", "ord_01"}},
		{"the end of a word", view.Filter{}, []string{"nna"}, nil},
		{"two words", view.Filter{}, []string{"berg", "an"}, []order.ID{"ord_01"}},
		{"a word that was", view.Filter{}, []string{"cy"}, nil},
		{"no wildcard", view.Filter{}, []string{"%"}, nil},
		{
			"all at once",
			view.Filter{Status: order.Accepted, From: minute(1), To: minute(9)},
			[]string{"bo"},
			[]order.ID{"ord_02"},
		},
	} {
		row.filter.Limit = cmp.Or(row.filter.Limit, 10)
		equal(t, row.name, s.ids(row.filter, view.Cursor{}, row.words...), row.want)
	}
}

func pagesOrders(t *testing.T, s *store) {
	twin := placed(3)
	twin.ID = "ord_03b"
	s.reset(placed(1), placed(2), placed(3), twin)
	var got [][]order.ID
	for after := (view.Cursor{}); ; {
		rows, err := s.Orders(t.Context(), view.Filter{Limit: 1}, nil, after)
		s.check(err)
		if len(rows) == 0 {
			break
		}
		got = append(got, []order.ID{rows[0].ID})
		after = view.Cursor{At: rows[0].PlacedAt, ID: string(rows[0].ID)}
	}
	equal(t, "pages", got, [][]order.ID{{"ord_03b"}, {"ord_03"}, {"ord_02"}, {"ord_01"}})
}

func findsRefunds(t *testing.T, s *store) {
	refund := placed(2)
	refund.RefundOf = "ord_01"
	s.reset(placed(1), refund)
	for id, want := range map[order.ID][]view.Row{"ord_01": {bare(refund.Row)}, "ord_02": nil, "": nil} {
		got, err := s.Refunds(t.Context(), id)
		s.check(err)
		equal(t, "refunds of "+string(id), got, want)
	}
}

func findsOldest(t *testing.T, s *store) {
	elsewhere := placed(0)
	elsewhere.Partition = 2
	other := failed(3, 0)
	other.Key = []byte("ord_99")
	s.reset(placed(4), placed(3), placed(2), placed(1), elsewhere, changed(1, order.Working, 1), failed(2, 0), other)
	for _, row := range []struct {
		from  int64
		after time.Time
		want  order.ID
	}{{0, minute(0), "ord_03"}, {4, minute(0), "ord_04"}, {0, minute(3), "ord_04"}, {5, minute(0), ""}} {
		got, err := s.Oldest(t.Context(), 1, row.from, row.after)
		s.check(err)
		if got == nil {
			got = &view.Row{}
		}
		equal(t, fmt.Sprintf("from offset %d, after %s", row.from, row.after), got.ID, row.want)
	}
}

// deadLetter returns a dead letter by its ID.
func (s *store) deadLetter(id string) view.DeadLetter {
	s.t.Helper()
	found, err := s.DeadLettersByID(s.t.Context(), []string{id})
	s.check(err)
	if len(found) == 0 {
		return view.DeadLetter{}
	}
	return found[0]
}

// listed is how a dead letter is returned: without its key, and with its order.
func listed(l view.Failed, state view.DeadLetterState, o view.Row) view.DeadLetter {
	l.Key = nil
	return view.DeadLetter{
		DeadLetter: l.DeadLetter, Partition: l.Partition, Offset: l.Offset, State: state,
		Order: o.ID, OrderStatus: o.Status, OrderRev: o.Rev, OrderAt: o.StateAt,
	}
}

func keepsTheNewest(t *testing.T, s *store) {
	newest, pointed := failed(1, 4), failed(1, 4)
	newest.Offset, newest.Step, newest.Reason, newest.Message = 20, order.StepEmail, failure.RecipientRefused, "550"
	pointed.FromState, pointed.Message = true, ""
	s.reset(placed(1), failed(1, 1), newest, pointed)
	equal(t, "dead letter", s.deadLetter("1-1"), listed(newest, view.Open, placed(1).Row))
	equal(t, "unknown ID", s.deadLetter("1-2"), view.DeadLetter{})
}

func ignoresCopies(t *testing.T, s *store) {
	copied := failed(1, 1)
	copied.Partition, copied.Offset = 2, 50
	s.reset(placed(1), failed(1, 1), copied)
	equal(t, "while the original is there", s.deadLetter("1-1"), listed(failed(1, 1), view.Open, placed(1).Row))
	s.check(s.Trim(t.Context(), "", 1, 12))
	s.apply(copied)
	equal(t, "when the original is gone", s.deadLetter("1-1"), listed(copied, view.Open, placed(1).Row))
	s.apply(failed(1, 1))
	equal(t, "when the original comes", s.deadLetter("1-1"), listed(failed(1, 1), view.Open, placed(1).Row))
}

func ignoresForeign(t *testing.T, s *store) {
	foreign := failed(1, 9)
	foreign.Key = []byte("ord_77")
	s.reset(placed(1), failed(1, 1), foreign)
	equal(t, "of the order at its origin", s.deadLetter("1-1"), listed(failed(1, 1), view.Open, placed(1).Row))
	s.reset(foreign, placed(1))
	equal(t, "of something else", s.deadLetter("1-1"), listed(foreign, view.Open, view.Row{}))
	foreign.Key = nil
	s.reset(foreign, placed(1))
	equal(t, "without a key", s.deadLetter("1-1"), listed(foreign, view.Open, placed(1).Row))
}

func knowsStates(t *testing.T, s *store) {
	s.reset()
	equal(t, "without an order", s.stateAfter(failed(1, 1)), view.Open)
	equal(t, "not begun", s.stateAfter(placed(2), failed(2, 1)), view.Open)
	erased := view.Erased{ID: "ord_03", Partition: 1, At: minute(9)}
	equal(t, "erased", s.stateAfter(placed(3), erased, failed(3, 1)), view.Closed)
	equal(t, "gone", s.stateAfter(goneOf(failed(4, 1))), view.Lost)
	for i, status := range order.Statuses() {
		want := view.Replayed
		switch {
		case status == order.Dead, status == order.Accepted:
			want = view.Open
		case status.Final():
			want = view.Closed
		}
		equal(t, string(status), s.stateAfter(changed(10+i, status, 2), failed(10+i, 1)), want)
		equal(t, string(status)+" before it died", s.stateAfter(changed(30+i, status, 1), failed(30+i, 2)), view.Open)
	}
	s.check(s.Trim(t.Context(), "", 1, 12))
	equal(t, "below the start of the topic", s.deadLetter("1-1").State, view.Lost)
	equal(t, "at the start of the topic", s.deadLetter("1-2").State, view.Open)
}

func goneOf(l view.Failed) view.Failed {
	l.Gone = true
	return l
}

// stateAfter applies changes, of which the last is a dead letter, and returns its state.
func (s *store) stateAfter(changes ...view.Change) view.DeadLetterState {
	s.t.Helper()
	s.apply(changes...)
	l := changes[len(changes)-1].(view.Failed)
	return s.deadLetter(l.ID()).State
}

func selectsDeadLetters(t *testing.T, s *store) {
	refused := failed(3, 1)
	refused.Step, refused.Reason = order.StepEmail, failure.RecipientRefused
	twin := failed(4, 1)
	twin.LastFailed = refused.LastFailed
	s.reset(changed(1, order.Confirmed, 2), failed(1, 1), failed(2, 1), refused, twin)
	for _, row := range []struct {
		name   string
		filter view.DeadLetterFilter
		want   []string
	}{
		{"all", view.DeadLetterFilter{}, []string{"1-4", "1-3", "1-2", "1-1"}},
		{"state", view.DeadLetterFilter{States: []view.DeadLetterState{view.Closed}}, []string{"1-1"}},
		{"step", view.DeadLetterFilter{Step: order.StepEmail}, []string{"1-3"}},
		{"reason", view.DeadLetterFilter{Reason: failure.NoRoute}, []string{"1-4", "1-2", "1-1"}},
		{
			"all at once",
			view.DeadLetterFilter{States: []view.DeadLetterState{view.Open}, Step: order.StepShipping, Reason: failure.NoRoute},
			[]string{"1-4", "1-2"},
		},
	} {
		for _, limit := range []int{1, 10} {
			row.filter.Limit = limit
			equal(t, row.name, s.deadLetterIDs(row.filter), row.want)
		}
	}
}

// deadLetterIDs reads all pages of a filter.
func (s *store) deadLetterIDs(f view.DeadLetterFilter, words ...string) (all []string) {
	s.t.Helper()
	for after := (view.Cursor{}); ; {
		page, err := s.DeadLetters(s.t.Context(), f, words, after)
		s.check(err)
		for _, l := range page {
			all = append(all, l.ID())
			after = view.Cursor{At: l.LastFailed, ID: l.ID()}
		}
		if len(page) < f.Limit {
			return all
		}
	}
}
