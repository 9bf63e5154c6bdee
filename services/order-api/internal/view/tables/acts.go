package tables

import (
	"context"
	"fmt"
	"strings"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

const (
	actColumns = "id, at, actor, act, target, reason, outcome, problem, address, count"
	addAct     = "INSERT INTO acts (" + actColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, problem = excluded.problem WHERE acts.outcome = 'unknown'`
)

// actValues are those of actColumns.
func actValues(a wire.Act) []any {
	return []any{a.ID, a.At.UnixMilli(), a.Cause.Actor.String(), a.Kind, a.Target, a.Reason, a.Outcome, a.Problem, a.Address, a.Count}
}

// Acts implements view.Store.
func (s Tables) Acts(ctx context.Context, f view.ActFilter, after view.Cursor) (all []wire.Act, err error) {
	query, args := ActsQuery(f, after)
	err = s.read(func(db reader) error {
		return db.Each(ctx, func(scan Scan) error {
			a, err := scanAct(scan)
			all = append(all, a)
			return err
		}, query, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("reading acts: %w", err)
	}
	return all, nil
}

// ActsQuery is the query of a filter. It uses the index of the first column that the filter names,
// of those that few acts share first; a plus sign keeps SQLite from taking that of another.
func ActsQuery(f view.ActFilter, after view.Cursor) (string, []any) {
	var w where
	plus := ""
	for _, c := range []struct{ column, value string }{
		{"target", f.Target}, {"actor", f.Actor}, {"act", f.Kind}, {"outcome", string(f.Outcome)},
	} {
		if c.value != "" {
			w.add(plus+c.column+" = ?", c.value)
			plus = "+"
		}
	}
	if !f.From.IsZero() {
		w.add("at >= ?", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		w.add("at < ?", f.To.UnixMilli())
	}
	w.after(after, "(at, id)")
	return "SELECT " + actColumns + " FROM acts" + w.String() + " ORDER BY at DESC, id DESC LIMIT ?", append(w.args, f.Limit)
}

func scanAct(scan Scan) (wire.Act, error) {
	var a wire.Act
	var at int64
	var actor string
	err := scan(&a.ID, &at, &actor, &a.Kind, &a.Target, &a.Reason, &a.Outcome, &a.Problem, &a.Address, &a.Count)
	a.At = time.UnixMilli(at).UTC()
	a.Cause.Actor = actorOf(actor)
	return a, err
}

// actorOf reads what order.Actor.String wrote.
func actorOf(text string) order.Actor {
	kind, id, _ := strings.Cut(text, ":")
	return order.Actor{Kind: order.ActorKind(kind), ID: id}
}
