package httpapi_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/shared/config"
)

func TestDocsLoadOnlyFromTheProgram(t *testing.T) {
	t.Parallel()
	s := setup(t)
	page := s.send(t, s.http, "GET", "/", "") // redirected
	if page.Request.URL.Path != "/docs" || page.StatusCode != http.StatusOK {
		t.Fatalf("got %s at %s, want the page at /docs", page.Status, page.Request.URL)
	}
	policy := page.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "script-src 'self';") || strings.Contains(policy, "unsafe") {
		t.Errorf("got policy %q, want scripts of this program only", policy)
	}
	links := regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(text(t, page), -1)
	if len(links) != 3 {
		t.Errorf("got links %v, want 3", links)
	}
	for _, link := range append(links, []string{"", "/openapi.yaml"}, []string{"", "/docs/LICENSE"}) {
		resp := s.send(t, s.http, "GET", link[1], "")
		if resp.StatusCode != http.StatusOK || len(text(t, resp)) == 0 {
			t.Errorf("%s: got %s, want it to be there", link[1], resp.Status)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for path, want := range map[string]string{
		"/healthz/live":  `{"status":"live"}`,
		"/healthz/ready": `{"status":"ready","lag":0,"stale_states":0,"blocked":[]}`,
	} {
		if got := strings.TrimSpace(text(t, s.send(t, s.http, "GET", path, ""))); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestReadyMeansThatClientsReachKafka(t *testing.T) {
	t.Parallel()
	away := func(context.Context) error { return errors.New("connection refused") }
	h := httpapi.New(httpapi.Config{Log: slog.New(slog.DiscardHandler), Ready: away}, nil, nil, nil, nil, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost/healthz/ready", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "no client can connect to Kafka") {
		t.Errorf("got %d %s, want 503 and why", w.Code, w.Body)
	}
}

func TestPanicIsAProblemAndALogLine(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h := httpapi.New(httpapi.Config{Log: slog.New(slog.NewTextHandler(&log, nil))}, nil, nil, nil, nil, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost/v1/products", nil))
	const want = `{"type":"/problems/internal","title":"Internal server error","status":500}`
	if w.Code != http.StatusInternalServerError || w.Body.String() != want {
		t.Errorf("got %d %s, want 500 %s", w.Code, w.Body, want)
	}
	if name := w.Header().Get("X-Request-Id"); !strings.Contains(log.String(), "nil pointer") || !strings.Contains(log.String(), name) {
		t.Errorf("got log %q, want the panic and request %s", log.String(), name)
	}
}

// hosts are what a Host header may name, and the status that answers it.
func hosts(t *testing.T, access config.Access, want map[string]int) {
	t.Helper()
	h := httpapi.New(httpapi.Config{Log: slog.New(slog.DiscardHandler), Access: access}, nil, nil, nil, nil, nil)
	for host, status := range want {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/healthz/live", nil)
		r.Host = host
		h.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("host %q: got %d, want %d", host, w.Code, status)
		}
	}
}

func TestRemoteAPIAnswersToItsNamesOnly(t *testing.T) {
	t.Parallel()
	hosts(t, config.Access{AllowRemote: true, AllowedHosts: []string{"api.example.com"}}, map[string]int{
		"api.example.com": 200, "API.example.com.:443": 200, "localhost:80": 200, "127.0.0.1": 200,
		"evil.example": 421, "x.api.example.com": 421, "api.example.com.evil.example": 421, "10.0.0.1:8080": 421,
	})
}

func TestOnlyNamesOfThisMachineAreLocal(t *testing.T) {
	t.Parallel()
	hosts(t, config.Access{}, map[string]int{
		"localhost": 200, "localhost:8080": 200, "127.0.0.1:8080": 200, "127.9.9.9": 200, "[::1]:8080": 200, "[::1]": 200,
		"evil.example": 421, "localhost.evil.example:8080": 421, "192.168.0.1:8080": 421, "127.0.0.1.evil.example": 421, "": 421,
	})
}
