package httpapi_test

import (
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/orders/shared/wire"
)

// TestLostReadModelDoesNotRefuseOrders removes the directory of the file and restores it.
func TestLostReadModelDoesNotRefuseOrders(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, wanted())
	path := "/v1/orders/" + string(state.Order.ID)
	must(t, os.RemoveAll(filepath.Dir(s.path)))
	// Until the file is closed to make a new one, orders can still be read from it.
	for !strings.Contains(s.view.Health().Trouble, "cannot be written") {
		if resp := s.send(t, s.http, "GET", path, ""); resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("got %s, want the order or 503", resp.Status)
		}
	}
	for _, path := range []string{path, path + "/events", "/v1/orders", "/v1/orders/ord_x", "/v1/dead-letters", "/v1/dead-letters/1-0", "/healthz/ready"} {
		resp := s.send(t, s.http, "GET", path, "")
		body := text(t, resp)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "read model") ||
			strings.Contains(strings.ToLower(body), "sql") {
			t.Errorf("GET %s: got %s %s, want 503 with Retry-After that tells of the read model", path, resp.Status, body)
		}
	}
	must(t, os.Mkdir(filepath.Dir(s.path), 0o700))
	for s.view.Health().Trouble != "" {
		must(t, s.view.Fresh(t.Context()))
	}
	if resp := s.send(t, s.http, "GET", path, ""); resp.StatusCode != http.StatusOK {
		t.Errorf("with its folder back: got %s, want 200", resp.Status)
	}
}

// TestLockedReadModelServesReadsAndIsNotReady locks the file from another process.
func TestLockedReadModelServesReadsAndIsNotReady(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, wanted())
	db, err := sql.Open("sqlite", s.path)
	must(t, err)
	_, err = db.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	must(t, err)
	_, err = s.client.Place(t.Context(), wanted(), "", 0)
	must(t, err)
	for s.view.Health().Trouble == "" {
		if resp := s.send(t, s.http, "GET", "/v1/orders/"+string(state.Order.ID), ""); resp.StatusCode != http.StatusOK {
			t.Fatalf("got %s, want 200", resp.Status)
		}
	}
	resp := s.send(t, s.http, "GET", "/healthz/ready", "")
	if body := text(t, resp); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "another process holds a lock") {
		t.Errorf("ready: got %s %s, want 503 and the lock", resp.Status, body)
	}
	must(t, db.Close())
}

// TestOrderInTheWrongPartitionIsIgnored has a record as of a producer with another
// partitioner.
func TestOrderInTheWrongPartitionIsIgnored(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, wanted())
	o := state.Order
	o.ID, o.PlacedAt = "ord_astray", o.PlacedAt.Add(-2*promise)
	home := s.layout.Partition([]byte(o.ID))
	r := wire.Order(o)
	s.put(t, s.Topics.Orders, (home+1)%int32(s.layout.Partitions), r)
	must(t, s.view.Applied(t.Context(), r.Partition, r.Offset))
	if resp := s.send(t, s.http, "GET", "/v1/orders/ord_astray", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %s, want 404", resp.Status)
	}
}
