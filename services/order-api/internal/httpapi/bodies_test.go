//go:build synctests

package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// hanging are requests whose body never arrives, or arrives at a byte per second.
var hanging = map[string]string{
	"order":               "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n",
	"order in chunks":     "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n",
	"order, when asked":   "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n",
	"read":                "GET /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n",
	"events":              "GET /v1/orders/ord_x/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n",
	"foreign host":        "POST /v1/orders HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100\r\n\r\n",
	"foreign origin":      "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nContent-Length: 100\r\n\r\n",
	"foreign type":        "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n",
	"no such path":        "POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n",
	"no such method":      "DELETE /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n",
	"too large":           "POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n",
	"options of the host": "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n",
}

func TestIncompleteBodyTimesOut(t *testing.T) {
	t.Parallel()
	for name, head := range hanging {
		for _, drip := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, dripping %v", name, drip), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					status, took := setup(t).hang(t, head, drip)
					if status != http.StatusRequestTimeout || took > 16*time.Second {
						t.Errorf("got status %d and the end of the connection after %v, want 408 within 16s", status, took)
					}
				})
			})
		}
	}
}

// hang sends the start of a request, and optionally a byte per second. It returns the status of the
// response and when the connection was closed, at most ten minutes later.
func (s *shop) hang(t *testing.T, head string, drip bool) (status int, closed time.Duration) {
	t.Helper()
	conn, err := s.dial(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	must(t, err)
	defer conn.Close()
	begun := time.Now()
	must(t, conn.SetDeadline(begun.Add(10*time.Minute)))
	sending := make(chan struct{})
	go func() { // ends with the connection
		defer close(sending)
		_, err := io.WriteString(conn, head)
		for drip && err == nil {
			time.Sleep(time.Second)
			_, err = conn.Write([]byte("x"))
		}
	}()
	defer func() { <-sending }()
	defer conn.Close()
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err == nil && resp.StatusCode == http.StatusContinue {
		resp, err = http.ReadResponse(in, nil)
	}
	if err != nil {
		t.Errorf("got no answer: %v", err)
		return 0, time.Since(begun)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	_, _ = io.Copy(io.Discard, in) // until it is closed
	return resp.StatusCode, time.Since(begun)
}
