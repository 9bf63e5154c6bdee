//go:build synctests

package httpapi_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/apikey"
	"example.com/orders/services/order-api/internal/identity/oidc"
	"example.com/orders/services/order-api/internal/identity/session"
	"example.com/orders/shared/wire"
)

// keyed is an API whose browsers sign in with API keys.
type keyed struct {
	*shop
	path string
	age  atomic.Int64 // by how much the clock of sessions is ahead, in nanoseconds
}

func withKeys(t *testing.T) *keyed {
	t.Helper()
	k := &keyed{path: filepath.Join(t.TempDir(), "keys.yaml")}
	must(t, apikey.Init(k.path))
	store, err := apikey.Open(k.path, slog.New(slog.DiscardHandler))
	must(t, err)
	go func() { _ = store.Run(t.Context()) }() // ends with the test
	sessions := session.New(false, func() time.Time { return time.Now().Add(time.Duration(k.age.Load())) })
	k.shop = setup(t, withPages(t), func(c *httpapi.Config) {
		c.Auth, c.Keys, c.Sessions, c.Guests = identity.Chain{Keys: store, Sessions: sessions}, store, sessions, true
	})
	return k
}

// key creates a key, and waits until it is in force.
func (k *keyed) key(t *testing.T, role identity.Role, expires time.Time) (text, id string) {
	t.Helper()
	text, key, err := apikey.Create(k.path, identity.Principal{ID: "ann-" + string(role), Name: "Ann <b>", Role: role}, expires)
	must(t, err)
	time.Sleep(time.Second) // virtual: the file is read again
	return text, key.ID
}

// signsIn signs a browser in.
func (b *reader) signsIn(key, back, want string) {
	b.t.Helper()
	if status, body, to := b.post("/sign-in", url.Values{"api_key": {" " + key + "\n"}, "return": {back}}); status != http.StatusSeeOther || to != want {
		b.t.Fatalf("sign-in: got %d to %q %s, want %s", status, to, body, want)
	}
}

func TestABrowserSignsInWithAKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := withKeys(t)
		key, id := k.key(t, identity.Operator, time.Time{})
		b := k.reader(t, "")
		if status, _, to := b.get("/desk?step=email"); status != http.StatusSeeOther || to != "/sign-in?return=%2Fdesk%3Fstep%3Demail" {
			t.Errorf("got %d to %q, want the sign-in", status, to)
		}
		body := b.opened("/sign-in?return=%2Fdesk%3Fstep%3Demail", `value="/desk?step=email"`, `type="password"`, "API key")
		if strings.Contains(body, "Single sign-on") {
			t.Error("there is no issuer, but a button for it")
		}
		if body := b.refused("/sign-in", url.Values{"api_key": {"ok_wrong_key"}, "return": {"/desk"}}, 401, "The key is not valid", `aria-invalid="true"`, `value="/desk"`); strings.Contains(body, "ok_wrong_key") {
			t.Error("the page has the key")
		}
		b.refused("/sign-in", nil, 401, "The key is not valid")
		b.signsIn(key, "/desk", "/desk")
		b.opened("/desk", "Nothing is dead", "Ann &lt;b&gt;")
		b.opened("/sign-in", "You are signed in as")
		if status, _, _ := b.get("/desk/audit"); status != http.StatusForbidden {
			t.Errorf("audit trail for an operator: got %d, want 403", status)
		}
		account := b.opened("/account", "with the role operator", "Replay dead letters", "This browser", "API key", "operator:ann-operator")
		if strings.Contains(account, "Edit, discard") || strings.Contains(account, "ordersctl keys") || strings.Contains(account, `class="env"`) || strings.Contains(account, key) {
			t.Error("the account has what an operator may not do or see")
		}
		_, err := apikey.Revoke(k.path, id)
		must(t, err)
		time.Sleep(time.Second) // virtual: the file is read again
		if status, _, to := b.get("/desk"); status != http.StatusSeeOther || !strings.HasPrefix(to, "/sign-in?") {
			t.Errorf("revoked: got %d to %q, want the sign-in", status, to)
		}
		b.opened("/sign-in", "API key")
		b.opened("/", "Sign in") // a guest again
		acts := k.Records(t, k.Topics.Desk)
		if len(acts) < 3 {
			t.Fatalf("got %d acts, want the sign-ins", len(acts))
		}
		refused := 0
		for _, r := range acts {
			act, err := wire.ReadAct(r)
			must(t, err)
			if act.Kind == "sign-in" && act.Outcome == wire.Refused && act.Problem == "unauthenticated" {
				refused++
			}
			if strings.Contains(string(r.Value), key) {
				t.Error("the audit trail has the key")
			}
		}
		if refused != 2 {
			t.Errorf("got %d refused sign-ins in the audit trail, want two", refused)
		}
	})
}

func TestASessionOfAKeyEndsWithIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := withKeys(t)
		for name, row := range map[string]struct{ expires, idle time.Duration }{"expired": {time.Minute, 2 * time.Minute}, "idle": {24 * time.Hour, 31 * time.Minute}} {
			key, _ := k.key(t, identity.Viewer, time.Now().Add(row.expires))
			b := k.reader(t, "")
			b.signsIn(key, "", "/")
			b.opened("/desk")
			time.Sleep(row.idle)
			if status, _, _ := b.get("/desk"); status != http.StatusSeeOther {
				t.Errorf("%s: got %d, want the sign-in", name, status)
			}
		}
	})
}

// TestASessionTellsWhenItEnds: to look is no use of the session, "stay" is one, and nothing extends it beyond 8 hours.
func TestASessionTellsWhenItEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := withKeys(t)
		key, _ := k.key(t, identity.Customer, time.Time{})
		b := k.reader(t, "")
		pass := func(d time.Duration) { k.age.Add(int64(d)) } // for sessions alone: what else ticks for eight hours uses 25 s of the processor
		left := func(want string) {
			t.Helper()
			if _, body, _ := b.get("/sign-in/left"); body != want {
				t.Errorf("the session lasts %q, want %q", body, want)
			}
		}
		left("0 0")
		b.signsIn(key, "", "/")
		b.opened("/", `data-left="1800"`, "Stay signed in")
		pass(28 * time.Minute)
		left("120 1800")
		for range 16 {
			if status, body, _ := b.post("/account/sessions", url.Values{"act": {"stay"}}); status != http.StatusOK || body != "1800 1800" {
				t.Fatalf("stay: got %d %q, want 30 minutes more", status, body)
			}
			pass(27 * time.Minute)
		}
		if _, body, _ := b.post("/account/sessions", url.Values{"act": {"stay"}}); body != "1200 1200" {
			t.Errorf("stay after 7:40 hours: got %q, want the rest of 8 hours", body)
		}
		pass(20 * time.Minute)
		left("0 0")
		if status, _, _ := b.post("/account/sessions", url.Values{"act": {"stay"}}); status != http.StatusUnauthorized {
			t.Errorf("stay after the end: got %d, want 401", status)
		}
	})
}

// TestAFormIsKeptUntilTheSignIn: what a form sends after the session has ended is shown after the sign-in, in the browser that
// sent it, for 15 minutes. It is done when it is sent again.
func TestAFormIsKeptUntilTheSignIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := withKeys(t)
		key, _ := k.key(t, identity.Operator, time.Time{})
		b, other := k.reader(t, ""), k.reader(t, "")
		b.signsIn(key, "", "/")
		time.Sleep(31 * time.Minute)
		note := url.Values{"text": {"\nLook at <b>it</b>"}}
		if status, _, to := b.post("/desk/groups/cause_aaaaaaaaaaaaaaaa/note", note); status != http.StatusSeeOther || to != "/sign-in?return=%2Fsign-in%2Fresume" {
			t.Fatalf("got %d to %q, want the sign-in", status, to)
		}
		b.opened("/sign-in?return=%2Fsign-in%2Fresume", "What you sent was not done. It is kept")
		other.signsIn(key, "/sign-in/resume", "/sign-in/resume")
		other.opened("/sign-in/resume", "Nothing is kept here.")
		b.signsIn(key, "/sign-in/resume", "/sign-in/resume")
		b.opened("/sign-in/resume", "Look at &lt;b&gt;it&lt;/b&gt;", `action="/desk/groups/cause_aaaaaaaaaaaaaaaa/note"`, "<textarea name=\"text\" hidden>\n\nLook at")
		time.Sleep(15 * time.Minute)
		b.opened("/sign-in/resume", "Nothing is kept here.")
		time.Sleep(31 * time.Minute)
		b.refused("/desk/groups/cause_aaaaaaaaaaaaaaaa/note", url.Values{"text": {strings.Repeat("a", 65<<10)}}, 401)
	})
}

