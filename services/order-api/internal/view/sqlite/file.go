package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// suffixes are those of the names of all files that belong to a database.
var suffixes = []string{"", "-wal", "-shm"}

// errMoved says that a file is not the one that was opened.
var errMoved = errors.New("not the file that was opened")

// lockFile holds an exclusive transaction on a second database, until that is closed or the process
// ends.
func lockFile(ctx context.Context, path string) (*sql.DB, error) {
	lock := mustOpen(path+".lock", "locking_mode(EXCLUSIVE)")
	lock.SetMaxOpenConns(1)
	_, err := lock.ExecContext(ctx, "BEGIN EXCLUSIVE")
	if err == nil {
		return lock, nil
	}
	lock.Close()
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_BUSY {
		return nil, fmt.Errorf("the read model in %q is in use by another process: give this one a --data of its own",
			filepath.Dir(path))
	}
	return nil, fmt.Errorf("locking the read model with %q: %w", path+".lock", err)
}

// keepPrivate makes a file that only its owner can read, or takes the rights of others away from the files that there are: they
// contain personal data. SQLite makes the other two like the first. What fails here is left to SQLite, whose errors are known.
func keepPrivate(path string) {
	if f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		_ = f.Close()
		return
	}
	for _, suffix := range suffixes {
		if info, err := os.Stat(path + suffix); err == nil && info.Mode().Perm()&0o077 != 0 {
			_ = os.Chmod(path+suffix, info.Mode().Perm()&0o700)
		}
	}
}

// removeFiles deletes a database, if there is one.
func removeFiles(path string) error {
	var errs []error
	// Once the first is gone, a connection that is closed late leaves the others alone.
	for _, suffix := range suffixes {
		if err := os.Remove(path + suffix); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// noteFiles takes over which files are open. SQLite makes the other two with the first read.
func (db *database) noteFiles() error {
	files := make([]os.FileInfo, len(suffixes))
	for i, suffix := range suffixes {
		info, err := os.Stat(db.path + suffix)
		if err != nil {
			return err
		}
		files[i] = info
	}
	db.files = files
	return nil
}

// moved is errMoved when a name does not lead to the file that was opened: SQLite would use the one
// without a name.
func (db *database) moved() error {
	for i, was := range db.files {
		now, err := os.Stat(db.path + suffixes[i])
		how := ""
		switch {
		case errors.Is(err, os.ErrNotExist):
			how = "deleted"
		case err != nil:
			return nil // it is there
		case !os.SameFile(was, now):
			how = "replaced"
		case i != 1 && now.Size() < was.Size(): // the log may be cut by any program that uses SQLite
			how = "truncated"
		}
		if how != "" {
			return fmt.Errorf("%w: %s was %s", errMoved, filepath.Base(db.path)+suffixes[i], how)
		}
	}
	return nil
}
