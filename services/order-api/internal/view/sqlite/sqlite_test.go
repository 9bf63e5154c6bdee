package sqlite

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/storetest"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
)

func TestTheStoreConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) func() view.Store {
		path := filepath.Join(t.TempDir(), "view.db")
		return func() view.Store {
			s, err := Open(t.Context(), path)
			must(t, err)
			return s
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// empty is a store without contents.
func empty(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "view.db"))
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	must(t, s.Reset(t.Context(), nil))
	return s
}

// limit runs a pragma on every connection.
func (s *Store) limit(t *testing.T, pragma string) {
	t.Helper()
	var all []*sql.Conn
	for range maxConnections {
		c, err := s.db.Conn(t.Context())
		must(t, err)
		all = append(all, c)
		_, err = c.ExecContext(t.Context(), pragma)
		must(t, err)
	}
	for _, c := range all {
		must(t, c.Close())
	}
}

// TestAFullDiskLeavesNothingOfABatch has a batch that fails in its middle.
func TestAFullDiskLeavesNothingOfABatch(t *testing.T) {
	t.Parallel()
	s := empty(t)
	s.limit(t, "PRAGMA max_page_count = 1") // it is as many as there are
	small := view.Changed{Row: view.Row{ID: "ord_1", Status: order.Working, PlacedAt: time.UnixMilli(1), Value: []byte("{}")}}
	large := view.Changed{Row: view.Row{ID: "ord_2", Status: order.Working, PlacedAt: time.UnixMilli(2), Value: make([]byte, 100_000)}}
	b := view.Batch{Changes: []view.Change{small, large}, Positions: map[kafka.Partition]view.Position{{Topic: "orders"}: {Next: 2}}}
	err := s.Apply(t.Context(), b)
	if u, ok := errors.AsType[*view.UnavailableError](err); !ok || u.Reason != "the disk is full" {
		t.Fatalf("got %v, want an UnavailableError of a full disk", err)
	}
	if got, err := s.Order(t.Context(), "ord_1"); got != nil || err != nil {
		t.Errorf("got %+v, %v, want no order of the batch", got, err)
	}
	s.limit(t, "PRAGMA max_page_count = 1000000")
	must(t, s.Apply(t.Context(), b))
	if got, err := s.Order(t.Context(), "ord_2"); got == nil || err != nil {
		t.Errorf("got %+v, %v, want the order", got, err)
	}
}

// TestOthersCannotReadTheFiles makes a database, and opens one that an earlier version made.
func TestOthersCannotReadTheFiles(t *testing.T) {
	t.Parallel()
	s := empty(t)
	private := func() {
		t.Helper()
		for _, suffix := range suffixes {
			info, err := os.Stat(s.path + suffix)
			must(t, err)
			if mode := info.Mode().Perm(); mode != 0o600 {
				t.Errorf("view.db%s has mode %o, want 600", suffix, mode)
			}
		}
	}
	private()
	for _, suffix := range suffixes {
		must(t, os.Chmod(s.path+suffix, 0o644))
	}
	_, err := s.Resume(t.Context(), nil)
	must(t, err)
	private()
}

// TestManyStatementsAreNotKept searches for ever more words, as clients can.
func TestManyStatementsAreNotKept(t *testing.T) {
	t.Parallel()
	s := empty(t)
	for n := range maxStatements + 5 {
		words := strings.Fields(strings.Repeat("a ", n))
		_, err := s.Orders(t.Context(), view.Filter{Limit: 1}, words, view.Cursor{})
		must(t, err)
	}
	if got := len(s.db.statements); got > maxStatements {
		t.Errorf("got %d statements, want at most %d", got, maxStatements)
	}
}
