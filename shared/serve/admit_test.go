package serve_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/config"
	"example.com/orders/shared/serve"
)

// admit serves a handler that answers "admitted" on the connections of a listener.
func admit(t *testing.T, access config.Access, ln net.Listener) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, "admitted ", string(body), err)
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve.Run(ctx, ln, serve.Guard(access, mux), time.Minute) }() // ends with stop
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// say sends text over a connection, and returns the status and everything received until the
// connection is closed.
func say(t *testing.T, conn net.Conn, text string) (status int, body string) {
	t.Helper()
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err == nil {
		_, err = io.ReadAll(in)
	}
	if err != nil {
		t.Errorf("%q: got %v, want the end of the connection", text, err)
	}
	return resp.StatusCode, string(all)
}

// TestUnfinishedBodyTimesOut tests Run and Guard.
func TestUnfinishedBodyTimesOut(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]int{
		"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n":                408,
		"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{":               408,
		"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n":    408,
		"GET / HTTP/1.0\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n":                408,
		"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n":               408,
		"POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100\r\n\r\n":            408,
		"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n":           408,
		"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n":            408,
		"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\nContent-Length: 100\r\n\r\n": 417,
	} {
		t.Run(head, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ln, began := make(pipeListener), time.Now()
				admit(t, config.Access{}, ln)
				got, _ := say(t, ln.dial(), head)
				if took := time.Since(began); got != want || took > time.Minute {
					t.Errorf("got %d after %s, want %d", got, took, want)
				}
			})
		})
	}
}

func TestAdmitChecksHostAndOrigin(t *testing.T) {
	t.Parallel()
	ln := listen(t, "127.0.0.1:0")
	admit(t, config.Access{AllowedHosts: []string{"orders.example.com"}}, ln)
	for _, row := range []struct {
		name, head string
		status     int
		body       string
	}{
		{"this machine", "GET / HTTP/1.1\r\nHost: localhost:80\r\n", 200, "admitted <nil>"},
		{"a name that is allowed", "GET / HTTP/1.1\r\nHost: Orders.Example.com:443\r\n", 200, "admitted <nil>"},
		{"no host", "GET / HTTP/1.0\r\n", 421, ""},
		{"another machine's address", "GET / HTTP/1.1\r\nHost: 10.1.2.3\r\n", 421, ""},
		{"a name that is not allowed", "GET / HTTP/1.1\r\nHost: evil.example\r\n", 421, `{"type":"/problems/misdirected","title":"Misdirected request",` +
			`"status":421,"detail":"the Host header must be localhost, an IP address of this server or a name in --allowed-hosts"}` + "\n"},
		{"a name in the request line", "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n", 421, ""},
		{"a page of another origin", "POST / HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n", 403, ""},
		{"a form of another origin", "POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n", 403, ""},
		{"no such method", "POST / HTTP/1.1\r\nHost: localhost\r\n", 405, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", ln.Addr().String())
			fatal(t, err)
			status, body := say(t, conn, row.head+"Connection: close\r\n\r\n")
			if status != row.status || row.body != "" && body != row.body {
				t.Errorf("got %d %s, want %d %s", status, body, row.status, row.body)
			}
		})
	}
}

// TestAdmitAcceptsTheLocalAddress: kubelets and Prometheus use the IP address of a pod, which no
// setting can contain.
func TestAdmitAcceptsTheLocalAddress(t *testing.T) {
	t.Parallel()
	h := serve.Guard(config.Access{AllowRemote: true}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	got := map[string]int{}
	for _, host := range []string{"10.1.2.3:8081", "10.1.2.4:8081", "worker.example:8081"} {
		r := httptest.NewRequest(http.MethodGet, "http://"+host+"/healthz/live", nil)
		at := &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 8081}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, at)))
		got[host] = w.Code
	}
	if diff := cmp.Diff(map[string]int{"10.1.2.3:8081": 200, "10.1.2.4:8081": 421, "worker.example:8081": 421}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRemoteAddressesNeedAllowRemote(t *testing.T) {
	t.Parallel()
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		_, err := serve.Listen(t.Context(), address, "--inbox", "ORDERS_INBOX", config.Access{})
		if want := "--inbox: " + address + " can be reached from other machines"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		ln, err := serve.Listen(t.Context(), address, "--inbox", "ORDERS_INBOX", config.Access{AllowRemote: true})
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
	}
}
