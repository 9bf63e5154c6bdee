// Package filelock locks files between processes. A lock ends with Close, and with the process.
package filelock

import (
	"errors"
	"os"
	"syscall"
)

// ErrHeld is returned by Try if another open file holds the lock.
var ErrHeld = errors.New("in use by another process")

// Try locks a file without waiting.
func Try(f *os.File) error {
	err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrHeld
	}
	return err
}

// Wait blocks until it has locked a file.
func Wait(f *os.File) error { return flock(f, syscall.LOCK_EX) }

// Close unlocks a file and closes it. Closing alone is not enough: a process that is being started has a
// copy of each open file until it runs its own program, and the copy would hold the lock.
func Close(f *os.File) error {
	return errors.Join(flock(f, syscall.LOCK_UN), f.Close())
}

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
