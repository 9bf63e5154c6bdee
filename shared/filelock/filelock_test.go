package filelock_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"example.com/orders/shared/filelock"
)

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestOneFileHoldsTheLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, second := open(t, path), open(t, path)
	if err := filelock.Try(first); err != nil {
		t.Fatal(err)
	}
	if err := filelock.Try(second); !errors.Is(err, filelock.ErrHeld) {
		t.Fatalf("the second: got %v, want %v", err, filelock.ErrHeld)
	}
	got := make(chan error, 1)
	go func() { got <- filelock.Wait(second) }()
	if err := filelock.Close(first); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Errorf("after the first was closed: got %v, want the lock", err)
	}
}

// TestALockEndsWhileAProcessIsStarted holds a copy of the open file, as a process has between its fork
// and its exec.
func TestALockEndsWhileAProcessIsStarted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	f := open(t, path)
	if err := filelock.Try(f); err != nil {
		t.Fatal(err)
	}
	inherited, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	if err := filelock.Close(f); err != nil {
		t.Fatal(err)
	}
	if err := filelock.Try(open(t, path)); err != nil {
		t.Errorf("got %v, want the lock: the file is closed", err)
	}
}
