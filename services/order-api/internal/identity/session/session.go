// Package session keeps the sessions of browsers that have signed in, whatever they signed in with.
//
// A session has a random ID, which the browser keeps in a cookie, and is in the memory of one instance of
// the API: a restart ends them all. It ends 30 minutes after its last use, 8 hours after it began, and
// when what the browser signed in with is no longer valid.
package session

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/shared/serve"
)

// Limits of sessions.
const (
	maxSessions = 10_000
	maxEach     = 20 // of one principal
	IdleFor     = 30 * time.Minute
	LastsFor    = 8 * time.Hour
)

// cookie is the name of the cookie with the ID of the session.
const cookie = "session"

// ErrReturn is a return address that is no path of this program.
var ErrReturn = errors.New("return is no path of this program")

// Session is a signed-in browser.
type Session struct {
	Principal identity.Principal
	With      string // what the browser signed in with, in words
	Browser   string // the header User-Agent; or empty
	// Still returns the principal that the credentials of the sign-in have now, or
	// identity.ErrCredentials if they are no longer valid. Nil: the principal does not change.
	Still func() (identity.Principal, error)
	EndAt func() string // URL at which the person also signs out of what they signed in with, or empty; or nil
}

// Open is a session of a list.
type Open struct {
	ID          string // names the session among those of its principal, and is no secret
	With        string
	Browser     string
	Began, Used time.Time
	Current     bool // it is the session of the request
}

// Sessions are the sessions of an instance. They are safe for concurrent use.
type Sessions struct {
	secure bool
	rows   Store[Session]
}

// New returns no sessions. If secure is true, browsers send the cookies over HTTPS only, and so they do with
// each cookie that they got over HTTPS.
func New(secure bool, now func() time.Time) *Sessions {
	return &Sessions{secure: secure, rows: Store[Session]{Most: maxSessions, Each: maxEach, Idle: IdleFor, Absolute: LastsFor, Now: now}}
}

// Authenticate implements identity.Authenticator for the cookies of sessions.
func (s *Sessions) Authenticate(r *http.Request) (identity.Principal, error) {
	cookies := r.CookiesNamed(s.CookieName(cookie))
	if len(cookies) == 0 {
		return identity.Principal{}, nil
	}
	found, ok := s.rows.Find(cookies[0].Value)
	if !ok || len(cookies) > 1 {
		return identity.Principal{}, fmt.Errorf("%w: the session has ended", identity.ErrCredentials)
	}
	if found.Still == nil {
		return found.Principal, nil
	}
	p, err := found.Still()
	if errors.Is(err, identity.ErrCredentials) {
		s.take(r)
	}
	return p, err
}

// Begin begins a session. The one that the browser had before ends.
func (s *Sessions) Begin(w http.ResponseWriter, r *http.Request, begun Session) {
	s.take(r)
	begun.Browser = r.UserAgent()
	s.SetCookie(w, r, cookie, s.rows.Add(begun, owner(begun.Principal)), -1)
}

// End ends the session of a request, and returns it; without one it returns the zero value.
func (s *Sessions) End(w http.ResponseWriter, r *http.Request) Session {
	ended := s.take(r)
	s.SetCookie(w, r, cookie, "", 0)
	return ended
}

func (s *Sessions) take(r *http.Request) (ended Session) {
	for _, c := range r.CookiesNamed(s.CookieName(cookie)) {
		if one, ok := s.rows.Take(c.Value, func(Session) bool { return true }); ok {
			ended = one
		}
	}
	return ended
}

// Of lists the sessions of a principal, the one that was used last first.
func (s *Sessions) Of(p identity.Principal, r *http.Request) (all []Open) {
	current := ""
	if c, err := r.Cookie(s.CookieName(cookie)); err == nil {
		current = name(sha256.Sum256([]byte(c.Value)))
	}
	for key, one := range s.rows.of(owner(p)) {
		id := name(key)
		all = append(all, Open{id, one.value.With, one.value.Browser, one.added, one.used, id == current})
	}
	slices.SortFunc(all, func(a, b Open) int { return b.Used.Compare(a.Used) })
	return all
}

// Left is how long the session of a request lasts if it is not used again, and how long if it is used now. Both are 0
// without a session. The look is no use.
func (s *Sessions) Left(r *http.Request) (unused, used time.Duration) {
	c, err := r.Cookie(s.CookieName(cookie))
	if err != nil {
		return 0, 0
	}
	return s.rows.left(c.Value)
}

// EndOf ends a session of a principal, or all of them if id is empty. An unknown one has ended already.
func (s *Sessions) EndOf(p identity.Principal, id string) {
	s.rows.drop(owner(p), func(key [sha256.Size]byte) bool { return id == "" || name(key) == id })
}

// owner is whose sessions are counted and listed together.
func owner(p identity.Principal) string { return p.Actor().String() }

// name is the ID of a list: the beginning of the hash of the secret one.
func name(key [sha256.Size]byte) string { return hex.EncodeToString(key[:8]) }

// CookieName has the prefix __Host- over https: no other host and no plain connection can set it.
// Over http, which is for loopback addresses, some browsers would not store such a cookie.
func (s *Sessions) CookieName(name string) string {
	if s.secure {
		return "__Host-" + name
	}
	return name
}

// SetCookie sets a cookie, or deletes it if keep is zero. If keep is negative, the browser keeps it
// until it is closed.
func (s *Sessions) SetCookie(w http.ResponseWriter, r *http.Request, name, value string, keep time.Duration) {
	c := &http.Cookie{Name: s.CookieName(name), Value: value, Path: "/", Secure: s.secure || serve.Encrypted(r), HttpOnly: true, SameSite: http.SameSiteLaxMode}
	switch {
	case keep == 0:
		c.MaxAge = -1
	case keep > 0:
		c.MaxAge = int(keep.Seconds())
	}
	http.SetCookie(w, c)
}

// CheckReturn is ErrReturn unless a path stays on this program, however a browser reads it.
func CheckReturn(path string) error {
	u, err := url.Parse(path)
	if err != nil || len(path) > 2048 || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || u.Host != "" || u.Scheme != "" ||
		strings.ContainsFunc(path, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' }) {
		return ErrReturn
	}
	return nil
}