func TestKeysCannotBeGuessed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := withKeys(t)
		key, _ := k.key(t, identity.Viewer, time.Time{})
		b := k.reader(t, "")
		for range 20 {
			b.refused("/sign-in", url.Values{"api_key": {"ok_a_b"}}, 401)
		}
		b.refused("/sign-in", url.Values{"api_key": {key}}, 429, "too many invalid credentials")
		time.Sleep(2 * time.Second)
		b.signsIn(key, "", "/")
	})
}

// TestSignInReturnsToPathsOfThisProgramOnly: the page, and the form.
func TestSignInReturnsToPathsOfThisProgramOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := withKeys(t)
		key, _ := k.key(t, identity.Viewer, time.Time{})
		b := k.reader(t, "")
		for _, to := range []string{"//evil.example", `/\evil.example`, "https://evil.example", "https:", "javascript:alert(1)", "evil", "/\tevil", "/" + strings.Repeat("a", 2048)} {
			if status, _, at := b.get("/sign-in?" + url.Values{"return": {to}}.Encode()); status != http.StatusBadRequest || at != "" {
				t.Errorf("page, %q: got %d to %q, want 400", to, status, at)
			}
			if status, _, at := b.post("/sign-in", url.Values{"return": {to}, "api_key": {key}}); status != http.StatusBadRequest || at != "" {
				t.Errorf("form, %q: got %d to %q, want 400", to, status, at)
			}
		}
		b.signsIn(key, "/orders?status=dead#a", "/orders?status=dead#a")
	})
}

func TestSessionsEndOneByOneAndAllAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := withKeys(t)
		key, _ := k.key(t, identity.Admin, time.Time{})
		first, second := k.reader(t, ""), k.reader(t, "")
		first.signsIn(key, "", "/")
		second.signsIn(key, "", "/")
		body := second.opened("/account", "API keys", "ordersctl keys revoke", "active")
		for _, id := range regexp.MustCompile(`name="id" value="(\w+)"`).FindAllStringSubmatch(body, -1) {
			if !strings.Contains(body[strings.LastIndex(body[:strings.Index(body, id[0])], "<tr"):strings.Index(body, id[0])], "This browser") {
				second.acted("/account/sessions", url.Values{"id": {id[1]}}, "The session was ended.")
			}
		}
		if status, _, _ := first.get("/desk"); status != http.StatusSeeOther {
			t.Errorf("the ended session: got %d, want the sign-in", status)
		}
		second.opened("/desk")
		second.refused("/account/sessions", nil, 422)
		first.opened("/sign-in")
		first.signsIn(key, "", "/")
		if status, _, to := second.post("/account/sessions", url.Values{"act": {"all"}}); status != http.StatusSeeOther || to != "/sign-in?done=out" {
			t.Errorf("end all: got %d to %q, want the sign-in", status, to)
		}
		for _, b := range []*reader{first, second} {
			if status, _, _ := b.get("/desk"); status != http.StatusSeeOther {
				t.Errorf("after the end of all: got %d, want the sign-in", status)
			}
		}
		second.signsIn(key, "", "/")
		second.acted("/sign-out", nil, "You are signed out.")
		if status, _, _ := second.post("/account/sessions", url.Values{"act": {"all"}}); status != http.StatusUnauthorized {
			t.Errorf("a guest ends sessions: got %d, want 401", status)
		}
	})
}

