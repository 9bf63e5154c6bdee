package tables

import (
	"context"
	"fmt"
	"strings"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
)

// apply makes one change.
func (tx transaction) apply(ctx context.Context, c view.Change) error {
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
		return tx.Exec(ctx, addAct, actValues(c.Act)...)
	case view.Decided:
		return tx.decide(ctx, c.Decision)
	case view.Answered:
		return tx.replayed(ctx, c)
	}
	return tx.applyJob(ctx, c)
}

const (
	orderColumns = `id, partition, "offset", placed_at, status, rev, begun, state_at, words, refund_of, owner, reference, value`
	placeOrder   = `INSERT INTO orders (` + orderColumns + `) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
WHERE NOT EXISTS (SELECT 1 FROM erased WHERE id = ? AND at >= ?) ON CONFLICT DO NOTHING RETURNING rowid, ` + isDead
	selectPlaced = `SELECT rowid, placed_at, words, status, partition || '-' || "offset" FROM orders WHERE id = ?`
	replaceOrder = `INSERT INTO orders (` + orderColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET partition = excluded.partition, "offset" = excluded."offset", placed_at = excluded.placed_at,
  status = excluded.status, rev = excluded.rev, begun = excluded.begun, state_at = excluded.state_at,
  words = excluded.words, refund_of = excluded.refund_of, owner = excluded.owner, reference = excluded.reference, value = excluded.value RETURNING rowid, ` + isDead
	isDead     = `EXISTS (SELECT 1 FROM dead_letters d WHERE d.id = orders.partition || '-' || orders."offset")`
	noteErased = `INSERT INTO erased (id, at, partition, "offset")
VALUES (?1, ?2, ?3, coalesce((SELECT "offset" FROM orders WHERE id = ?1), -1))
ON CONFLICT (id) DO UPDATE SET at = excluded.at,
  "offset" = CASE WHEN excluded."offset" > erased."offset" THEN excluded."offset" ELSE erased."offset" END`
	removeOrder = `DELETE FROM orders WHERE id = ? AND partition = ? AND (begun OR placed_at <= ?)
RETURNING rowid, placed_at, words, status, refund_of <> ''`
	placeOfErased = `SELECT partition || '-' || "offset" FROM erased WHERE id = ?`
	locateErased  = `UPDATE erased SET "offset" = ? WHERE id = ? AND partition = ? AND at >= ? AND "offset" < 0 RETURNING partition || '-' || "offset"`
)

// values are those of orderColumns.
func values(o view.Row) []any {
	return []any{
		o.ID, o.Partition, o.Offset, o.PlacedAt.UnixMilli(), o.Status, o.Rev, o.Begun, o.StateAt,
		joined(o.Words), o.RefundOf, o.Owner.String(), o.Reference, o.Value,
	}
}

// joined is a text in which each word has a space before it.
func joined(words []string) string { return " " + strings.Join(words, " ") }

// deadLetterOf is the ID of the dead letter that an order has.
func deadLetterOf(o view.Row) string { return fmt.Sprintf("%d-%d", o.Partition, o.Offset) }

func (tx transaction) place(ctx context.Context, o view.Placed) error {
	in := indexed{at: o.PlacedAt.UnixMilli(), words: joined(o.Words)}
	var dead bool
	added, err := tx.Scan(ctx, placeOrder, append(values(o.Row), o.ID, o.Written.UnixMilli()), &in.row, &dead)
	if err != nil {
		return err
	}
	if !added {
		return tx.locate(ctx, o)
	}
	tx.counts[o.Status]++
	if err := tx.addWords(ctx, wordsOf(o.RefundOf != ""), in); err != nil || !dead {
		return err
	}
	return tx.settle(ctx, deadLetterOf(o.Row))
}

// locate notes where an order was placed whose tombstone was read before: its dead letter is found by that.
func (tx transaction) locate(ctx context.Context, o view.Placed) error {
	var was string
	late, err := tx.Scan(ctx, locateErased, []any{o.Offset, o.ID, o.Partition, o.Written.UnixMilli()}, &was)
	if err != nil || !late {
		return err
	}
	return tx.settleErased(ctx, was)
}

func (tx transaction) replace(ctx context.Context, o view.Changed) error {
	var before indexed
	var status order.Status
	at := deadLetterOf(o.Row)
	was := at
	known, err := tx.Scan(ctx, selectPlaced, []any{o.ID}, &before.row, &before.at, &before.words, &status, &was)
	if err != nil {
		return err
	}
	if known {
		tx.counts[status]--
	}
	tx.counts[o.Status]++
	after := indexed{at: o.PlacedAt.UnixMilli(), words: joined(o.Words)}
	var dead bool
	if _, err := tx.Scan(ctx, replaceOrder, values(o.Row), &after.row, &dead); err != nil {
		return err
	}
	if err := tx.reindex(ctx, wordsOf(o.RefundOf != ""), before, after); err != nil {
		return err
	}
	if was != at {
		if err := tx.settle(ctx, was); err != nil {
			return err
		}
	}
	if !dead {
		return nil
	}
	return tx.settle(ctx, at)
}

func (tx transaction) erase(ctx context.Context, e view.Erased) error {
	at := e.At.UnixMilli()
	if err := tx.Exec(ctx, noteErased, e.ID, at, e.Partition); err != nil {
		return err
	}
	var in indexed
	var status order.Status
	var refund bool
	removed, err := tx.Scan(ctx, removeOrder, []any{e.ID, e.Partition, at}, &in.row, &in.at, &in.words, &status, &refund)
	if err != nil || !removed {
		return err
	}
	tx.counts[status]--
	if err := tx.removeWords(ctx, wordsOf(refund), in); err != nil {
		return err
	}
	var was string
	if _, err := tx.Scan(ctx, placeOfErased, []any{e.ID}, &was); err != nil {
		return err
	}
	return tx.settleErased(ctx, was)
}

// settleErased settles the dead letter of an erased order, and the items of jobs that replayed it.
func (tx transaction) settleErased(ctx context.Context, was string) error {
	if at, ok := origin(was); ok {
		if err := tx.settleItems(ctx, at.Partition, at.Offset); err != nil {
			return err
		}
	}
	return tx.settle(ctx, was)
}
