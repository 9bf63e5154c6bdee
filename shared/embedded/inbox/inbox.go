// Package inbox runs a mail server for trying and testing: an SMTP server that stores mails and
// delivers none, an HTTP API in the format of Mailpit's, and web pages that show the mails. It is
// not for production: there is no authentication.
//
// A mail is synced to disk before the server answers 250. The last 10,000 mails are kept, each as
// an .eml file. The number of deliveries of each Message-ID is kept for ever in journal.ndjson, so
// a test can count deliveries after the mail was deleted. Both survive a kill: at the next start,
// an incomplete last line of the journal is cut off, and a file without a line in the journal,
// which was never acknowledged, is deleted.
//
// Recipients of some domains get the answers of a failing server:
//
//	…@refused.test   RCPT is answered 550 5.1.1
//	…@busy.test      DATA is answered 451 4.3.0 twice for each Message-ID, also across restarts, then accepted
//	…@slow.test      the answer to DATA takes five seconds
//
// A directory belongs to one inbox: while it is open, opening another one on it fails with
// filelock.ErrHeld: both would give mails the same numbers. The directory contains
// mails/0000000001.eml, mails/0000000002.eml, … and journal.ndjson, which is also the lock file. Each
// line of the journal is a mail that was accepted or answered with 451.
//
// Tests program other faults with [Inbox.Behave]. In a testing/synctest bubble, where sockets never
// become idle, they use [Inbox.Dial] for SMTP and [Inbox.ServeHTTP] for the API.
package inbox

import (
	"context"
	"crypto/tls"
	"fmt"
	"html/template"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/config"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/telemetry"
)

// Config are the addresses and the data directory of an inbox. The zero value has no listener and
// keeps mails in memory.
type Config struct {
	SMTP string       // address of the SMTP server, such as "127.0.0.1:1025"; empty: only Dial
	HTTP string       // address of the API and the page; empty: only ServeHTTP
	Dir  string       // created if missing; empty: the last 1,000 mails, in memory
	Log  *slog.Logger // or nil

	TLS   *tls.Config                      // STARTTLS is offered; nil: it is not
	Login func(user, password string) bool // a mail needs a login (PLAIN) that it accepts, also without TLS; nil: none

	Shop string // URL of the shop without a slash at the end, for links to its pages; empty: no links

	Access config.Access // for both addresses
}

// Inbox is a mail server that stores mails. Its methods are safe for concurrent use.
type Inbox struct {
	log     *slog.Logger
	access  config.Access
	mails   *store
	smtp    *smtp.Server
	login   func(user, password string) bool // or nil
	shop    string
	handler http.Handler
	pages   *template.Template

	// The SMTP server accepts from both listeners; conns has their open connections.
	pipes   *pipes
	smtpTCP net.Listener // or nil
	httpTCP net.Listener // or nil
	conns   *conns

	faults faults
	ending chan struct{} // closed when Run ends, which ends intended delays
}

// maxMail is the maximum size of a mail in bytes; a larger one is answered 552. Mails are received
// into memory.
const maxMail = 10 << 20

// grace is how long Run waits for open connections when it ends.
const grace = time.Second

// Open reads the mails in the directory and starts to listen. Clients can connect at once; Run
// serves them.
func Open(cfg Config) (*Inbox, error) {
	in := &Inbox{log: cfg.Log, access: cfg.Access, pages: pages(), conns: newConns(), pipes: newPipes(), ending: make(chan struct{})}
	if in.log == nil {
		in.log = slog.New(slog.DiscardHandler)
	}
	in.handler = in.routes()
	in.login, in.shop = cfg.Login, cfg.Shop
	in.smtp = in.server(cfg.TLS)

	var err error
	if in.mails, err = openStore(cfg.Dir); err != nil {
		return nil, err
	}
	if in.smtpTCP, err = listen(cfg.SMTP, cfg.Access); err != nil {
		return nil, in.abandon(fmt.Errorf("inbox: smtp: %w", err))
	}
	if in.httpTCP, err = listen(cfg.HTTP, cfg.Access); err != nil {
		return nil, in.abandon(fmt.Errorf("inbox: http: %w", err))
	}
	return in, nil
}

// listen returns nil for an empty address.
func listen(address string, access config.Access) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	return serve.Open(context.Background(), address, access) // never blocks
}

// abandon closes what Open has opened so far.
func (in *Inbox) abandon(err error) error {
	if in.smtpTCP != nil {
		in.smtpTCP.Close()
	}
	in.mails.close()
	return err
}

// SMTPAddr is the address of the SMTP listener, with its actual port, or empty.
func (in *Inbox) SMTPAddr() string { return address(in.smtpTCP) }

// HTTPAddr is the address of the HTTP listener, with its actual port, or empty.
func (in *Inbox) HTTPAddr() string { return address(in.httpTCP) }

// address is empty for no listener.
func address(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// Run serves until ctx is cancelled, then closes all SMTP connections and returns nil within
// seconds. A mail that was not answered yet may have been stored. An inbox can run once.
func (in *Inbox) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return in.smtp.Serve(admitting{in.pipes, in.conns}) })
	if in.smtpTCP != nil {
		g.Go(func() error { return in.smtp.Serve(admitting{in.smtpTCP, in.conns}) })
	}
	if in.httpTCP != nil {
		g.Go(func() error { return serve.Run(ctx, in.httpTCP, serve.Guard(in.access, in), grace) })
	}
	g.Go(func() error {
		<-ctx.Done()
		in.end()
		return nil
	})
	err := g.Wait()
	in.mails.close()
	return err
}

// end stops the SMTP server and waits for its goroutines.
func (in *Inbox) end() {
	close(in.ending)
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	// Close connections first: Shutdown waits for idle ones too, and go-smtp's Close does nothing
	// after Shutdown.
	in.conns.shut(true)
	if err := in.smtp.Shutdown(ctx); err != nil {
		in.log.Debug("shutting down the SMTP server", slog.Any(telemetry.Error, err))
	}
	// Shutdown does not close a listener whose Serve had not started when ctx was cancelled.
	in.pipes.Close()
	if in.smtpTCP != nil {
		in.smtpTCP.Close()
	}
}

// ServeHTTP handles requests for the API and the pages. It does not check the Host header.
func (in *Inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) { in.handler.ServeHTTP(w, r) }

// Deliveries is how often each Message-ID was accepted since the directory was created.
func (in *Inbox) Deliveries() map[string]int {
	return maps.Collect(in.mails.deliveries(0))
}
