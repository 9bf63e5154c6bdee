package oidc_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/oidc"
	"example.com/orders/services/order-api/internal/identity/oidc/oidctest"
	"example.com/orders/services/order-api/internal/identity/session"
)

// site serves the pages on a socket.
type site struct {
	*relying
	*oidc.Pages
	url string
}

func serve(t *testing.T) *site {
	t.Helper()
	s := &site{relying: start(t)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := s.handle(w, r)
		for text, status := range map[error]int{
			session.ErrReturn: 400, oidc.ErrAttempt: 400, oidc.ErrRefused: 403, oidc.ErrNoRole: 403, identity.ErrUnavailable: 503,
		} {
			if errors.Is(err, text) {
				http.Error(w, err.Error(), status)
				return
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	var err error
	s.Pages, err = oidc.NewPages(s.Issuer, oidc.PagesConfig{ClientID: oidctest.Client, ClientSecret: oidctest.ClientSecret, PublicURL: s.url, Sessions: session.New(false, s.Issuer.Now)})
	must(t, err)
	return s
}

func (s *site) handle(w http.ResponseWriter, r *http.Request) error {
	switch r.URL.Path {
	case oidc.BeginPath:
		return s.SignIn(w, r)
	case "/sign-in/callback":
		return s.Callback(w, r, func(identity.Principal) error { return nil })
	case "/sign-out":
		to := s.url + "/"
		if ended := s.Sessions.End(w, r); ended.EndAt != nil {
			if at := ended.EndAt(); at != "" {
				to = at
			}
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
		return nil
	}
	p, err := s.Sessions.Authenticate(r)
	w.Header().Set("Principal", p.ID+" "+p.Name+" "+string(p.Role))
	return err
}

// get returns the status and the headers of a page.
func (s *site) get(t *testing.T, browser *http.Client, address string) (int, http.Header) {
	t.Helper()
	resp, err := browser.Get(address)
	must(t, err)
	resp.Body.Close()
	return resp.StatusCode, resp.Header
}

// begin starts a sign-in, and returns the authorization URL.
func (s *site) begin(t *testing.T, browser *http.Client, path string) string {
	t.Helper()
	status, header := s.get(t, browser, s.url+oidc.BeginPath+"?"+url.Values{"return": {path}}.Encode())
	if status != http.StatusSeeOther {
		t.Fatalf("sign-in: got %d, want a redirect", status)
	}
	return header.Get("Location")
}

// signIn signs a user in, and returns the headers of the last answer.
func (s *site) signIn(t *testing.T, browser *http.Client, user, path string) http.Header {
	t.Helper()
	back := s.Provider.SignIn(t, browser, s.begin(t, browser, path), user)
	status, header := s.get(t, browser, back)
	if status != http.StatusSeeOther || header.Get("Location") != s.url+path {
		t.Fatalf("callback: got %d %s, want a redirect to %s", status, header.Get("Location"), path)
	}
	return header
}

// who returns the status of a page, and whom it is for.
func (s *site) who(t *testing.T, browser *http.Client) (int, string) {
	t.Helper()
	status, header := s.get(t, browser, s.url+"/")
	_, name, _ := strings.Cut(strings.TrimSpace(header.Get("Principal")), " ")
	return status, name
}

// isSignedIn fails the test unless the pages are for somebody; "" is a guest.
func (s *site) isSignedIn(t *testing.T, what string, browser *http.Client, want string) {
	t.Helper()
	if status, name := s.who(t, browser); status != http.StatusOK || name != want {
		t.Errorf("%s: got %d %q, want %q", what, status, name, want)
	}
}

func TestBrowserSignsInAndOut(t *testing.T) {
	t.Parallel()
	s, browser := serve(t), oidctest.Browser(t)
	s.isSignedIn(t, "before", browser, "")
	authorize := s.begin(t, browser, "/orders?status=dead")
	query, err := url.Parse(authorize)
	must(t, err)
	if q := query.Query(); q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("state") == "" || q.Get("nonce") == "" ||
		q.Get("response_type") != "code" || q.Get("scope") != "openid profile" {
		t.Errorf("got %s, want a code flow with PKCE, state and nonce", authorize)
	}
	header := s.signIn(t, browser, "orders-ops", "/orders?status=dead")
	want := `^session=[\w-]{43}; Path=/; HttpOnly; SameSite=Lax$`
	if cookies := header.Values("Set-Cookie"); len(cookies) != 2 || !strings.HasPrefix(cookies[0], "sign-in=; ") || !regexp.MustCompile(want).MatchString(cookies[1]) {
		t.Errorf("got cookies %q, want one deleted and %s", cookies, want)
	}
	s.isSignedIn(t, "signed in", browser, "Ada orders-ops operator")
	resp, err := browser.Post(s.url+"/sign-out", "", nil)
	must(t, err)
	resp.Body.Close()
	out, err := url.Parse(resp.Header.Get("Location"))
	must(t, err)
	if q := out.Query(); !strings.HasPrefix(out.String(), s.Provider.URL+"/end_session?") || q.Get("post_logout_redirect_uri") != s.url+"/" || q.Get("id_token_hint") == "" {
		t.Errorf("got %s, want the end of the session at the issuer", out)
	}
	if status, header := s.get(t, browser, out.String()); status != http.StatusFound || header.Get("Location") != s.url+"/" {
		t.Errorf("the issuer answered %d %s, want that it sends the browser back", status, header.Get("Location"))
	}
	s.isSignedIn(t, "signed out", browser, "")
}

func TestSessionsExpire(t *testing.T) {
	t.Parallel()
	s, browser := serve(t), oidctest.Browser(t)
	ended := func(what string) {
		t.Helper()
		if status, _ := s.who(t, browser); status != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", what, status)
		}
	}
	s.signIn(t, browser, "ada", "/")
	for range 3 {
		s.clock.advance(29 * time.Minute)
		s.isSignedIn(t, "in use", browser, "Ada ada customer")
	}
	s.clock.advance(31 * time.Minute)
	ended("idle")
	s.connect(t, s.Provider.URL)
	var err error
	s.clock.set(time.Now())
	s.Pages, err = oidc.NewPages(s.Issuer, oidc.PagesConfig{ClientID: oidctest.Client, ClientSecret: oidctest.ClientSecret, PublicURL: s.url, Sessions: session.New(false, s.Issuer.Now)})
	must(t, err)
	ended("unknown after a restart")
	s.signIn(t, browser, "ada", "/")
	for range 16 {
		s.isSignedIn(t, "in use", browser, "Ada ada customer")
		s.clock.advance(29*time.Minute + 59*time.Second)
	}
	s.clock.advance(time.Minute)
	ended("after 8 hours")
}

func TestCallbackBelongsToTheBrowserThatBegan(t *testing.T) {
	t.Parallel()
	s := serve(t)
	victim, attacker := oidctest.Browser(t), oidctest.Browser(t)
	refused := func(what string, browser *http.Client, address string) {
		t.Helper()
		status, header := s.get(t, browser, address)
		for _, cookie := range header.Values("Set-Cookie") {
			if strings.HasPrefix(cookie, "session=") {
				t.Errorf("%s: got cookie %q", what, cookie)
			}
		}
		if status != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", what, status)
		}
	}
	planted := s.Provider.SignIn(t, attacker, s.begin(t, attacker, "/"), "mallory")
	refused("login CSRF, without an attempt", victim, planted)
	own := s.Provider.SignIn(t, victim, s.begin(t, victim, "/"), "ada")
	refused("login CSRF, during an attempt", victim, planted)
	u, err := url.Parse(own)
	must(t, err)
	change := func(name, value string) string {
		q := u.Query()
		q.Set(name, value)
		return s.url + "/sign-in/callback?" + q.Encode()
	}
	for name, address := range map[string]string{
		"no state": change("state", ""), "other state": change("state", "x"), "two states": own + "&state=x", "nothing": s.url + "/sign-in/callback",
		"an error without an attempt": s.url + "/sign-in/callback?error=access_denied",
	} {
		refused(name, victim, address)
	}
	if status, _ := s.get(t, victim, own); status != http.StatusSeeOther {
		t.Errorf("the real answer: got %d, want 303: forged ones must not end the attempt", status)
	}
	refused("replayed", victim, own)
	s.isSignedIn(t, "victim", victim, "Ada ada customer")
	s.isSignedIn(t, "attacker", attacker, "")

	for name, set := range map[string][2]string{
		"code of another attempt": {"code", must1(url.Parse(planted)).Query().Get("code")}, "invalid code": {"code", "x"}, "no code": {"code", ""}, "other issuer": {"iss", "https://evil.example"},
	} {
		u = must1(url.Parse(s.Provider.SignIn(t, victim, s.begin(t, victim, "/"), "ada")))
		refused(name, victim, change(set[0], set[1]))
		refused(name+", then the real one", victim, u.String())
	}
	s.isSignedIn(t, "victim", victim, "Ada ada customer")
}

func must1[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestAttemptExpires(t *testing.T) {
	t.Parallel()
	s, browser := serve(t), oidctest.Browser(t)
	back := s.Provider.SignIn(t, browser, s.begin(t, browser, "/"), "ada")
	s.clock.advance(10 * time.Minute)
	if status, _ := s.get(t, browser, back); status != http.StatusBadRequest {
		t.Errorf("got %d, want 400", status)
	}
}

func TestOneAttemptMakesOneSession(t *testing.T) {
	t.Parallel()
	s, browser := serve(t), oidctest.Browser(t)
	back := s.Provider.SignIn(t, browser, s.begin(t, browser, "/"), "ada")
	var all sync.WaitGroup
	var mu sync.Mutex
	got := map[int]int{}
	for range 8 {
		all.Go(func() {
			status, _ := s.get(t, browser, back)
			mu.Lock()
			defer mu.Unlock()
			got[status]++
		})
	}
	all.Wait()
	if diff := cmp.Diff(map[int]int{303: 1, 400: 7}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// TestSessionCannotBeFixed: a cookie that somebody else has set never becomes a session, and a
// sign-in ends the session before it.
func TestSessionCannotBeFixed(t *testing.T) {
	t.Parallel()
	s, browser := serve(t), oidctest.Browser(t)
	home := must1(url.Parse(s.url))
	browser.Jar.SetCookies(home, []*http.Cookie{{Name: "session", Value: "chosen", Path: "/"}})
	if status, _ := s.who(t, browser); status != http.StatusUnauthorized {
		t.Errorf("chosen ID: got %d, want 401", status)
	}
	s.signIn(t, browser, "ada", "/")
	first := browser.Jar.Cookies(home)[0]
	if first.Value == "chosen" {
		t.Error("the session has the ID that the cookie had")
	}
	s.signIn(t, browser, "orders-ops", "/")
	s.isSignedIn(t, "second", browser, "Ada orders-ops operator")
	old := oidctest.Browser(t)
	old.Jar.SetCookies(home, []*http.Cookie{first})
	if status, _ := s.who(t, old); status != http.StatusUnauthorized {
		t.Errorf("session before the sign-in: got %d, want 401", status)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range []*http.Cookie{browser.Jar.Cookies(home)[0], first} {
		r.AddCookie(c)
	}
	if p, err := s.Sessions.Authenticate(r); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("two session cookies: got %+v, %v; want ErrCredentials", p, err)
	}
}

func TestOnlyPathsOfThisProgramAreReturnedTo(t *testing.T) {
	t.Parallel()
	s, browser := serve(t), oidctest.Browser(t)
	for _, path := range []string{
		"//evil.example", "///evil.example", "https://evil.example", "http:evil.example", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "/\n/evil.example", "javascript:alert(1)",
		"evil.example", "/é", "/a b", "/%zz", "/" + strings.Repeat("a", 2048), "?a", "#a", ".", "/\x00",
	} {
		status, header := s.get(t, browser, s.url+oidc.BeginPath+"?"+url.Values{"return": {path}}.Encode())
		if status != http.StatusBadRequest || header.Get("Location") != "" || header.Get("Set-Cookie") != "" {
			t.Errorf("%q: got %d to %q, want 400", path, status, header.Get("Location"))
		}
	}
	for _, path := range []string{"/", "/orders/ord_1?a=b&c=//d#e", "/%2f%2fevil.example", "/.//evil.example", "/@evil.example", "/a:b"} {
		s.signIn(t, browser, "ada", path)
	}
}

func TestSignInNeedsTheIssuer(t *testing.T) {
	t.Parallel()
	s, browser := serve(t), oidctest.Browser(t)
	s.Stop()
	if status, _ := s.get(t, browser, s.url+oidc.BeginPath); status != http.StatusServiceUnavailable {
		t.Errorf("away: got %d, want 503", status)
	}
	s.Restart(t)
	s.clock.advance(6 * time.Second)
	s.signIn(t, browser, "ada", "/")
	again := oidctest.Browser(t)
	back := s.Provider.SignIn(t, again, s.begin(t, again, "/"), "ada")
	s.Freeze()
	if status, _ := s.get(t, again, back); status != http.StatusServiceUnavailable {
		t.Errorf("slow: got %d, want 503", status)
	}
	s.isSignedIn(t, "session during the outage", browser, "Ada ada customer")
	resp, err := browser.Post(s.url+"/sign-out", "", nil)
	must(t, err)
	resp.Body.Close()
	s.isSignedIn(t, "signed out during the outage", browser, "")
}

func TestRefusalOfTheIssuerIsShown(t *testing.T) {
	t.Parallel()
	s, browser := serve(t), oidctest.Browser(t)
	state := must1(url.Parse(s.begin(t, browser, "/"))).Query().Get("state")
	if status, _ := s.get(t, browser, s.url+"/sign-in/callback?error=access_denied&state="+state); status != http.StatusForbidden {
		t.Errorf("refused: got %d, want 403", status)
	}
	s.Issuer.Roles.Default = "none"
	back := s.Provider.SignIn(t, browser, s.begin(t, browser, "/"), "ada")
	if status, _ := s.get(t, browser, back); status != http.StatusForbidden {
		t.Errorf("without a role: got %d, want 403", status)
	}
	s.isSignedIn(t, "without a role", browser, "")
}

func TestSignInBeginsAtThePublicAddress(t *testing.T) {
	t.Parallel()
	s, browser := serve(t), oidctest.Browser(t)
	local := strings.Replace(s.url, "127.0.0.1", "localhost", 1)
	status, header := s.get(t, browser, local+oidc.BeginPath+"?return=/orders")
	if want := s.url + oidc.BeginPath + "?return=%2Forders"; status != http.StatusSeeOther || header.Get("Location") != want {
		t.Errorf("got %d %s, want a redirect to %s", status, header.Get("Location"), want)
	}
}

func TestCookiesOverHTTPSAreForThisHostOnly(t *testing.T) {
	t.Parallel()
	r := start(t)
	pages, err := oidc.NewPages(r.Issuer, oidc.PagesConfig{ClientID: oidctest.Client, PublicURL: "https://orders.example.com/", Sessions: session.New(true, r.Issuer.Now)})
	must(t, err)
	w := httptest.NewRecorder()
	must(t, pages.SignIn(w, httptest.NewRequest(http.MethodGet, "/sign-in", nil)))
	want := `^__Host-sign-in=[\w-]{43}; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax$`
	if got := w.Header().Get("Set-Cookie"); !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("got %s, want %s", got, want)
	}
	location := must1(url.Parse(w.Header().Get("Location"))).Query()
	if got := location.Get("redirect_uri"); got != "https://orders.example.com/sign-in/callback" {
		t.Errorf("got redirect URI %s", got)
	}
	w = httptest.NewRecorder()
	pages.Sessions.End(w, httptest.NewRequest(http.MethodPost, "/sign-out", nil))
	if got := w.Header().Get("Set-Cookie"); got != "__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax" {
		t.Errorf("signed out: got cookie %s", got)
	}
	for _, bad := range []string{"", "orders.example.com", "http://orders.example.com", "https://orders.example.com/shop", "https://a@orders.example.com", "https://orders.example.com?a"} {
		if _, err := oidc.NewPages(r.Issuer, oidc.PagesConfig{PublicURL: bad}); err == nil {
			t.Errorf("%q: got nil, want an error", bad)
		}
	}
}
