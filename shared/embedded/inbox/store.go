package inbox

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How many mails are kept, on disk and in memory. Ten thousand with invoices would be 400 MB of
// memory.
const (
	keptOnDisk   = 10_000
	keptInMemory = 1_000
)

// errNoMail is returned for an unknown or deleted mail.
var errNoMail = errors.New("no such mail")

// store stores mails and counts deliveries. Mails are numbered; the number is the file name and the
// ID in the API. The journal lists the acknowledged numbers with their Message-IDs. Everything else
// is read from the file on request.
type store struct {
	dir     string // of the mails, or empty
	journal *journal
	limit   int

	mu     sync.Mutex
	last   uint64 // the last assigned number
	mails  []entry
	bodies map[uint64][]byte // nil on disk
	counts map[string]int    // deliveries by Message-ID
	ids    []string          // the keys of counts, in the order of their first delivery
	busied map[string]int    // busy answers by Message-ID

	changed chan struct{} // closed, and replaced, with each mail
}

// entry is one line of the journal:
//
//	{"mail":124,"id":"ord_….invoice@example.com","at":"2026-09-29T08:15:42.123Z","size":35210}
type entry struct {
	Mail uint64    `json:"mail,omitempty"` // number of the mail, from 1; zero: answered with 451
	ID   string    `json:"id"`             // Message-ID without brackets, or empty
	At   time.Time `json:"at"`
	Size int       `json:"size,omitempty"`
}

// openStore reads the journal of a directory. With an empty dir the store is in memory.
func openStore(dir string) (*store, error) {
	s := &store{limit: keptInMemory, counts: make(map[string]int), busied: make(map[string]int), changed: make(chan struct{})}
	if dir == "" {
		s.bodies = make(map[uint64][]byte)
		return s, nil
	}
	s.limit, s.dir = keptOnDisk, filepath.Join(dir, "mails")
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	var err error
	// sweep deletes the files of mails that count drops.
	if s.journal, err = openJournal(filepath.Join(dir, "journal.ndjson"), s.dir, s.count); err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	if err := s.sweep(); err != nil {
		s.close()
		return nil, fmt.Errorf("inbox: %w", err)
	}
	return s, nil
}

// sweep drops mails whose files were deleted, and deletes files without a mail: those older than
// the last ten thousand, and those whose line was not written before a kill.
func (s *store) sweep() error {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	there := make(map[string]bool, len(files))
	for _, f := range files {
		there[f.Name()] = true
	}
	s.mails = slices.DeleteFunc(s.mails, func(e entry) bool { return !there[filename(e.Mail)] })
	for _, e := range s.mails {
		delete(there, filename(e.Mail))
	}
	for name := range there {
		if strings.HasSuffix(name, ".eml") {
			if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *store) close() {
	if s.journal != nil {
		s.journal.close()
	}
}

// keep stores a mail and returns when the mail and its line are synced. After an error, the mail
// may or may not exist after a restart, as after a connection that was lost before the answer.
func (s *store) keep(raw []byte, id string) error {
	s.mu.Lock()
	s.last++
	e := entry{Mail: s.last, ID: id, At: time.Now().UTC(), Size: len(raw)}
	s.mu.Unlock()
	if s.dir != "" {
		// First the file, then the line that acknowledges it. No lock is held, so that mails are
		// synced concurrently.
		if err := writeSynced(s.path(e.Mail), raw); err != nil {
			return err
		}
		if err := s.journal.add(e); err != nil {
			return err
		}
	}
	s.mu.Lock()
	if s.bodies != nil {
		s.bodies[e.Mail] = raw
	}
	s.mu.Unlock()
	return s.drop(s.count(e))
}

// busy reports whether to answer a mail to a busy address with 451, and counts that answer.
func (s *store) busy(id string) (bool, error) {
	s.mu.Lock()
	enough := s.busied[id] >= busyAnswers
	s.mu.Unlock()
	if enough {
		return false, nil
	}
	e := entry{ID: id, At: time.Now().UTC()}
	if s.journal != nil {
		if err := s.journal.add(e); err != nil {
			return false, err
		}
	}
	s.count(e)
	return true, nil
}

// count applies a line of the journal to memory, and returns the numbers of mails that exceed the
// limit.
func (s *store) count(e entry) (old []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Mail == 0 {
		s.busied[e.ID]++
		return nil
	}
	if e.ID != "" {
		if s.counts[e.ID] == 0 {
			s.ids = append(s.ids, e.ID)
		}
		s.counts[e.ID]++
	}
	s.last = max(s.last, e.Mail)
	close(s.changed)
	s.changed = make(chan struct{})
	// Concurrent mails are counted in any order but listed by number.
	at, _ := slices.BinarySearchFunc(s.mails, e.Mail, func(m entry, n uint64) int { return cmp.Compare(m.Mail, n) })
	s.mails = slices.Insert(s.mails, at, e)
	for len(s.mails) > s.limit {
		old = append(old, s.mails[0].Mail)
		delete(s.bodies, s.mails[0].Mail)
		s.mails = s.mails[1:]
	}
	return old
}

// drop deletes the files of old mails. After a kill, sweep deletes the rest.
func (s *store) drop(old []uint64) error {
	if s.dir == "" {
		return nil
	}
	for _, n := range old {
		if err := os.Remove(s.path(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// page returns up to limit mails from the start-th newest on, newest first, and the number of all
// mails.
func (s *store) page(start, limit int) (entries []entry, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total = len(s.mails)
	to := max(total-start, 0)
	entries = slices.Clone(s.mails[max(to-limit, 0):to])
	slices.Reverse(entries)
	return entries, total
}

// newest returns the number of the newest mail, or 0, and a channel that is closed when there is another.
func (s *store) newest() (uint64, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mails) == 0 {
		return 0, s.changed
	}
	return s.mails[len(s.mails)-1].Mail, s.changed
}

// delivered returns how often mails with a Message-ID were accepted.
func (s *store) delivered(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[id]
}

// find returns the mail with an ID of the API and its bytes, or errNoMail.
func (s *store) find(id string) (entry, []byte, error) {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return entry{}, nil, errNoMail
	}
	s.mu.Lock()
	at, found := slices.BinarySearchFunc(s.mails, n, func(m entry, n uint64) int { return cmp.Compare(m.Mail, n) })
	if !found {
		s.mu.Unlock()
		return entry{}, nil, errNoMail
	}
	e, raw := s.mails[at], s.bodies[n]
	s.mu.Unlock()
	if s.dir == "" {
		return e, raw, nil
	}
	raw, err = os.ReadFile(s.path(n))
	if errors.Is(err, fs.ErrNotExist) {
		return entry{}, nil, errNoMail
	}
	return e, raw, err
}

// deliveries yields Message-IDs and their counts from the start-th on, in order of first delivery.
// It holds no lock while it yields.
func (s *store) deliveries(start int) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		s.mu.Lock()
		ids := s.ids[min(start, len(s.ids)):]
		s.mu.Unlock()
		for _, id := range ids {
			s.mu.Lock()
			n := s.counts[id]
			s.mu.Unlock()
			if !yield(id, n) {
				return
			}
		}
	}
}

func filename(n uint64) string { return fmt.Sprintf("%010d.eml", n) }

func (s *store) path(n uint64) string { return filepath.Join(s.dir, filename(n)) }
