package tables

import (
	"context"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
)

// Groups implements view.Store.
func (s Tables) Groups(
	ctx context.Context, f view.DeadLetterFilter, words []string, hours time.Time,
) (all []view.Group, err error) {
	err = s.read(func(db reader) error {
		var w where
		few, err := db.search(ctx, &w, words)
		if err != nil {
			return err
		}
		// The index of causes has all columns of the conditions, in the sequence of the groups.
		plus := "+"
		if !few && f.Cause != "" {
			plus = ""
		}
		in(&w, "+state", f.States)
		conditions(f, &w, plus)
		all, err = db.groups(ctx, w, hours)
		return err
	})
	return all, err
}

// groups returns the groups of the dead letters that fulfil conditions.
func (db reader) groups(ctx context.Context, w where, hours time.Time) (all []view.Group, err error) {
	if all, err = db.counts(ctx, w); err != nil {
		return nil, err
	}
	at := map[string]*view.Group{}
	for i := range all {
		at[all[i].ID] = &all[i]
	}
	if err := db.hours(ctx, w, hours, at); err != nil {
		return nil, err
	}
	return all, db.replays(ctx, at)
}

// counts counts the dead letters of each group by state.
func (db reader) counts(ctx context.Context, w where) (all []view.Group, err error) {
	query := `SELECT counted.*, l."foreign", l.step, l.reason, l.class, l.text,
  (SELECT count(*) FROM decisions d WHERE d.target = counted.cause AND d.kind = 'note'), ` + decisionColumns("a") + `
FROM (SELECT cause, state, count(*), min(first_failed), max(last_failed), min(rowid) AS row FROM dead_letters` + w.String() + ` GROUP BY cause, state) counted
JOIN dead_letters l ON l.rowid = counted.row
LEFT JOIN decisions a ON a.seq = (SELECT max(seq) FROM decisions d WHERE d.target = counted.cause AND d.kind = 'assign')
ORDER BY counted.cause`
	err = db.Each(ctx, func(scan Scan) error {
		var g view.Group
		var state view.DeadLetterState
		var class string
		var count int
		var first, last, row int64
		var assigned decisionRow
		columns := []any{&g.ID, &state, &count, &first, &last, &row, &g.Foreign, &g.Step, &g.Reason, &class, &g.Text, &g.Notes}
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
		into.Counts[state] = count
		if t := time.UnixMilli(first).UTC(); t.Before(into.First) {
			into.First = t
		}
		if t := time.UnixMilli(last).UTC(); t.After(into.Last) {
			into.Last = t
		}
		return nil
	}, query, w.args...)
	return all, err
}

// hours counts the dead letters of each group by the hour in which they failed last.
func (db reader) hours(ctx context.Context, w where, from time.Time, groups map[string]*view.Group) error {
	recent := where{w.conditions[:len(w.conditions):len(w.conditions)], w.args[:len(w.args):len(w.args)]}
	recent.add("+last_failed >= ?", from.UnixMilli())
	query := "SELECT cause, (last_failed - ?) / 3600000, count(*) FROM dead_letters" + recent.String() + " GROUP BY 1, 2"
	return db.Each(ctx, func(scan Scan) error {
		var id string
		var hour, count int
		if err := scan(&id, &hour, &count); err != nil {
			return err
		}
		// A group that is newer than those that were counted is left out, and so is a clock that is ahead.
		if g := groups[id]; g != nil && hour < len(g.Hours) {
			g.Hours[hour] = count
		}
		return nil
	}, query, append([]any{from.UnixMilli()}, recent.args...)...)
}

// replays counts the replays of what failed for the cause of each group.
func (db reader) replays(ctx context.Context, groups map[string]*view.Group) error {
	const query = `SELECT f.cause, count(*), count(*) FILTER (WHERE r.outcome = 'confirmed')
FROM replays r CROSS JOIN failures f
WHERE f.dead_letter = r.partition || '-' || r."offset" AND f.number = r.number - 1 AND r.outcome NOT IN ('already-done', 'conflict') GROUP BY 1`
	return db.Each(ctx, func(scan Scan) error {
		var id string
		var replayed, confirmed int
		err := scan(&id, &replayed, &confirmed)
		if g := groups[id]; g != nil {
			g.Replayed, g.Confirmed = replayed, confirmed
		}
		return err
	}, query)
}
