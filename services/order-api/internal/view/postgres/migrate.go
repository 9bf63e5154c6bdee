package postgres

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// migrations are numbered from 0001 on, and are run in that sequence, each once. None is ever changed or taken back.
// One may only add: tables, indexes, and columns with a default, because instances of the version before go on
// meanwhile. For what they would leave out, or write wrong, the schema gets another name.
//
//go:embed migrations/*.sql
var migrations embed.FS

const (
	// schema has all tables, so that the database may have others: those of an earlier version, which goes on with them
	// until its last instance stops, and again after a roll back.
	schema = "order_view_2"
	// basis are the tables that no reset removes. writer has one row: the instance that writes, and the number of resets.
	basis = `CREATE SCHEMA IF NOT EXISTS ` + schema + `;
CREATE TABLE IF NOT EXISTS writer (
  one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one), epoch BIGINT NOT NULL, instance TEXT NOT NULL, expires TIMESTAMPTZ NOT NULL, generation BIGINT NOT NULL
);
INSERT INTO writer (epoch, instance, expires, generation) VALUES (0, '', '-infinity', 0) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT now())`
	// lock keeps two instances from migrating at the same time.
	lock = "SELECT pg_advisory_xact_lock(hashtext('" + schema + "'))"
	// removeTables leaves the row of the writer: its epoch must not begin again.
	removeTables = `DO $$ DECLARE t TEXT; BEGIN
FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = '` + schema + `' AND tablename <> 'writer' LOOP
  EXECUTE format('DROP TABLE ` + schema + `.%I', t);
END LOOP; END $$`
)

// migrate makes the tables, or adds what this version adds to them.
func (db *database) migrate(ctx context.Context) error {
	return db.change(ctx, func(tx *transaction) error { return migrate(ctx, tx.Tx) })
}

func migrate(ctx context.Context, tx pgx.Tx) error {
	for _, text := range []string{lock, basis} {
		if err := run(ctx, tx, text); err != nil {
			return fmt.Errorf("preparing the tables of the read model: %w", err)
		}
	}
	var done int
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM migrations").Scan(&done); err != nil {
		return err
	}
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return err
	}
	for i, file := range files {
		if i < done {
			continue
		}
		text, err := migrations.ReadFile("migrations/" + file.Name())
		if err != nil {
			return err
		}
		if err := run(ctx, tx, string(text)); err != nil {
			return fmt.Errorf("migration %s of the read model: %w", file.Name(), err)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO migrations (version) VALUES ($1)", i+1); err != nil {
			return err
		}
	}
	return nil
}

// run runs several statements.
func run(ctx context.Context, tx pgx.Tx, statements string) error {
	_, err := tx.Conn().PgConn().Exec(ctx, statements).ReadAll()
	return err
}
