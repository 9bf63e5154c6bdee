package oidc

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	coreos "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/session"
)

// Errors of Pages. Other errors are those of package identity. Wrapped errors say more, for the log
// only.
var (
	ErrAttempt = errors.New("this answer belongs to no attempt to sign in") // or to an old one, or to that of another browser
	ErrRefused = errors.New("the issuer refused the sign-in")
	ErrNoRole  = errors.New("the account has no role in this application")
)

// PagesConfig is the configuration of Pages.
type PagesConfig struct {
	ClientID     string            // the client that is registered at the issuer
	ClientSecret string            // empty: a public client
	PublicURL    string            // scheme, host and port under which browsers reach this program; https, or http on a loopback address
	Sessions     *session.Sessions // secure if PublicURL is https
}

// Pages sign browsers in. They are safe for concurrent use.
//
// The issuer must know the redirect URI PublicURL/sign-in/callback and the post-logout redirect URI
// PublicURL/.
type Pages struct {
	PagesConfig
	issuer   *Issuer
	secure   bool // cookies are sent over https only
	attempts session.Store[attempt]
}

// attempt is one attempt of a browser to sign in.
type attempt struct{ state, nonce, verifier, path string }

// Limits of attempts. A restart of the program ends them all.
const (
	maxAttempts = 10_000
	attemptFor  = 10 * time.Minute
)

// NewPages returns the pages of a client of an issuer. It is an error if PublicURL is invalid.
func NewPages(i *Issuer, cfg PagesConfig) (*Pages, error) {
	u, err := url.Parse(cfg.PublicURL)
	if err != nil || !trustworthy(u) || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%q: must be an https URL without path, such as https://orders.example.com, or an http URL of a loopback address", cfg.PublicURL)
	}
	cfg.PublicURL = u.Scheme + "://" + u.Host
	return &Pages{
		PagesConfig: cfg, issuer: i, secure: u.Scheme == "https",
		attempts: session.Store[attempt]{Most: maxAttempts, Idle: attemptFor, Absolute: attemptFor, Now: i.Now},
	}, nil
}

// SignIn sends the browser to the issuer. The query parameter return is the path at which it
// arrives when it is signed in; the default is /.
func (p *Pages) SignIn(w http.ResponseWriter, r *http.Request) error {
	path := cmp.Or(r.URL.Query().Get("return"), "/")
	if err := session.CheckReturn(path); err != nil {
		return err
	}
	if !p.secure && "http://"+r.Host != p.PublicURL {
		// A cookie of localhost is not sent to 127.0.0.1, to which the issuer sends the browser.
		http.Redirect(w, r, p.PublicURL+BeginPath+"?"+url.Values{"return": {path}}.Encode(), http.StatusSeeOther)
		return nil
	}
	m, err := p.issuer.metadata(r.Context())
	if err != nil {
		return err
	}
	a := attempt{state: session.Random(), nonce: session.Random(), verifier: oauth2.GenerateVerifier(), path: path}
	p.Sessions.SetCookie(w, r, attemptCookie, p.attempts.Add(a, ""), attemptFor)
	address := p.oauth(m).AuthCodeURL(a.state, coreos.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier))
	http.Redirect(w, r, address, http.StatusSeeOther)
	return nil
}

// Callback receives the browser from the issuer: it exchanges the code for tokens, and begins a
// session. An attempt can be used once, and only by the browser that began it. signedIn is called with
// who signs in, before the session begins; its error is returned, and there is no session then.
func (p *Pages) Callback(w http.ResponseWriter, r *http.Request, signedIn func(identity.Principal) error) error {
	query := r.URL.Query()
	a, err := p.attempt(r, query)
	if err != nil {
		return err
	}
	p.Sessions.SetCookie(w, r, attemptCookie, "", 0)
	m, err := p.issuer.metadata(r.Context())
	if err != nil {
		return err
	}
	// RFC 9207: the answer of another issuer must not be taken for one of this issuer.
	if iss := query["iss"]; len(iss) > 1 || len(iss) == 1 && iss[0] != p.issuer.URL || len(iss) == 0 && m.SendsIssuer {
		return fmt.Errorf("%w: sent by issuer %q", ErrAttempt, iss)
	}
	if code := query.Get("error"); code != "" {
		return fmt.Errorf("%w: %q", ErrRefused, code)
	}
	if query.Get("code") == "" {
		return fmt.Errorf("%w: there is no code", ErrAttempt)
	}
	s, err := p.exchange(r.Context(), m, query.Get("code"), a)
	if err != nil {
		return err
	}
	if err := signedIn(s.Principal); err != nil {
		return err
	}
	p.Sessions.Begin(w, r, s)
	http.Redirect(w, r, p.PublicURL+a.path, http.StatusSeeOther)
	return nil
}

// attempt takes the attempt that a callback belongs to.
func (p *Pages) attempt(r *http.Request, query url.Values) (attempt, error) {
	cookies := r.CookiesNamed(p.Sessions.CookieName(attemptCookie))
	if len(cookies) != 1 || len(query["state"]) != 1 {
		return attempt{}, fmt.Errorf("%w: %d cookies and %d states, want one of each", ErrAttempt, len(cookies), len(query["state"]))
	}
	a, ok := p.attempts.Take(cookies[0].Value, func(a attempt) bool {
		return subtle.ConstantTimeCompare([]byte(a.state), []byte(query.Get("state"))) == 1
	})
	if !ok {
		return attempt{}, fmt.Errorf("%w: it is unknown, has expired, or has another state", ErrAttempt)
	}
	return a, nil
}

// BeginPath is the path of SignIn.
const BeginPath = "/sign-in/issuer"

// attemptCookie is the name of the cookie of an attempt.
const attemptCookie = "sign-in"
