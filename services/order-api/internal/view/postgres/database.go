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

// transaction is one that writes. A statement waits until an answer is needed, and is sent with all that wait: that is
// one round trip.
type transaction struct {
	pgx.Tx
	*translator
	queued *pgx.Batch
	wait   func(context.Context) error // returns when what is queued was sent, and its answers are there
}

func (db *database) transaction(tx pgx.Tx) *transaction {
	t := &transaction{Tx: tx, translator: db.translator, queued: new(pgx.Batch)}
	t.wait = t.flush
	return t
}

// change calls do in a transaction, which is committed unless do fails.
func (db *database) change(ctx context.Context, do func(*transaction) error) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after the commit
	t := db.transaction(tx)
	t.queued.Queue("SET LOCAL plan_cache_mode = auto") // to plan the same statement for each row takes as long as to run it
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
	return do(db.transaction(tx))
}

func (t *transaction) queue(statement string, args []any) *pgx.QueuedQuery {
	return t.queued.Queue(t.translate(statement), storable(args)...)
}

// flush sends what is queued.
func (t *transaction) flush(ctx context.Context) error {
	if t.queued.Len() == 0 {
		return nil
	}
	sent := *t.queued // a batch is sent once
	*t.queued = pgx.Batch{}
	return t.SendBatch(ctx, &sent).Close()
}

// Exec implements tables.Writer.
func (t *transaction) Exec(ctx context.Context, statement string, args ...any) error {
	t.queue(statement, args)
	if t.queued.Len() < maxQueued {
		return nil
	}
	return t.flush(ctx)
}

// Scan implements tables.Writer.
func (t *transaction) Scan(ctx context.Context, statement string, args []any, into ...any) (found bool, err error) {
	t.queue(statement, args).QueryRow(func(row pgx.Row) error {
		err := row.Scan(into...)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		found = err == nil
		return err
	})
	err = t.wait(ctx)
	return found, err
}

// Each implements tables.Reader.
func (t *transaction) Each(ctx context.Context, row func(tables.Scan) error, query string, args ...any) error {
	t.queue(query, args).Query(func(rows pgx.Rows) error { return tables.Each(rows, row) })
	return t.wait(ctx)
}
