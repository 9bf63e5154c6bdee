// Package apikey signs in programs, and people without a browser, with API keys.
//
// The text of a key is "ok_", its ID, "_" and 256 random bits. It is shown once, when the key is
// created. A YAML file has the SHA-256 of each text, the principal, and when the key expires or was
// revoked:
//
//	keys:
//	  - id: 7fj2k5qa
//	    principal: acme      # optional: owns the orders; default: the id
//	    name: "ACME shop"    # optional
//	    role: customer
//	    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//	    created: 2026-11-28T10:00:00Z   # optional
//	    expires: 2027-11-28T10:00:00Z   # optional
//	    revoked: 2026-12-24T18:00:00Z   # optional
//
// Store authenticates requests, and reads the file again when it changes. A request never waits for
// that, and never fails because of it: the keys of the last valid version are in force. Create and
// Revoke change the file; they replace it, under a lock, so that no reader sees half of it and no
// change is lost.
package apikey

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/shared/config"
	"example.com/orders/shared/telemetry"
)

// Store authenticates requests by the keys of a file. It is safe for concurrent use.
type Store struct {
	path string
	log  *slog.Logger
	keys atomic.Pointer[map[string]Key] // by ID
	used sync.Map                       // by ID: *atomic.Int64, the time of the last use in Unix nanoseconds

	// Owned by Run.
	seen    state
	changed func(ctx context.Context, what string) // see OnChange; or nil
}

// state is what reading the file gave: its text, or an error.
type state struct {
	text []byte
	err  error
}

func (s state) equal(other state) bool {
	return bytes.Equal(s.text, other.text) && fmt.Sprint(s.err) == fmt.Sprint(other.err)
}

// Open reads a file of keys. It refuses a file with faults, and one that other users can change. It
// logs a warning if other users can read it.
func Open(path string, log *slog.Logger) (*Store, error) {
	s := &Store{path: path, log: log}
	readable, err := checkMode(path)
	if err != nil {
		return nil, err
	}
	s.seen = s.read()
	if err := s.accept(s.seen); err != nil {
		return nil, err
	}
	if readable {
		log.Warn("other users can read the names and roles in the file of API keys: run chmod 600", slog.String(telemetry.File, path))
	}
	return s, nil
}

// The file is read every interval. If it has changed, it is read until two reads in a row agree,
// because a program may be writing it, but not for ever: it may be replaced all the time. Both
// together take less than a second.
const (
	interval = 400 * time.Millisecond
	settle   = 50 * time.Millisecond
	settles  = 5
)

// Run reads the file again when it changes, until ctx is done. It returns nil then.
func (s *Store) Run(ctx context.Context) error {
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
			s.refresh(ctx)
		}
	}
}

// refresh puts a new version of the file in force, or logs once why it is not.
func (s *Store) refresh(ctx context.Context) {
	now := s.read()
	for range settles {
		if now.equal(s.seen) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(settle):
		}
		last := now
		if now = s.read(); now.equal(last) {
			break
		}
	}
	s.seen = now
	before := *s.keys.Load()
	if err := s.accept(now); err != nil {
		s.log.Error("the changed file of API keys is not used, the keys read before stay valid: correct the file",
			slog.String(telemetry.File, s.path), slog.String(telemetry.Error, clip(err)))
		return
	}
	if what := changes(before, *s.keys.Load()); what != "" && s.changed != nil {
		s.changed(ctx, what)
	}
}

// OnChange has Run call a function after a changed file is in force, with the IDs of the keys that were
// added, changed, revoked and removed. Call it before Run.
func (s *Store) OnChange(do func(ctx context.Context, what string)) { s.changed = do }

// changes names the keys that differ between two versions of the file, or returns "".
func changes(before, after map[string]Key) string {
	lists := map[string][]string{}
	for id, k := range after {
		switch old, known := before[id]; {
		case !known:
			lists["added"] = append(lists["added"], id)
		case old.State(time.Time{}) != Revoked && k.State(time.Time{}) == Revoked:
			lists["revoked"] = append(lists["revoked"], id)
		case old != k:
			lists["changed"] = append(lists["changed"], id)
		}
	}
	for id := range before {
		if _, known := after[id]; !known {
			lists["removed"] = append(lists["removed"], id)
		}
	}
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(lists)) {
		parts = append(parts, what+" "+strings.Join(slices.Sorted(slices.Values(lists[what])), ", "))
	}
	return strings.Join(parts, "; ")
}

