package inbox

import (
	"context"
	"net"
	"sync"
	"syscall"
)

// Dial connects to the SMTP server in memory; network and addr are ignored. It has the shape of net.Dialer.DialContext,
// waits for Run, and is refused after it.
func (in *Inbox) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if in.guests.refused() {
		return nil, dialError(syscall.ECONNREFUSED)
	}
	return in.pipes.dial(ctx)
}

func dialError(err error) error { return &net.OpError{Op: "dial", Net: "pipe", Err: err} }

// pipes is a listener for connections in memory. They are unbuffered: a side that writes waits for the other to read, which
// SMTP without PIPELINING does anyway.
type pipes struct {
	dialled chan net.Conn // the server's end of each
	closed  chan struct{}
	once    sync.Once // closes closed
}

func newPipes() *pipes {
	return &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})}
}

// dial waits until somebody accepts, as a listener with an empty backlog does.
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

// Accept waits for a Dial.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialled:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close refuses every later Dial.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr is that of a pipe.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// guests are the open SMTP connections. go-smtp has such a list too, but cuts it only once, at the end; a server that
// seems to be away and comes back has to cut it whenever a test says so.
type guests struct {
	mu     sync.Mutex
	closed bool
	open   map[*guest]struct{}
}

func newGuests() *guests { return &guests{open: make(map[*guest]struct{})} }

// shut cuts every connection and admits no further one; or it admits them again.
func (g *guests) shut(closed bool) {
	g.mu.Lock()
	g.closed = closed
	var cut []*guest
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

// refused reports whether the server seems to be away.
func (g *guests) refused() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// admit puts a connection on the list, unless the server seems to be away.
func (g *guests) admit(c net.Conn) (*guest, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, false
	}
	admitted := &guest{Conn: c, of: g}
	g.open[admitted] = struct{}{}
	return admitted, true
}

// guest is a connection that its list knows until it is closed.
type guest struct {
	net.Conn
	of *guests
}

// Close also forgets the connection.
func (c *guest) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// gate is a listener that hangs up on whoever calls while the server is down.
type gate struct {
	net.Listener
	guests *guests
}

// Accept waits for somebody to admit.
func (g gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if admitted, ok := g.guests.admit(c); ok {
			return admitted, nil
		}
		c.Close()
	}
}
