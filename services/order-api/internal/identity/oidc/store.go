package oidc

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

// store keeps values under random IDs, and forgets them when they are too old, unused for too long,
// or too many.
type store[T any] struct {
	most     int           // number of values
	each     int           // number of values of one owner; zero: no limit
	idle     time.Duration // since the last use
	absolute time.Duration // since the value was added
	now      func() time.Time

	mu   sync.Mutex
	rows map[[sha256.Size]byte]*row[T] // by the hash of the ID, so that no comparison depends on the ID
}

type row[T any] struct {
	value       T
	owner       string
	added, used time.Time
}

// add stores a value and returns its ID: 256 random bits. If the store or the owner has too many
// values, the one that is unused for longest is forgotten.
func (s *store[T]) add(value T, owner string) string {
	id := random()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows == nil {
		s.rows = map[[sha256.Size]byte]*row[T]{}
	}
	s.forget(func(r *row[T]) bool { return true }, s.most)
	if s.each > 0 {
		s.forget(func(r *row[T]) bool { return r.owner == owner }, s.each)
	}
	now := s.now()
	s.rows[sha256.Sum256([]byte(id))] = &row[T]{value: value, owner: owner, added: now, used: now}
	return id
}

// forget deletes all expired rows and, if the number of rows that match is not below most, the one
// of them that is unused for longest.
func (s *store[T]) forget(match func(*row[T]) bool, most int) {
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

func (s *store[T]) expired(r *row[T]) bool {
	now := s.now()
	return now.Sub(r.used) >= s.idle || now.Sub(r.added) >= s.absolute
}

// find returns the value of an ID, and counts as a use of it.
func (s *store[T]) find(id string) (value T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rows[sha256.Sum256([]byte(id))]
	if r == nil || s.expired(r) {
		return value, false
	}
	r.used = s.now()
	return r.value, true
}

// take returns the value of an ID and deletes it, if accept does. Of two callers one gets it.
func (s *store[T]) take(id string, accept func(T) bool) (value T, ok bool) {
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

// random returns 256 random bits as text.
func random() string {
	b := make([]byte, 32)
	rand.Read(b) // never returns an error
	return base64.RawURLEncoding.EncodeToString(b)
}
