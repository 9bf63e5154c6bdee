// Command bareview writes the rows of a read model into another file, and promises nothing.
//
// It is a floor of scripts/bench: what SQLite costs for the same rows, without Kafka, decoding,
// fencing, positions and dead letters. It reads the tables of orders and of their words, and writes
// each order as often as the read model does: once for each of its records.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"

	_ "modernc.org/sqlite" // registers the driver

	"example.com/orders/shared/config"
)

func main() { config.Main("bareview", run) }

type settings struct {
	From    string `arg:"" type:"existingfile" help:"File of a read model."`
	To      string `arg:"" type:"path" help:"File to create."`
	Records int    `default:"4" help:"How often each order is written."`
}

// batch is the number of records of a transaction, as in the read model.
const batch = 1000

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s settings
	if err := config.Parse(&s, "bareview", "Writes the rows of a read model into another file.", args, env, stdout, stderr); err != nil {
		return err
	}
	const pragmas = "?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=temp_store(MEMORY)"
	from, err := sql.Open("sqlite", "file:"+s.From+"?mode=ro")
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := sql.Open("sqlite", "file:"+s.To+pragmas)
	if err != nil {
		return err
	}
	defer to.Close()
	for _, table := range []string{"orders", "order_words"} {
		if err := create(ctx, from, to, table); err != nil {
			return err
		}
	}
	if err := upsert(ctx, from, to, "orders", s.Records); err != nil {
		return err
	}
	return upsert(ctx, from, to, "order_words", 1)
}

// create makes a table with its indexes.
func create(ctx context.Context, from, to *sql.DB, table string) error {
	rows, err := from.QueryContext(ctx, "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC", table)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if _, err := to.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return rows.Err()
}

// upsert writes each row of a table some times, batch by batch.
func upsert(ctx context.Context, from, to *sql.DB, table string, times int) error {
	rows, err := from.QueryContext(ctx, "SELECT * FROM "+table+" ORDER BY rowid")
	if table == "order_words" { // it has none
		rows, err = from.QueryContext(ctx, "SELECT * FROM "+table)
	}
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	w := &writer{db: to, text: statement(table, columns)}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for range times {
			if err := w.write(ctx, values); err != nil {
				return err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return w.commit()
}

// statement is an upsert of all columns.
func statement(table string, columns []string) string {
	var names, sets []string
	for _, c := range columns {
		names = append(names, `"`+c+`"`)
		sets = append(sets, fmt.Sprintf(`"%s" = excluded."%s"`, c, c))
	}
	return "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) +
		") ON CONFLICT DO UPDATE SET " + strings.Join(sets, ", ")
}

// writer writes rows in transactions.
type writer struct {
	db   *sql.DB
	text string
	tx   *sql.Tx
	stmt *sql.Stmt
	rows int // of the transaction
}

func (w *writer) write(ctx context.Context, values []any) (err error) {
	if w.tx == nil {
		if w.tx, err = w.db.BeginTx(ctx, nil); err != nil {
			return err
		}
		if w.stmt, err = w.tx.PrepareContext(ctx, w.text); err != nil {
			return err
		}
	}
	if _, err := w.stmt.ExecContext(context.WithoutCancel(ctx), values...); err != nil {
		return err
	}
	if w.rows++; w.rows < batch {
		return nil
	}
	return w.commit()
}

func (w *writer) commit() error {
	if w.tx == nil {
		return nil
	}
	tx := w.tx
	w.tx, w.rows = nil, 0
	return tx.Commit()
}
