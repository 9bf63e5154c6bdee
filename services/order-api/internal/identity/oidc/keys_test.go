package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"example.com/orders/services/order-api/internal/identity"
)

// publicKey is the signing key of the provider, as everybody can read it.
func (r *relying) publicKey(t *testing.T) jose.JSONWebKey {
	t.Helper()
	resp, err := http.Get(r.Provider.URL + "/keys")
	must(t, err)
	defer resp.Body.Close()
	var set jose.JSONWebKeySet
	must(t, json.NewDecoder(resp.Body).Decode(&set))
	return set.Keys[0]
}

func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	r := start(t)
	valid := r.token(t)
	r.verify(t, "valid", valid, nil)
	parts := strings.Split(valid, ".")
	encode := base64.RawURLEncoding.EncodeToString
	public := r.publicKey(t)
	text, err := public.MarshalJSON()
	must(t, err)
	claims, err := json.Marshal(r.claims())
	must(t, err)
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	sign := func(algorithm jose.SignatureAlgorithm, key any, options *jose.SignerOptions) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
		must(t, err)
		jws, err := signer.Sign(claims)
		must(t, err)
		compact, err := jws.CompactSerialize()
		must(t, err)
		return compact
	}
	kid := new(jose.SignerOptions).WithHeader("kid", public.KeyID)
	for name, token := range map[string]string{
		"empty":                          "",
		"no JWT":                         "secret",
		"three words":                    "a.b.c",
		"dots":                           "..",
		"alg none":                       encode([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"alg None":                       encode([]byte(`{"alg":"None","kid":"`+public.KeyID+`"}`)) + "." + parts[1] + ".",
		"alg none with the signature":    encode([]byte(`{"alg":"none","kid":"`+public.KeyID+`"}`)) + "." + parts[1] + "." + parts[2],
		"no alg":                         encode([]byte(`{"kid":"`+public.KeyID+`"}`)) + "." + parts[1] + "." + parts[2],
		"HMAC with the public key":       sign(jose.HS256, text, kid),
		"HMAC without a key ID":          sign(jose.HS256, text, nil),
		"another key under the known ID": sign(jose.ES256, own, kid),
		"another key that it carries":    sign(jose.ES256, own, &jose.SignerOptions{EmbedJWK: true}),
		"another key that it points to":  sign(jose.ES256, own, new(jose.SignerOptions).WithHeader("jku", "https://evil.example/keys")),
		"no signature":                   parts[0] + "." + parts[1] + ".",
		"signature of other claims":      parts[0] + "." + encode(append(claims, ' ')) + "." + parts[2],
		"cut signature":                  valid[:len(valid)-4],
		"encrypted":                      valid + ".a.b",
		"spaces":                         " " + valid,
		"JSON serialization":             `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"too large":                      r.token(t, "note", strings.Repeat("x", 16<<10)),
		"padded":                         valid + "=",
	} {
		r.verify(t, name, token, identity.ErrCredentials)
	}
	for typ, want := range map[string]error{
		"at+jwt": nil, "application/at+jwt": nil, "logout+jwt": identity.ErrCredentials, "secevent+jwt": identity.ErrCredentials, "dpop+jwt": identity.ErrCredentials,
	} {
		r.verify(t, typ, r.Sign(t, r.claims(), map[string]any{"typ": typ}), want)
	}
	r.verify(t, "critical extension", r.Sign(t, r.claims(), map[string]any{"crit": []string{"exp"}}), identity.ErrCredentials)
}

func TestEachAlgorithmWithPublicKeysIsAccepted(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, algorithm := range []string{"RS256", "RS512", "PS256", "ES256", "EdDSA"} {
		r.Rotate(t, algorithm, false)
		r.clock.advance(6 * time.Second)
		r.verify(t, algorithm, r.token(t), nil)
	}
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	r := start(t)
	old := r.token(t, "exp", time.Now().Add(24*time.Hour).Unix())
	r.verify(t, "first key", old, nil)
	r.clock.advance(6 * time.Second)
	r.Rotate(t, "ES256", true)
	r.verify(t, "new key", r.token(t), nil)
	r.verify(t, "first key, still published", old, nil)
	r.Rotate(t, "RS256", false)
	r.verify(t, "first key, withdrawn, within the hour", old, nil)
	r.clock.advance(time.Hour + time.Second)
	r.verify(t, "first key, withdrawn", old, identity.ErrCredentials)
	r.verify(t, "newest key", r.token(t, "exp", time.Now().Add(2*time.Hour).Unix()), nil)
}

func TestTokensWithUnknownKeysDoNotFloodTheIssuer(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.verify(t, "known", r.token(t), nil)
	flood := func(want string) {
		t.Helper()
		for n := range 200 {
			r.verify(t, "unknown key", r.Sign(t, r.claims(), map[string]any{"kid": fmt.Sprint(n)}), identity.ErrCredentials)
		}
		if got := r.KeyRequests(t); got != want {
			t.Errorf("got %s requests for keys, want %s", got, want)
		}
	}
	flood("1")
	r.clock.advance(6 * time.Second)
	flood("2")
	r.Rotate(t, "RS256", true)
	r.clock.advance(6 * time.Second)
	r.verify(t, "a new key in the flood", r.token(t), nil)
	var all sync.WaitGroup
	r.clock.advance(6 * time.Second)
	for n := range 50 {
		token := r.Sign(t, r.claims(), map[string]any{"kid": fmt.Sprint(n)})
		all.Go(func() { r.verify(t, "at once", token, identity.ErrCredentials) })
	}
	all.Wait()
	if got := r.KeyRequests(t); got != "4" {
		t.Errorf("50 requests at once: got %s requests for keys in total, want 4", got)
	}
}
