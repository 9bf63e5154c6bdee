package inbox

import (
	"context"
	"net"
	"sync"
	"syscall"
)

// Dial connects to the SMTP server in memory and ignores network and addr. It has the signature of
// net.Dialer.DialContext. It blocks until Run accepts, and fails after Run has ended.
func (in *Inbox) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if in.conns.refused() {
		return nil, dialError(syscall.ECONNREFUSED)
	}
	return in.pipes.dial(ctx)
}

func dialError(err error) error { return &net.OpError{Op: "dial", Net: "pipe", Err: err} }

// pipes is a listener for connections in memory. They are unbuffered, as net.Pipe is: a write waits
// for the other side to read. SMTP without PIPELINING alternates anyway.
type pipes struct {
	dialled chan net.Conn // the server's end of each
	closed  chan struct{}
	once    sync.Once // closes closed
}

func newPipes() *pipes {
	return &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})}
}

// dial blocks until Accept is called.
func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.dialled <- server:
		return client, nil
	case <-p.closed:
		return nil, dialError(syscall.ECONNREFUSED)
	case <-ctx.Done():
		return nil, dialError(context.Cause(ctx))
	}
}

// Accept blocks until dial is called.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialled:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close makes every later dial fail.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr is a placeholder.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// conns are the open SMTP connections. go-smtp has such a list too, but closes it only once, at
// shutdown. A test that simulates outages closes all connections several times.
type conns struct {
	mu     sync.Mutex
	closed bool
	open   map[*conn]struct{}
}

func newConns() *conns { return &conns{open: make(map[*conn]struct{})} }

// shut closes all connections and refuses new ones; with false it accepts new ones again.
func (g *conns) shut(closed bool) {
	g.mu.Lock()
	g.closed = closed
	var cut []*conn
	for c := range g.open {
		if closed {
			cut = append(cut, c)
		}
	}
	g.mu.Unlock()
	for _, c := range cut {
		c.Close() // takes the lock
	}
}

// refused reports whether new connections are refused.
func (g *conns) refused() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// admit adds a connection to the list, unless new connections are refused.
func (g *conns) admit(c net.Conn) (*conn, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, false
	}
	admitted := &conn{Conn: c, of: g}
	g.open[admitted] = struct{}{}
	return admitted, true
}

// conn is a connection that removes itself from the list when it is closed.
type conn struct {
	net.Conn
	of *conns
}

// Close removes the connection from the list and closes it.
func (c *conn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// admitting is a listener that closes new connections while they are refused.
type admitting struct {
	net.Listener
	conns *conns
}

// Accept returns the next connection that is not refused.
func (g admitting) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if admitted, ok := g.conns.admit(c); ok {
			return admitted, nil
		}
		c.Close()
	}
}
