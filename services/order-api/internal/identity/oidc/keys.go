package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// signatures are the accepted algorithms: those with public keys. An HMAC would accept the public
// key of the issuer as its secret.
var signatures = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// algorithms are the names of signatures.
func algorithms() (names []string) {
	for _, a := range signatures {
		names = append(names, string(a))
	}
	return names
}

// keyFunc implements the KeySet of go-oidc.
type keyFunc func(ctx context.Context, token string) ([]byte, error)

// VerifySignature returns the payload of a token.
func (f keyFunc) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	return f(ctx, token)
}

// keySet is the set of signing keys of the issuer.
type keySet struct{ *fetched[[]jose.JSONWebKey] }

// keepKeys is how long keys are used before they are fetched again: a key that the issuer has
// withdrawn is not accepted any longer. While the issuer is away, they are used for longer.
const keepKeys = time.Hour

// verify returns the payload of a token that a key of the issuer has signed. A token that names an
// unknown key, or none, makes it fetch the keys again.
func (k *keySet) verify(ctx context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, signatures)
	if err != nil {
		return nil, fmt.Errorf("parsing the token: %w", err)
	}
	header := jws.Signatures[0].Header
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); !isToken(typ) {
		return nil, fmt.Errorf("the token is of type %q", typ)
	}
	k.renew(ctx, keepKeys)
	payload, named := k.try(jws, header)
	if payload != nil || named {
		return payload, orBad(payload)
	}
	away := k.refresh(ctx)
	if payload, named = k.try(jws, header); payload == nil && !named && away != nil {
		return nil, away
	}
	return payload, orBad(payload)
}

func orBad(payload []byte) error {
	if payload == nil {
		return errors.New("no key of the issuer has signed the token")
	}
	return nil
}

// isToken reports whether the header typ is that of an ID token or an access token. Issuers sign
// logout tokens and security events with the same keys.
func isToken(typ string) bool {
	switch strings.TrimPrefix(strings.ToLower(typ), "application/") {
	case "", "jwt", "at+jwt":
		return true
	}
	return false
}

// try verifies a token with the known keys. named reports whether the token names one of them. The
// payload is nil if none has signed the token.
func (k *keySet) try(jws *jose.JSONWebSignature, header jose.Header) (payload []byte, named bool) {
	keys, _ := k.last()
	for _, key := range keys {
		if header.KeyID != "" && header.KeyID != key.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		named = named || header.KeyID != ""
		if payload, err := jws.Verify(key.Key); err == nil {
			return payload, named
		}
	}
	return nil, named
}

// minRSA is the minimum size of an RSA key in bits (RFC 7518, section 3.3).
const minRSA = 2048

// fetchKeys also fetches the discovery document, unless it is known.
func (i *Issuer) fetchKeys(ctx context.Context) ([]jose.JSONWebKey, error) {
	m, err := i.metadata(ctx)
	if err != nil {
		return nil, err
	}
	text, err := i.get(ctx, m.JWKS)
	if err != nil {
		return nil, err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("parsing: %w", err)
	}
	var usable []jose.JSONWebKey
	for _, key := range set.Keys {
		if (key.Use == "" || key.Use == "sig") && public(key.Key) {
			usable = append(usable, key)
		}
	}
	if usable == nil {
		return nil, errors.New("there is no public key for signatures")
	}
	return usable, nil
}

// public reports whether a key is a public key of sufficient size.
func public(key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}
