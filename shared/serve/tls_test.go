package serve_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/shared/config"
	"example.com/orders/shared/serve"
)

// pairFiles are the files of a certificate and its key.
type pairFiles struct{ cert, key string }

func newPair(t *testing.T) pairFiles {
	t.Helper()
	dir := t.TempDir()
	return pairFiles{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// write writes a new pair with a serial number, and returns the texts.
func (f pairFiles) write(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	fatal(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	fatal(t, err)
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	put(t, f.cert, cert)
	put(t, f.key, key)
	return cert, key
}

func put(t *testing.T, path string, text []byte) {
	t.Helper()
	fatal(t, os.WriteFile(path, text, 0o600))
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pipeListener accepts connections of net.Pipe, in a synctest bubble.
type pipeListener chan net.Conn

func (l pipeListener) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l pipeListener) Close() error { close(l); return nil }
func (pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

// dial returns the client's end of a new connection.
func (l pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l <- server
	return client
}

// serial connects and returns the serial number of the server's certificate.
func (l pipeListener) serial(t *testing.T, secured net.Listener) int64 {
	t.Helper()
	client, server := net.Pipe()
	go func() { l <- server }() // ends with Accept
	accepted, err := secured.Accept()
	fatal(t, err)
	handshake := make(chan error, 1)
	go func() { handshake <- accepted.(*tls.Conn).Handshake() }() // ends with that of the client
	c := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	fatal(t, errors.Join(c.Handshake(), <-handshake))
	client.Close()
	accepted.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestCertificateFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		files, log, ln := newPair(t), new(bytes.Buffer), make(pipeListener)
		files.write(t, 1)
		secured, err := serve.Secure(ln, files.cert, files.key, slog.New(slog.NewTextHandler(log, nil)))
		fatal(t, err)
		expect := func(what string, want int64, warned int) {
			t.Helper()
			if got := ln.serial(t, secured); got != want {
				t.Errorf("%s: got certificate %d, want %d", what, got, want)
			}
			if got := strings.Count(log.String(), "the old one stays in use"); got != warned {
				t.Errorf("%s: got %d warnings, want %d:\n%s", what, got, warned, log)
			}
		}
		expect("at the start", 1, 0)
		_, newKey := files.write(t, 2)
		expect("within a second", 1, 0)
		time.Sleep(time.Second)
		expect("after a second", 2, 0)
		cert, _ := files.write(t, 3)
		put(t, files.key, newKey) // of the one before
		for range 3 {             // one warning for all handshakes
			time.Sleep(time.Second)
			expect("another key", 2, 1)
		}
		put(t, files.cert, cert[:100])
		time.Sleep(time.Second)
		expect("half a certificate", 2, 2)
		fatal(t, os.Remove(files.key))
		time.Sleep(time.Second)
		expect("no key", 2, 3)
		if !strings.Contains(log.String(), files.key) || !strings.Contains(log.String(), files.cert) {
			t.Errorf("got log %s, want the names of the files", log)
		}
		files.write(t, 4)
		time.Sleep(time.Second)
		expect("mended", 4, 3)
	})
}

func TestSecureRefusesAnUnusablePair(t *testing.T) {
	t.Parallel()
	files, other := newPair(t), newPair(t)
	files.write(t, 1)
	other.write(t, 2)
	for _, pair := range []pairFiles{{files.cert, other.key}, {files.cert, files.cert}, {files.cert, "/nowhere"}, {t.TempDir(), files.key}} {
		if _, err := serve.Secure(nil, pair.cert, pair.key, nil); err == nil || !strings.Contains(err.Error(), pair.cert) && !strings.Contains(err.Error(), pair.key) {
			t.Errorf("%v: got %v, want an error that names a file", pair, err)
		}
	}
}

// TestHTTPSServesStreamsAndDeadlines reads a stream while it is written, past the write timeout of a handler that
// extends it, and to its end at the shutdown.
func TestHTTPSServesStreamsAndDeadlines(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ln := make(pipeListener)
				client, url, stop := overHTTPS(t, ln, protocol == "HTTP/2.0")
				client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) { return ln.dial(), nil }
				servesStreamsAndDeadlines(t, protocol, client, url, stop)
			})
		})
	}
}

func servesStreamsAndDeadlines(t *testing.T, protocol string, client *http.Client, url string, stop func() error) {
	t.Helper()
	resp, err := client.Get(url)
	fatal(t, err)
	defer resp.Body.Close()
	if resp.Proto != protocol || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("got %s with headers %v, want %s with HSTS", resp.Proto, resp.Header, protocol)
	}
	first := make([]byte, len("event 1\n"))
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "event 1\n" {
		t.Errorf("got %q, %v; want the first event at once", first, err)
	}
	late := &slow{first: "{", wait: make(chan struct{})} // a body that does not end
	defer close(late.wait)
	if resp, err := client.Post(url, "application/json", late); err != nil || resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("slow body: got %v, %v; want 408", resp, err)
	}
	time.Sleep(5 * time.Minute) // past the write timeout
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }() // ends when the stream is read
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "end\n" {
		t.Errorf("got %q, %v; want the end of the stream", rest, err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: got %v, want nil", err)
	}
}

// slow is a request body that ends when wait is closed.
type slow struct {
	first string
	wait  chan struct{}
}

func (s *slow) Read(p []byte) (int, error) {
	if s.first != "" {
		n := copy(p, s.first)
		s.first = ""
		return n, nil
	}
	<-s.wait
	return 0, io.EOF
}

// overHTTPS serves a stream on the connections of a listener.
func overHTTPS(t *testing.T, ln net.Listener, http2 bool) (client *http.Client, url string, stop func() error) {
	t.Helper()
	files := newPair(t)
	cert, _ := files.write(t, 1)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	secured, err := serve.Secure(ln, files.cert, files.key, slog.New(slog.DiscardHandler))
	fatal(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	h := serve.Guard(config.Access{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(w)
		if err := control.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Errorf("deadline: %v", err)
		}
		fmt.Fprintln(w, "event 1")
		_ = control.Flush()
		<-ctx.Done()
		fmt.Fprintln(w, "end")
	}))
	go func() { done <- serve.Run(ctx, secured, serve.Proxies(nil).Handler(h), time.Minute) }() // ends with cancel
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}, ForceAttemptHTTP2: http2}
	t.Cleanup(func() {
		cancel()
		transport.CloseIdleConnections()
	})
	return &http.Client{Transport: transport}, "https://" + ln.Addr().String(), func() error { cancel(); return <-done }
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	_, url, _ := overHTTPS(t, listen(t, "127.0.0.1:0"), false)
	address := strings.TrimPrefix(url, "https://")
	_, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("got %v, want the version refused", err)
	}
	resp, err := http.Get("http://" + address)
	fatal(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("HTTP without TLS: got %s, want 400", resp.Status)
	}
}
