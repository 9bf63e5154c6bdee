// Package oidc signs in with an OpenID Connect issuer: by bearer tokens (JWT), and for browsers by
// the authorization code flow with PKCE and a session on the server.
//
// Issuer verifies tokens. Its discovery document and its signing keys are fetched when they are
// first needed, so a program starts while the issuer is away. A token that is signed with a known
// key is verified without the issuer. Whatever clients send, the issuer gets at most one request
// for keys per interval; a token that needs an unreachable issuer is identity.ErrUnavailable.
//
// Pages are the sign-in pages of one client of the issuer. An attempt to sign in and a session are
// kept in the memory of the process, found by a random cookie, and their number is limited. Native
// signs in at a terminal.
//
// fetched.go fetches documents, keys.go verifies signatures, roles.go and principal.go map claims,
// Package session keeps the sessions.
package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	coreos "github.com/coreos/go-oidc/v3/oidc"

	"example.com/orders/services/order-api/internal/identity"
)

// Config is the configuration of an issuer.
type Config struct {
	URL       string   // the issuer's identifier, as in the claim iss; https, or http on a loopback address
	Audiences []string // accept bearer tokens for any of these; empty: accept none
	Roles     Roles
	Log       *slog.Logger
	Within    time.Duration    // limit of one request to the issuer; zero: 5 seconds
	Now       func() time.Time // nil: time.Now
}

// Issuer verifies the tokens of an OpenID Connect issuer. It is safe for concurrent use.
type Issuer struct {
	Config
	client    *http.Client
	discovery *fetched[*metadata]
	keys      *keySet
}

// metadata is what the discovery document says.
type metadata struct {
	provider    *coreos.Provider
	JWKS        string   `json:"jwks_uri"`
	EndSession  string   `json:"end_session_endpoint"` // or empty
	Revocation  string   `json:"revocation_endpoint"`  // or empty
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	SendsIssuer bool     `json:"authorization_response_iss_parameter_supported"`
}

// New returns an issuer. It sends no requests. It is an error if the URL is not that of an issuer.
func New(cfg Config) (*Issuer, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || !trustworthy(u) || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%q: must be an https URL without query, or an http URL of a loopback address", cfg.URL)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Within = cmp.Or(cfg.Within, 5*time.Second)
	i := &Issuer{Config: cfg, client: newClient()}
	i.discovery = newFetched("discovery document", cfg, i.discover)
	i.keys = &keySet{fetched: newFetched("signing keys", cfg, i.fetchKeys)}
	return i, nil
}

// trustworthy reports whether tokens and cookies may be sent to an URL.
func trustworthy(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && local)
}

// Discover fetches the discovery document and the signing keys, unless they are known. It logs
// whether the issuer can be reached. It blocks for at most two requests to the issuer.
func (i *Issuer) Discover(ctx context.Context) error {
	if _, known := i.keys.last(); known {
		return nil
	}
	return i.keys.refresh(ctx)
}

// Authenticate implements identity.Authenticator for bearer tokens.
func (i *Issuer) Authenticate(r *http.Request) (identity.Principal, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return identity.Principal{}, nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return identity.Principal{}, fmt.Errorf("%w: the Authorization header has no bearer token", identity.ErrCredentials)
	}
	return i.Verify(r.Context(), strings.Trim(token, " "))
}

// Verify returns the principal of a bearer token. It is identity.ErrCredentials if the token is
// invalid, and identity.ErrUnavailable if its key is unknown and the issuer cannot be reached. It
// blocks while it fetches keys from the issuer.
func (i *Issuer) Verify(ctx context.Context, token string) (identity.Principal, error) {
	t, err := i.parse(ctx, token)
	if err != nil {
		return identity.Principal{}, err
	}
	if !slices.ContainsFunc(t.Audience, func(a string) bool { return slices.Contains(i.Audiences, a) }) {
		return identity.Principal{}, fmt.Errorf("%w: token for audience %q", identity.ErrCredentials, t.Audience)
	}
	return i.principal(t)
}

// maxToken is the maximum size of a token in bytes. Those with many groups have several thousand.
const maxToken = 16 << 10

// parse checks form, signature, issuer and times of a token, not the audience.
func (i *Issuer) parse(ctx context.Context, token string) (*coreos.IDToken, error) {
	invalid := func(err error) (*coreos.IDToken, error) {
		return nil, fmt.Errorf("%w: %w", identity.ErrCredentials, err)
	}
	if len(token) > maxToken || strings.Count(token, ".") != 2 || strings.ContainsFunc(token, notBase64URL) {
		return invalid(errors.New("the token is no JWT"))
	}
	var cause error // go-oidc does not wrap the error of a key set
	keys := keyFunc(func(ctx context.Context, token string) (payload []byte, err error) {
		payload, cause = i.keys.verify(ctx, token)
		return payload, cause
	})
	t, err := coreos.NewVerifier(i.URL, keys, &coreos.Config{
		SkipClientIDCheck: true, SkipExpiryCheck: true, SupportedSigningAlgs: algorithms(),
	}).Verify(ctx, token)
	if errors.Is(cause, identity.ErrUnavailable) {
		return nil, cause
	}
	if err == nil {
		err = i.checkTimes(t)
	}
	if err != nil {
		return invalid(err)
	}
	return t, nil
}

func notBase64URL(c rune) bool {
	return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' && c != '.'
}

// skew is how much the clocks of the issuer and of this program may differ.
const skew = 60 * time.Second

// checkTimes checks exp, which is required, nbf and iat.
func (i *Issuer) checkTimes(t *coreos.IDToken) error {
	var claims struct {
		NotBefore float64 `json:"nbf"`
	}
	if err := t.Claims(&claims); err != nil {
		return fmt.Errorf("reading nbf: %w", err)
	}
	now := i.Now()
	latest := now.Add(skew)
	switch {
	case t.Expiry.IsZero():
		return errors.New("the token does not expire")
	case !now.Before(t.Expiry.Add(skew)):
		return fmt.Errorf("the token expired at %s", t.Expiry)
	case claims.NotBefore > float64(latest.Unix()):
		return errors.New("the token is not valid yet")
	case t.IssuedAt.After(latest):
		return fmt.Errorf("the token was issued in the future, at %s", t.IssuedAt)
	}
	return nil
}
