package oidc

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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

// exchange gets the ID token for a code, and checks it.
func (p *Pages) exchange(ctx context.Context, m *metadata, code string, a attempt) (session.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, p.issuer.Within)
	defer cancel()
	token, err := p.oauth(m).Exchange(coreos.ClientContext(ctx, p.issuer.client), code, oauth2.VerifierOption(a.verifier))
	if err != nil {
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.ErrorCode == "invalid_grant" {
			return session.Session{}, fmt.Errorf("%w: exchanging the code: %w", ErrAttempt, err)
		}
		return session.Session{}, fmt.Errorf("%w: exchanging the code: %w", identity.ErrUnavailable, err)
	}
	text, _ := token.Extra("id_token").(string)
	s, err := p.session(ctx, text, a.nonce)
	if errors.Is(err, identity.ErrCredentials) && !errors.Is(err, ErrNoRole) {
		return session.Session{}, fmt.Errorf("%w: %w", ErrAttempt, err)
	}
	return s, err
}

// session is that of the person that an ID token is about.
func (p *Pages) session(ctx context.Context, text, nonce string) (session.Session, error) {
	t, err := p.issuer.parse(ctx, text)
	if err != nil {
		return session.Session{}, err
	}
	if err := meant(t, p.ClientID, nonce); err != nil {
		return session.Session{}, fmt.Errorf("%w: %w", identity.ErrCredentials, err)
	}
	principal, err := p.issuer.principal(t)
	if len(text) > 4<<10 {
		text = "" // the issuer asks the person instead
	}
	return session.Session{Principal: principal, With: "single sign-on", EndAt: func() string { return p.endAt(text) }}, err
}

// meant reports an ID token that is for another client or another attempt. A refreshed one is for
// none: its nonce is empty.
func meant(t *coreos.IDToken, client, nonce string) error {
	var claims struct {
		Party string `json:"azp"`
	}
	if err := t.Claims(&claims); err != nil {
		return fmt.Errorf("reading azp: %w", err)
	}
	switch {
	case !slices.Contains(t.Audience, client) || len(t.Audience) > 1 && claims.Party == "" || claims.Party != "" && claims.Party != client:
		return fmt.Errorf("the ID token is for %q", t.Audience)
	case nonce != "" && subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(nonce)) != 1:
		return errors.New("the ID token has another nonce")
	}
	return nil
}

// endAt is the URL at which a person whose session has ended also signs out at the issuer. It is empty if
// the issuer has none, or its discovery document is not known. The hint tells the issuer who that is.
func (p *Pages) endAt(hint string) string {
	m, known := p.issuer.discovery.last()
	if !known || m.EndSession == "" {
		return ""
	}
	u, err := url.Parse(m.EndSession)
	if err != nil || !trustworthy(u) {
		return ""
	}
	query := u.Query()
	query.Set("client_id", p.ClientID)
	query.Set("post_logout_redirect_uri", p.PublicURL+"/")
	if hint != "" {
		query.Set("id_token_hint", hint)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// oauth is the client of the issuer.
func (p *Pages) oauth(m *metadata) *oauth2.Config {
	endpoint := m.provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if p.ClientSecret == "" || len(m.AuthMethods) > 0 && !slices.Contains(m.AuthMethods, "client_secret_basic") {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: endpoint, RedirectURL: p.PublicURL + "/sign-in/callback",
		Scopes: append([]string{coreos.ScopeOpenID, "profile"}, p.issuer.Roles.Scopes...),
	}
}

// BeginPath is the path of SignIn.
const BeginPath = "/sign-in/issuer"

// attemptCookie is the name of the cookie of an attempt.
const attemptCookie = "sign-in"
