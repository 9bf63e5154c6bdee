// Package oidctest runs an OpenID provider for tests, in a process of its own: the test binary,
// started again. The provider is that of github.com/zitadel/oidc, which is certified by the OpenID
// Foundation, with its example storage and its login form.
//
// A test can stop, freeze and start the process, make it change its keys, and let it sign any
// claims. Everybody signs in with the password "secret"; the user name is the subject, and the claim
// groups lists it.
package oidctest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// The clients of the provider. Any redirect URI on 127.0.0.1 is theirs.
const (
	Client       = "orders" // with the secret below
	ClientSecret = "client secret & more"
	Native       = "ordersctl" // a public client that gets refresh tokens
)

// variable has the address of the provider, in its process.
const variable = "ORDERS_TEST_OIDC_PROVIDER"

// Main is the main function of a test binary whose tests use Start.
func Main(m *testing.M) {
	if address := os.Getenv(variable); address != "" {
		provide(address)
		return
	}
	os.Exit(m.Run())
}

// Provider is a running provider.
type Provider struct {
	URL   string // its issuer identifier
	cmd   *exec.Cmd
	stdin io.Closer // ends the process
}

// Start starts a provider, which ends with the test.
func Start(t *testing.T) *Provider {
	t.Helper()
	p := &Provider{}
	p.Restart(t)
	t.Cleanup(p.Stop)
	return p
}

// Restart starts a stopped provider on the same address, with a new key.
func (p *Provider) Restart(t *testing.T) {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	address := strings.TrimPrefix(p.URL, "http://")
	if address == "" {
		address = "127.0.0.1:0"
	}
	p.cmd = exec.Command(exe)
	p.cmd.Env = append(os.Environ(), variable+"="+address)
	p.stdin, err = p.cmd.StdinPipe()
	must(t, err)
	stdout, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	must(t, err)
	p.URL = strings.TrimSpace(line)
}

// Stop ends the process.
func (p *Provider) Stop() {
	if p.cmd != nil {
		p.Thaw()
		p.stdin.Close()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// Freeze stops the process from answering; connections to it stay open. Thaw ends that.
func (p *Provider) Freeze() {
	_ = p.cmd.Process.Signal(syscall.SIGSTOP)
	// Signals are asynchronous: wait until the process has stopped.
	_, _ = syscall.Wait4(p.cmd.Process.Pid, nil, syscall.WUNTRACED, nil)
}

// Thaw lets a frozen process continue.
func (p *Provider) Thaw() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// Rotate makes the provider sign with a new key of an algorithm, and publish it. keep lets it
// publish the old keys as well.
func (p *Provider) Rotate(t *testing.T, algorithm string, keep bool) {
	t.Helper()
	query := url.Values{"alg": {algorithm}}
	if keep {
		query.Set("keep", "yes")
	}
	p.order(t, "/test/rotate?"+query.Encode(), nil)
}

// Sign returns a token with any claims and additional headers that the provider signs with its
// current key.
func (p *Provider) Sign(t *testing.T, claims, header map[string]any) string {
	t.Helper()
	return p.order(t, "/test/sign", map[string]any{"claims": claims, "header": header})
}

// KeyRequests is how often somebody has fetched the keys.
func (p *Provider) KeyRequests(t *testing.T) string {
	t.Helper()
	return p.order(t, "/test/key-requests", nil)
}

// order sends a request to the part of the process that obeys tests.
func (p *Provider) order(t *testing.T, path string, body any) string {
	t.Helper()
	text, err := json.Marshal(body)
	must(t, err)
	resp, err := http.Post(p.URL+path, "application/json", bytes.NewReader(text)) //nolint:noctx // the process is that of the test
	must(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %s %s", path, resp.Status, answer)
	}
	return string(answer)
}

// Browser returns an HTTP client with cookies that follows no redirects.
func Browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// SignIn signs a user in at the provider, in the browser that was sent to an authorization URL. It
// returns the URL to which the provider sends the browser.
func (p *Provider) SignIn(t *testing.T, browser *http.Client, authorize, user string) string {
	t.Helper()
	next := p.follow(t, browser, http.MethodGet, authorize, nil)
	resp, err := browser.Get(p.absolute(next)) //nolint:noctx // as above
	must(t, err)
	page, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	must(t, err)
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindSubmatch(page)
	if id == nil {
		t.Fatalf("got no login form: %s", page)
	}
	form := url.Values{"id": {string(id[1])}, "username": {user}, "password": {"secret"}}
	next = p.follow(t, browser, http.MethodPost, p.URL+"/login/username", form)
	return p.follow(t, browser, http.MethodGet, p.absolute(next), nil)
}

func (p *Provider) absolute(location string) string {
	if strings.HasPrefix(location, "/") {
		return p.URL + location
	}
	return location
}

// follow sends a request and returns the Location of its answer.
func (p *Provider) follow(t *testing.T, browser *http.Client, method, address string, form url.Values) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	must(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := browser.Do(r)
	must(t, err)
	defer resp.Body.Close()
	location := resp.Header.Get("Location")
	if location == "" {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s %s: got %s %s, want a redirect", method, address, resp.Status, body)
	}
	return location
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
