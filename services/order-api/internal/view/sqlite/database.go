package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/tables"
	"example.com/orders/shared/kafka"
)

//go:embed schema.sql
var schema string

const (
	// schemaVersion is the version of schema.sql. A file of another version is replaced.
	schemaVersion = 17
	// maxConnections is one that writes and some that read. Each has a cache of its own; more
	// readers wait.
	maxConnections = 8
	// maxStatements is how many statements are kept prepared. Only a search for many words, which
	// clients vary, has more texts.
	maxStatements = 200
)

// database is an open file. Each statement is prepared once.
type database struct {
	*sql.DB
	path  string
	files []os.FileInfo // as noteFiles found them

	mu         sync.Mutex
	statements map[string]*sql.Stmt // by text
}

// openDatabase opens a database, or makes an empty one.
func openDatabase(ctx context.Context, path string) (*database, error) {
	keepPrivate(path)
	// Without a sync of each commit a power cut costs the last transactions, and those are in
	// Kafka. In temp_store is what undoes a statement that fails, which is written for every row.
	pragmas := []string{"journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(1000)", "temp_store(MEMORY)"}
	db := &database{DB: mustOpen(path, pragmas...), path: path, statements: map[string]*sql.Stmt{}}
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	if _, err := db.version(ctx); err != nil { // the first use of the file
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (db *database) version(ctx context.Context) (version int, err error) {
	err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	return version, err
}

// create makes the tables, and notes the topics that they are filled from. Without those, the next
// Resume finds that it does not fit its topics.
func (db *database) create(ctx context.Context, topics map[string]kadm.TopicID) error {
	if _, err := db.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d", schemaVersion)); err != nil {
		return err
	}
	tx, err := db.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if err := tables.AddTopics(ctx, tx, topics); err != nil {
		return err
	}
	return tx.Commit()
}

// positions returns how far the file goes; nil when it is empty, of another version or filled from
// other topics.
func (db *database) positions(
	ctx context.Context, topics map[string]kadm.TopicID,
) (map[kafka.Partition]view.Position, error) {
	if version, err := db.version(ctx); err != nil || version != schemaVersion {
		return nil, err
	}
	return tables.Positions(ctx, db, topics)
}

// Each implements tables.Reader.
func (db *database) Each(ctx context.Context, row func(tables.Scan) error, query string, args ...any) error {
	rows, err := db.query(ctx, query, args)
	return each(rows, err, row)
}

// each calls row for each row that a query found, unless it failed.
func each(rows *sql.Rows, err error, row func(tables.Scan) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	return tables.Each(rows, row)
}

func (db *database) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	s, err := db.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return db.QueryContext(ctx, text, args...)
	}
	return s.QueryContext(ctx, args...)
}

// prepare returns the statement of a text, or nil if there are too many.
func (db *database) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	s := db.statements[text]
	if s != nil || len(db.statements) >= maxStatements {
		return s, nil
	}
	s, err := db.PrepareContext(ctx, text)
	if err == nil {
		db.statements[text] = s
	}
	return s, err
}

// transaction is one that writes.
type transaction struct {
	*sql.Tx
	db         *database
	statements map[string]*sql.Stmt // of the database, for this transaction
}

func (db *database) begin(ctx context.Context) (*transaction, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return &transaction{tx, db, map[string]*sql.Stmt{}}, nil
}

func (tx *transaction) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if s := tx.statements[text]; s != nil {
		return s, nil
	}
	s, err := tx.db.prepare(ctx, text)
	if err == nil && s == nil {
		s, err = tx.PrepareContext(ctx, text)
	} else if err == nil {
		s = tx.StmtContext(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	tx.statements[text] = s
	return s, nil
}

// Each implements tables.Writer.
func (tx *transaction) Each(ctx context.Context, row func(tables.Scan) error, query string, args ...any) error {
	s, err := tx.prepare(ctx, query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, args...)
	return each(rows, err, row)
}

// Exec implements tables.Writer.
func (tx *transaction) Exec(ctx context.Context, text string, args ...any) error {
	s, err := tx.prepare(ctx, text)
	if err == nil {
		_, err = s.ExecContext(ctx, args...)
	}
	return err
}

// Scan implements tables.Writer.
func (tx *transaction) Scan(ctx context.Context, text string, args []any, into ...any) (bool, error) {
	s, err := tx.prepare(ctx, text)
	if err == nil {
		err = s.QueryRowContext(ctx, args...).Scan(into...)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
