package broker

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"example.com/orders/shared/filelock"
)

// lock locks a directory until filelock.Close, or until the process ends.
func lock(dir string) (*os.File, error) {
	// The data includes names and addresses of customers.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := filelock.Try(f); err != nil {
		defer f.Close()
		if errors.Is(err, filelock.ErrHeld) {
			return nil, fmt.Errorf("the data directory %q of the broker is %w%s", dir, err, holder(f))
		}
		return nil, fmt.Errorf("locking the data directory %q of the broker: %w", dir, err)
	}
	if err := sign(f); err != nil {
		return nil, errors.Join(fmt.Errorf("locking the data directory %q of the broker: %w", dir, err), filelock.Close(f))
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
