package config

import (
	"fmt"
	"io"
	"os"
)

// OpenFile opens a regular file to read it, or what a link to one leads to. A named pipe, a device and a folder are errors at once,
// before anything is opened: a pipe without a writer would block, and a device may have no end.
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

// ReadFile reads a regular file of at most so many bytes. A larger one is an error, of which no more is read.
func ReadFile(path string, most int) ([]byte, error) {
	f, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Its size is no bound: it may grow meanwhile.
	text, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err == nil && len(text) > most {
		return nil, fmt.Errorf("%s: is larger than %s", path, size(most))
	}
	return text, err
}

// size writes a bound as people say it.
func size(bytes int) string {
	if bytes >= 1<<20 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}
