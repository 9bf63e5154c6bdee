// Package client calls the order API over HTTP.
//
// Methods return a *Problem when the API refuses, and other errors when it cannot be reached. To place an order, or to refund
// one, is safe to repeat with the same idempotency key, and only then; a replay and a cancel are safe to repeat always. Watch
// resumes by itself.
//
// The client trusts its API no further than it must: an answer has a bound for its kind, and a redirection to another host is an
// error, because what was sent may be a secret.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client calls one API. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// Bounds of an answer of each kind: a problem, an invoice (a record in Kafka, of little more than 1 MiB), and other JSON (a page of 200
// orders of 200 lines each is about half of it).
const (
	maxProblem = 1 << 20
	maxFile    = 16 << 20
	maxJSON    = 64 << 20
)

// New returns a client of the API at a URL such as "http://127.0.0.1:8080". A nil http.Client is one that gives an answer 75
// seconds to begin, and that follows redirections on the same host only.
func New(base string, h *http.Client) *Client {
	if h == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		// An order may be waited for a minute.
		transport.ResponseHeaderTimeout = 75 * time.Second
		h = &http.Client{Transport: transport, CheckRedirect: sameHost}
	}
	return &Client{strings.TrimSuffix(base, "/"), h}
}

// maxRedirects is that of net/http.
const maxRedirects = 10

// sameHost leaves a redirection to another scheme, host or port as the answer.
func sameHost(next *http.Request, via []*http.Request) error {
	if first := via[0].URL; next.URL.Scheme != first.Scheme || next.URL.Host != first.Host {
		return http.ErrUseLastResponse
	}
	if len(via) >= maxRedirects {
		return fmt.Errorf("stopped after %d redirections", maxRedirects)
	}
	return nil
}

// Place places an order. A key that is not empty makes repeats of the call one order. With a wait of at least a second (at
// most a minute) the answer is that of the finished order, if it is finished by then.
func (c *Client) Place(ctx context.Context, o NewOrder, key string, wait time.Duration) (Order, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return Order{}, err
	}
	return c.PlaceJSON(ctx, body, key, wait)
}

// PlaceJSON is Place for an order that is JSON already.
func (c *Client) PlaceJSON(ctx context.Context, body []byte, key string, wait time.Duration) (Order, error) {
	return c.place(ctx, "/v1/orders", body, key, wait)
}

// Refund refunds an order whose invoice is issued, and returns the refund. Key and wait are those of Place. What is not left to
// refund is a *Problem of type /problems/invalid-refund.
func (c *Client) Refund(ctx context.Context, id string, r NewRefund, key string, wait time.Duration) (Order, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return Order{}, err
	}
	return c.place(ctx, "/v1/orders/"+url.PathEscape(id)+"/refund", body, key, wait)
}

// place sends what makes an order.
func (c *Client) place(ctx context.Context, path string, body []byte, key string, wait time.Duration) (Order, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	if wait >= time.Second {
		header.Set("Prefer", fmt.Sprintf("wait=%d", int(wait.Seconds())))
	}
	var o Order
	return o, c.call(ctx, http.MethodPost, path, header, body, &o)
}

// Order returns an order as it stands.
func (c *Client) Order(ctx context.Context, id string) (Order, error) {
	var o Order
	return o, c.get(ctx, "/v1/orders/"+url.PathEscape(id), &o)
}

// Orders returns a page of orders, newest first, and the cursor of the next page or "".
func (c *Client) Orders(ctx context.Context, q OrderQuery) ([]Order, string, error) {
	var page struct {
		Orders []Order
		Next   string
	}
	err := c.get(ctx, "/v1/orders"+query("kind", q.Kind, "status", q.Status, "customer", q.Customer, "from", moment(q.From), "to", moment(q.To),
		"limit", number(q.Limit), "cursor", q.Cursor), &page)
	return page.Orders, page.Next, err
}

// Cancel asks for an order to be cancelled, and returns it as it stands. Whether it was in time is in its timeline: status
// "cancelled", or a change with reason "cancel-refused". It is safe to repeat. It is a *Problem of type
// /problems/order-begun when work on the order has begun.
func (c *Client) Cancel(ctx context.Context, id string) (Order, error) {
	var o Order
	return o, c.call(ctx, http.MethodPost, "/v1/orders/"+url.PathEscape(id)+"/cancel", nil, nil, &o)
}

