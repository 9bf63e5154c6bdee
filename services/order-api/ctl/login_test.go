package ctl

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/identity/oidc"
	"example.com/orders/services/order-api/internal/identity/oidc/oidctest"
)

func TestMain(m *testing.M) { oidctest.Main(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// signingIn is an ordersctl that waits for a sign-in.
type signingIn struct {
	url    string // that ordersctl prints
	stderr *bufio.Reader
	stdout bytes.Buffer
	done   chan error
}

func startLogin(t *testing.T, env map[string]string, args ...string) *signingIn {
	t.Helper()
	r, w := io.Pipe()
	s := &signingIn{stderr: bufio.NewReader(r), done: make(chan error, 1)}
	go func() { // ends with the test
		s.done <- Run(t.Context(), append([]string{"login"}, args...), func(name string) string { return env[name] }, nil, &s.stdout, w)
		w.Close()
	}()
	line, err := s.stderr.ReadString('\n')
	if err != nil {
		t.Fatalf("got %v, %v; want the URL of the sign-in", err, <-s.done)
	}
	_, s.url, _ = strings.Cut(strings.TrimSpace(line), "sign in: ")
	go func() { _, _ = io.Copy(io.Discard, s.stderr) }() // ends with Run
	return s
}

// verifies fails the test unless the token of a file is one of a user.
func verifies(t *testing.T, p *oidctest.Provider, file tokenFile, user string) (token string) {
	t.Helper()
	issuer, err := oidc.New(oidc.Config{URL: p.URL, Audiences: []string{oidctest.Native}, Roles: oidc.Roles{Default: "customer"}, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	text, err := os.ReadFile(string(file))
	must(t, err)
	token = strings.TrimSuffix(string(text), "\n")
	principal, err := issuer.Verify(t.Context(), token)
	if err != nil || !strings.HasSuffix(principal.ID, ":"+user) {
		t.Errorf("token of the file: got %+v, %v; want one of %s", principal, err, user)
	}
	for _, path := range []string{string(file), file.data()} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v; want a file for its owner only", path, info, err)
		}
	}
	return token
}

func TestLoginStoresATokenAndLogoutForgetsIt(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t)
	env := map[string]string{"HOME": t.TempDir()}
	file := defaultTokenFile(func(name string) string { return env[name] })
	if want := filepath.Join(env["HOME"], ".config", "orders", "token"); string(file) != want {
		t.Errorf("got file %s, want %s", file, want)
	}
	s := startLogin(t, env, "--issuer", p.URL, "--client-id", oidctest.Native)
	browser := oidctest.Browser(t)
	back := p.SignIn(t, browser, s.url, "ada")
	for _, address := range []string{strings.Replace(back, "state=", "state=x", 1), strings.Replace(back, "/callback", "/other", 1)} {
		resp, err := browser.Get(address)
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: got %s, want 400", address, resp.Status)
		}
	}
	resp, err := browser.Get(back)
	must(t, err)
	resp.Body.Close()
	if err := <-s.done; err != nil || !strings.Contains(s.stdout.String(), "signed in; the token is in "+string(file)) {
		t.Fatalf("got %q, %v; want that the token is stored", s.stdout.String(), err)
	}
	first := verifies(t, p, file, "ada")

	must(t, file.refresh(t.Context()))
	if verifies(t, p, file, "ada") != first {
		t.Error("the token was refreshed long before its expiry")
	}
	data, err := file.read()
	must(t, err)
	must(t, file.write(data, oidc.Tokens{Bearer: first, Refresh: data.Refresh, Expires: time.Now().Add(30 * time.Second)}))
	must(t, file.refresh(t.Context()))
	if verifies(t, p, file, "ada") == first {
		t.Error("the token was not refreshed before its expiry")
	}

	data, err = file.read()
	must(t, err)
	var out bytes.Buffer
	must(t, Run(t.Context(), []string{"logout"}, func(name string) string { return env[name] }, nil, &out, &out))
	for _, path := range []string{string(file), file.data()} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s after logout: got %v, want no file", path, err)
		}
	}
	native, err := data.native()
	must(t, err)
	if _, err := native.Refresh(t.Context(), data.Refresh); err == nil {
		t.Error("the refresh token is valid after logout")
	}
	if err := Run(t.Context(), []string{"logout"}, func(name string) string { return env[name] }, nil, &out, &out); err == nil {
		t.Error("second logout: got nil, want an error")
	}
}

func TestLoginThatFailsLeavesNoToken(t *testing.T) {
	t.Parallel()
	p := oidctest.Start(t)
	for name, row := range map[string]struct {
		args  []string
		query string // that the browser sends, after the state
		want  string
	}{
		"refused":      {nil, "&error=access_denied", "refused the sign-in"},
		"invalid code": {nil, "&code=x", "exchanging the code"},
		"other issuer": {nil, "&code=x&iss=https://evil.example", "belongs to no attempt"},
		"no answer":    {[]string{"--wait", "100ms"}, "", "the sign-in did not end within 100ms"},
	} {
		file := filepath.Join(t.TempDir(), "token")
		s := startLogin(t, nil, append(row.args, "--token-file", file, "--issuer", p.URL, "--client-id", oidctest.Native)...)
		if row.query != "" {
			r, err := http.NewRequest(http.MethodGet, s.url, nil)
			must(t, err)
			q := r.URL.Query()
			resp, err := http.Get(q.Get("redirect_uri") + "?state=" + q.Get("state") + row.query)
			must(t, err)
			resp.Body.Close()
		}
		if err := <-s.done; err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %s", name, err, row.want)
		}
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got a token file", name)
		}
	}
	p.Stop()
	var out bytes.Buffer
	none := func(string) string { return "" }
	for args, want := range map[string]string{
		"login --token-file t --client-id x --issuer " + p.URL: "connection refused", "login --token-file t --client-id x --issuer http://issuer.example.com": "must be an https URL",
		"login --client-id x --issuer " + p.URL: "set --token-file", "logout": "set --token-file", "logout --token-file /nowhere": "has no token",
	} {
		if err := Run(t.Context(), strings.Fields(args), none, nil, &out, &out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
}

func TestRefreshLeavesOtherTokensAlone(t *testing.T) {
	t.Parallel()
	file := tokenFile(filepath.Join(t.TempDir(), "token"))
	must(t, os.WriteFile(string(file), []byte("ok_key\n"), 0o600))
	must(t, file.refresh(t.Context()))
	must(t, os.WriteFile(file.data(), []byte("{"), 0o600))
	if err := file.refresh(t.Context()); err == nil || !strings.Contains(err.Error(), file.data()) {
		t.Errorf("broken data: got %v, want an error with the path", err)
	}
	must(t, file.write(saved{Issuer: "https://127.0.0.1:1", ClientID: "orders"}, oidc.Tokens{Bearer: "a.b.c", Refresh: "r", Expires: time.Now()}))
	if err := file.refresh(t.Context()); err == nil {
		t.Error("issuer away: got nil, want an error")
	}
	if text, _ := os.ReadFile(string(file)); string(text) != "a.b.c\n" {
		t.Errorf("got file %q, want the old token", text)
	}
}