func TestSettingsAreKeptInTheBrowser(t *testing.T) {
	t.Parallel()
	s := setup(t, withPages(t))
	b := s.reader(t, "")
	b.opened("/account", "There is no sign-in here.", "See API keys", "Without sign-in there are no sessions.")
	b.opened("/sign-in", "runs without sign-in", "Demo operator", `<span class="env">demo</span>`, "order-api ")
	b.acted("/account", url.Values{"theme": {"dark"}}, `data-theme="dark"`, `data-keys="off"`, "were saved")
	if body := b.acted("/account", url.Values{"theme": {"system"}, "keys": {"on"}}); strings.Contains(body, "data-theme") || strings.Contains(body, "data-keys") {
		t.Error("the settings of before are kept")
	}
	b.refused("/account", url.Values{"theme": {"red"}}, 422)
	b.refused("/account", nil, 422)
}

func TestPagesOfTheAccountByRole(t *testing.T) {
	t.Parallel()
	s := guarded(t, withPages(t))
	for who, want := range map[string][2]int{"guest": {200, 401}, "customer": {200, 303}, "viewer": {200, 303}, "support": {200, 303}, "operator": {200, 303}, "editor": {200, 303}, "admin": {200, 303}, "janitor": {403, 403}} {
		auth := "Bearer " + who
		if who == "guest" {
			auth = ""
		}
		b := s.reader(t, auth)
		if status, body, _ := b.get("/account"); status != want[0] || strings.Contains(body, "See API keys") != (who == "admin") {
			t.Errorf("%s: got %d, want %d", who, status, want[0])
		}
		if status, _, _ := b.post("/account/sessions", url.Values{"id": {"x"}}); status != want[1] {
			t.Errorf("%s ends a session: got %d, want %d", who, status, want[1])
		}
	}
}

// TestSignOutLeadsToTheIssuerWithoutARedirect: browsers block a redirect of a form to another origin.
func TestSignOutLeadsToTheIssuerWithoutARedirect(t *testing.T) {
	t.Parallel()
	quiet, sessions := slog.New(slog.DiscardHandler), session.New(false, time.Now)
	issuer, err := oidc.New(oidc.Config{URL: "http://127.0.0.1:1", Log: quiet})
	must(t, err)
	pages, err := oidc.NewPages(issuer, oidc.PagesConfig{ClientID: "orders", PublicURL: "http://127.0.0.1:2", Sessions: sessions})
	must(t, err)
	s := setup(t, withPages(t), func(c *httpapi.Config) {
		c.Auth, c.Pages, c.Sessions = identity.Chain{Sessions: sessions}, pages, sessions
	})
	b := s.reader(t, "")
	b.opened("/sign-in?return=/desk", "Sign in with your organisation", `href="/sign-in/issuer?return=%2Fdesk"`)
	who := identity.Principal{ID: "ann", Role: identity.Viewer}
	w := &recorder{header: http.Header{}}
	sessions.Begin(w, must1(http.NewRequest(http.MethodGet, "/", nil)), session.Session{Principal: who, EndAt: func() string { return "https://issuer.example/end?a=b&c=d" }})
	home := must1(url.Parse(s.url))
	b.Jar.SetCookies(home, (&http.Response{Header: w.header}).Cookies())
	b.opened("/account", "This browser", "Sign out")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/sign-out", nil)
	must(t, err)
	resp, err := b.Do(r)
	must(t, err)
	if body := text(t, resp); resp.StatusCode != 200 || resp.Header.Get("Refresh") != "0; url=https://issuer.example/end?a=b&c=d" || !strings.Contains(body, `href="https://issuer.example/end?a=b&amp;c=d"`) {
		t.Errorf("got %s %v %s, want a page that leads to the issuer", resp.Status, resp.Header, body)
	}
	if status, _, _ := b.get("/orders"); status != http.StatusSeeOther {
		t.Errorf("signed out: got %d, want the sign-in", status)
	}
}

// recorder keeps the headers of an answer.
type recorder struct{ header http.Header }

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) Write(b []byte) (int, error) { return len(b), nil }
func (w *recorder) WriteHeader(int)             {}

func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
