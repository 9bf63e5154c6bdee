package oidc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/oidc"
	"example.com/orders/services/order-api/internal/identity/oidc/oidctest"
)

func TestMain(m *testing.M) { oidctest.Main(m) }

// clock is the time in the program. It stands still unless a test moves it, so that no interval passes on a busy machine. The provider
// has the real time.
type clock struct{ at atomic.Pointer[time.Time] }

func (c *clock) now() time.Time          { return *c.at.Load() }
func (c *clock) set(at time.Time)        { c.at.Store(&at) }
func (c *clock) advance(d time.Duration) { c.set(c.now().Add(d)) }

// log collects log lines.
type log struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

const audience = "orders-api"

// relying is an issuer as the API sees it, with the provider that it is.
type relying struct {
	*oidc.Issuer
	*oidctest.Provider
	clock
	log
}

// within is the limit of a request to the issuer: long, for a machine under load.
const within = 10 * time.Second

func start(t *testing.T) *relying {
	t.Helper()
	r := &relying{Provider: oidctest.Start(t)}
	r.clock.set(time.Now())
	r.connect(t, r.Provider.URL)
	return r
}

// connect makes a new issuer, which knows nothing yet.
func (r *relying) connect(t *testing.T, url string) {
	t.Helper()
	roles, err := oidc.LoadRoles("testdata/roles.yaml")
	must(t, err)
	r.Issuer, err = oidc.New(oidc.Config{
		URL: url, Audiences: []string{"another", audience}, Roles: roles, Log: slog.New(slog.NewTextHandler(&r.log, nil)), Now: r.clock.now,
		Within: within,
	})
	must(t, err)
}