// read reads the file, and its mode.
func (s *Store) read() state {
	if _, err := checkMode(s.path); err != nil {
		return state{err: err}
	}
	text, err := config.ReadFile(s.path, maxFile)
	return state{text, err}
}

// accept puts the keys of a file in force, unless it has faults.
func (s *Store) accept(from state) error {
	if from.err != nil {
		return from.err
	}
	keys, err := parse(s.path, from.text)
	if err != nil {
		return err
	}
	byID := make(map[string]Key, len(keys))
	for _, k := range keys {
		byID[k.ID] = k
	}
	s.keys.Store(&byID)
	s.log.Info("API keys read", slog.String(telemetry.File, s.path), slog.Int(telemetry.Count, len(keys)))
	return nil
}

// maxFaults limits how many faults a log line has.
const maxFaults = 20

func clip(err error) string {
	lines := strings.SplitN(err.Error(), "\n", maxFaults+1)
	if len(lines) > maxFaults {
		lines[maxFaults] = "and more"
	}
	return strings.Join(lines, "\n")
}

// Keys returns the keys in force by ID, also those that are expired or revoked, with their last use.
func (s *Store) Keys() []Key {
	all := slices.SortedFunc(maps.Values(*s.keys.Load()), func(a, b Key) int { return strings.Compare(a.ID, b.ID) })
	for i := range all {
		if last, ok := s.used.Load(all[i].ID); ok {
			all[i].Used = time.Unix(0, last.(*atomic.Int64).Load()).UTC()
		}
	}
	return all
}

// Authenticate implements identity.Authenticator for bearer tokens.
func (s *Store) Authenticate(r *http.Request) (identity.Principal, error) {
	text, err := identity.Bearer(r)
	if text == "" || err != nil {
		return identity.Principal{}, err
	}
	return s.Find(text)()
}

// Find finds the key of a text. The function that it returns is who the key signs in when it is called:
// identity.ErrCredentials if the text is that of no key, or the key is expired, revoked or replaced.
func (s *Store) Find(text string) func() (identity.Principal, error) {
	id, hash := idOf(text), sha256.Sum256([]byte(text))
	return func() (identity.Principal, error) {
		// An unknown ID is compared with the zero hash, which is the hash of nothing known.
		k, known := (*s.keys.Load())[id]
		if subtle.ConstantTimeCompare(hash[:], k.hash[:]) != 1 || !known {
			return identity.Principal{}, fmt.Errorf("%w: unknown API key", identity.ErrCredentials)
		}
		now := time.Now()
		if state := k.State(now); state != Active {
			return identity.Principal{}, fmt.Errorf("%w: API key %s is %s", identity.ErrCredentials, id, state)
		}
		last, _ := s.used.LoadOrStore(id, new(atomic.Int64))
		last.(*atomic.Int64).Store(now.UnixNano())
		return k.Principal, nil
	}
}

// Key is an API key without its secret.
type Key struct {
	ID        string             // part of the text of the key, as in ok_ID_SECRET
	Principal identity.Principal // whom the key signs in; several keys can have the same
	Created   time.Time          // zero: unknown
	Expires   time.Time          // zero: never
	Revoked   time.Time          // zero: not revoked
	Used      time.Time          // last use; zero: none since the start of the process. Set by Store.Keys only
	hash      [sha256.Size]byte  // of the text of the key
}

// The states of a key.
const (
	Active  = "active"
	Expired = "expired"
	Revoked = "revoked"
)

// State is the state of the key at a time: Active, Expired or Revoked.
func (k Key) State(now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return Revoked
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return Expired
	}
	return Active
}

// Sizes of the random parts in bytes. An ID is no secret.
const (
	idBytes     = 5
	secretBytes = 32
)

// maxText is the maximum length of the text of a key.
const maxText = len(identity.KeyPrefix) + maxID + 1 + 64

// letters encodes the random parts.
func letters(bytes int) string {
	random := make([]byte, bytes)
	rand.Read(random) // never returns an error
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random))
}

// generate gives the key an ID and a secret, and returns its text.
func (k *Key) generate() string {
	k.ID = letters(idBytes)
	text := identity.KeyPrefix + k.ID + "_" + letters(secretBytes)
	k.hash = sha256.Sum256([]byte(text))
	return text
}

// idOf returns the ID in the text of a key, or "".
func idOf(text string) string {
	rest, ok := strings.CutPrefix(text, identity.KeyPrefix)
	id, _, found := strings.Cut(rest, "_")
	if !ok || !found || len(text) > maxText {
		return ""
	}
	return id
}
