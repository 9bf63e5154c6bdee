// Package client calls the order API over HTTP.
//
// Methods return a *Problem if the API refuses the request, and other errors if it cannot be
// reached. Place and Refund can be repeated safely only with the same idempotency key, StartReplay
// starts another job, and Note writes another note; all others can always be repeated. Watch and
// WatchReplay reconnect by themselves.
//
// The client does not trust the API fully: the size of each response is limited, and a redirect to
// another host is an error, because it would forward the request, which may contain secrets.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client calls one API. It is safe for concurrent use.
type Client struct {
	base  string
	http  *http.Client
	token string // or empty
}

// Limits of responses. An invoice is one record in Kafka, of at most about 1 MiB. A page of 200
// orders with 200 lines each has about half of maxJSON.
const (
	maxProblem = 1 << 20
	maxEvent   = 1 << 20
	maxFile    = 16 << 20
	maxJSON    = 64 << 20
)

// New returns a client of the API at a base URL such as "http://127.0.0.1:8080". If h is nil, the
// client waits up to 75 seconds for the header of a response, and follows redirects on the same
// host only.
func New(base string, h *http.Client) *Client {
	if h == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		// A request can wait up to a minute for an order.
		transport.ResponseHeaderTimeout = 75 * time.Second
		h = &http.Client{Transport: transport, CheckRedirect: sameHost}
	}
	return &Client{base: strings.TrimSuffix(base, "/"), http: h}
}

// WithToken returns a client that signs in with a bearer token, such as an API key. It follows
// redirects on the same host only, whatever the http.Client of New does. It refuses a token that is
// no bearer token, and plain HTTP to another host than localhost or a loopback address, unless
// plain is true: anybody on the way could read the token. Errors never contain the token.
func (c *Client) WithToken(token string, plain bool) (*Client, error) {
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the token must be one word of visible ASCII characters")
	}
	base, err := url.Parse(c.base)
	if err != nil {
		return nil, err
	}
	host := base.Hostname()
	if base.Scheme != "https" && !plain && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("%s: the token would be sent unencrypted", base.Redacted())
	}
	strict := *c.http
	strict.CheckRedirect = sameHost
	return &Client{c.base, &strict, token}, nil
}

// maxRedirects is the limit of net/http.
const maxRedirects = 10

// sameHost makes a redirect to another scheme, host or port the final response.
func sameHost(next *http.Request, via []*http.Request) error {
	if first := via[0].URL; next.URL.Scheme != first.Scheme || next.URL.Host != first.Host {
		return http.ErrUseLastResponse
	}
	if len(via) >= maxRedirects {
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	}
	return nil
}

// Place places an order. Repeats with the same key, if it is not empty, place it once. With a wait
// of 1 to 60 seconds, the API responds when the order has reached a final status or the wait is
// over.
func (c *Client) Place(ctx context.Context, o NewOrder, key string, wait time.Duration) (Order, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return Order{}, err
	}
	return c.PlaceJSON(ctx, body, key, wait)
}

// PlaceJSON is Place for an order in JSON.
func (c *Client) PlaceJSON(ctx context.Context, body []byte, key string, wait time.Duration) (Order, error) {
	return c.place(ctx, "/v1/orders", body, key, wait)
}

// Refund refunds an order whose invoice is issued, and returns the refund. Key and wait work as for
// Place. Refunding more than is left is a *Problem of type /problems/invalid-refund.
func (c *Client) Refund(ctx context.Context, id string, r NewRefund, key string, wait time.Duration) (Order, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return Order{}, err
	}
	return c.place(ctx, "/v1/orders/"+url.PathEscape(id)+"/refund", body, key, wait)
}

// place sends a request that places an order or a refund.
func (c *Client) place(ctx context.Context, path string, body []byte, key string, wait time.Duration) (Order, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	if wait >= time.Second {
		header.Set("Prefer", fmt.Sprintf("wait=%d", int(wait.Seconds())))
	}
	var o Order
	resp, err := c.send(ctx, http.MethodPost, path, header, body)
	if err != nil {
		return o, err
	}
	defer resp.Body.Close()
	err = read(resp, path, &o)
	o.Replayed = resp.Header.Get("Idempotent-Replayed") == "true"
	return o, err
}

// Order returns the current state of an order.
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
	err := c.get(ctx, "/v1/orders"+query("kind", q.Kind, "status", q.Status, "customer", q.Customer, "reference", q.Reference, "from", moment(q.From), "to", moment(q.To),
		"limit", number(q.Limit), "cursor", q.Cursor), &page)
	return page.Orders, page.Next, err
}

