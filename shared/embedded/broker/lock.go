package broker

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lock locks a directory until the file is closed or the process ends, for whatever reason.
func lock(dir string) (*os.File, error) {
	// The data includes names and addresses of customers.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("the data directory %q of the broker is %w%s", dir, ErrInUse, holder(f))
		}
		return nil, fmt.Errorf("locking the data directory %q of the broker: %w", dir, err)
	}
	if err := sign(f); err != nil {
		return nil, errors.Join(fmt.Errorf("locking the data directory %q of the broker: %w", dir, err), f.Close())
	}
	return f, nil
}

// sign writes the process ID into the lock file, for the error of another process.
func sign(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := fmt.Fprintln(f, os.Getpid())
	return err
}

// holder is the process ID in the lock file, or empty.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 20))
	if err != nil || len(text) == 0 {
		return ""
	}
	return " (pid " + strings.TrimSpace(string(text)) + ")"
}
