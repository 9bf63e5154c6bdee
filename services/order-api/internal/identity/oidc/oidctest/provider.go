package oidctest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// provide runs the provider until its standard input ends.
func provide(address string) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		panic(err)
	}
	issuer := "http://" + ln.Addr().String()
	storage.RegisterClients(storage.WebClient(Client, ClientSecret), storage.NativeClient(Native))
	s := &provider{Storage: storage.NewStorage(users{})}
	s.rotate(jose.RS256, false)
	served := exampleop.SetupServer(issuer, s, slog.New(slog.DiscardHandler), false)
	s.Handle("/", served)
	s.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		served.ServeHTTP(w, r)
	})
	s.HandleFunc("/test/rotate", func(_ http.ResponseWriter, r *http.Request) {
		s.rotate(jose.SignatureAlgorithm(r.FormValue("alg")), r.FormValue("keep") != "")
	})
	s.HandleFunc("/test/sign", s.sign)
	s.HandleFunc("/test/key-requests", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, s.asked.Load())
	})
	server := httptest.NewUnstartedServer(s)
	server.Listener.Close()
	server.Listener = ln
	server.Start()
	fmt.Println(issuer)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// provider is the example storage with changing keys, and a claim groups.
type provider struct {
	*storage.Storage
	http.ServeMux

	asked atomic.Int64 // requests for the keys
	mu    sync.Mutex
	keys  []key // the first is signed with
}

// key implements op.SigningKey.
type key struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   crypto.Signer
}

func (k key) SignatureAlgorithm() jose.SignatureAlgorithm { return k.algorithm }
func (k key) Key() any                                    { return k.private }
func (k key) ID() string                                  { return k.id }

// published implements op.Key.
type published struct{ key }

func (p published) Algorithm() jose.SignatureAlgorithm { return p.algorithm }
func (p published) Use() string                        { return "sig" }
func (p published) Key() any                           { return p.private.Public() }

func (s *provider) rotate(algorithm jose.SignatureAlgorithm, keep bool) {
	k := key{id: rand.Text(), algorithm: algorithm}
	switch algorithm {
	case jose.ES256:
		k.private, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, k.private, _ = ed25519.GenerateKey(rand.Reader)
	default:
		k.private, _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !keep {
		s.keys = nil
	}
	s.keys = append([]key{k}, s.keys...)
}

// sign signs any claims.
func (s *provider) sign(w http.ResponseWriter, r *http.Request) {
	var order struct{ Claims, Header map[string]any }
	_ = json.NewDecoder(r.Body).Decode(&order)
	s.mu.Lock()
	defer s.mu.Unlock()
	options := new(jose.SignerOptions).WithType("JWT").WithHeader("kid", s.keys[0].id)
	for name, value := range order.Header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: s.keys[0].algorithm, Key: s.keys[0].private}, options)
	if err == nil {
		var jws *jose.JSONWebSignature
		claims, _ := json.Marshal(order.Claims)
		if jws, err = signer.Sign(claims); err == nil {
			text, _ := jws.CompactSerialize()
			fmt.Fprint(w, text)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// SigningKey implements op.Storage.
func (s *provider) SigningKey(context.Context) (op.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[0], nil
}

// SignatureAlgorithms implements op.Storage.
func (s *provider) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []jose.SignatureAlgorithm{s.keys[0].algorithm}, nil
}

// KeySet implements op.Storage.
func (s *provider) KeySet(context.Context) (all []op.Key, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		all = append(all, published{k})
	}
	return all, nil
}

// SetUserinfoFromRequest adds the claim groups to ID tokens.
func (s *provider) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, token op.IDTokenRequest, scopes []string) error {
	info.AppendClaims("groups", []string{token.GetSubject()})
	return s.Storage.SetUserinfoFromRequest(ctx, info, token, scopes)
}

// GetPrivateClaimsFromScopes adds the claim groups to access tokens.
func (s *provider) GetPrivateClaimsFromScopes(_ context.Context, userID, _ string, _ []string) (map[string]any, error) {
	return map[string]any{"groups": []string{userID}}, nil
}

// GetClientByClientID implements op.Storage.
func (s *provider) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	return client{c}, err
}

// client is a client with JWTs as access tokens, and with all redirect URIs on this machine.
type client struct{ op.Client }

func (client) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeJWT }
func (client) IDTokenUserinfoClaimsAssertion() bool { return true }
func (client) RedirectURIGlobs() []string           { return []string{"http://127.0.0.1:*/**"} }
func (client) PostLogoutRedirectURIGlobs() []string { return []string{"http://127.0.0.1:*/**"} }

// users has every user.
type users struct{}

func (users) GetUserByID(id string) *storage.User {
	return &storage.User{ID: id, Username: id, Password: "secret", FirstName: "Ada", LastName: id, Email: id + "@example.com"}
}

func (u users) GetUserByUsername(name string) *storage.User { return u.GetUserByID(name) }

func (users) ExampleClientID() string { return "service" }
