package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// OpenFile opens a regular file for reading; it follows links. It refuses pipes, devices and
// directories before it opens them: a pipe without a writer would block, and a device may have no
// end.
func OpenFile(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is not a regular file", path)
	}
	return os.Open(path)
}

// ReadFile reads a regular file of at most that many bytes. It returns an error for a larger file
// and does not read all of it.
func ReadFile(path string, most int) ([]byte, error) {
	f, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Do not rely on the size from Stat: the file may grow.
	text, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err == nil && len(text) > most {
		return nil, fmt.Errorf("%s: is larger than %s", path, size(most))
	}
	return text, err
}

// ReplaceFile writes a file that only its owner can read, in one step: readers see the old content or the
// new one. A file that it replaces keeps its owner. The error leaves the old file as it was.
func ReplaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing after the rename
	_, err = f.Write(text)
	if err := errors.Join(err, keepOwner(path, f), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// keepOwner gives a new file the owner of the one that it replaces.
func keepOwner(path string, f *os.File) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if was, ok := info.Sys().(*syscall.Stat_t); ok && int(was.Uid) != os.Getuid() {
		return f.Chown(int(was.Uid), int(was.Gid))
	}
	return nil
}

// size formats a limit.
func size(bytes int) string {
	if bytes >= 1<<20 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}
