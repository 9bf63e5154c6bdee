package email

import (
	"cmp"
	"context"
	"crypto/tls"
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

	// maxIdle is the maximum idle time of a pooled connection. Servers close idle connections after
	// one to five minutes.
	maxIdle = 50 * time.Second
)

// pool sends mails on a few connections, which it reuses: connecting takes longer than a mail.
type pool struct {
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	address string
	host    string
	secure  *security
	options []gomail.Option
	timeout time.Duration // for a mail
	slots   chan struct{} // one element for each reserved connection

	mu     sync.Mutex
	closed bool
	idle   []*connection // last used last; take takes from the end, so that surplus connections expire
}

// connection is an SMTP connection. go-mail hides its socket and ignores the context while it waits
// for an answer. So each connection has its own gomail.Client on a socket of ours, which can be
// closed to end any operation. It also means that mails do not contend for locks.
type connection struct {
	socket  *socket
	smtp    *smtp.Client
	timeout time.Duration // for a mail
	since   time.Time     // when it became idle
}

// newPool returns a pool without connections.
func newPool(cfg Config) (*pool, error) {
	host, number, err := net.SplitHostPort(cfg.SMTP)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	port, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("mail server %q: the port is not a number", cfg.SMTP)
	}
	slots := make(chan struct{}, cmp.Or(cfg.Connections, defaultConnections))
	secure, err := newSecurity(cfg, host, number)
	if err != nil {
		return nil, err
	}
	timeout := cmp.Or(cfg.Timeout, defaultTimeout)
	p := &pool{dial: cfg.Dial, address: cfg.SMTP, host: host, secure: secure, timeout: timeout, slots: slots}
	if p.dial == nil {
		p.dial = new(net.Dialer).DialContext
	}
	p.options = []gomail.Option{
		gomail.WithPort(port),
		gomail.WithTimeout(timeout),
		gomail.WithTLSPolicy(gomail.NoTLS), // security.start does it
	}
	if cfg.HELO != "" {
		p.options = append(p.options, gomail.WithHELO(cfg.HELO))
	}
	// Report invalid options now and not at the first mail.
	if _, err := gomail.NewClient(host, p.options...); err != nil {
		return nil, fmt.Errorf("mail server %q: %w", cfg.SMTP, err)
	}
	return p, nil
}

// reserve is Reserve of a step.
func (p *pool) reserve(ctx context.Context, stopping <-chan struct{}) (free func(), ok bool) {
	free = func() { <-p.slots }
	select {
	case p.slots <- struct{}{}:
		return free, true
	default:
	}
	select {
	case p.slots <- struct{}{}:
		return free, true
	case <-stopping:
	case <-ctx.Done():
	}
	return nil, false
}

// send returns nil when the server has accepted the mail, else an error with its failure class.
func (p *pool) send(ctx context.Context, m *mail) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if c := p.take(); c != nil {
		err := c.send(ctx, m)
		if !hungUp(err) || ctx.Err() != nil {
			defer p.put(c, err)
			return c.classify(ctx, m, err)
		}
		// The server closed the idle connection and has no content of the mail, so a new connection
		// can send it. The other connections have been idle for longer.
		c.socket.Close()
		drop(p.takeAll())
	}
	c, err := p.connect(ctx)
	if err != nil {
		return away(ctx, err)
	}
	err = c.send(ctx, m)
	defer p.put(c, err)
	return c.classify(ctx, m, err)
}

// send sends one mail. Cancelling ctx closes the socket: go-mail would wait for the answer.
func (c *connection) send(ctx context.Context, m *mail) error {
	stop := context.AfterFunc(ctx, func() { c.socket.Close() })
	defer stop()
	c.socket.mail, c.socket.refused = ctx, nil
	defer func() { c.socket.mail = nil }()
	return transmit(c.smtp, m, c.timeout)
}

// connect dials, greets the server, encrypts the connection and signs in. go-mail does not close
// the socket if that fails. The files of the security are read after the server is reached.
func (p *pool) connect(ctx context.Context) (*connection, error) {
	dialed, err := p.dial(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	socket := &socket{Conn: dialed}
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	defer stop()
	c, err := p.greet(ctx, socket)
	if err != nil {
		socket.Close()
		return nil, p.secure.explain(err)
	}
	return c, nil
}

// greet makes a connection that is ready for mails from a socket.
func (p *pool) greet(ctx context.Context, socket *socket) (*connection, error) {
	conf, err := p.secure.config()
	if err != nil {
		return nil, err
	}
	dialer := func(context.Context, string, string) (net.Conn, error) {
		if p.secure.policy == implicit {
			return tls.Client(socket, conf), nil
		}
		return socket, nil
	}
	client, err := gomail.NewClient(p.host, append(slices.Clip(p.options), gomail.WithDialContextFunc(dialer))...)
	if err != nil {
		return nil, err
	}
	greeted, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.secure.start(greeted, conf); err != nil {
		return nil, err
	}
	return &connection{socket: socket, smtp: greeted, timeout: p.timeout}, nil
}

// take returns the last used idle connection, or nil, and drops the expired ones.
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

// put returns a connection to the pool after a mail, unless err leaves the state of the
// conversation unknown.
func (p *pool) put(c *connection, err error) {
	c.since = time.Now()
	if !reusable(err) {
		// Without QUIT: in the middle of DATA it would be part of the mail.
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

// close closes the idle connections. Mails in flight continue; put closes their connections.
func (p *pool) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	drop(p.takeAll())
	return nil
}

// drop sends QUIT on idle connections without waiting for the answer, and closes them. Errors do
// not matter.
func drop(all []*connection) {
	for _, c := range all {
		_ = c.socket.SetDeadline(time.Now().Add(100 * time.Millisecond))
		_ = c.smtp.Text.PrintfLine("QUIT")
		_ = c.socket.Close()
	}
}
