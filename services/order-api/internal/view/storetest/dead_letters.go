package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// decided is a decision about dead letter 1-n, made in a minute.
func decided(id string, n int, kind wire.DecisionKind) view.Decided {
	d := wire.Decision{
		ID: id, At: minute(n), Cause: order.Cause{Actor: order.Actor{Kind: order.ActorOperator, ID: "ann:1"}, Trace: "00-ab-cd-01"},
		Kind: kind, DeadLetter: fmt.Sprintf("1-%d", n), Text: "for " + id,
	}
	return view.Decided{Decision: d}
}

// edited is a version of an edit.
func edited(id string, n, version int) view.Decided {
	d := decided(id, n, wire.Edit)
	d.Version, d.Value = version, []byte("value of "+id)
	return d
}

// foreign is a dead letter of another program.
func foreign(n int) view.Failed {
	l := failed(n, 0)
	l.Foreign, l.Topic, l.Step, l.Replays = "pay.DLT", "pay", "", 0
	l.Origin.Partition, l.Partition, l.Offset = 5, 1, int64(n)
	return l
}

// state returns the state of a dead letter after changes.
func (s *store) state(id string, changes ...view.Change) view.DeadLetterState {
	s.t.Helper()
	s.apply(changes...)
	return s.deadLetter(id).State
}

func decides(t *testing.T, s *store) {
	s.reset(placed(1), failed(1, 1))
	equal(t, "discarded", s.state("1-1", decided("a", 1, wire.Discard)), view.Discarded)
	equal(t, "the decision", *s.deadLetter("1-1").Discard, decided("a", 1, wire.Discard).Decision)
	equal(t, "restored", s.state("1-1", decided("b", 1, wire.Restore)), view.Open)
	equal(t, "the decision, when it is taken back", s.deadLetter("1-1").Discard == nil, true)
	equal(t, "discarded again", s.state("1-1", decided("c", 1, wire.Discard), decided("b", 1, wire.Restore)), view.Discarded)
	equal(t, "failed again", s.state("1-1", failed(1, 2)), view.Discarded)
	equal(t, "its order goes on", s.state("1-1", changed(1, order.Working, 3)), view.Replayed)
	equal(t, "its order has ended", s.state("1-1", changed(1, order.Confirmed, 4)), view.Closed)
	equal(t, "before it is known", s.state("1-2", decided("d", 2, wire.Discard), failed(2, 1)), view.Discarded)
	s.apply(decided("n1", 2, wire.Note), decided("n2", 2, wire.Note), decided("n1", 2, wire.Note))
	equal(t, "notes", s.deadLetter("1-2").Notes, 2)
	parked := failed(3, 1)
	parked.Replays = view.ParkAfter - 1
	equal(t, "before the last replay", s.state("1-3", parked), view.Open)
	parked.Replays++
	equal(t, "after it", s.state("1-3", parked), view.Parked)
	s.check(s.Trim(t.Context(), "", 1, 100))
	equal(t, "parked and gone", s.deadLetter("1-3").State, view.Lost)
	equal(t, "discarded and gone", s.deadLetter("1-2").State, view.Discarded)
	equal(t, "discarded and gone, restored", s.state("1-2", decided("e", 2, wire.Restore)), view.Lost)
}

// discards: a dead order is discarded while its dead letter is.
func discards(t *testing.T, s *store) {
	is := func(what string, want bool, changes ...view.Change) {
		t.Helper()
		s.apply(changes...)
		o, err := s.Order(t.Context(), placed(1).ID)
		s.check(err)
		equal(t, what, o.Discarded, want)
	}
	s.reset(placed(1), failed(1, 1), changed(1, order.Dead, 1))
	is("dead", false)
	is("discarded", true, decided("a", 1, wire.Discard))
	is("restored", false, decided("b", 1, wire.Restore))
	is("discarded, then cancelled", false, decided("c", 1, wire.Discard), changed(1, order.Cancelled, 2))
}

func edits(t *testing.T, s *store) {
	s.reset(placed(1), edited("a", 1, 1), failed(1, 1))
	equal(t, "before it is known", *s.deadLetter("1-1").Edit, edited("a", 1, 1).Decision)
	s.apply(edited("late", 1, 1), edited("b", 1, 2), edited("c", 1, 2), edited("early", 1, 4), edited("other", 2, 1))
	equal(t, "newest", *s.deadLetter("1-1").Edit, edited("b", 1, 2).Decision)
	s.apply(decided("n", 1, wire.Note))
	equal(t, "all", s.decisions("1-1"), []wire.Decision{edited("a", 1, 1).Decision, edited("b", 1, 2).Decision, decided("n", 1, wire.Note).Decision})
	note := decided("g", 1, wire.Note)
	note.DeadLetter, note.Group = "", "cause_a-1"
	s.apply(note)
	equal(t, "of a group", s.decisions("cause_a-1"), []wire.Decision{note.Decision})
}

