package session_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/session"
)

var ann = identity.Principal{ID: "ann", Role: identity.Operator}

// browser signs in, and returns a request of that browser.
func browser(s *session.Sessions, begun session.Session) *http.Request {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	s.Begin(w, r, begun)
	r.AddCookie(w.Result().Cookies()[0])
	return r
}

func TestSessionEndsWithItsCredentials(t *testing.T) {
	t.Parallel()
	s, revoked := session.New(false, time.Now), false
	r := browser(s, session.Session{Principal: ann, Still: func() (identity.Principal, error) {
		if revoked {
			return identity.Principal{}, identity.ErrCredentials
		}
		return ann, nil
	}})
	if p, err := s.Authenticate(r); p != ann || err != nil {
		t.Errorf("got %+v, %v; want ann", p, err)
	}
	revoked = true
	if p, err := s.Authenticate(r); !p.Guest() || !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("revoked: got %+v, %v; want ErrCredentials", p, err)
	}
	if left := s.Of(ann, r); len(left) != 0 {
		t.Errorf("got %+v, want that the session has ended", left)
	}
}

func TestSessionsAreListedAndEndedByTheirPrincipal(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	s := session.New(true, func() time.Time { now = now.Add(time.Second); return now })
	first, second := browser(s, session.Session{Principal: ann, With: "API key a"}), browser(s, session.Session{Principal: ann, With: "single sign-on"})
	bob := identity.Principal{ID: "bob", Role: identity.Viewer}
	other := browser(s, session.Session{Principal: bob})
	all := s.Of(ann, first)
	if len(all) != 2 || all[0].With != "single sign-on" || all[0].Current || !all[1].Current || strings.Contains(first.Header.Get("Cookie"), all[1].ID) {
		t.Fatalf("got %+v, want two, the newest first, without their secrets", all)
	}
	s.EndOf(bob, all[0].ID) // it is not his
	s.EndOf(ann, "")
	for _, r := range []*http.Request{first, second} {
		if _, err := s.Authenticate(r); !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("got %v, want that the session has ended", err)
		}
	}
	if p, err := s.Authenticate(other); p != bob || err != nil {
		t.Errorf("got %+v, %v; want the session of bob", p, err)
	}
	third := browser(s, session.Session{Principal: ann})
	s.EndOf(ann, s.Of(ann, third)[0].ID)
	if _, err := s.Authenticate(third); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("got %v, want that the session has ended", err)
	}
}

func TestCookiesOfSessions(t *testing.T) {
	t.Parallel()
	for secure, want := range map[bool]string{
		false: `^session=[\w-]{43}; Path=/; HttpOnly; SameSite=Lax$`, true: `^__Host-session=[\w-]{43}; Path=/; HttpOnly; Secure; SameSite=Lax$`,
	} {
		w := httptest.NewRecorder()
		session.New(secure, time.Now).Begin(w, httptest.NewRequest(http.MethodPost, "/", nil), session.Session{Principal: ann})
		if got := w.Header().Get("Set-Cookie"); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
