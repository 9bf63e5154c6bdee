// Package email is the step that mails the customer the confirmation of an order with its invoice,
// or of a refund with its credit note.
//
// # Delivery
//
// A mail is sent at most once, unless it is counted as uncertain. Plan decides Message-ID and date,
// which are the same on every attempt, so that a recipient can detect a duplicate. A pooled
// connection that the server has closed is replaced, but only if nothing of the mail's content was
// sent. The step remembers the mails that the server accepted from this process and does not send
// them again (delivered.go).
//
// # Failures
//
// classify.go decides what an error means for the order:
//   - The connection failed before any content was sent, or the server refuses all mail (421, 530,
//     535 …): it is down for all orders. So is a server whose certificate is refused, that does not
//     offer the required TLS, or that refuses the login (secure.go): nothing of a mail is sent.
//   - The server answered 5xx: the mail failed permanently.
//   - All content was sent and no answer came: the outcome is unknown and the mail is uncertain.
//   - Part of the content was sent, or the server answered 4xx: the attempt failed and the customer
//     has no mail.
//
// After 20 failed attempts in a row, to recipients in three or more domains, further failures count
// as the server being down, until it accepts a mail (refusals.go). One domain alone, with
// greylisting or a full mailbox, does not cause that.
//
// # Templates
//
// The mail has the language of its invoice. Its templates are two layouts, for text and HTML, and
// the words of each language. Files in a folder can replace each of them. A refund has the same
// layouts and replaces some words. New executes all templates with sample orders. Text of the
// customer is encoded in headers, escaped in HTML, and has no control characters.
package email

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"strings"
	"sync"
	"time"

	"example.com/orders/shared/address"
	"example.com/orders/shared/order"
)

// Config is the mail server, the sender and the templates.
type Config struct {
	SMTP   string // host:port of the mail server
	From   string // address of the sender
	Seller string // name of the sender, also the signature; empty: the address

	Contact string   // e-mail address for questions, printed at the foot; or empty
	Phone   string   // printed there too; or empty
	ReplyTo string   // address for answers; empty: that of the sender
	Imprint []string // lines at the foot of each mail; or nil
	Home    string   // country of the shop, which addresses leave out; or empty

	Zone      *time.Location // of the dates in mails; nil: UTC
	Templates string         // folder of templates that replace the embedded ones of the same names; or empty
	ShopURL   string         // of the shop; orders are at /orders/ there. Empty: mails have no link

	TLS          string // none, opportunistic, required, implicit; auto or empty: by the address, see secure.go
	CA           string // file of certificate authorities (PEM) that replace those of the system; or empty
	User         string // for the login, over TLS only; empty: no login
	Password     string // or empty: that of PasswordFile
	PasswordFile string // read for every new connection; or empty

	HELO        string        // name in the greeting; empty: the host name
	Connections int           // maximum number of reserved ones, each for one mail at a time; zero: 8
	Timeout     time.Duration // for connecting, and for sending one mail; zero: 30 s

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: TCP
}

// Step mails invoices and credit notes. It is safe for concurrent use. A call of Do needs a reserved connection.
type Step struct {
	from           netmail.Address
	contact, phone string
	reply          *netmail.Address // or nil: that of the sender
	domain         string           // of the sender
	pool           *pool

	templateSets map[kind]func() templateSet
	shop         *url.URL // or nil
	imprint      []string
	home         string
	zone         *time.Location
	places       *address.Countries

	refusals  refusals
	delivered delivered
	idle      sync.Pool // of *paper
}

// New returns a step. It connects when it sends the first mail, so a server that is down is no
// error yet.
func New(cfg Config) (*Step, error) {
	from, err := netmail.ParseAddress(cfg.From)
	if err != nil {
		return nil, fmt.Errorf("sender %q: %w", cfg.From, err)
	}
	if cfg.Seller != "" {
		from.Name = cfg.Seller
	}
	var reply *netmail.Address
	if cfg.ReplyTo != "" {
		if reply, err = netmail.ParseAddress(cfg.ReplyTo); err != nil {
			return nil, fmt.Errorf("address for answers %q: %w", cfg.ReplyTo, err)
		}
	}
	p, err := newPool(cfg)
	if err != nil {
		return nil, err
	}
	places, err := address.Load()
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	s := &Step{
		from: *from, reply: reply, domain: domain, pool: p, home: cfg.Home, zone: cmp.Or(cfg.Zone, time.UTC), places: places,
		contact: line(cfg.Contact), phone: line(cfg.Phone),
	}
	for _, text := range cfg.Imprint {
		s.imprint = append(s.imprint, line(text))
	}
	if s.shop, err = shopURL(cfg.ShopURL); err != nil {
		return nil, err
	}
	if s.templateSets, err = templateSets(cfg.Templates); err != nil {
		return nil, fmt.Errorf("reading the mail templates: %w", err)
	}
	return s, nil
}

// shopURL parses the URL of the shop. It must be absolute, with http or https.
func shopURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	shop, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("shop: %w", err)
	}
	http := shop.Scheme == "http" || shop.Scheme == "https"
	if !http || shop.Host == "" || shop.RawQuery != "" || shop.Fragment != "" {
		return nil, fmt.Errorf("shop %q: must be like https://shop.example.com", text)
	}
	return shop, nil
}

// Name is the step's name.
func (s *Step) Name() order.Step { return order.StepEmail }

// Intent is the status of an order whose mail is being sent.
func (s *Step) Intent() order.Status { return order.Mailing }

// CountUncertain counts a mail of a planned order whose outcome is unknown, and returns the count.
func (s *Step) CountUncertain(w *order.Work) int {
	w.Progress.Email.Uncertain++
	return w.Progress.Email.Uncertain
}

// Plan decides Message-ID and date, unless an earlier attempt has.
func (s *Step) Plan(_ context.Context, w *order.Work) error {
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

// Reserve reserves a connection for a call of Do, until free is called, once. It blocks while all are reserved. False
// means that stopping was closed or ctx has ended meanwhile: a mail that can be sent at once is sent in any case.
func (s *Step) Reserve(ctx context.Context, stopping <-chan struct{}) (free func(), ok bool) {
	return s.pool.reserve(ctx, stopping)
}

// Do sends the mail with w.Document attached, and returns nil when the server has accepted it. When
// ctx is cancelled, Do closes the connection and returns the cause without a failure class. A mail
// that was sent completely may have been accepted.
func (s *Step) Do(ctx context.Context, w *order.Work) error {
	p := &w.Progress
	if _, shipped := w.Shipping(); !shipped || p.Invoice == nil || p.Email == nil || len(w.Document) == 0 {
		return errors.New("nothing to mail: an earlier step is not finished")
	}
	m, err := s.compose(w)
	if err != nil {
		return err
	}
	defer s.release(m)
	_, domain, _ := strings.Cut(strings.ToLower(m.to), "@")
	if err := s.refusals.observe(domain, s.pool.send(ctx, m)); err != nil {
		return err
	}
	s.delivered.add(keyOf(w))
	return nil
}

// Check composes the mail of an order whose earlier steps are finished, and sends nothing. It reports an
// address or a template that would fail.
func (s *Step) Check(_ context.Context, w *order.Work) error {
	m, err := s.compose(w)
	if err != nil {
		return err
	}
	s.release(m)
	return nil
}

// Delivered reports whether the server accepted the mail of a planned order from this process.
// False means unknown.
func (s *Step) Delivered(w *order.Work) bool { return s.delivered.has(keyOf(w)) }

// Close closes the idle connections. The others close after their mail.
func (s *Step) Close() error { return s.pool.close() }