func (s *store) decisions(target string) []wire.Decision {
	s.t.Helper()
	all, err := s.Decisions(s.t.Context(), target)
	s.check(err)
	return all
}

// forgetsEdits holds that nothing of a customer stays when an order is erased, whatever comes first.
func forgetsEdits(t *testing.T, s *store) {
	l := failed(1, 1)
	l.Words = []string{"zoë"}
	erased := view.Erased{ID: "ord_01", Partition: 1, At: minute(9)}
	again := placed(1) // its key is repeated
	again.Offset = 8
	for name, changes := range map[string][]view.Change{
		"in sequence":                {placed(1), l, edited("a", 1, 1), erased},
		"the dead letter afterwards": {placed(1), edited("a", 1, 1), erased, l},
		"the edit afterwards":        {placed(1), l, erased, edited("a", 1, 1)},
		"the order afterwards":       {l, edited("a", 1, 1), erased, placed(1)},
		"the tombstone first":        {erased, placed(1), again, l, edited("a", 1, 1)},
	} {
		s.reset(changes...)
		found := s.deadLetterIDs(view.DeadLetterFilter{Limit: 9}, "zoë")
		equal(t, name, []any{s.deadLetter("1-1").State, s.deadLetter("1-1").Edit == nil, len(s.decisions("1-1")), len(found)}, []any{view.Closed, true, 0, 0})
	}
}

func knowsForeign(t *testing.T, s *store) {
	l := foreign(2)
	s.reset(placed(2), changed(2, order.Confirmed, 9), l)
	got := s.deadLetter("pay.DLT:1-2")
	equal(t, "its order is none of ours", got.State, view.Open)
	equal(t, "its place", []any{got.Foreign, got.Topic, got.Origin.Partition, got.Partition, got.Offset, got.ID()}, []any{"pay.DLT", "pay", int32(5), int32(1), int64(2), "pay.DLT:1-2"})
	d := decided("a", 2, wire.Discard)
	d.DeadLetter = "pay.DLT:1-2"
	equal(t, "discarded", s.state("pay.DLT:1-2", d), view.Discarded)
	s.check(s.Trim(t.Context(), "", 1, 100))
	d.ID, d.Kind = "b", wire.Restore
	equal(t, "another topic is trimmed", s.state("pay.DLT:1-2", d), view.Open)
	s.check(s.Trim(t.Context(), "pay.DLT", 1, 3))
	equal(t, "its topic is trimmed", s.deadLetter("pay.DLT:1-2").State, view.Lost)
	sent, skipped := foreign(3), foreign(4)
	s.apply(sent, view.JobDefined{Job: jobOf(2)}, view.JobSelected{JobChunk: wire.JobChunk{JobHead: jobOf(2).JobHead, Ranges: []wire.Range{{1, 3, 4}}}},
		view.JobAdvanced{JobBatch: wire.JobBatch{JobHead: jobOf(2).JobHead, To: 2, Skipped: map[int]wire.SkipReason{1: wire.SkipTarget}}})
	equal(t, "sent", s.deadLetter(sent.ID()).State, view.SentOn)
	equal(t, "skipped", s.state(skipped.ID(), skipped), view.Open)
	nowhere := foreign(5)
	nowhere.Topic = ""
	s.apply(nowhere)
	sources, err := s.Sources(t.Context(), []string{sent.ID(), skipped.ID(), nowhere.ID(), "pay.DLT:1-99"})
	s.check(err)
	slices.Sort(sources)
	equal(t, "topics that they name", sources, []string{"", "pay"})
}

// jobOf is the definition of a job of some items.
func jobOf(total int) wire.Job {
	return wire.Job{JobHead: wire.JobHead{ID: "job_f", At: minute(1)}, Kind: wire.JobReplay, Total: total, Chunks: 1, Topic: "pay.DLT"}
}