// claims of a valid token; changes are names and values in turn, where nil deletes a claim.
func (r *relying) claims(changes ...any) map[string]any {
	now := r.clock.now().Unix()
	all := map[string]any{"iss": r.Provider.URL, "aud": audience, "sub": "ada", "iat": now, "exp": now + 300}
	for i := 0; i < len(changes); i += 2 {
		all[changes[i].(string)] = changes[i+1]
	}
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// token is a token that the provider signs.
func (r *relying) token(t *testing.T, changes ...any) string {
	t.Helper()
	return r.Sign(t, r.claims(changes...), nil)
}

// verify fails the test unless the error of a token is the wanted one; nil is none.
func (r *relying) verify(t *testing.T, what, token string, want error) {
	t.Helper()
	p, err := r.Verify(t.Context(), token)
	if !errors.Is(err, want) || want == nil && p.Guest() || want != nil && !p.Guest() {
		t.Errorf("%s: got %+v, %v; want %v", what, p, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTokensAreAcceptedByTheirClaims(t *testing.T) {
	t.Parallel()
	r := start(t)
	now := r.clock.now().Unix()
	bad := identity.ErrCredentials
	for _, row := range []struct {
		name    string
		changes []any
		want    error
	}{
		{"valid", nil, nil},
		{"several audiences", []any{"aud", []string{"shop", audience}}, nil},
		{"other audience", []any{"aud", "shop"}, bad},
		{"other audiences", []any{"aud", []string{"shop", audience + "2"}}, bad},
		{"no audience", []any{"aud", nil}, bad},
		{"audience in another case", []any{"aud", strings.ToUpper(audience)}, bad},
		{"other issuer", []any{"iss", "https://issuer.example.com"}, bad},
		{"issuer with a slash", []any{"iss", r.Provider.URL + "/"}, bad},
		{"no issuer", []any{"iss", nil}, bad},
		{"no subject", []any{"sub", nil}, bad},
		{"empty subject", []any{"sub", ""}, bad},
		{"subject is a number", []any{"sub", 7}, bad},
		{"expired within the skew", []any{"exp", now - 59}, nil},
		{"expired", []any{"exp", now - 61}, bad},
		{"no expiry", []any{"exp", nil}, bad},
		{"expiry is zero", []any{"exp", 0}, bad},
		{"expiry is negative", []any{"exp", -1e18}, bad},
		{"expiry is text", []any{"exp", "tomorrow"}, bad},
		{"valid soon, within the skew", []any{"nbf", now + 60}, nil},
		{"not valid yet", []any{"nbf", now + 61}, bad},
		{"valid in a thousand years", []any{"nbf", now + 31536000000}, bad},
		{"valid from text", []any{"nbf", "tomorrow"}, bad},
		{"issued within the skew", []any{"iat", now + 60}, nil},
		{"issued in the future", []any{"iat", now + 61}, bad},
		{"no time of issue", []any{"iat", nil}, nil},
		{"role refused", []any{"groups", []string{"orders-ops"}, "role", "admin"}, nil},
	} {
		r.verify(t, row.name, r.token(t, row.changes...), row.want)
	}
}

func TestClockSkewIsSixtySeconds(t *testing.T) {
	t.Parallel()
	r := start(t)
	moment := time.Unix(2_000_000_000, 0)
	expires := r.Sign(t, r.claims("iat", nil, "exp", moment.Unix()), nil)
	begins := r.Sign(t, r.claims("iat", moment.Unix(), "nbf", moment.Unix(), "exp", moment.Unix()+3600), nil)
	for _, row := range []struct {
		name, token string
		seconds     int
		want        error
	}{
		{"59 s after the expiry", expires, 59, nil},
		{"60 s after the expiry", expires, 60, identity.ErrCredentials},
		{"61 s before the beginning", begins, -61, identity.ErrCredentials},
		{"59 s before the beginning", begins, -59, nil},
	} {
		r.clock.set(moment.Add(time.Duration(row.seconds) * time.Second))
		r.verify(t, row.name, row.token, row.want)
	}
}

func TestKnownKeysGoOnWhileTheIssuerIsAway(t *testing.T) {
	t.Parallel()
	r := start(t)
	known := r.token(t, "exp", time.Now().Add(24*time.Hour).Unix())
	unknown := r.Sign(t, r.claims("exp", time.Now().Add(24*time.Hour).Unix()), map[string]any{"kid": "new"})
	r.verify(t, "known key", known, nil)
	for name, leave := range map[string]func(){"stopped": r.Stop, "frozen": r.Freeze} {
		r.clock.advance(2 * time.Hour)
		leave()
		r.verify(t, name+": known key that is old", known, nil)
		for range 100 {
			begun := time.Now()
			r.verify(t, name+": known key", known, nil)
			if took := time.Since(begun); took >= within {
				t.Errorf("%s: a token with a known key took %v: it waited for the issuer", name, took)
			}
		}
		r.clock.advance(6 * time.Second)
		r.verify(t, name+": unknown key", unknown, identity.ErrUnavailable)
		r.verify(t, name+": unknown key within the interval", unknown, identity.ErrUnavailable)
		r.verify(t, name+": forged under a known key", known[:len(known)-4], identity.ErrCredentials)
		r.Stop()
		r.Restart(t)
	}
	if got := strings.Count(r.log.String(), "level=WARN"); got != 1 {
		t.Errorf("got %d warnings, want 1 for one outage:\n%s", got, r.log.String())
	}
}

func TestIssuerMayStartAfterTheProgram(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.Stop()
	if err := r.Discover(t.Context()); !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if got := r.log.String(); !strings.Contains(got, "OpenID Connect issuer not available") {
		t.Errorf("got log %q, want that the issuer is not available", got)
	}
	r.verify(t, "away", "e30.e30.e30", identity.ErrCredentials)
	r.Restart(t)
	token := r.token(t)
	r.verify(t, "within the interval", token, identity.ErrUnavailable)
	r.clock.advance(6 * time.Second)
	r.verify(t, "back", token, nil)
	must(t, r.Discover(t.Context()))
	if got := r.log.String(); !strings.Contains(got, "OpenID Connect issuer available") {
		t.Errorf("got log %q, want that the issuer is back", got)
	}
}

// TestCallersShareOneAttempt: a caller that ends neither waits for the attempt of another one, nor
// ends it.
func TestCallersShareOneAttempt(t *testing.T) {
	t.Parallel()
	r := start(t)
	token := r.token(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{} // blocks the second request for ever
		<-release
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer issuer.Close()
	r.connect(t, issuer.URL)
	first := make(chan error, 2)
	verify := func(ctx context.Context) {
		_, err := r.Verify(ctx, token)
		first <- err
	}
	ctx, cancel := context.WithCancel(t.Context())
	go verify(ctx) // ends with release
	<-arrived
	cancel()
	if _, err := r.Verify(ctx, token); !errors.Is(err, context.Canceled) {
		t.Errorf("client that has disconnected: got %v, want context.Canceled", err)
	}
	go verify(t.Context()) // ends with release
	close(release)
	for range 2 {
		if err := <-first; !errors.Is(err, identity.ErrUnavailable) || errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the answer of the issuer", err)
		}
	}
}

func TestHostileDocumentsAreRefused(t *testing.T) {
	t.Parallel()
	r := start(t)
	var sent atomic.Int64
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	document := func(issuer, keys string) string {
		return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q,"authorization_endpoint":"https://a.example/a","token_endpoint":"https://a.example/t"}`, issuer, keys)
	}
	endless := func(w http.ResponseWriter, begin string) {
		_, err := io.WriteString(w, begin)
		for block := strings.Repeat(" ", 1<<16); err == nil && sent.Load() < 1<<30; sent.Add(1 << 16) {
			_, err = io.WriteString(w, block)
		}
	}
	for name, answer := range map[string]func(w http.ResponseWriter, url string){
		"huge":      func(w http.ResponseWriter, _ string) { endless(w, `{"issuer":"`) },
		"text":      func(w http.ResponseWriter, _ string) { io.WriteString(w, "<html>") },
		"not found": func(w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusNotFound) },
		"other issuer": func(w http.ResponseWriter, _ string) {
			io.WriteString(w, document("https://a.example", r.Provider.URL+"/keys"))
		},
		"redirect": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Location", r.Provider.URL+"/.well-known/openid-configuration")
			w.WriteHeader(302)
		},
		"http endpoints": func(w http.ResponseWriter, url string) { io.WriteString(w, document(url, "http://a.example/keys")) },
		"no keys":        func(w http.ResponseWriter, url string) { io.WriteString(w, document(url, "")) },
		"file":           func(w http.ResponseWriter, url string) { io.WriteString(w, document(url, "file:///etc/passwd")) },
		"huge keys":      func(w http.ResponseWriter, url string) { io.WriteString(w, document(url, server.URL+"/endless")) },
		"secret keys":    func(w http.ResponseWriter, url string) { io.WriteString(w, document(url, server.URL+"/secret")) },
		"small keys":     func(w http.ResponseWriter, url string) { io.WriteString(w, document(url, server.URL+"/small")) },
	} {
		path := "/" + strings.ReplaceAll(name, " ", "-")
		mux.HandleFunc(path+"/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { answer(w, server.URL+path) })
		r.clock.advance(time.Minute)
	}
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) { endless(w, `{"keys":[`) })
	mux.HandleFunc("/secret", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`)
	})
	mux.HandleFunc("/small", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"keys":[{"kty":"RSA","e":"AQAB","n":"`+strings.Repeat("u", 170)+`"}]}`)
	})
	token := r.token(t)
	for _, name := range []string{
		"huge", "text", "not-found", "other-issuer", "redirect", "http-endpoints", "no-keys", "file", "huge-keys", "secret-keys", "small-keys", "absent",
	} {
		r.connect(t, server.URL+"/"+name)
		r.verify(t, name, token, identity.ErrUnavailable)
	}
	// 32 MiB is what buffers of sockets take.
	if got := sent.Load(); got > 32<<20 {
		t.Errorf("%d bytes of endless documents were read", got)
	}
}

