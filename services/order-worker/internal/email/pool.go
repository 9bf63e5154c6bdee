package email

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

const (
	defaultConnections = 8
	defaultTimeout     = 30 * time.Second

	// maxIdle is how long a connection may lie in the pool. Servers hang up after one to five minutes.
	maxIdle = 50 * time.Second
)

// pool hands mails over, on few connections that are used again and again: connecting costs more than a mail does.
type pool struct {
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	address string
	host    string
	options []gomail.Option
	slots   chan struct{} // one in it for each mail that is being handed over

	mu     sync.Mutex
	closed bool
	idle   []*connection // the one that was used last is the last, and goes out first: the rest may grow old and go
}

// connection is one conversation with the server. go-mail keeps its socket to itself and looks at no context while it
// waits for an answer; so each connection has a gomail.Client of its own that was handed its socket, and closing the
// socket ends whatever goes on. It also means that mails never wait for each other's locks.
type connection struct {
	socket *socket
	client *gomail.Client
	smtp   *smtp.Client
	since  time.Time // when it was put into the pool
}

// newPool connects to nothing yet.
func newPool(cfg Config) (*pool, error) {
	host, number, err := net.SplitHostPort(cfg.SMTP)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	port, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("mail server %q: the port is no number", cfg.SMTP)
	}
	p := &pool{dial: cfg.Dial, address: cfg.SMTP, host: host, slots: make(chan struct{}, cmp.Or(cfg.Connections, defaultConnections))}
	if p.dial == nil {
		p.dial = new(net.Dialer).DialContext
	}
	p.options = []gomail.Option{
		gomail.WithPort(port), gomail.WithTimeout(cmp.Or(cfg.Timeout, defaultTimeout)), gomail.WithTLSPolicy(gomail.TLSOpportunistic),
		// Neither NOOP before a mail nor RSET after it: each is a round trip. A stale connection shows at MAIL FROM, and
		// the end of DATA resets the server anyway (RFC 5321, 4.1.1.4).
		gomail.WithoutNoop(), gomail.WithoutRset(),
	}
	if cfg.HELO != "" {
		p.options = append(p.options, gomail.WithHELO(cfg.HELO))
	}
	// Connecting uses the options again; what is wrong with them is to be told at the start.
	if _, err := gomail.NewClient(host, p.options...); err != nil {
		return nil, fmt.Errorf("mail server %q: %w", cfg.SMTP, err)
	}
	return p, nil
}

// send returns nil when the server has taken the mail over, else an error that says what to do.
func (p *pool) send(ctx context.Context, m *gomail.Msg) error {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if cause := context.Cause(ctx); cause != nil { // select does not say which was first
		return cause
	}
	if c := p.take(); c != nil {
		err := c.send(ctx, m)
		if !hungUp(err) || ctx.Err() != nil {
			defer p.put(c, err)
			return c.verdict(ctx, m, err)
		}
		// The server left while this connection lay idle, and has seen nothing of the mail: that is no news about the
		// server. The others have lain longer.
		c.socket.Close()
		drop(p.takeAll())
	}
	c, err := p.connect(ctx)
	if err != nil {
		return away(ctx, err)
	}
	err = c.send(ctx, m)
	defer p.put(c, err)
	return c.verdict(ctx, m, err)
}

// send hands over one mail. A context that is cancelled meanwhile closes the socket: go-mail would wait for the answer,
// holding a lock that its own Close needs.
func (c *connection) send(ctx context.Context, m *gomail.Msg) error {
	stop := context.AfterFunc(ctx, func() { c.socket.Close() })
	defer stop()
	c.socket.mail, c.socket.refused = ctx, nil
	defer func() { c.socket.mail = nil }()
	return c.client.SendWithSMTPClient(c.smtp, m)
}

// connect dials and greets. go-mail forgets a socket over which the greeting goes wrong, so it is closed here.
func (p *pool) connect(ctx context.Context) (*connection, error) {
	dialed, err := p.dial(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	socket := &socket{Conn: dialed}
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	defer stop()
	dialled := gomail.WithDialContextFunc(func(context.Context, string, string) (net.Conn, error) { return socket, nil })
	client, err := gomail.NewClient(p.host, append(slices.Clip(p.options), dialled)...)
	if err != nil {
		socket.Close()
		return nil, err
	}
	greeted, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		socket.Close()
		return nil, err
	}
	return &connection{socket: socket, client: client, smtp: greeted}, nil
}

// take returns the connection that was used last, or nil, and drops those that have lain too long.
func (p *pool) take() *connection {
	p.mu.Lock()
	all := p.idle
	young := len(all)
	for young > 0 && time.Since(all[young-1].since) <= maxIdle {
		young--
	}
	var c *connection
	if young < len(all) {
		c, all = all[len(all)-1], all[:len(all)-1]
	}
	p.idle = all[young:]
	p.mu.Unlock()
	drop(all[:young])
	return c
}

// takeAll empties the pool.
func (p *pool) takeAll() []*connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.idle
	p.idle = nil
	return all
}

// put gives a connection back after a mail, unless the way it ended leaves the conversation in doubt.
func (p *pool) put(c *connection, err error) {
	c.since = time.Now()
	if !reusable(err) {
		// Without a goodbye: in the middle of a mail it would be the end of the mail, and the server would take what it has.
		c.socket.Close()
		return
	}
	p.mu.Lock()
	keep := !p.closed
	if keep {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		drop([]*connection{c})
	}
}

// close lets mails go on that are being handed over; put closes their connections.
func (p *pool) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	drop(p.takeAll())
	return nil
}

// drop says goodbye without waiting for the answer. Nothing depends on it, so its errors are nobody's.
func drop(all []*connection) {
	for _, c := range all {
		_ = c.socket.SetDeadline(time.Now().Add(100 * time.Millisecond))
		_ = c.smtp.Text.PrintfLine("QUIT")
		_ = c.socket.Close()
	}
}
