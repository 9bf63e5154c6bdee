package inbox

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/filelock"
)

// openTest opens a store that is closed when the test ends.
func openTest(t *testing.T, dir string) *store {
	t.Helper()
	s, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// keepAll keeps mails with these Message-IDs.
func keepAll(t *testing.T, s *store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := s.keep([]byte("body of "+id), id); err != nil {
			t.Fatal(err)
		}
	}
}

// listed are the Message-IDs of the mails that are kept, newest first.
func listed(s *store) (ids []string) {
	entries, _ := s.page(0, 100)
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	return ids
}

// contents are the names of a folder.
func contents(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

func TestRestartRemembers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openTest(t, dir)
	keepAll(t, s, "a", "b", "a")
	s.close()

	s = openTest(t, dir)
	if diff := cmp.Diff([]string{"a", "b", "a"}, listed(s)); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"a": 2, "b": 1}, maps.Collect(s.deliveries(0))); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	if _, raw, err := s.find("2"); err != nil || string(raw) != "body of b" {
		t.Errorf("mail 2: got %q, %v", raw, err)
	}
	keepAll(t, s, "c")
	if _, raw, err := s.find("4"); err != nil || string(raw) != "body of c" {
		t.Errorf("mail 4: got %q, %v", raw, err)
	}
}

func TestIncompleteLastLineIsCutOff(t *testing.T) {
	t.Parallel()
	for _, torn := range []string{`{`, `{"mail":2,"id":"b","at":"2026-09-29T08:15:42Z"}`, "\x00\x00\x00"} {
		dir := t.TempDir()
		s := openTest(t, dir)
		keepAll(t, s, "a")
		s.close()
		journal := filepath.Join(dir, "journal.ndjson")
		whole, err := os.ReadFile(journal)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(journal, append(whole, torn...), 0o600); err != nil {
			t.Fatal(err)
		}

		s = openTest(t, dir)
		keepAll(t, s, "c")
		s.close()
		s = openTest(t, dir)
		if diff := cmp.Diff([]string{"c", "a"}, listed(s)); diff != "" {
			t.Errorf("mails after %q (-want +got):\n%s", torn, diff)
		}
	}
}

func TestDamagedJournalIsNotOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journal.ndjson"), []byte("{\"mail\":1,\"id\":\"a\"}\nwhat?\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := openStore(dir); err == nil {
		s.close()
		t.Error("got nil, want an error that names line 2")
	}
}

func TestUnacknowledgedMailIsDeletedAtRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openTest(t, dir)
	keepAll(t, s, "a", "b")
	s.close()
	// A kill left a mail without its line; another was deleted by hand, and a note was left.
	mails := filepath.Join(dir, "mails")
	for _, name := range []string{filename(3), "note.txt"} {
		if err := os.WriteFile(filepath.Join(mails, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(mails, filename(1))); err != nil {
		t.Fatal(err)
	}

	s = openTest(t, dir)
	if diff := cmp.Diff([]string{"b"}, listed(s)); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
	keepAll(t, s, "c") // takes the number of the unacknowledged mail
	if diff := cmp.Diff([]string{filename(2), filename(3), "note.txt"}, contents(t, mails)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestOnlyTheLastMailsAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, s := range map[string]*store{"on disk": openTest(t, dir), "in memory": openTest(t, "")} {
		s.limit = 2
		keepAll(t, s, "a", "b", "c", "d")
		if diff := cmp.Diff([]string{"d", "c"}, listed(s)); diff != "" {
			t.Errorf("%s: mails (-want +got):\n%s", name, diff)
		}
		if _, _, err := s.find("1"); err != errNoMail {
			t.Errorf("%s: mail 1: got %v, want %v", name, err, errNoMail)
		}
		if diff := cmp.Diff(map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, maps.Collect(s.deliveries(0))); diff != "" {
			t.Errorf("%s: deliveries (-want +got):\n%s", name, diff)
		}
		if len(s.bodies) > 2 {
			t.Errorf("%s: %d bodies in memory, want at most 2", name, len(s.bodies))
		}
	}
	if diff := cmp.Diff([]string{filename(3), filename(4)}, contents(t, filepath.Join(dir, "mails"))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestConcurrentMailsAreAllKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openTest(t, dir)
	var g errgroup.Group
	for i := range 64 {
		g.Go(func() error { return s.keep([]byte("x"), fmt.Sprint(i)) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	before := listed(s)
	s.close()
	s = openTest(t, dir)
	if diff := cmp.Diff(before, listed(s)); diff != "" {
		t.Errorf("mails after a restart (-before +after):\n%s", diff)
	}
	if n := len(before); n != 64 {
		t.Errorf("got %d mails, want 64", n)
	}
}

func TestFullDiskIsNotAnsweredWithSuccess(t *testing.T) {
	t.Parallel()
	s := openTest(t, t.TempDir())
	keepAll(t, s, "a")
	s.journal.file.Close() // simulates a full disk
	for _, id := range []string{"b", "c"} {
		if err := s.keep([]byte("x"), id); err == nil {
			t.Errorf("mail %s: got nil, want an error", id)
		}
	}
	if diff := cmp.Diff([]string{"a"}, listed(s)); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
}

func TestBusyIsCountedOverRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var got []bool
	for range 4 {
		s := openTest(t, dir)
		busy, err := s.busy("a")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, busy)
		s.close()
	}
	if diff := cmp.Diff([]bool{true, true, false, false}, got); diff != "" {
		t.Errorf("busy (-want +got):\n%s", diff)
	}
}

func TestDirectoryIsLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := openTest(t, dir)
	if _, err := openStore(dir); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("a second one on the folder of the first: got %v, want %v", err, filelock.ErrHeld)
	}
	first.close()
	openTest(t, dir)
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := openTest(t, "")
	keepAll(t, s, "a", "b", "c")
	for _, row := range []struct {
		start, limit int
		want         []string
	}{
		{0, 2, []string{"c", "b"}},
		{2, 2, []string{"a"}},
		{3, 2, nil},
		{1 << 62, 2, nil},
	} {
		var got []string
		entries, total := s.page(row.start, row.limit)
		for _, e := range entries {
			got = append(got, e.ID)
		}
		if diff := cmp.Diff(row.want, got); diff != "" || total != 3 {
			t.Errorf("page %d of %d (-want +got), total %d:\n%s", row.start, row.limit, total, diff)
		}
	}
}
