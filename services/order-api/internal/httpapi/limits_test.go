package httpapi_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/identity"
)

// limited is an API without Kafka that limits requests.
type limited struct{ http.Handler }

func newLimited(l httpapi.Limits) limited {
	return limited{httpapi.New(httpapi.Config{Log: slog.New(slog.DiscardHandler), Auth: fromContext{}, Limits: l}, nil, nil, nil, nil, nil)}
}

// fromContext finds the principal that get put into the context.
type fromContext struct{}

func (fromContext) Authenticate(r *http.Request) (identity.Principal, error) {
	return identity.From(r.Context()), nil
}

// get sends a request that needs no Kafka.
func (l limited) get(path, address string, p identity.Principal) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(identity.With(context.Background(), p), "GET", path, nil)
	r.Host, r.RemoteAddr = "localhost", netip.AddrPortFrom(netip.MustParseAddr(address), 4711).String()
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	return w
}

func TestRequestsAreLimitedForEachClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(httpapi.Limits{Rate: 10, GuestRate: 2})
		ann := identity.Principal{ID: "ann", Role: identity.Viewer}
		bob := identity.Principal{ID: "bob", Role: identity.Viewer}
		count := func(address string, p identity.Principal) (accepted int) {
			for range 100 {
				if w := l.get("/v1/dead-letters?limit=none", address, p); w.Code != 429 {
					accepted++
				} else if w.Header().Get("Retry-After") != "1" {
					t.Fatalf("got %v, want Retry-After: 1", w.Header())
				}
			}
			return accepted
		}
		for _, row := range []struct {
			what, address string
			p             identity.Principal
			want          int
		}{
			{"a principal", "192.0.2.1", ann, 20},
			{"the same from elsewhere", "192.0.2.2", ann, 0},
			{"another principal at the same address", "192.0.2.1", bob, 20},
			{"guests of an address", "192.0.2.1", identity.Principal{}, 4},
			{"guests of another address", "192.0.2.2", identity.Principal{}, 4},
			{"guests of a network", "2001:db8::1", identity.Principal{}, 4},
			{"guests of the same network", "2001:db8::2", identity.Principal{}, 0},
			{"guests of another network", "2001:db8:0:1::1", identity.Principal{}, 4},
		} {
			if got := count(row.address, row.p); got != row.want {
				t.Errorf("%s: got %d accepted, want %d", row.what, got, row.want)
			}
		}
		if w := l.get("/healthz/live", "192.0.2.1", identity.Principal{}); w.Code != 200 || w.Header().Get("RateLimit") != "" {
			t.Errorf("probe: got %d, want 200 without a limit", w.Code)
		}
		time.Sleep(time.Second)
		if got := count("192.0.2.1", ann); got != 10 {
			t.Errorf("after a second: got %d accepted, want 10", got)
		}
	})
}

func TestRateLimitHeaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(httpapi.Limits{Rate: 10})
		ann := identity.Principal{ID: "ann", Role: identity.Viewer}
		var last *httptest.ResponseRecorder
		for i := range 21 {
			last = l.get("/v1/dead-letters", "192.0.2.1", ann)
			if got, want := last.Header().Get("RateLimit"), fmt.Sprintf(`"requests";r=%d;t=`, max(19-i, 0)); !strings.HasPrefix(got, want) {
				t.Errorf("request %d: got %q, want %q…", i, got, want)
			}
		}
		want := http.Header{"Ratelimit-Policy": {`"requests";q=20;w=2`}, "Ratelimit": {`"requests";r=0;t=2`}, "Retry-After": {"1"}}
		for name := range want {
			if got := last.Header()[name]; got == nil || got[0] != want[name][0] {
				t.Errorf("%s: got %q, want %q", name, got, want[name])
			}
		}
		if !strings.Contains(last.Body.String(), `"/problems/rate-limit"`) {
			t.Errorf("got %s, want a problem of kind rate-limit", last.Body)
		}
	})
}

func TestNoLimitByDefaultOfConfig(t *testing.T) {
	t.Parallel()
	l := newLimited(httpapi.Limits{})
	for range 1000 {
		if w := l.get("/openapi.yaml", "192.0.2.1", identity.Principal{}); w.Code != 200 || w.Header().Get("RateLimit") != "" {
			t.Fatalf("got %d with %v, want 200 without a limit", w.Code, w.Header())
		}
	}
}
