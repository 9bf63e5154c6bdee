package sqlite

import (
	"errors"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"example.com/orders/services/order-api/internal/view/tables"
)

// notWritable is a reason to wait for a file.
const notWritable = "its file or folder cannot be written"

// faults says what errors of a file mean. One that cannot be made has nothing in it that could be damaged.
var faults = tables.Faults{Damaged: damaged, Passing: passing, Other: notWritable}

// damaged reports whether an error says that the file is no database, a broken one, or not the one
// that was opened.
func damaged(err error) bool {
	if errors.Is(err, errMoved) {
		return true
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch e.Code() {
	case sqlite3.SQLITE_READONLY_DBMOVED, sqlite3.SQLITE_IOERR_SHORT_READ:
		return true
	case sqlite3.SQLITE_ERROR:
		for _, text := range []string{"no such table", "no such column", "has no column"} {
			if strings.Contains(e.Error(), text) {
				return true
			}
		}
	}
	return e.Code()&0xff == sqlite3.SQLITE_NOTADB || e.Code()&0xff == sqlite3.SQLITE_CORRUPT
}

// passing is why the file cannot be used at the moment, if that is what an error of SQLite says; or
// it is empty.
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
		return notWritable
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL:
		return "its file cannot be read or written"
	}
	return ""
}
