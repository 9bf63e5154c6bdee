// Package email mails the customer the confirmation of an order with its invoice attached, or that of a refund with its credit note.
//
// A mail cannot be called back, so everything is arranged to send it once. Message-ID and date are settled before
// anything is sent, and are the same on every attempt: whoever gets a mail twice can tell. A connection that the server
// dropped while it lay in the pool is replaced without anybody noticing, but only while nothing of the mail has been
// sent. The step knows which mails this process has seen taken over: they need not be sent again (delivered.go).
//
// What an error means for the order is decided here, in verdict.go, and nowhere else. While nothing of the content was sent,
// the server is away for everyone. When all of it was, and no answer came, the mail is uncertain. In between, and after an
// answer 4xx, the attempt has failed, and the mail is not with the customer. But when that befalls 20 attempts in a row, to
// recipients in three domains or more, with no mail taken over in between, then it is the server and not a recipient: what
// follows is `down` until a mail is taken over (refusals.go). One domain alone, greylisted or full, never makes it so.
//
// The mail is in the language that its invoice was settled in. Its templates are files: two layouts, for text and HTML, and
// the words of each language, all of which a folder can replace. The mail of a refund has the same layouts, and other words for
// some. They are tried when a step is made.
// The customer's words go into the mail as text: encoded in headers, escaped in HTML, without control characters.
package email

import (
	"context"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"strings"
	"time"

	"example.com/orders/shared/order"
)

// Config says whom to hand mails to, and in whose name.
type Config struct {
	SMTP   string // host:port of the mail server; STARTTLS is used when it is offered
	From   string // address of the sender
	Seller string // name of the sender, who also signs; empty: the address does

	Templates string // folder of templates that take the places of the embedded ones of the same names; or empty
	ShopURL   string // where the shop is; its orders are in /orders/ there. Empty: mails have no link

	HELO        string        // what to greet the server with; empty: the host's name
	Connections int           // kept open at most, each for one mail at a time; zero: 8
	Timeout     time.Duration // of connecting, and of handing over one mail; zero: 30 s

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // or nil: TCP
}

// Step mails invoices and credit notes. It is safe for concurrent use; Do waits while all connections are in use.
type Step struct {
	from   netmail.Address
	domain string // of the sender
	pool   *pool

	templateSets map[kind]templateSet
	shop         *url.URL // or nil

	refusals  refusals
	delivered delivered
}

// New returns a step that connects when the first mail is sent: a server that is away is no error yet.
func New(cfg Config) (*Step, error) {
	from, err := netmail.ParseAddress(cfg.From)
	if err != nil {
		return nil, fmt.Errorf("sender %q: %w", cfg.From, err)
	}
	if cfg.Seller != "" {
		from.Name = cfg.Seller
	}
	p, err := newPool(cfg)
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	s := &Step{from: *from, domain: domain, pool: p}
	if s.shop, err = shopURL(cfg.ShopURL); err != nil {
		return nil, err
	}
	if s.templateSets, err = templateSets(cfg.Templates); err != nil {
		return nil, fmt.Errorf("reading the mail templates: %w", err)
	}
	return s, nil
}

// shopURL refuses what no browser would follow.
func shopURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	shop, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("shop: %w", err)
	}
	if shop.Scheme != "http" && shop.Scheme != "https" || shop.Host == "" || shop.RawQuery != "" || shop.Fragment != "" {
		return nil, fmt.Errorf("shop %q: must be like https://shop.example.com", text)
	}
	return shop, nil
}

// Plan settles Message-ID and date, unless an earlier attempt has.
func (s *Step) Plan(_ context.Context, w *order.State) error {
	if w.Progress.Email == nil {
		document := "invoice"
		if w.Order.Refund != nil {
			document = "credit-note"
		}
		w.Progress.Email = &order.Email{
			MessageID: fmt.Sprintf("%s.%s@%s", w.Order.ID, document, s.domain),
			Date:      time.Now().UTC().Truncate(time.Second),
		}
	}
	return nil
}

// Do sends the mail with w.Document attached, and returns nil when the server has taken it over.
// When ctx is cancelled it hangs up and returns the cause, unmarked; a mail whose answer was due may have been taken over.
func (s *Step) Do(ctx context.Context, w *order.State) error {
	p := &w.Progress
	if _, shipped := w.Shipping(); !shipped || p.Invoice == nil || p.Email == nil || len(w.Document) == 0 {
		return errors.New("nothing to mail: an earlier step is not finished")
	}
	m, err := s.compose(w)
	if err != nil {
		return err
	}
	_, domain, _ := strings.Cut(strings.ToLower(m.GetTo()[0].Address), "@")
	if err := s.refusals.judge(domain, s.pool.send(ctx, m)); err != nil {
		return err
	}
	s.delivered.add(keyOf(w))
	return nil
}

// Delivered reports whether this process has seen the mail of an order taken over, after Plan. False means that it does
// not know.
func (s *Step) Delivered(w *order.State) bool { return s.delivered.has(keyOf(w)) }

// Close closes the connections that are not in use; the others close when their mail is through.
func (s *Step) Close() error { return s.pool.close() }
