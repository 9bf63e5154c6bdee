package sqlite

import (
	"database/sql"
	"net/url"
)

// mustOpen only prepares: nothing is opened before the first query.
func mustOpen(path string, pragmas ...string) *sql.DB {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	dsn.RawQuery = url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}.Encode()
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		panic("sqlite: " + err.Error())
	}
	return db
}
