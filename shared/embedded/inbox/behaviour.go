package inbox

import (
	"context"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/emersion/go-smtp"
)

// Behaviour is what the SMTP server does wrong on purpose. The zero value is a server that works.
type Behaviour struct {
	Down bool // Dial is refused, open connections are cut, and new ones over TCP end before the greeting

	At     string        // where the rest happens: "MAIL", "RCPT", "DATA" (after 354; nothing is kept) or "." (kept, before its answer)
	Late   time.Duration // wait so long,
	HangUp bool          // then cut the connection
	Code   int           // or answer with this code, such as 451; zero: the usual answer
	Times  int           // how often; zero: until the next Behave
}

// Behave makes the server behave so from now on, whoever the recipient is. It replaces the Behaviour given before.
func (in *Inbox) Behave(b Behaviour) {
	in.faults.set(b)
	in.guests.shut(b.Down)
}

// faults hands out the behaviour of the moment.
type faults struct {
	mu   sync.Mutex
	b    Behaviour
	used int
}

func (f *faults) set(b Behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.b, f.used = b, 0
}

// at returns what to do wrong at a command.
func (f *faults) at(command string) Behaviour {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.b.At != command || f.b.Times > 0 && f.used == f.b.Times {
		return Behaviour{}
	}
	f.used++
	return f.b
}

// misbehave does what is to be done wrong at a command. A nil error is the usual answer.
func (s *session) misbehave(command string) error {
	b := s.in.faults.at(command)
	if !s.in.wait(b.Late) {
		return errEnding
	}
	if b.HangUp {
		s.conn.Conn().Close()
		return &smtp.SMTPError{Code: 421, Message: "nobody reads this"}
	}
	if b.Code != 0 {
		return &smtp.SMTPError{Code: b.Code, Message: "as the test asked"}
	}
	return nil
}

// wait reports whether the time passed before the inbox ended.
func (in *Inbox) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-late.C:
		return true
	case <-in.ending:
		return false
	}
}

// Dial connects to the SMTP server in memory; network and addr are ignored. It has the shape of net.Dialer.DialContext, waits for Run, and is refused after it.
func (in *Inbox) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if in.guests.refused() {
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: syscall.ECONNREFUSED}
	}
	return in.pipes.dial(ctx)
}

// pipes is a listener for connections in memory.
type pipes struct {
	dialled chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func newPipes() *pipes {
	return &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.dialled <- server:
		return client, nil
	case <-p.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: context.Cause(ctx)}
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

// guests are the open SMTP connections, so that all can be cut at once.
type guests struct {
	mu     sync.Mutex
	closed bool
	open   map[*guest]struct{}
}

func newGuests() *guests { return &guests{open: make(map[*guest]struct{})} }

// shut cuts every connection and admits no further one, or admits them again.
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
		c.Close()
	}
}

func (g *guests) refused() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// gate is a listener that admits only while the server is up.
func (g *guests) gate(l net.Listener) net.Listener { return &gate{l, g} }

type gate struct {
	net.Listener
	guests *guests
}

// Accept hangs up on whoever calls while the server is down.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if guest, admitted := g.guests.admit(c); admitted {
			return guest, nil
		}
		c.Close()
	}
}

func (g *guests) admit(c net.Conn) (net.Conn, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, false
	}
	guest := &guest{Conn: c, leave: g.leave}
	g.open[guest] = struct{}{}
	return guest, true
}

func (g *guests) leave(c *guest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, c)
}

type guest struct {
	net.Conn
	leave func(*guest)
}

// Close also forgets the connection.
func (c *guest) Close() error {
	c.leave(c)
	return c.Conn.Close()
}
