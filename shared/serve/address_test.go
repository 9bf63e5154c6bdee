package serve_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"example.com/orders/shared/serve"
)

func TestClientAddrBelievesTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	proxies, err := serve.ParseProxies([]string{"10.0.0.0/8", "2001:db8:1::/48", "192.0.2.7"})
	if err != nil {
		t.Fatal(err)
	}
	const xff, xfp, fwd = "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded"
	for name, row := range map[string]struct {
		peer   string
		header []string
		want   string
		hsts   bool
	}{
		"no proxy":                   {"203.0.113.9:1", nil, "203.0.113.9", false},
		"spoofed without a proxy":    {"203.0.113.9:1", []string{xff, "198.51.100.1", fwd, "for=198.51.100.1;proto=https", xfp, "https"}, "203.0.113.9", false},
		"a proxy":                    {"10.1.2.3:1", []string{xff, "198.51.100.1", xfp, "https"}, "198.51.100.1", true},
		"a proxy, by HTTP":           {"10.1.2.3:1", []string{xff, "198.51.100.1", xfp, "http"}, "198.51.100.1", false},
		"a single address":           {"192.0.2.7:1", []string{xff, "198.51.100.1"}, "198.51.100.1", false},
		"its neighbour":              {"192.0.2.8:1", []string{xff, "198.51.100.1"}, "192.0.2.8", false},
		"spoofed before a proxy":     {"10.1.2.3:1", []string{xff, "127.0.0.1, 198.51.100.1"}, "198.51.100.1", false},
		"spoofed in its own line":    {"10.1.2.3:1", []string{xff, "127.0.0.1", xff, "198.51.100.1"}, "198.51.100.1", false},
		"spoofed proxy":              {"10.1.2.3:1", []string{xff, "127.0.0.1, 10.9.9.9, 198.51.100.1"}, "198.51.100.1", false},
		"two proxies":                {"10.1.2.3:1", []string{xff, "127.0.0.1, 198.51.100.1, 10.0.0.1"}, "198.51.100.1", false},
		"proxies only":               {"10.1.2.3:1", []string{xff, "10.0.0.2, 10.0.0.1"}, "10.0.0.2", false},
		"garbage":                    {"10.1.2.3:1", []string{xff, "198.51.100.1, <script>"}, "10.1.2.3", false},
		"garbage behind a proxy":     {"10.1.2.3:1", []string{xff, "198.51.100.1, unknown, 10.0.0.1"}, "10.0.0.1", false},
		"empty":                      {"10.1.2.3:1", []string{xff, ""}, "10.1.2.3", false},
		"commas":                     {"10.1.2.3:1", []string{xff, "198.51.100.1,,"}, "10.1.2.3", false},
		"a port":                     {"10.1.2.3:1", []string{xff, "198.51.100.1:4711"}, "198.51.100.1", false},
		"IPv6":                       {"[2001:db8:1::1]:1", []string{xff, "2001:db8:2::2"}, "2001:db8:2::2", false},
		"IPv6 with a port":           {"[2001:db8:1::1]:1", []string{xff, "[2001:db8:2::2]:80"}, "2001:db8:2::2", false},
		"IPv4 in IPv6":               {"[::ffff:10.1.2.3]:1", []string{xff, "::ffff:198.51.100.1"}, "198.51.100.1", false},
		"IPv6 zone":                  {"10.1.2.3:1", []string{xff, "fe80::1%eth0"}, "fe80::1", false},
		"Forwarded":                  {"10.1.2.3:1", []string{fwd, `for=127.0.0.1, for="[2001:db8:2::2]:80";proto=https;by=10.1.2.3`}, "2001:db8:2::2", true},
		"Forwarded, another case":    {"10.1.2.3:1", []string{fwd, `Proto=HTTPS; For=198.51.100.1`}, "198.51.100.1", true},
		"Forwarded, hidden":          {"10.1.2.3:1", []string{fwd, `for=_hidden`}, "10.1.2.3", false},
		"Forwarded, quoted comma":    {"10.1.2.3:1", []string{fwd, `for="127.0.0.1, for=198.51.100.1"`}, "198.51.100.1", false},
		"both agree":                 {"10.1.2.3:1", []string{xff, "198.51.100.1", fwd, "for=198.51.100.1", xfp, "https"}, "198.51.100.1", true},
		"Forwarded passed on":        {"10.1.2.3:1", []string{xff, "198.51.100.1", fwd, "for=127.0.0.1;proto=https", xfp, "https"}, "10.1.2.3", false},
		"X-Forwarded-For passed on":  {"10.1.2.3:1", []string{xff, "127.0.0.1", fwd, "for=198.51.100.1"}, "10.1.2.3", false},
		"proto spoofed before proxy": {"10.1.2.3:1", []string{xff, "198.51.100.1", xfp, "https, http"}, "198.51.100.1", false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = row.peer
		for i := 0; i < len(row.header); i += 2 {
			r.Header.Add(row.header[i], row.header[i+1])
		}
		w := httptest.NewRecorder()
		var got string
		proxies.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = serve.ClientAddr(r).String() })).ServeHTTP(w, r)
		if hsts := w.Header().Get("Strict-Transport-Security") != ""; got != row.want || hsts != row.hsts {
			t.Errorf("%s: got %s, HSTS %v; want %s, %v", name, got, hsts, row.want, row.hsts)
		}
		serve.Proxies(nil).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = serve.ClientAddr(r).String() })).ServeHTTP(w, r)
		if bare := serve.ClientAddr(r).String(); got != bare {
			t.Errorf("%s: without proxies got %s, want %s", name, got, bare)
		}
	}
}

func TestParseProxiesRefusesNames(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "proxy.example.com", "10.0.0.0/33", "10.0.0.1:80", "fe80::1%eth0/64"} {
		if _, err := serve.ParseProxies([]string{"10.0.0.0/8", text}); err == nil {
			t.Errorf("%q: got nil, want an error", text)
		}
	}
}
