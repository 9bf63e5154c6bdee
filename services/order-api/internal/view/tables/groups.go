package tables

import (
	"context"
	"slices"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
)

// Groups implements view.Store.
func (s Tables) Groups(
	ctx context.Context, f view.DeadLetterFilter, words []string, hours time.Time,
) (all []view.Group, err error) {
	err = s.read(func(db reader) error {
		counted, err := db.groupCounts(ctx, f, words)
		if err != nil {
			return err
		}
		all, err = db.groups(ctx, counted, hours)
		return err
	})
	return all, err
}

// groupCounts are queries that count dead letters.
type groupCounts struct {
	totals string // by cause and state at least, with the first and the last failure
	hours  string // by cause and hour; the hours from the last argument on
	args   []any
}

// groupCounts counts the dead letters of a filter. Those of its columns have been counted; others are
// counted one by one.
func (db reader) groupCounts(ctx context.Context, f view.DeadLetterFilter, words []string) (groupCounts, error) {
	var w where
	few, err := db.search(ctx, &w, words, spanOf(f.From, f.To))
	if err != nil {
		return groupCounts{}, err
	}
	byColumns := len(words) == 0 && f.Since == nil && f.From.IsZero() && f.To.IsZero()
	plus := "+" // the index of causes has all columns of the conditions
	if !few && f.Cause != "" {
		plus = ""
	}
	in(&w, "+state", f.States)
	conditions(f, &w, plus)
	if !byColumns {
		w.add("true")
		return groupCounts{
			`SELECT cause, state, min(class) AS class, min(step) AS step, min(reason) AS reason, min("foreign") AS "foreign", count(*) AS n, min(first_failed) AS first, max(last_failed) AS last
FROM dead_letters` + w.String() + " GROUP BY 1, 2",
			"SELECT cause, last_failed / 3600000, count(*) FROM dead_letters" + w.String() + " AND +last_failed / 3600000 >= ? GROUP BY 1, 2", w.args,
		}, nil
	}
	// Step, reason and topic follow from the cause.
	const same = "FROM dead_letters l WHERE l.cause = c.cause AND l.state = c.state AND l.class = c.class"
	w.add("n > 0")
	return groupCounts{
		`SELECT cause, state, class, step, reason, "foreign", n, (SELECT min(first_failed) ` + same + ") AS first, (SELECT max(last_failed) " + same + ") AS last FROM dead_letter_counts c" + w.String() + " AND hour = -1",
		"SELECT cause, hour, n FROM dead_letter_counts" + w.String() + " AND hour >= ?", w.args,
	}, nil
}

// groups returns the groups of the dead letters that were counted.
func (db reader) groups(ctx context.Context, counted groupCounts, hours time.Time) (all []view.Group, err error) {
	if all, err = db.totals(ctx, counted); err != nil {
		return nil, err
	}
	at := map[string]*view.Group{}
	for i := range all {
		at[all[i].ID] = &all[i]
	}
	if err := db.hours(ctx, counted, hours, at); err != nil {
		return nil, err
	}
	return all, nil
}

// totals adds up the dead letters of each group by state.
func (db reader) totals(ctx context.Context, counted groupCounts) (all []view.Group, err error) {
	query := `SELECT counted.*, (SELECT l.text FROM dead_letters l
    WHERE l.cause = counted.cause AND l.state = counted.state ORDER BY l.last_failed DESC, l.id DESC LIMIT 1),
  (SELECT count(*) FROM decisions d WHERE d.target = counted.cause AND d.kind = 'note'), coalesce(r.replayed, 0), coalesce(r.confirmed, 0), ` + decisionColumns("a") + `
FROM (` + counted.totals + `) counted LEFT JOIN cause_replays r ON r.cause = counted.cause
LEFT JOIN decisions a ON a.seq = (SELECT max(seq) FROM decisions d WHERE d.target = counted.cause AND d.kind = 'assign')
ORDER BY 1, 2, 3`
	err = db.Each(ctx, func(scan Scan) error {
		var g view.Group
		var state view.DeadLetterState
		var class string
		var count int
		var first, last int64
		var assigned decisionRow
		columns := []any{&g.ID, &state, &class, &g.Step, &g.Reason, &g.Foreign, &count, &first, &last, &g.Text, &g.Notes, &g.Replayed, &g.Confirmed}
		if err := scan(append(columns, assigned.into()...)...); err != nil {
			return err
		}
		if a := assigned.decision(); a != nil && a.Text != "" {
			g.Assigned = a
		}
		if n := len(all); n == 0 || all[n-1].ID != g.ID {
			g.Class, g.Counts = failure.ParseClass(class), map[view.DeadLetterState]int{}
			g.First, g.Last = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
			all = append(all, g)
		}
		into := &all[len(all)-1]
		into.Counts[state] += count
		if t := time.UnixMilli(first).UTC(); t.Before(into.First) {
			into.First = t
		}
		if t := time.UnixMilli(last).UTC(); t.After(into.Last) {
			into.Last = t
		}
		return nil
	}, query, counted.args...)
	return all, err
}

// hours adds up the dead letters of each group by the hour in which they failed last, from an hour on.
func (db reader) hours(ctx context.Context, counted groupCounts, from time.Time, groups map[string]*view.Group) error {
	first := from.UnixMilli() / time.Hour.Milliseconds()
	return db.Each(ctx, func(scan Scan) error {
		var id string
		var hour int64
		var count int
		if err := scan(&id, &hour, &count); err != nil {
			return err
		}
		// A group that is newer than those that were counted is left out, and so is a clock that is ahead.
		if g := groups[id]; g != nil && hour-first < int64(len(g.Hours)) {
			g.Hours[hour-first] += count
		}
		return nil
	}, counted.hours, append(slices.Clone(counted.args), first)...)
}
