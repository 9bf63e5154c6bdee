package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

// Store keeps values in memory under random IDs, and forgets them when they are too old, unused for too
// long, or too many. Set its fields before its first use; its methods are safe for concurrent use.
type Store[T any] struct {
	Most     int           // number of values
	Each     int           // number of values of one owner; zero: no limit
	Idle     time.Duration // since the last use
	Absolute time.Duration // since the value was added
	Now      func() time.Time

	mu   sync.Mutex
	rows map[[sha256.Size]byte]*row[T] // by the hash of the ID, so that no comparison depends on the ID
}

type row[T any] struct {
	value       T
	owner       string
	added, used time.Time
}

// Add stores a value and returns its ID: 256 random bits. If the store or the owner has too many
// values, the one that is unused for longest is forgotten.
func (s *Store[T]) Add(value T, owner string) string {
	id := Random()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows == nil {
		s.rows = map[[sha256.Size]byte]*row[T]{}
	}
	s.forget(func(r *row[T]) bool { return true }, s.Most)
	if s.Each > 0 {
		s.forget(func(r *row[T]) bool { return r.owner == owner }, s.Each)
	}
	now := s.Now()
	s.rows[sha256.Sum256([]byte(id))] = &row[T]{value: value, owner: owner, added: now, used: now}
	return id
}

// forget deletes all expired rows and, if the number of rows that match is not below most, the one
// of them that is unused for longest.
func (s *Store[T]) forget(match func(*row[T]) bool, most int) {
	var oldest [sha256.Size]byte
	var found *row[T]
	n := 0
	for key, r := range s.rows {
		switch {
		case s.expired(r):
			delete(s.rows, key)
		case match(r):
			n++
			if found == nil || r.used.Before(found.used) {
				oldest, found = key, r
			}
		}
	}
	if n >= most {
		delete(s.rows, oldest)
	}
}

func (s *Store[T]) expired(r *row[T]) bool {
	now := s.Now()
	return now.Sub(r.used) >= s.Idle || now.Sub(r.added) >= s.Absolute
}

// Find returns the value of an ID, and counts as a use of it.
func (s *Store[T]) Find(id string) (value T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rows[sha256.Sum256([]byte(id))]
	if r == nil || s.expired(r) {
		return value, false
	}
	r.used = s.Now()
	return r.value, true
}

// left is how long the value of an ID is kept if it is not used again, and how long if it is used now. Both are 0 if there
// is none.
func (s *Store[T]) left(id string) (unused, used time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, now := s.rows[sha256.Sum256([]byte(id))], s.Now()
	if r == nil || s.expired(r) {
		return 0, 0
	}
	end := s.Absolute - now.Sub(r.added)
	return min(s.Idle-now.Sub(r.used), end), min(s.Idle, end)
}

// Take returns the value of an ID and deletes it, if accept does. Of two callers one gets it.
func (s *Store[T]) Take(id string, accept func(T) bool) (value T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(id))
	r := s.rows[key]
	if r == nil || s.expired(r) || !accept(r.value) {
		return value, false
	}
	delete(s.rows, key)
	return r.value, true
}

// Random returns 256 random bits as text.
func Random() string {
	b := make([]byte, 32)
	rand.Read(b) // never returns an error
	return base64.RawURLEncoding.EncodeToString(b)
}

// of returns the rows of an owner by the hash of their IDs.
func (s *Store[T]) of(owner string) map[[sha256.Size]byte]row[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[[sha256.Size]byte]row[T]{}
	for key, r := range s.rows {
		if r.owner == owner && !s.expired(r) {
			all[key] = *r
		}
	}
	return all
}

// drop deletes the rows of an owner that match.
func (s *Store[T]) drop(owner string, match func(key [sha256.Size]byte) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, r := range s.rows {
		if r.owner == owner && match(key) {
			delete(s.rows, key)
		}
	}
}
