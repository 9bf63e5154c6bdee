package postgres

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"

	"example.com/orders/services/order-api/internal/view/sqlite"
	"example.com/orders/services/order-api/internal/view/storetest"
)

// TestAnEarlierVersionKeepsItsTables has one that writes and renews its lease.
func TestAnEarlierVersionKeepsItsTables(t *testing.T) {
	t.Parallel()
	url := storetest.StartPostgres(t).Database(t)
	db, err := sql.Open("pgx", url)
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `CREATE SCHEMA order_view; CREATE TABLE order_view.topics (name TEXT); INSERT INTO order_view.topics VALUES ('orders');
CREATE TABLE order_view.writer (epoch BIGINT, expires TIMESTAMPTZ); INSERT INTO order_view.writer VALUES (1, 'infinity')`)
	must(t, err)
	s := open(t, url)
	defer s.Close()
	_, err = s.Resume(t.Context(), topics())
	must(t, err)
	must(t, s.Reset(t.Context(), topics()))
	must(t, s.Apply(t.Context(), batch(1)))
	var kept int
	must(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM order_view.topics, order_view.writer WHERE epoch = 1").Scan(&kept))
	if kept != 1 {
		t.Errorf("got %d rows of the version before, want them as they were", kept)
	}
}

// TestBothStoresHaveTheSameColumns compares the names only: the types differ. PostgreSQL has two tables more, for the
// instances that share it, and
// declares the rowid.
func TestBothStoresHaveTheSameColumns(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "view.db")
	s, err := sqlite.Open(t.Context(), file)
	must(t, err)
	must(t, s.Reset(t.Context(), topics()))
	must(t, s.Close())
	embedded, err := sql.Open("sqlite", file)
	must(t, err)
	defer embedded.Close()
	want := columns(t, embedded, `SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' ORDER BY t.name, c.name`)

	url := storetest.StartPostgres(t).Database(t)
	of := open(t, url)
	_, err = of.Resume(t.Context(), topics())
	must(t, errors.Join(err, of.Close()))
	shared, err := sql.Open("pgx", url)
	must(t, err)
	defer shared.Close()
	got := columns(t, shared, `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '`+schema+`' AND column_name <> 'rowid' ORDER BY table_name, column_name COLLATE "C"`)
	for _, own := range []string{"writer", "migrations"} {
		delete(got, own)
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns of the tables (-SQLite +PostgreSQL):\n%s", diff)
	}
}

func columns(t *testing.T, db *sql.DB, query string) map[string][]string {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), query)
	must(t, err)
	defer rows.Close()
	all := map[string][]string{}
	for rows.Next() {
		var table, column string
		must(t, rows.Scan(&table, &column))
		all[table] = append(all[table], column)
	}
	must(t, rows.Err())
	return all
}
