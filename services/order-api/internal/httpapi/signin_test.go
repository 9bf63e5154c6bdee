package httpapi_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/identity/oidc"
	"example.com/orders/services/order-api/internal/identity/session"
)

// TestSignInPagesFollowTheContract: the issuer is away. Package api has the whole sign-in.
func TestSignInPagesFollowTheContract(t *testing.T) {
	t.Parallel()
	quiet := slog.New(slog.DiscardHandler)
	issuer, err := oidc.New(oidc.Config{URL: "http://127.0.0.1:1", Log: quiet})
	must(t, err)
	pages, err := oidc.NewPages(issuer, oidc.PagesConfig{ClientID: "orders", PublicURL: "https://orders.example.com", Sessions: session.New(true, time.Now)})
	must(t, err)
	for _, row := range []struct {
		pages        *oidc.Pages
		method, path string
		status       int
		location     string
	}{
		{nil, "GET", "/sign-in/issuer", 404, ""},
		{nil, "GET", "/sign-in/callback", 404, ""},
		{pages, "GET", "/sign-in/issuer", 503, ""},
		{pages, "HEAD", "/sign-in/issuer", 503, ""},
		{pages, "GET", "/sign-in/issuer?return=//evil.example", 400, ""},
		{pages, "GET", "/sign-in/callback", 400, ""},
		{pages, "GET", "/sign-in/callback?state=a&code=b", 400, ""},
		{pages, "POST", "/sign-in/issuer", 405, ""},
	} {
		s := &shop{}
		end := s.serve(t, httpapi.New(httpapi.Config{Log: quiet, Pages: row.pages}, nil, nil, nil, nil, nil))
		s.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		s.http.Timeout = time.Minute
		resp := s.send(t, s.http, row.method, row.path, "")
		if resp.StatusCode != row.status || resp.Header.Get("Location") != row.location {
			t.Errorf("%s %s: got %s %q, want %d %q", row.method, row.path, resp.Status, resp.Header.Get("Location"), row.status, row.location)
		}
		end()
	}
}
