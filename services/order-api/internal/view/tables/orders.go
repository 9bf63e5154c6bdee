package tables

import (
	"context"
	"fmt"
	"strings"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
)

// SQLite plans a query again for each value that it compares with a column which the condition of a partial index compares
// with a literal: it might be that literal. A plus sign before the question mark keeps it from that.
const (
	orderRow = `SELECT o.id, o.partition, o."offset", o.placed_at, o.status, o.rev, o.begun, o.state_at, o.refund_of, o.value,
o.status = 'dead' AND EXISTS (SELECT 1 FROM dead_letters d
  WHERE d.id = o.partition || '-' || o."offset" AND d.key IN ('', o.id) AND d.state = 'discarded') `
	selectOrders = orderRow + "FROM orders AS o"
	newestFirst  = " ORDER BY placed_at DESC, id DESC LIMIT ?"
	// CauseOrdersQuery is that of CauseOrders: the newest are sorted by the index of causes alone.
	CauseOrdersQuery = orderRow + `
FROM (SELECT rowid AS row FROM dead_letters WHERE cause = ? AND "foreign" = '' ORDER BY row DESC LIMIT ?) newest
CROSS JOIN dead_letters l CROSS JOIN orders o
WHERE l.rowid = newest.row AND o.partition = l.partition AND o."offset" = l."offset" AND l.key IN ('', o.id)`
	// The literal status is that of the index orders_accepted.
	oldestAccepted = selectOrders + ` WHERE status = 'accepted' AND partition = ? AND "offset" >= ? AND placed_at > ?
AND NOT EXISTS (
  SELECT 1 FROM dead_letters l WHERE l.id = o.partition || '-' || o."offset" AND l.key IN ('', o.id))
ORDER BY placed_at LIMIT 1`
)

// Order implements view.Store.
func (s Tables) Order(ctx context.Context, id order.ID) (*view.Row, error) {
	return first(s.orders(ctx, selectOrders+" WHERE id = ?", id))
}

// Known implements view.Store.
func (s Tables) Known(ctx context.Context, ids []order.ID) (map[order.ID]bool, error) {
	known, asked := map[order.ID]bool{}, make([]string, len(ids))
	for i, id := range ids {
		asked[i] = string(id)
	}
	// One row: to read a row costs more than to find it.
	err := s.each(ctx, "which orders are known", func(scan Scan) error {
		var all string
		err := scan(&all)
		for id := range strings.FieldsSeq(all) {
			known[order.ID(id)] = true
		}
		return err
	}, "SELECT coalesce(group_concat(id, char(10)), '') FROM orders WHERE id IN (SELECT value FROM json_each(?) AS texts)", []any{texts(asked)})
	return known, err
}

// Refunds implements view.Store.
func (s Tables) Refunds(ctx context.Context, of order.ID) ([]view.Row, error) {
	return s.orders(ctx, selectOrders+" WHERE refund_of = +? AND refund_of <> ''", of)
}

// CauseOrders implements view.Store.
func (s Tables) CauseOrders(ctx context.Context, cause string, most int) ([]view.Row, error) {
	return s.orders(ctx, CauseOrdersQuery, cause, most)
}

// Oldest implements view.Store.
func (s Tables) Oldest(ctx context.Context, partition int32, from int64, placedAfter time.Time) (*view.Row, error) {
	return first(s.orders(ctx, oldestAccepted, partition, from, placedAfter.UnixMilli()))
}

// Count implements view.Store.
func (s Tables) Count(ctx context.Context, status order.Status) (n int, oldest time.Time, err error) {
	var placed *int64
	err = s.read(func(db reader) error {
		return db.Each(ctx, func(scan Scan) error { return scan(&n, &placed) }, `SELECT coalesce((SELECT n FROM order_counts WHERE status = ?), 0), min(oldest) FROM (
  SELECT min(placed_at) AS oldest FROM orders WHERE status = +? AND refund_of = ''
  UNION ALL SELECT min(placed_at) FROM orders WHERE status = +? AND refund_of <> '') both_kinds`, status, status, status)
	})
	if err != nil {
		return 0, oldest, fmt.Errorf("counting orders: %w", err)
	}
	if placed != nil {
		oldest = time.UnixMilli(*placed).UTC()
	}
	return n, oldest, nil
}

// Orders implements view.Store.
func (s Tables) Orders(
	ctx context.Context, f view.Filter, words []string, after view.Cursor,
) (rows []view.Row, err error) {
	err = s.read(func(db reader) (err error) {
		rows, err = db.found(ctx, f, words, after)
		return err
	})
	return rows, err
}

// ordersOf is a question for orders. A plus sign keeps SQLite from taking the index of a column.
type ordersOf struct {
	view.Filter
	words []string
	after view.Cursor

	byStatus      bool   // by the index of the status, not that of the owner
	candidates    string // query for the rows that are looked at; or empty: all
	candidateArgs []any
}

// query is the query for the orders, the newest first.
func (q *ordersOf) query() (string, []any) {
	var w where
	plus := ""
	if q.candidates != "" {
		w.add("rowid IN ("+q.candidates+")", q.candidateArgs...)
		plus = "+"
	}
	for _, word := range q.words {
		w.add("instr(words, ?) > 0", " "+word)
	}
	if q.Reference != "" { // few orders have the same
		w.add(plus+"reference = ? AND reference <> ''", q.Reference)
		plus = "+"
	}
	byOwner, byStatus := plus, plus
	if q.byStatus {
		byOwner = "+"
	} else if q.Owner != (order.Actor{}) {
		byStatus = "+"
	}
	if q.Owner != (order.Actor{}) {
		w.add(byOwner+"owner = ? AND owner <> ''", q.Owner.String())
	}
	if q.Refunds {
		w.add(plus + "refund_of <> ''")
	} else {
		w.add(plus + "refund_of = ''")
	}
	if q.Status != "" {
		w.add(byStatus+"status = +?", q.Status)
	}
	if !q.From.IsZero() {
		w.add(plus+"placed_at >= ?", q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		w.add(plus+"placed_at < ?", q.To.UnixMilli())
	}
	w.after(q.after, "("+plus+"placed_at, id)")
	return selectOrders + w.String() + newestFirst, append(w.args, q.Limit)
}

func (s Tables) orders(ctx context.Context, query string, args ...any) (rows []view.Row, err error) {
	err = s.read(func(db reader) (err error) {
		rows, err = db.orders(ctx, query, args)
		return err
	})
	return rows, err
}

// orders returns the rows of a query that begins with selectOrders.
func (db reader) orders(ctx context.Context, query string, args []any) (rows []view.Row, err error) {
	err = db.Each(ctx, func(scan Scan) error {
		var r view.Row
		var placed int64
		err := scan(&r.ID, &r.Partition, &r.Offset, &placed, &r.Status, &r.Rev, &r.Begun, &r.StateAt, &r.RefundOf,
			&r.Value, &r.Discarded)
		r.PlacedAt = time.UnixMilli(placed).UTC()
		rows = append(rows, r)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading orders: %w", err)
	}
	return rows, nil
}
