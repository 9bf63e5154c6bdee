package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/orders/services/order-api/internal/view/tables"
)

// patience is how long a reader waits for an answer.
const patience = 10 * time.Second

// database runs the queries of package tables.
type database struct {
	*pgxpool.Pool
	*translator
}

// Each implements tables.Reader.
func (db *database) Each(ctx context.Context, row func(tables.Scan) error, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := db.Query(ctx, db.translate(query), storable(args)...)
	return each(rows, err, row)
}

// each calls row for each row that a query found, unless it failed.
func each(rows pgx.Rows, err error, row func(tables.Scan) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	return tables.Each(rows, row)
}

// maxQueued is the most statements that are sent together.
const maxQueued = 500

// transaction is one that writes. Statements without an answer wait for the next one with an answer,
// and are sent with it: that is one round trip.
type transaction struct {
	pgx.Tx
	*translator
	queued pgx.Batch
}

// change calls do in a transaction, which is committed unless do fails.
func (db *database) change(ctx context.Context, do func(*transaction) error) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after the commit
	t := &transaction{Tx: tx, translator: db.translator}
	if err := do(t); err != nil {
		return err
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// snapshot calls do in a transaction that reads what is stored at one moment.
func (db *database) snapshot(ctx context.Context, do func(*transaction) error) error {
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	return do(&transaction{Tx: tx, translator: db.translator})
}

// Exec implements tables.Writer.
func (t *transaction) Exec(ctx context.Context, statement string, args ...any) error {
	t.queued.Queue(t.translate(statement), storable(args)...)
	if t.queued.Len() < maxQueued {
		return nil
	}
	return t.flush(ctx)
}

// flush sends what is queued.
func (t *transaction) flush(ctx context.Context) error {
	if t.queued.Len() == 0 {
		return nil
	}
	return t.send(ctx, func(results pgx.BatchResults) error {
		_, err := results.Exec()
		return err
	})
}

// send sends what is queued, and calls last for the result of the last statement.
func (t *transaction) send(ctx context.Context, last func(pgx.BatchResults) error) (err error) {
	queued := t.queued
	t.queued = pgx.Batch{}
	results := t.SendBatch(ctx, &queued)
	defer func() {
		if closed := results.Close(); err == nil {
			err = closed
		}
	}()
	for range queued.Len() - 1 {
		if _, err := results.Exec(); err != nil {
			return err
		}
	}
	return last(results)
}

// Scan implements tables.Writer.
func (t *transaction) Scan(ctx context.Context, statement string, args []any, into ...any) (bool, error) {
	t.queued.Queue(t.translate(statement), storable(args)...)
	err := t.send(ctx, func(results pgx.BatchResults) error { return results.QueryRow().Scan(into...) })
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Each implements tables.Reader.
func (t *transaction) Each(ctx context.Context, row func(tables.Scan) error, query string, args ...any) error {
	t.queued.Queue(t.translate(query), storable(args)...)
	return t.send(ctx, func(results pgx.BatchResults) error {
		rows, err := results.Query()
		return each(rows, err, row)
	})
}
