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
		return db.Each(ctx, func(scan Scan) error { return scan(&n, &placed) }, `SELECT CAST(sum(n) AS BIGINT), min(oldest) FROM (
  SELECT count(*) AS n, min(placed_at) AS oldest FROM orders WHERE status = +? AND refund_of = ''
  UNION ALL SELECT count(*), min(placed_at) FROM orders WHERE status = +? AND refund_of <> '') both_kinds`, status, status)
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
	err = s.read(func(db reader) error {
		query, args, err := OrdersQuery(ctx, db, f, words, after)
		if err == nil {
			rows, err = db.orders(ctx, query, args)
		}
		return err
	})
	return rows, err
}

// OrdersQuery is the query of a filter. Where few orders can be meant, a plus sign keeps SQLite from
// taking the index of a column that all of them may share.
func OrdersQuery(ctx context.Context, db Reader, f view.Filter, words []string, after view.Cursor) (string, []any, error) {
	var w where
	few, err := reader{db}.search(ctx, orderWords, &w, words)
	if err != nil {
		return "", nil, err
	}
	plus := ""
	if few {
		plus = "+"
	}
	if f.Reference != "" { // few orders have the same
		w.add(plus+"reference = ? AND reference <> ''", f.Reference)
		plus = "+"
	}
	if f.Owner != (order.Actor{}) {
		w.add(plus+"owner = ? AND owner <> ''", f.Owner.String())
		if f.Status != "" { // the orders of one owner are few, those of a status are not
			w.add("+status = +?", f.Status)
			f.Status = ""
		}
	}
	if f.Refunds {
		w.add(plus + "refund_of <> ''")
	} else {
		w.add(plus + "refund_of = ''")
	}
	if f.Status != "" {
		w.add(plus+"status = +?", f.Status)
	}
	if !f.From.IsZero() {
		w.add(plus+"placed_at >= ?", f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		w.add(plus+"placed_at < ?", f.To.UnixMilli())
	}
	w.after(after, "("+plus+"placed_at, id)")
	return selectOrders + w.String() + newestFirst, append(w.args, f.Limit), nil
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
