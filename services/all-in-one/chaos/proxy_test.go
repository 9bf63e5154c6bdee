package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// echo is a server that returns what it receives.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c) // ends with the connection
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return ln.Addr().String()
}

func startProxy(t *testing.T) *proxy {
	t.Helper()
	p, err := newProxy(t.Context(), "127.0.0.1:0", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- p.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the proxy ended with %v", err)
		}
	})
	return p
}

func (p *proxy) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask sends a line and returns the answer.
func ask(c net.Conn, line string) (string, error) {
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(c).ReadString('\n')
}

func TestProxyPassesOn(t *testing.T) {
	t.Parallel()
	p := startProxy(t)
	for range 3 {
		if got, err := ask(p.dial(t), "hello"); got != "hello\n" || err != nil {
			t.Errorf("got %q, %v; want what was sent", got, err)
		}
	}
}

func TestProxyCutsAndComesBack(t *testing.T) {
	t.Parallel()
	p := startProxy(t)
	open := p.dial(t)
	if _, err := ask(open, "hello"); err != nil {
		t.Fatal(err)
	}
	p.cut(true)
	if got, err := ask(open, "still there?"); err == nil {
		t.Errorf("an open connection: got %q, want it cut", got)
	}
	if got, err := ask(p.dial(t), "anybody?"); err == nil {
		t.Errorf("a new connection: got %q, want it closed", got)
	}
	p.cut(false)
	if got, err := ask(p.dial(t), "back?"); got != "back?\n" || err != nil {
		t.Errorf("afterwards: got %q, %v; want an answer", got, err)
	}
}

func TestProxyClosesBothEnds(t *testing.T) {
	t.Parallel()
	p := startProxy(t)
	c := p.dial(t)
	if _, err := ask(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(c); err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end", err)
	}
}

func TestProxySlowsDown(t *testing.T) {
	t.Parallel()
	p := startProxy(t)
	c := p.dial(t)
	const latency = 40 * time.Millisecond
	p.delay(delay{latency: latency})
	began := time.Now()
	if _, err := ask(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 2*latency {
		t.Errorf("got an answer after %s, want at least %s: there and back", took, 2*latency)
	}
	for _, row := range []struct {
		delay delay
		bytes int
		want  time.Duration
	}{
		{delay{}, 1000, 0},
		{delay{latency: time.Second}, 1000, time.Second},
		{delay{rate: 500}, 1000, 2 * time.Second},
		{delay{time.Second, 500}, 1000, 3 * time.Second},
	} {
		if got := row.delay.of(row.bytes); got != row.want {
			t.Errorf("%+v of %d bytes: got %s, want %s", row.delay, row.bytes, got, row.want)
		}
	}
}