func TestIssuerURLIsChecked(t *testing.T) {
	t.Parallel()
	for url, good := range map[string]bool{
		"https://issuer.example.com": true, "https://issuer.example.com/realms/shop": true, "http://127.0.0.1:9000": true, "http://localhost:9000": true, "http://[::1]:9000": true,
		"": false, "issuer.example.com": false, "http://issuer.example.com": false, "http://127.0.0.1.example.com": false, "ftp://issuer.example.com": false,
		"https://": false, "https://issuer.example.com?a=b": false, "https://issuer.example.com#a": false, "https://me:pw@issuer.example.com": false, "https://a b": false,
	} {
		if _, err := oidc.New(oidc.Config{URL: url}); (err == nil) != good {
			t.Errorf("%q: got %v, want an error: %v", url, err, !good)
		}
	}
}

func TestPrincipalIsThatOfTheToken(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, row := range []struct {
		changes    []any
		name, role string
	}{
		{nil, "", "customer"},
		{[]any{"name", "Ada Lovelace", "groups", "orders-ops"}, "Ada Lovelace", "operator"},
		{[]any{"preferred_username", "ada", "groups", []any{"x", 7, "orders-viewers", "orders-ops", "orders-viewers"}}, "ada", "operator"},
		{[]any{"name", 7, "email", "ada@example.com", "groups", map[string]any{"orders-ops": true}}, "ada@example.com", "customer"},
		{[]any{"name", "A\u202eda\n\x00 \U0001F600", "groups", []string{"Orders-Ops", "orders-ops "}}, "Ada \U0001F600", "customer"},
		{[]any{"name", strings.Repeat("é", 100)}, strings.Repeat("é", 64), "customer"},
		{[]any{"groups", []string{"admin"}, "role", "admin", "roles", "admin"}, "", "customer"},
	} {
		p, err := r.Verify(t.Context(), r.token(t, row.changes...))
		want := identity.Principal{ID: p.ID, Name: row.name, Role: identity.Role(row.role)}
		if diff := cmp.Diff(want, p); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", row.changes, err, diff)
		}
	}
}

func TestBearerTokenIsReadFromTheHeader(t *testing.T) {
	t.Parallel()
	r := start(t)
	token := r.token(t)
	for header, want := range map[string]error{
		"": nil, "Bearer " + token: nil, "bearer  " + token: nil,
		"Bearer": identity.ErrCredentials, "Basic " + token: identity.ErrCredentials, token: identity.ErrCredentials, "Bearer " + token + " x": identity.ErrCredentials,
	} {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		if header != "" {
			request.Header.Set("Authorization", header)
		}
		p, err := r.Authenticate(request)
		if !errors.Is(err, want) || p.Guest() != (want != nil || header == "") {
			t.Errorf("%.20q: got %+v, %v; want %v", header, p, err, want)
		}
	}
}
