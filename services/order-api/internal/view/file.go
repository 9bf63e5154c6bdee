package view

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// schemaVersion is the number of the schema below. A file with another number is thrown away.
const schemaVersion = 8

// schema is the whole file. who has the words of the customer's name and e-mail address, each with a space before it, and customers
// has a row for each of them: the first 64 bytes of the word, and the rowid of the order. refund_of is the order that a refund is of,
// or empty; value is the record's value as Kafka has it: of the order as placed, and of its newest state, which stands at
// state_at in orders.status, once it is begun. key is that of the record that failed, at_partition and offset are the place of
// the dead letter itself, and gone says that there is no record at that place any more. erased has the orders whose state was
// erased on purpose, and where they stood, or -1: their records in other topics must not bring them back. Times are in Unix milliseconds.
const schema = `
CREATE TABLE topics (name TEXT PRIMARY KEY, id BLOB NOT NULL);
CREATE TABLE positions (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL, epoch INTEGER NOT NULL, claim INTEGER NOT NULL, void INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)
);
CREATE TABLE orders (
  id TEXT PRIMARY KEY, partition INTEGER NOT NULL, origin INTEGER NOT NULL, placed_at INTEGER NOT NULL,
  status TEXT NOT NULL, rev INTEGER NOT NULL, begun INTEGER NOT NULL, state_at INTEGER NOT NULL, who TEXT NOT NULL,
  refund_of TEXT NOT NULL, value BLOB NOT NULL
);
CREATE INDEX orders_placed ON orders (placed_at, id) WHERE refund_of = '';
CREATE INDEX orders_status ON orders (status, placed_at, id) WHERE refund_of = '';
CREATE INDEX orders_origin ON orders (partition, origin);
CREATE INDEX orders_accepted ON orders (partition, placed_at, origin) WHERE status = 'accepted';
CREATE INDEX refunds_of ON orders (refund_of) WHERE refund_of <> '';
CREATE INDEX refunds_placed ON orders (placed_at, id) WHERE refund_of <> '';
CREATE INDEX refunds_status ON orders (status, placed_at, id) WHERE refund_of <> '';
CREATE TABLE customers (
  word TEXT NOT NULL, placed_at INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (word, placed_at, row)
) WITHOUT ROWID;
CREATE TABLE dead_letters (
  id TEXT PRIMARY KEY, partition INTEGER NOT NULL, origin INTEGER NOT NULL, key TEXT NOT NULL,
  at_partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, gone INTEGER NOT NULL,
  step TEXT NOT NULL, class TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL, attempts INTEGER NOT NULL,
  first_failed INTEGER NOT NULL, last_failed INTEGER NOT NULL, worker TEXT NOT NULL, replays INTEGER NOT NULL, rev INTEGER NOT NULL
);
CREATE TABLE erased (id TEXT PRIMARY KEY, at INTEGER NOT NULL, partition INTEGER NOT NULL, origin INTEGER NOT NULL);
CREATE INDEX erased_origin ON erased (partition, origin);
CREATE INDEX dead_letters_failed ON dead_letters (last_failed, id);
CREATE INDEX dead_letters_step ON dead_letters (step, last_failed, id);
CREATE INDEX dead_letters_reason ON dead_letters (reason, last_failed, id);
`

// file is the SQLite file, and the lock that keeps other processes away from it.
type file struct {
	path string
	lock *sql.DB

	mu    sync.RWMutex // readers hold it while they read; it is locked while the file is made again
	db    *sql.DB      // replaced by make alone
	parts []os.FileInfo
}

// suffixes are those of the names of all that belongs to the file.
var suffixes = []string{"", "-wal", "-shm"}

