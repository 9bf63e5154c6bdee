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

	"example.com/orders/shared/filelock"
)

// journal is an append-only file of lines. Lines that are added while others are being synced share
// the next sync (group commit), so a hundred concurrent mails need two syncs.
type journal struct {
	file  *os.File
	mails *os.File // directory of the mails, synced before the lines that refer to its files

	mu   sync.Mutex
	next *batch // collects lines until the next write; or nil

	writing sync.Mutex // held during a write and its sync; guards broken
	broken  error      // error of the first failed write, or nil
}

// batch is the lines of one sync. The first goroutine that gets the lock writes for all.
type batch struct {
	lines   bytes.Buffer // guarded by journal.mu
	written bool         // guarded by journal.writing, as is err
	err     error
}

// openJournal passes every line to read, and cuts off an incomplete last line, which a kill may
// leave.
func openJournal(path, mails string, read func(entry) []uint64) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := filelock.Try(file); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %q: %w", path, err), file.Close())
	}
	folder, err := os.Open(mails)
	if err != nil {
		return nil, errors.Join(err, filelock.Close(file))
	}
	j := &journal{file: file, mails: folder}
	if err := j.restore(read); err != nil {
		j.close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return j, nil
}

// restore fails at a damaged line that is not the last: a kill leaves none, and skipping it would
// lose deliveries.
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
	if b.written { // by another goroutine
		return b.err
	}
	j.mu.Lock()
	j.next = nil
	j.mu.Unlock()
	b.written, b.err = true, j.write(b.lines.Bytes())
	return b.err
}

// write fails for ever after the first error: the file may end in half a line, which only the next
// open cuts off.
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

// close closes the files and releases the lock. Later calls of add fail.
func (j *journal) close() {
	filelock.Close(j.file)
	j.mails.Close()
}

// writeSynced writes a new file and syncs it. The caller syncs the directory.
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
