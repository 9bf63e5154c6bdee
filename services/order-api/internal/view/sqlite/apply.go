package sqlite

import (
	"context"
	"strings"

	"example.com/orders/services/order-api/internal/view"
)

// apply makes one change.
func (tx *transaction) apply(ctx context.Context, c view.Change) error {
	switch c := c.(type) {
	case view.Placed:
		return tx.place(ctx, c)
	case view.Changed:
		return tx.replace(ctx, c)
	case view.Erased:
		return tx.erase(ctx, c)
	case view.Failed:
		return tx.fail(ctx, c)
	case view.Acted:
		return tx.exec(ctx, addAct, actValues(c.Act)...)
	case view.Answered:
		return tx.replayed(ctx, c)
	}
	return tx.applyJob(ctx, c)
}

const (
	orderColumns = `id, partition, "offset", placed_at, status, rev, begun, state_at, words, refund_of, owner, value`
	placeOrder   = `INSERT INTO orders (` + orderColumns + `) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
WHERE NOT EXISTS (SELECT 1 FROM erased WHERE id = ? AND at >= ?) ON CONFLICT DO NOTHING RETURNING rowid`
	selectWords  = "SELECT rowid, placed_at, words FROM orders WHERE id = ?"
	replaceOrder = `INSERT INTO orders (` + orderColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET partition = excluded.partition, "offset" = excluded."offset", placed_at = excluded.placed_at,
  status = excluded.status, rev = excluded.rev, begun = excluded.begun, state_at = excluded.state_at,
  words = excluded.words, refund_of = excluded.refund_of, owner = excluded.owner, value = excluded.value RETURNING rowid`
	noteErased = `INSERT INTO erased (id, at, partition, "offset")
VALUES (?1, ?2, ?3, coalesce((SELECT "offset" FROM orders WHERE id = ?1), -1))
ON CONFLICT DO UPDATE SET at = excluded.at, "offset" = max("offset", excluded."offset")`
	removeOrder = `DELETE FROM orders WHERE id = ? AND partition = ? AND (begun OR placed_at <= ?)
RETURNING rowid, placed_at, words`

	addDeadLetter = `INSERT INTO dead_letters (id, partition, "offset", key, dlq_partition, dlq_offset, gone,
  step, class, reason, message, attempts, first_failed, last_failed, worker, replays, rev)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT `
	keepDeadLetter    = addDeadLetter + "DO NOTHING"
	replaceDeadLetter = addDeadLetter + `DO UPDATE SET key = excluded.key, dlq_partition = excluded.dlq_partition,
  dlq_offset = excluded.dlq_offset, gone = excluded.gone, step = excluded.step, class = excluded.class,
  reason = excluded.reason, message = excluded.message, attempts = excluded.attempts,
  first_failed = excluded.first_failed, last_failed = excluded.last_failed, worker = excluded.worker,
  replays = excluded.replays, rev = excluded.rev
WHERE (excluded.dlq_partition = partition OR dlq_partition <> partition OR gone)
AND (excluded.key IN ('', key) OR NOT EXISTS (SELECT 1 FROM orders o
  WHERE o.partition = dead_letters.partition AND o."offset" = dead_letters."offset" AND o.id = dead_letters.key))`
)

// values are those of orderColumns.
func values(o view.Row) []any {
	return []any{
		o.ID, o.Partition, o.Offset, o.PlacedAt.UnixMilli(), o.Status, o.Rev, o.Begun, o.StateAt,
		joined(o.Words), o.RefundOf, o.Owner.String(), o.Value,
	}
}

// joined is a text in which each word has a space before it.
func joined(words []string) string { return " " + strings.Join(words, " ") }

func (tx *transaction) place(ctx context.Context, o view.Placed) error {
	in := indexed{placedAt: o.PlacedAt.UnixMilli(), words: joined(o.Words)}
	added, err := tx.scan(ctx, placeOrder, append(values(o.Row), o.ID, o.Written.UnixMilli()), &in.row)
	if err != nil || !added {
		return err
	}
	return tx.addWords(ctx, in)
}

func (tx *transaction) replace(ctx context.Context, o view.Changed) error {
	var before indexed
	known, err := tx.scan(ctx, selectWords, []any{o.ID}, &before.row, &before.placedAt, &before.words)
	if err != nil {
		return err
	}
	after := indexed{placedAt: o.PlacedAt.UnixMilli(), words: joined(o.Words)}
	if _, err := tx.scan(ctx, replaceOrder, values(o.Row), &after.row); err != nil || before == after {
		return err
	}
	if known {
		if err := tx.removeWords(ctx, before); err != nil {
			return err
		}
	}
	return tx.addWords(ctx, after)
}

func (tx *transaction) erase(ctx context.Context, e view.Erased) error {
	at := e.At.UnixMilli()
	if err := tx.exec(ctx, noteErased, e.ID, at, e.Partition); err != nil {
		return err
	}
	var in indexed
	removed, err := tx.scan(ctx, removeOrder, []any{e.ID, e.Partition, at}, &in.row, &in.placedAt, &in.words)
	if err != nil || !removed {
		return err
	}
	return tx.removeWords(ctx, in)
}

func (tx *transaction) fail(ctx context.Context, l view.Failed) error {
	put := replaceDeadLetter
	if l.FromState {
		put = keepDeadLetter
	}
	return tx.exec(ctx, put, l.ID(), l.Origin.Partition, l.Origin.Offset, string(l.Key), l.Partition, l.Offset, l.Gone,
		l.Step, l.Class.String(), l.Reason, l.Message, l.Attempts, l.FirstFailed.UnixMilli(), l.LastFailed.UnixMilli(),
		l.Worker, l.Replays, l.Rev)
}
