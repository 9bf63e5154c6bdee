package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/oidc/oidctest"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func TestMain(m *testing.M) { oidctest.Main(m) }

var loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}

func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSignInByTheRunningAPI signs in by the pages of a running API, then uses session and token.
func TestSignInByTheRunningAPI(t *testing.T) {
	t.Parallel()
	p, k := oidctest.Start(t), kafkatest.Start(t)
	cfg := Config{
		Settings: Settings{
			HTTP: "127.0.0.1:0", Data: filepath.Join(t.TempDir(), "data"), Auth: AuthOIDC, OIDCIssuer: p.URL, OIDCClientID: oidctest.Client,
			OIDCClientSecretFile: write(t, oidctest.ClientSecret+"\n"), OIDCRoles: write(t, "claim: groups\nroles: {ops: operator}\n"),
		},
		Kafka: k.Config(), Topics: k.Topics, Log: slog.New(slog.DiscardHandler),
	}
	listening, done := make(chan string, 1), make(chan error, 1)
	cfg.Listening = func(address string) { listening <- address }
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- Run(ctx, cfg) }() // ends with cancel
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	url := "http://" + <-listening
	browser := oidctest.Browser(t)
	get := func(address string) *http.Response {
		t.Helper()
		resp, err := browser.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	back := p.SignIn(t, browser, get(url+"/sign-in/issuer?return=/docs").Header.Get("Location"), "ops")
	if resp := get(back); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != url+"/docs" || len(resp.Cookies()) != 2 {
		t.Errorf("got %s %v, want a session and a redirect to /docs", resp.Status, resp.Header)
	}
	acts := k.Records(t, k.Topics.Desk)
	if len(acts) != 1 {
		t.Fatalf("got %d acts in the audit trail, want the sign-in", len(acts))
	}
	act, err := wire.ReadAct(acts[0])
	if err != nil || act.Kind != "sign-in" || act.Outcome != wire.Done || act.Cause.Actor.Kind != order.ActorOperator || act.Address != "127.0.0.0/24" {
		t.Errorf("got %+v, %v; want the sign-in of an operator", act, err)
	}
}

func TestOpenIDAuthenticatesTokensAndSessions(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t)
	cfg := Config{Settings: Settings{OIDCIssuer: p.URL, OIDCClientID: oidctest.Client, PublicURL: "https://orders.example.com"}, Log: slog.New(slog.DiscardHandler)}
	var both, bearer, none signIn
	_, err := both.withIssuer(t.Context(), &cfg, loopback)
	if err != nil {
		t.Fatal(err)
	}
	cfg.OIDCClientID, cfg.OIDCAudience = "", []string{"shop"}
	if _, err = bearer.withIssuer(t.Context(), &cfg, loopback); err != nil {
		t.Fatal(err)
	}
	token := func(audience string) string {
		return "Bearer " + p.Sign(t, map[string]any{"iss": p.URL, "aud": audience, "sub": "ada", "exp": time.Now().Unix() + 60}, nil)
	}
	for name, row := range map[string]struct {
		by             signIn
		header, cookie string
		want           error
		guest          bool
	}{
		"nothing":                        {both, "", "", nil, true},
		"token":                          {both, token(oidctest.Client), "", nil, false},
		"token of another audience":      {both, token("shop"), "", identity.ErrCredentials, true},
		"no issuer":                      {none, token("shop"), "x", identity.ErrCredentials, true},
		"unknown session":                {both, "", "x", identity.ErrCredentials, true},
		"token, not the unknown session": {both, token(oidctest.Client), "x", nil, false},
		"without pages: nothing":         {bearer, "", "", nil, true},
		"without pages: a session":       {bearer, "", "x", nil, true},
		"without pages: token":           {bearer, token("shop"), "", nil, false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if row.header != "" {
			r.Header.Set("Authorization", row.header)
		}
		if row.cookie != "" {
			r.AddCookie(&http.Cookie{Name: "__Host-session", Value: row.cookie})
		}
		if got, err := row.by.Authenticate(r); !errors.Is(err, row.want) || got.Guest() != row.guest {
			t.Errorf("%s: got %+v, %v; want %v", name, got, err, row.want)
		}
	}
}

func TestOpenIDSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		s    Settings
		want string
	}{
		"no issuer":      {Settings{OIDCClientID: "orders"}, "--oidc-client-id and --oidc-audience need --oidc-issuer"},
		"no audience":    {Settings{OIDCIssuer: "https://issuer.example.com"}, "--oidc-issuer needs --oidc-client-id or --oidc-audience"},
		"plain http":     {Settings{OIDCIssuer: "http://issuer.example.com", OIDCClientID: "orders"}, "--oidc-issuer: \"http://issuer.example.com\": must be an https URL"},
		"no roles file":  {Settings{OIDCIssuer: "https://issuer.example.com", OIDCClientID: "orders", OIDCRoles: "/nowhere"}, "--oidc-roles: "},
		"wrong role":     {Settings{OIDCIssuer: "https://issuer.example.com", OIDCClientID: "orders", OIDCRoles: write(t, "default: root\n")}, `:1: "root" is no role`},
		"no secret":      {Settings{OIDCIssuer: "https://issuer.example.com", OIDCClientID: "orders", OIDCClientSecretFile: "/nowhere"}, "--oidc-client-secret-file: "},
		"empty secret":   {Settings{OIDCIssuer: "https://issuer.example.com", OIDCClientID: "orders", OIDCClientSecretFile: write(t, "\n")}, "is empty"},
		"public address": {Settings{OIDCIssuer: "https://issuer.example.com", OIDCClientID: "orders", PublicURL: "http://orders.example.com"}, "--public-url: "},
	} {
		cfg := Config{Settings: row.s, Log: slog.New(slog.DiscardHandler)}
		if _, err := cfg.openID(t.Context(), loopback); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %s", name, err, row.want)
		}
	}
	cfg := Config{Settings: Settings{OIDCIssuer: "https://issuer.example.com", OIDCClientID: "orders"}, Log: slog.New(slog.DiscardHandler)}
	if _, err := cfg.openID(t.Context(), &net.TCPAddr{IP: net.IPv4zero, Port: 80}); err == nil || !strings.Contains(fmt.Sprint(err), "--public-url") {
		t.Errorf("all addresses without --public-url: got %v, want an error", err)
	}
	none := Config{}
	if got, err := none.openID(t.Context(), loopback); err != nil || got.issuer != nil || got.pages != nil {
		t.Errorf("no settings: got %+v, %v; want no issuer", got, err)
	}
}
