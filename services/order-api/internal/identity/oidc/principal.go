package oidc

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	coreos "github.com/coreos/go-oidc/v3/oidc"

	"example.com/orders/services/order-api/internal/identity"
)

// principal returns the principal of a verified token.
func (i *Issuer) principal(t *coreos.IDToken) (identity.Principal, error) {
	if t.Subject == "" {
		return identity.Principal{}, fmt.Errorf("%w: the token has no subject", identity.ErrCredentials)
	}
	var claims map[string]json.RawMessage
	if err := t.Claims(&claims); err != nil {
		return identity.Principal{}, fmt.Errorf("%w: reading claims: %w", identity.ErrCredentials, err)
	}
	role := i.Roles.of(claims)
	if role == "" {
		return identity.Principal{}, fmt.Errorf("%w: %w", identity.ErrCredentials, ErrNoRole)
	}
	text := func(name string) string {
		var s string
		_ = json.Unmarshal(claims[name], &s) // a claim of another type is no name
		return printable(s)
	}
	return identity.Principal{
		ID: principalID(i.URL, t.Subject), Role: role,
		Name: cmp.Or(text("name"), text("preferred_username"), text("email")),
	}, nil
}

// maxID is the maximum length of the ID of a principal.
const maxID = 128

// principalID is unique among the subjects of all issuers: oidc:ISSUER:SUBJECT, or oidc:ISSUER/HASH
// if the subject is too long or cannot be printed. ISSUER is the beginning of a hash. An API key has
// such an ID only if an administrator gave it the ID of a person.
func principalID(issuer, subject string) string {
	prefix := fmt.Sprintf("oidc:%.8x", sha256.Sum256([]byte(issuer)))
	id := prefix + ":" + subject
	if len(id) > maxID || strings.ContainsFunc(subject, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return fmt.Sprintf("%s/%x", prefix, sha256.Sum256([]byte(subject)))
	}
	return id
}

// maxName is the maximum length of a name in bytes.
const maxName = 128

// printable removes what cannot be printed on one line, and cuts a long name.
func printable(name string) string {
	name = strings.TrimSpace(strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) || c == utf8.RuneError {
			return -1
		}
		return c
	}, name))
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	return name
}
