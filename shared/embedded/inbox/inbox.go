// Package inbox is a mail catcher for trying and testing: an SMTP server that keeps what it is given and delivers
// nothing, an API in the shape of Mailpit's, and a page to read the mails. It is not for production: whoever can reach
// it can send and read.
//
// A mail is on disk, synced, before it is answered with 250. The last 10,000 mails are kept with their bodies, each an
// .eml file that a mail program opens; how often each Message-ID was delivered is kept for ever in journal.ndjson, so
// that a test can say "mailed once" long after the mail is gone. Both survive a kill: a torn last line of the journal is
// cut off, and a file without its line was never acknowledged and goes.
//
// Some addresses make it behave like the servers one meets:
//
//	…@refused.test   every RCPT is answered 550 5.1.1
//	…@busy.test      a Message-ID is answered 451 4.3.0 twice, after DATA, then accepted; a restart does not count anew
//	…@slow.test      the answer to DATA takes five seconds
//
// The folder is one inbox's own, whatever else the processes share: while one is open, a second on the folder is ErrInUse.
// It holds mails/0000000001.eml, mails/0000000002.eml, … and journal.ndjson, which carries the lock, and where each line is
// a mail that was accepted or was answered busy.
//
// Tests program further faults with [Inbox.Behave]. Inside a testing/synctest bubble, where sockets never become idle,
// they reach the SMTP server through [Inbox.Dial] and the API through [Inbox.ServeHTTP].
package inbox

import (
	"context"
	"errors"
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

// Config says where an inbox listens and keeps its mails. The zero value listens nowhere and keeps them in memory.
type Config struct {
	SMTP string       // address of the SMTP server, such as "127.0.0.1:1025"; empty: only Dial reaches it
	HTTP string       // address of the API and the page; empty: only ServeHTTP reaches them
	Dir  string       // made when missing; empty: the last 1,000 mails, in memory
	Log  *slog.Logger // or nil

	Access config.Access // who may reach both addresses, and by which names
}

// Inbox is a mail catcher. Its methods are safe for concurrent use.
type Inbox struct {
	log     *slog.Logger
	access  config.Access
	mails   *store
	smtp    *smtp.Server
	handler http.Handler
	pages   *template.Template

	// The SMTP server accepts from both listeners, and guests has all that they accepted.
	pipes   *pipes
	smtpTCP net.Listener // or nil
	httpTCP net.Listener // or nil
	guests  *guests

	faults faults
	ending chan struct{} // closed when Run ends: nobody waits on purpose any longer
}

// ErrInUse is returned by Open when another process holds the folder: two inboxes would give their mails the same numbers.
var ErrInUse = errors.New("in use by another process")

// maxMail bounds one mail; a longer one is answered 552. It is in memory while it is received.
const maxMail = 10 << 20

// grace is how long a reader of the page has to end when Run ends.
const grace = time.Second

// Open reads what an earlier inbox left in the folder, and starts to listen: clients can connect at once and are served when Run is called.
func Open(cfg Config) (*Inbox, error) {
	in := &Inbox{log: cfg.Log, access: cfg.Access, pages: pages(), guests: newGuests(), pipes: newPipes(), ending: make(chan struct{})}
	if in.log == nil {
		in.log = slog.New(slog.DiscardHandler)
	}
	in.handler = in.routes()
	in.smtp = in.server()

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
	return serve.Open(context.Background(), address, access) // it waits for nothing
}

// abandon frees what Open has taken so far.
func (in *Inbox) abandon(err error) error {
	if in.smtpTCP != nil {
		in.smtpTCP.Close()
	}
	in.mails.close()
	return err
}

// SMTPAddr is the address that the SMTP server listens on, with its actual port, or empty.
func (in *Inbox) SMTPAddr() string { return address(in.smtpTCP) }

// HTTPAddr is the address that the API and the page listen on, with its actual port, or empty.
func (in *Inbox) HTTPAddr() string { return address(in.httpTCP) }

// address is empty for no listener.
func address(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// Run serves until ctx is cancelled, then cuts every SMTP connection and returns nil within seconds. A mail that was not
// answered yet may have been kept, as with any server that goes away. An inbox runs once.
func (in *Inbox) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return in.smtp.Serve(gate{in.pipes, in.guests}) })
	if in.smtpTCP != nil {
		g.Go(func() error { return in.smtp.Serve(gate{in.smtpTCP, in.guests}) })
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

// end makes the SMTP server's goroutines return, and waits for them.
func (in *Inbox) end() {
	close(in.ending)
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	// Cut first: Shutdown waits for idle connections too, and go-smtp's Close does nothing after it.
	in.guests.shut(true)
	if err := in.smtp.Shutdown(ctx); err != nil {
		in.log.Debug("ending the smtp server", slog.Any(telemetry.Error, err))
	}
	// Shutdown does not know a listener whose Serve had not begun when ctx was cancelled.
	in.pipes.Close()
	if in.smtpTCP != nil {
		in.smtpTCP.Close()
	}
}

// ServeHTTP answers a request for the API or the page, whatever host it names.
func (in *Inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) { in.handler.ServeHTTP(w, r) }

// Deliveries is how often each Message-ID was accepted, since the folder was made.
func (in *Inbox) Deliveries() map[string]int {
	return maps.Collect(in.mails.deliveries(0))
}