// Invoice returns the issued invoice of an order, a PDF.
func (c *Client) Invoice(ctx context.Context, id string) ([]byte, error) {
	return c.download(ctx, "/v1/orders/"+url.PathEscape(id)+"/invoice.pdf")
}

// InvoiceXML returns the data of the issued invoice of an order: a Cross Industry Invoice by EN 16931.
func (c *Client) InvoiceXML(ctx context.Context, id string) ([]byte, error) {
	return c.download(ctx, "/v1/orders/"+url.PathEscape(id)+"/invoice.xml")
}

func (c *Client) download(ctx context.Context, path string) ([]byte, error) {
	resp, err := c.send(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	document, err := io.ReadAll(http.MaxBytesReader(nil, resp.Body, maxFile))
	return document, reading(http.MethodGet, path, err)
}

// Products returns all products of the shop.
func (c *Client) Products(ctx context.Context) ([]Product, error) {
	var page struct{ Products []Product }
	err := c.get(ctx, "/v1/products", &page)
	return page.Products, err
}

// Quote says how an order would be shipped, and for how much. Its customer and street may be missing, and an empty service is
// "standard". What is not shipped there is a *Problem of type /problems/no-route.
func (c *Client) Quote(ctx context.Context, o NewOrder) (Quote, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return Quote{}, err
	}
	var q Quote
	return q, c.call(ctx, http.MethodPost, "/v1/quotes", http.Header{"Content-Type": {"application/json"}}, body, &q)
}

// DeadLetters returns a page of dead letters, those that failed last first, and the cursor of the
// next page or "".
func (c *Client) DeadLetters(ctx context.Context, q DeadLetterQuery) ([]DeadLetter, string, error) {
	var page struct {
		DeadLetters []DeadLetter `json:"dead_letters"`
		Next        string
	}
	err := c.get(ctx, "/v1/dead-letters"+query("state", q.State, "step", q.Step, "reason", q.Reason, "limit", number(q.Limit), "cursor", q.Cursor), &page)
	return page.DeadLetters, page.Next, err
}

// DeadLetter returns a dead letter with the record that failed.
func (c *Client) DeadLetter(ctx context.Context, id string) (DeadLetter, error) {
	var l DeadLetter
	return l, c.get(ctx, "/v1/dead-letters/"+url.PathEscape(id), &l)
}

// Replay sends a dead letter back to be worked on again, and returns the number of the replay.
func (c *Client) Replay(ctx context.Context, id string) (int, error) {
	var sent struct{ Replay int }
	err := c.call(ctx, http.MethodPost, "/v1/dead-letters/"+url.PathEscape(id)+"/replay", nil, nil, &sent)
	return sent.Replay, err
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, nil, nil, into)
}

// call sends a request and reads a JSON answer.
func (c *Client) call(ctx context.Context, method, path string, header http.Header, body []byte, into any) error {
	resp, err := c.send(ctx, method, path, header, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return reading(method, path, json.NewDecoder(http.MaxBytesReader(nil, resp.Body, maxJSON)).Decode(into))
}

// reading says of an error, or nil, which answer could not be read.
func reading(method, path string, err error) error {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		err = fmt.Errorf("it is larger than %d MiB", large.Limit>>20)
	}
	if err != nil {
		err = fmt.Errorf("reading the answer of %s %s: %w", method, path, err)
	}
	return err
}

// send returns an answer of success, whose body the caller closes.
func (c *Client) send(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < http.StatusMultipleChoices {
		return resp, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode < http.StatusBadRequest {
		return nil, fmt.Errorf("%s %s: the API redirects to %q, which is not followed to another host", method, path, resp.Header.Get("Location"))
	}
	return nil, problem(resp)
}

// problem reads an answer of failure. One that is no problem document, such as a proxy's, has its status alone.
func problem(resp *http.Response) error {
	p := &Problem{}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxProblem)).Decode(p); err != nil || p.Title == "" {
		p = &Problem{Type: "about:blank", Title: "the API answered " + resp.Status}
	}
	p.Status = resp.StatusCode
	return p
}

// query makes a query of names and values in turn, without empty ones.
func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
