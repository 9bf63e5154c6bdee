package view

import (
	"database/sql"
	"testing"
)

// Fill leaves no room for the file to grow, on any connection, until room is called.
func (v *View) Fill(t *testing.T) (room func()) {
	t.Helper()
	limit := func(pragma string) {
		t.Helper()
		var all []*sql.Conn
		for range maxConnections {
			c, err := v.file.db.Conn(t.Context())
			if err == nil {
				all = append(all, c)
				_, err = c.ExecContext(t.Context(), pragma)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range all {
			c.Close()
		}
	}
	limit("PRAGMA max_page_count = 1") // it is as many as there are
	return func() { limit("PRAGMA max_page_count = 1000000") }
}