func keepsFailures(t *testing.T, s *store) {
	first, second, pointed, other := failed(1, 1), failed(1, 2), failed(1, 3), failed(1, 4)
	first.Replays, second.Replays, pointed.Replays = 0, 1, 2
	second.Message, second.Step, second.Offset, second.CauseID = "550", order.StepEmail, 20, "cause_2"
	pointed.FromState = true
	other.Key = []byte("ord_77")
	s.reset(placed(1), first, second, pointed, other, first)
	s.apply(second)
	all, err := s.Failures(t.Context(), "1-1")
	s.check(err)
	var got []string
	for _, f := range all {
		got = append(got, fmt.Sprintf("%d %t %s %s %s %q %d %q %d-%d", f.Number, f.At.Equal(minute(2)), f.Step, f.Class, f.Reason, f.Message, f.Attempts, f.CauseID, f.Partition, f.Offset))
	}
	equal(t, "failures", got, []string{
		`0 true shipping permanent no-route "no route" 2 "" 1-11`, `1 true email permanent no-route "550" 2 "cause_2" 1-20`,
		`2 true shipping permanent no-route "no route" 2 "" 1-11`,
	})
	equal(t, "newest", s.deadLetter("1-1").Message, "550")
}

func findsDeadLetters(t *testing.T, s *store) {
	var changes []view.Change
	class := failure.Down
	for n := range 6 {
		l := failed(n, 1)
		l.CauseID, l.Words = fmt.Sprintf("cause_%d", n%2), []string{"customer", fmt.Sprintf("name%d", n), "名"}
		if n == 3 {
			l.Class = class
		}
		changes = append(changes, l)
	}
	s.reset(append(changes, foreign(9), decided("a", 4, wire.Discard))...)
	const f = "pay.DLT:1-9"
	open := []view.DeadLetterState{view.Open}
	for _, row := range []struct {
		name   string
		filter view.DeadLetterFilter
		words  []string
		want   []string
	}{
		{"all", view.DeadLetterFilter{}, nil, []string{f, "1-5", "1-4", "1-3", "1-2", "1-1", "1-0"}},
		{"states", view.DeadLetterFilter{States: []view.DeadLetterState{view.Discarded, view.Lost, view.Discarded}}, nil, []string{"1-4"}},
		{"cause", view.DeadLetterFilter{Cause: "cause_1", States: open}, nil, []string{"1-5", "1-3", "1-1"}},
		{"class", view.DeadLetterFilter{Class: &class}, nil, []string{"1-3"}},
		{"of another program", view.DeadLetterFilter{Topic: "pay.DLT"}, nil, []string{f}},
		{"ours", view.DeadLetterFilter{Topic: view.Ours, States: open}, nil, []string{"1-5", "1-3", "1-2", "1-1", "1-0"}},
		{"from is included, to is excluded", view.DeadLetterFilter{From: minute(3), To: minute(5)}, nil, []string{"1-3", "1-2"}},
		{"since marks", view.DeadLetterFilter{Since: map[string][]int64{"": {0, 13}, "pay.DLT": {0, 10}}}, nil, []string{"1-5", "1-4", "1-3"}},
		{"since marks, of a cause and a state", view.DeadLetterFilter{Since: map[string][]int64{"": {0, 13}, "pay.DLT": {0, 9}}, States: open, Cause: "cause_1"}, nil, []string{"1-5", "1-3"}},
		{"since marks of another topic", view.DeadLetterFilter{Since: map[string][]int64{"pay.DLT": {0, 9}}}, nil, []string{f}},
		{"the beginning of a word", view.DeadLetterFilter{}, []string{"name3"}, []string{"1-3"}},
		{"two words and a state", view.DeadLetterFilter{States: open}, []string{"cust", "名"}, []string{"1-5", "1-3", "1-2", "1-1", "1-0"}},
		{"not the middle of one", view.DeadLetterFilter{}, []string{"ame3"}, nil},
		{"all at once", view.DeadLetterFilter{States: open, Cause: "cause_1", Step: order.StepShipping, Reason: failure.NoRoute, Topic: view.Ours, Class: &class, From: minute(3), To: minute(6)}, []string{"name"}, []string{"1-3"}},
	} {
		for _, limit := range []int{1, 2, 10} {
			row.filter.Limit = limit
			equal(t, row.name, s.deadLetterIDs(row.filter, row.words...), row.want)
			ids, err := s.Select(t.Context(), row.filter, row.words, view.Cursor{})
			s.check(err)
			oldest := slices.Clone(row.want)
			slices.Reverse(oldest)
			equal(t, row.name+", selected", ids, oldest[:min(limit, len(oldest))])
		}
	}
}

