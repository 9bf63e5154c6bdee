package config

import (
	"fmt"
	"io"
	"os"
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

// size formats a limit.
func size(bytes int) string {
	if bytes >= 1<<20 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}