// Cancel requests the cancellation of an order, and returns its current state. The result appears
// in its timeline: status "cancelled", or a change with reason "cancel-refused". If a worker has
// begun the order, and it is not retrying, waiting or dead without an issued invoice, Cancel returns a
// *Problem of type /problems/order-begun.
// The reason is for the audit trail, or empty.
func (c *Client) Cancel(ctx context.Context, id, reason string) (Order, error) {
	var o Order
	return o, c.act(ctx, "/v1/orders/"+url.PathEscape(id)+"/cancel", reason, &o)
}

// Pay records a payment for an order, and returns the order. It waits up to wait, at most 60 seconds, until
// the payment is recorded; below a second it does not wait. Repeating it is safe. The same reference with
// another amount or method is a *Problem of type /problems/payment-conflict.
func (c *Client) Pay(ctx context.Context, id string, p Payment, wait time.Duration) (Order, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return Order{}, err
	}
	return c.place(ctx, "/v1/orders/"+url.PathEscape(id)+"/payments", body, "", wait)
}

// act sends a request that has a reason as its only content.
func (c *Client) act(ctx context.Context, path, reason string, into any) error {
	if reason == "" {
		return c.call(ctx, http.MethodPost, path, nil, nil, into)
	}
	return c.post(ctx, path, map[string]string{"reason": reason}, into)
}

// Invoice returns the issued invoice of an order as PDF.
func (c *Client) Invoice(ctx context.Context, id string) ([]byte, error) {
	return c.download(ctx, "/v1/orders/"+url.PathEscape(id)+"/invoice.pdf")
}

// InvoiceXML returns the issued invoice of an order as XML: a Cross Industry Invoice (EN 16931).
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

// Products returns all products.
func (c *Client) Products(ctx context.Context) ([]Product, error) {
	var page struct{ Products []Product }
	err := c.get(ctx, "/v1/products", &page)
	return page.Products, err
}

// Quote calculates the shipping of an order without placing it. Customer and street may be missing;
// an empty service is "standard". If nothing ships to the address, Quote returns a *Problem of type
// /problems/no-route.
func (c *Client) Quote(ctx context.Context, o NewOrder) (Quote, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return Quote{}, err
	}
	var q Quote
	return q, c.call(ctx, http.MethodPost, "/v1/quotes", http.Header{"Content-Type": {"application/json"}}, body, &q)
}

// Acts returns a page of the audit trail, newest first, and the cursor of the next page or "".
func (c *Client) Acts(ctx context.Context, q ActQuery) ([]Act, string, error) {
	var page struct {
		Acts []Act
		Next string
	}
	err := c.get(ctx, "/v1/audit"+query("actor", q.Actor, "act", q.Act, "target", q.Target, "outcome", q.Outcome,
		"from", moment(q.From), "to", moment(q.To), "limit", number(q.Limit), "cursor", q.Cursor), &page)
	return page.Acts, page.Next, err
}

// APIKeys returns the API keys, with their last use at the instance of the API that answers.
func (c *Client) APIKeys(ctx context.Context) ([]APIKey, error) {
	var page struct{ Keys []APIKey }
	err := c.get(ctx, "/v1/keys", &page)
	return page.Keys, err
}

// Ready returns nil if the API is ready for requests. It needs no sign-in.
func (c *Client) Ready(ctx context.Context) error {
	return c.get(ctx, "/healthz/ready", new(struct{}))
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, nil, nil, into)
}

// call sends a request and decodes a JSON response.
func (c *Client) call(ctx context.Context, method, path string, header http.Header, body []byte, into any) error {
	resp, err := c.send(ctx, method, path, header, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return read(resp, path, into)
}

// read decodes the JSON of a response.
func read(resp *http.Response, path string, into any) error {
	return reading(resp.Request.Method, path, json.NewDecoder(http.MaxBytesReader(nil, resp.Body, maxJSON)).Decode(into))
}

// reading adds the request to an error of reading its response. It returns nil for nil.
func reading(method, path string, err error) error {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		err = fmt.Errorf("larger than %d MiB", large.Limit>>20)
	}
	if err != nil {
		err = fmt.Errorf("reading the response to %s %s: %w", method, path, err)
	}
	return err
}

// send returns a successful response. The caller closes its body.
func (c *Client) send(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, error) {
	return c.stream(ctx, method, path, header, bytes.NewReader(body))
}

// stream is send for a body that is read while it is sent.
func (c *Client) stream(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
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
		return nil, fmt.Errorf("%s %s: the API redirects to another host: %q", method, path, resp.Header.Get("Location"))
	}
	return nil, problem(resp)
}

// problem decodes a failed response. If it is no problem document, as from a proxy, the problem has
// the status only.
func problem(resp *http.Response) error {
	p := &Problem{}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxProblem)).Decode(p); err != nil || p.Title == "" {
		p = &Problem{Type: "about:blank", Title: "the API answered " + resp.Status}
	}
	p.Status = resp.StatusCode
	return p
}

// query encodes a query string from alternating names and values. It omits empty values.
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
