package identity

import (
	"fmt"
	"net/http"
	"strings"
)

// KeyPrefix begins every API key, and no token of an OpenID Connect issuer.
const KeyPrefix = "ok_"

// maxToken is the maximum size of a bearer token in bytes. Tokens of issuers that list many groups
// have several thousand.
const maxToken = 16 << 10

// Bearer returns the bearer token of a request, or "" if it has no Authorization header. It is
// ErrCredentials if the header has another scheme or no token, or if there are several headers.
func Bearer(r *http.Request) (string, error) {
	switch values := r.Header.Values("Authorization"); len(values) {
	case 0:
		return "", nil
	case 1:
		scheme, token, _ := strings.Cut(values[0], " ")
		token = strings.Trim(token, " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken || strings.ContainsFunc(token, invisible) {
			return "", fmt.Errorf("%w: the Authorization header is no bearer token", ErrCredentials)
		}
		return token, nil
	}
	return "", fmt.Errorf("%w: several Authorization headers", ErrCredentials)
}

// invisible reports whether a character is not part of a token.
func invisible(c rune) bool { return c <= ' ' || c > '~' }

// Chain is the authenticator of an API that takes several kinds of credentials. It is safe for
// concurrent use if its parts are.
type Chain struct {
	Keys      Authenticator // of bearer tokens that begin with KeyPrefix; nil: they are invalid
	Tokens    Authenticator // of other bearer tokens; nil: they are invalid
	Sessions  Authenticator // of requests without an Authorization header; nil: there are no sessions
	Anonymous Principal     // who sends a request without credentials; the zero value is a guest
}

// Authenticate implements Authenticator. A bearer token that no part knows is invalid: it never
// makes a request anonymous.
func (c Chain) Authenticate(r *http.Request) (Principal, error) {
	token, err := Bearer(r)
	if err != nil {
		return Principal{}, err
	}
	part := c.Tokens
	switch {
	case token == "":
		part = c.Sessions
	case strings.HasPrefix(token, KeyPrefix):
		part = c.Keys
	}
	var p Principal
	if part != nil {
		p, err = part.Authenticate(r)
	}
	switch {
	case err != nil:
		return Principal{}, err
	case !p.Guest():
		return p, nil
	case token != "":
		return Principal{}, fmt.Errorf("%w: no authenticator takes this token", ErrCredentials)
	}
	return c.Anonymous, nil
}

// DemoOperator is who sends a request without credentials to an API without sign-in, which listens
// on a loopback address only.
func DemoOperator() Principal { return Principal{ID: "demo", Name: "Demo operator", Role: Admin} }
