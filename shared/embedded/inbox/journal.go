package inbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
)

// journal is a file of lines that is only ever appended to. Lines that come while others are being synced share the next
// sync, so a hundred mails at once cost two.
type journal struct {
	file  *os.File
	mails *os.File // the folder of the mails: its names are synced before the lines that rely on them

	mu   sync.Mutex
	next *batch // not being written yet, or nil

	writing sync.Mutex // held over a write and its sync; guards broken
	broken  error      // of the first write that went wrong, or nil
}

// batch is what one sync puts on disk. Whoever gets to write first writes for all who are in it.
type batch struct {
	lines   bytes.Buffer // guarded by journal.mu
	written bool         // guarded by journal.writing, as is err
	err     error
}

// openJournal hands every line to read, and cuts off a last line that a kill left incomplete.
func openJournal(path, mails string, read func(entry) []uint64) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	// Held until the file is closed or the process ends, however it ends.
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, errors.Join(fmt.Errorf("locking %q: %w", path, err), file.Close())
	}
	folder, err := os.Open(mails)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	j := &journal{file: file, mails: folder}
	if err := j.restore(read); err != nil {
		j.close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return j, nil
}

// restore stops at a damaged line that is not the last: no kill leaves one, and to go on would forget deliveries.
func (j *journal) restore(read func(entry) []uint64) error {
	lines := bufio.NewReaderSize(j.file, 1<<16)
	var whole int64
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return j.file.Truncate(whole)
		}
		if err != nil {
			return err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		read(e)
		whole += int64(len(line))
	}
}

// add returns when the line is on disk.
func (j *journal) add(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	j.mu.Lock()
	if j.next == nil {
		j.next = new(batch)
	}
	b := j.next
	b.lines.Write(append(line, '\n'))
	j.mu.Unlock()

	j.writing.Lock()
	defer j.writing.Unlock()
	if b.written { // by another, while this one waited for its turn
		return b.err
	}
	j.mu.Lock()
	j.next = nil
	j.mu.Unlock()
	b.written, b.err = true, j.write(b.lines.Bytes())
	return b.err
}

// write gives up for good after the first error: half a line may stand there, and the next open cuts it off.
func (j *journal) write(lines []byte) error {
	if j.broken != nil {
		return j.broken
	}
	if j.broken = j.mails.Sync(); j.broken != nil {
		return j.broken
	}
	if _, j.broken = j.file.Write(lines); j.broken != nil {
		return j.broken
	}
	j.broken = j.file.Sync()
	return j.broken
}

// close lets the folder go. A line that is added later fails.
func (j *journal) close() {
	j.file.Close()
	j.mails.Close()
}

// writeSynced writes a new file and syncs its bytes; the folder is for the caller to sync.
func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}