// openFile opens the file of this schema, and replaces one of another schema or one that is no database.
func openFile(ctx context.Context, path string) (*file, error) {
	lock, err := lockFile(ctx, path+".lock")
	if err != nil {
		return nil, err
	}
	f := &file{path: path, lock: lock}
	var version int
	f.db, version, err = openDatabase(ctx, path)
	if damaged(err) || err == nil && version != schemaVersion && version != 0 {
		if err = f.remove(); err == nil {
			f.db, _, err = openDatabase(ctx, path)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the view %q: %w", path, err), f.close())
	}
	return f, nil
}

// remove throws the file away. It is built again from the topics when it is opened next.
func (f *file) remove() error {
	errs := []error{f.db.Close()}
	for _, suffix := range suffixes { // once the first is gone, a connection that is closed late leaves the others alone
		if err := os.Remove(f.path + suffix); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// maxConnections is one that writes and some that read.
const maxConnections = 8

// openDatabase opens a database and reads its schema version, which touches the file for the first time. It always returns the database.
func openDatabase(ctx context.Context, path string) (*sql.DB, int, error) {
	// Without a sync of each commit a power cut costs the last records, and those are in Kafka.
	db := mustOpen(path, "journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(1000)")
	// Each connection has a cache of its own; more readers than this wait for their turn.
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	var version int
	err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	return db, version, err
}

// lockFile holds an exclusive transaction on a database of its own until it is closed or the process ends: two views on
// one file would overwrite each other's positions.
func lockFile(ctx context.Context, path string) (*sql.DB, error) {
	lock := mustOpen(path, "locking_mode(EXCLUSIVE)")
	lock.SetMaxOpenConns(1)
	_, err := lock.ExecContext(ctx, "BEGIN EXCLUSIVE")
	if err == nil {
		return lock, nil
	}
	lock.Close()
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_BUSY {
		return nil, fmt.Errorf("the view in %q is in use by another process: give this one a --data of its own", filepath.Dir(path))
	}
	return nil, fmt.Errorf("locking the view with %q: %w", path, err)
}

// mustOpen only prepares: nothing is opened before the first query.
func mustOpen(path string, pragmas ...string) *sql.DB {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	dsn.RawQuery = url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}.Encode()
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		panic("view: " + err.Error())
	}
	return db
}

// damaged reports whether an error says that the file is no database, a broken one, or not the one that was opened.
func damaged(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch e.Code() {
	case sqlite3.SQLITE_READONLY_DBMOVED, sqlite3.SQLITE_IOERR_SHORT_READ:
		return true
	case sqlite3.SQLITE_ERROR:
		return strings.Contains(e.Error(), "no such table") || strings.Contains(e.Error(), "no such column") || strings.Contains(e.Error(), "has no column")
	}
	return e.Code()&0xff == sqlite3.SQLITE_NOTADB || e.Code()&0xff == sqlite3.SQLITE_CORRUPT
}

// passing says in words why the file cannot be used at the moment, if that is what an error of SQLite says; or it is empty.
func passing(err error) string {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return ""
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "another process holds a lock on its file"
	case sqlite3.SQLITE_FULL:
		return "the disk is full"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH:
		return "its file or folder cannot be written"
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL:
		return "its file cannot be read or written"
	}
	return ""
}

// notice takes over which files are open. SQLite makes those beside the database with the first read.
func (f *file) notice() error {
	parts := make([]os.FileInfo, len(suffixes))
	for i, suffix := range suffixes {
		info, err := os.Stat(f.path + suffix)
		if err != nil {
			return err
		}
		parts[i] = info
	}
	f.parts = parts
	return nil
}

// moved is an error when a file is not the one that was opened any more: SQLite would go on with one that has no name.
func (f *file) moved() error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i, was := range f.parts {
		now, err := os.Stat(f.path + suffixes[i])
		switch name := filepath.Base(f.path) + suffixes[i]; {
		case errors.Is(err, os.ErrNotExist):
			return errors.New(name + " was deleted")
		case err != nil:
			return nil // it is there
		case !os.SameFile(was, now):
			return errors.New(name + " was replaced")
		case i != 1 && now.Size() < was.Size(): // the log may be cut by any program that uses SQLite
			return errors.New(name + " was truncated")
		}
	}
	return nil
}

// position is how far a partition is applied.
type position struct {
	next  int64
	epoch int32 // leader epoch of the record before next
	claim int64 // offset of the newest claim in orders.status, or -1
	void  int64 // how many void states were skipped so far
}

// positions returns where to read on; nil when the file is empty or was built from topics with other IDs.
func (f *file) positions(ctx context.Context, ids map[string]kadm.TopicID) (map[source]position, error) {
	var version int
	if err := f.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil || version == 0 {
		return nil, err
	}
	kept, err := f.ids(ctx)
	if err != nil || !maps.Equal(kept, ids) {
		return nil, err
	}
	rows, err := f.db.QueryContext(ctx, "SELECT topic, partition, next, epoch, claim, void FROM positions")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[source]position{}
	for rows.Next() {
		var s source
		var p position
		if err := rows.Scan(&s.topic, &s.partition, &p.next, &p.epoch, &p.claim, &p.void); err != nil {
			return nil, err
		}
		found[s] = p
	}
	return found, rows.Err()
}

// ids returns the IDs of the topics that the file was built from.
func (f *file) ids(ctx context.Context) (map[string]kadm.TopicID, error) {
	rows, err := f.db.QueryContext(ctx, "SELECT name, id FROM topics")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	kept := map[string]kadm.TopicID{}
	for rows.Next() {
		var name string
		var id []byte
		if err := rows.Scan(&name, &id); err != nil {
			return nil, err
		}
		kept[name] = kadm.TopicID(append(id, make([]byte, 16)...)[:16])
	}
	return kept, rows.Err()
}

// make replaces the file by an empty one, and notes which topics it is built from. After an error there is no file, and it can be tried again.
func (f *file) make(ctx context.Context, ids map[string]kadm.TopicID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts = nil
	if err := f.remove(); err != nil {
		return err
	}
	db, _, err := openDatabase(ctx, f.path)
	f.db = db
	if err == nil {
		err = f.fill(ctx, ids)
	}
	if err == nil {
		err = f.notice()
	}
	if err != nil {
		return errors.Join(err, f.db.Close())
	}
	return nil
}

// fill makes the tables of an empty file.
func (f *file) fill(ctx context.Context, ids map[string]kadm.TopicID) error {
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d", schemaVersion)); err != nil {
		return err
	}
	for name, id := range ids {
		if _, err := tx.ExecContext(ctx, "INSERT INTO topics (name, id) VALUES (?, ?)", name, id[:]); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (f *file) close() error { return errors.Join(f.db.Close(), f.lock.Close()) }