// selectsAfter: a page of the opposite sequence ends before a dead letter, also of a filter.
func selectsAfter(t *testing.T, s *store) {
	s.reset(failed(0, 1), failed(1, 1), failed(2, 1), failed(3, 1))
	for name, f := range map[string]view.DeadLetterFilter{
		"all": {Limit: 1}, "of a cause": {Limit: 1, Cause: failed(0, 1).CauseID, States: []view.DeadLetterState{view.Open}},
	} {
		ids, err := s.Select(t.Context(), f, nil, view.Cursor{At: minute(3), ID: "1-2"})
		s.check(err)
		equal(t, name, ids, []string{"1-3"})
		ids, err = s.Select(t.Context(), f, nil, view.Cursor{At: minute(4), ID: "1-3"})
		s.check(err)
		equal(t, name+", after the last", len(ids), 0)
	}
}

func groupsDeadLetters(t *testing.T, s *store) {
	const a, b = "cause_a", "cause_b"
	var changes []view.Change
	for n := range 5 {
		l := failed(n, 1)
		l.Replays, l.CauseID, l.Text = 0, a, "no route"
		l.LastFailed = minute(0).Add(time.Duration(n) * 30 * time.Minute)
		changes = append(changes, changed(n, order.Dead, 1), l)
	}
	again := failed(1, 3)
	again.Replays, again.CauseID, again.Text, again.Step, again.Class, again.LastFailed = 1, b, "550", order.StepEmail, failure.Transient, minute(0).Add(30*time.Hour)
	note := decided("n", 1, wire.Note)
	note.DeadLetter, note.Group = "", a
	s.reset(append(changes, note, again, decided("d", 2, wire.Discard), changed(3, order.Confirmed, 2),
		view.Answered{Origin: failed(1, 1).Origin, Number: 1, Outcome: view.FailedAgain, Rev: 3},
		view.Answered{Origin: failed(3, 1).Origin, Number: 1, Outcome: view.Confirmed, Rev: 2},
		view.Answered{Origin: failed(4, 1).Origin, Number: 1, Outcome: view.Conflicted, Rev: 2},
	)...)
	assign := func(id, to string) view.Decided {
		d := decided(id, 1, wire.Assign)
		d.DeadLetter, d.Group, d.Text = "", a, to
		return d
	}
	s.apply(assign("a1", ""), assign("a2", "ann"), assign("a3", "bob"))
	bob := assign("a3", "bob").Decision
	first := view.Group{
		Assigned: &bob, ID: a, Step: order.StepShipping, Reason: failure.NoRoute, Class: failure.Permanent, Text: "no route",
		Counts: map[view.DeadLetterState]int{view.Open: 2, view.Discarded: 1, view.Closed: 1},
		First:  minute(0), Last: minute(0).Add(2 * time.Hour), Notes: 1, Replayed: 2, Confirmed: 1,
	}
	first.Hours[0], first.Hours[1], first.Hours[2] = 1, 2, 1
	second := view.Group{
		ID: b, Step: order.StepEmail, Reason: failure.NoRoute, Text: "550", Counts: map[view.DeadLetterState]int{view.Open: 1},
		First: minute(1), Last: again.LastFailed,
	}
	equal(t, "all", s.groups(view.DeadLetterFilter{}, minute(0)), []view.Group{first, second})
	equal(t, "of a cause", s.groups(view.DeadLetterFilter{Cause: b}, minute(0)), []view.Group{second})
	first.Counts, first.First, first.Last, first.Hours = map[view.DeadLetterState]int{view.Open: 2}, minute(0), minute(0).Add(2*time.Hour), [24]int{1, 0, 1}
	equal(t, "of a state", s.groups(view.DeadLetterFilter{States: []view.DeadLetterState{view.Open}, Step: order.StepShipping}, minute(0)), []view.Group{first})
	s.apply(assign("a4", ""))
	first.Assigned = nil
	equal(t, "released", s.groups(view.DeadLetterFilter{States: []view.DeadLetterState{view.Open}, Step: order.StepShipping}, minute(0)), []view.Group{first})
	equal(t, "none", len(s.groups(view.DeadLetterFilter{Cause: "cause_c"}, minute(0))), 0)
}

func (s *store) groups(f view.DeadLetterFilter, hours time.Time) []view.Group {
	s.t.Helper()
	all, err := s.Groups(s.t.Context(), f, nil, hours)
	s.check(err)
	return all
}
