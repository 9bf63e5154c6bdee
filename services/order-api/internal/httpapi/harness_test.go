package httpapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/foreign/sender"
	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/stats"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/sqlite"
	"example.com/orders/shared/address"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/wire"
)

// shop is the API on a broker of its own, without workers: tests write what workers would.
type shop struct {
	*kafkatest.Kafka
	layout kafka.Layout
	path   string // of the view's file
	view   *view.View
	jobs   *jobs.Jobs   // that run only if a test runs them
	stats  *stats.Stats // that follow the topics only if a test runs them
	intake *intake.Intake
	client *client.Client // checks everything against the contract
	http   *http.Client   // does too
	raw    *http.Client   // does not
	url    string
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	stop   func() // tells streams and waiting answers to end
	drop   func() // cuts all connections
	keys   map[order.ID]string
}

// promise is the limit for backpressure.
const promise = 24 * time.Hour

// setup runs an API on a broker in memory. Inside a synctest bubble it is reached over a network in
// memory.
func setup(t *testing.T, change ...func(*httpapi.Config)) *shop {
	t.Helper()
	return setupOn(t, kafkatest.Start(t), change...)
}

// onBoth runs a test on a broker in memory, and on a real Kafka where there is one.
func onBoth(t *testing.T, test func(t *testing.T, s *shop)) {
	for name, start := range map[string]func(testing.TB) *kafkatest.Kafka{"memory": kafkatest.Start, "real": kafkatest.Real} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, setupOn(t, start(t)))
		})
	}
}

func setupOn(t *testing.T, k *kafkatest.Kafka, options ...func(*httpapi.Config)) *shop {
	t.Helper()
	s := &shop{Kafka: k, keys: map[order.ID]string{}}
	layout, err := kafka.Check(t.Context(), s.Client, s.Topics)
	must(t, err)
	s.layout, s.path = layout, filepath.Join(t.TempDir(), "data", "view.db")
	must(t, os.Mkdir(filepath.Dir(s.path), 0o700))
	products, err := catalogue.Load("")
	must(t, err)
	card, err := rates.Load("")
	must(t, err)
	quiet := slog.New(slog.NewTextHandler(t.Output(), nil))
	store, err := sqlite.Open(t.Context(), s.path)
	must(t, err)
	s.view, err = view.New(t.Context(), view.Config{
		Kafka: s.Config(), Topics: s.Topics, Incarnation: layout.Incarnation, Home: layout.Home, Store: store, Log: quiet, Foreign: s.foreign(t),
	})
	must(t, err)
	orders, err := intake.Connect(t.Context(), s.Config())
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.view.Run(ctx) }() // ends with cancel
	must(t, s.view.Fresh(t.Context()))

	stopping := make(chan struct{})
	s.stop = sync.OnceFunc(func() { close(stopping) })
	countries, err := address.Load()
	must(t, err)
	complete := func(o *order.Order) []order.Invalid {
		return slices.Concat(countries.Missing(o), countries.Normalise(o), products.Price(o))
	}
	in := intake.New(orders, s.view, intake.Config{
		Topic: s.Topics.Orders, Incarnation: layout.Incarnation, Partitions: layout.Partitions, Secret: []byte("secret"), Promise: promise,
	}, (*order.Order).NormaliseVATIDs, complete, card.Check)
	d, rules := desk.New(s.Client, s.Topics, s.view), sender.Rules{Ours: s.Topics, DeadLetters: s.foreign(t)}
	s.jobs = jobs.New(s.Client, jobs.Config{
		Kafka: s.Config(), Topics: s.Topics, Layout: layout, View: s.view, Name: "api-1", Log: quiet,
		Foreign: jobs.NewForeign(sender.New(s.Client, rules, quiet), s.view),
		Own:     &jobs.Own{Desk: d, Decisions: desk.NewDecisions(d, layout, complete), Topics: s.Topics, Layout: layout},
	})
	s.stats = stats.New(stats.Config{
		Kafka: s.Config(), Client: s.Client, Topics: s.Topics, Partitions: layout.Partitions, Group: "order-workers", View: s.view, Promise: promise, Blocked: in.Blocked, Log: quiet,
	})
	cfg := httpapi.Config{
		Log: quiet, OpenAPI: contract(t), Stopping: stopping, Trail: trail.New(s.Client, s.Topics, layout, quiet),
		Stats:     s.stats,
		Decisions: desk.NewDecisions(d, layout, complete), Jobs: s.jobs, DeadLetters: s.Topics.DLQ, Foreign: rules,
	}
	for _, set := range options {
		set(&cfg)
	}
	h := httpapi.New(cfg, in, s.view, d, products, card)
	s.intake = in
	end := s.serve(t, h)
	t.Cleanup(func() {
		s.stop()
		end()
		cancel()
		if err := errors.Join(<-done, s.view.Close()); err != nil {
			t.Error(err)
		}
		orders.Close()
	})
	return s
}

// foreign are the dead-letter topics of other programs, if the test has created one.
func (s *shop) foreign(t *testing.T) []string {
	t.Helper()
	const name = "payments.dlt"
	topics, err := kadm.NewClient(s.Client).ListTopics(t.Context(), name)
	must(t, err)
	if topics[name].Err != nil || len(topics[name].Partitions) == 0 {
		return nil
	}
	return []string{name}
}

// serve answers with h and makes the clients that reach it.
func (s *shop) serve(t *testing.T, h http.Handler) (end func()) {
	t.Helper()
	listen, transport := net.Listen, &http.Transport{}
	s.dial = new(net.Dialer).DialContext
	address := "127.0.0.1:0"
	if time.Now().Year() < 2020 { // the clock of a synctest bubble
		network := new(kafkatest.Network)
		listen, transport.DialContext, address = network.Listen, network.DialContext, "localhost:80"
		s.dial = network.DialContext
	}
	ln, err := listen("tcp", address)
	must(t, err)
	tracked := &tracked{Listener: ln}
	s.drop = tracked.drop
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve.Run(ctx, tracked, h, 0) }() // ends with cancel
	s.url = "http://" + ln.Addr().String()
	s.raw = &http.Client{Transport: transport}
	s.http = &http.Client{Transport: checked{t, router(t), transport}}
	s.client = client.New(s.url, s.http)
	return func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// tracked is a listener that can cut all connections that it accepted.
type tracked struct {
	net.Listener
	mu   sync.Mutex
	open []net.Conn
}

func (l *tracked) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.open = append(l.open, c)
	}
	return c, err
}

func (l *tracked) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.open {
		c.Close()
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func contract(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("../../api/openapi.yaml")
	must(t, err)
	return text
}

func router(t *testing.T) routers.Router {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(contract(t))
	must(t, err)
	must(t, doc.Validate(t.Context()))
	r, err := gorillamux.NewRouter(doc)
	must(t, err)
	return r
}

// checked checks every response, and every request that was not refused, against the contract.
type checked struct {
	t      *testing.T
	router routers.Router
	next   http.RoundTripper
}

func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body.Close()
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusBadRequest && resp.Header.Get("Content-Type") != "application/problem+json" {
		c.t.Errorf("%s %s: got %s with type %q, want a problem", r.Method, r.URL, resp.Status, resp.Header.Get("Content-Type"))
	}
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		return resp, nil //nolint:nilerr // not in the contract: the page, or something that does not exist
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.check(&openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route}, resp)
	return resp, nil
}

func (c checked) check(in *openapi3filter.RequestValidationInput, resp *http.Response) {
	ctx, what := context.Background(), in.Request.Method+" "+in.Request.URL.String()
	if resp.StatusCode < http.StatusBadRequest {
		in.Options = &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
			ExcludeRequestBody: strings.HasSuffix(in.Request.Header.Get("Content-Type"), "ndjson"), // which the filter cannot decode
		}
		if err := openapi3filter.ValidateRequest(ctx, in); err != nil {
			c.t.Errorf("%s: request is not in the contract: %v", what, err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if typ := resp.Header.Get("Content-Type"); strings.HasSuffix(typ, "json") && !strings.HasSuffix(typ, "ndjson") {
		body, _ := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(body))
		out.SetBodyBytes(body)
	} else {
		out.Options.ExcludeResponseBody = true // a stream or a document
	}
	if err := openapi3filter.ValidateResponse(ctx, out); err != nil {
		c.t.Errorf("%s: answer is not in the contract: %v", what, err)
	}
}

func wanted() client.NewOrder {
	return client.NewOrder{
		Customer: client.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"}, Service: "standard",
		ShipTo: client.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Items:  []client.Item{{SKU: "BOTTLE-750", Quantity: 2}},
	}
}

// place places an order and returns its state as a worker finds it.
func (s *shop) place(t *testing.T, o client.NewOrder) order.State {
	t.Helper()
	key := rand.Text() // with one the view has the order when the answer comes
	answer, err := s.client.Place(t.Context(), o, key, 0)
	must(t, err)
	s.keys[order.ID(answer.ID)] = key
	state, err := s.view.Order(t.Context(), order.ID(answer.ID))
	must(t, err)
	return state
}

// put appends records to a partition of a topic.
func (s *shop) put(t *testing.T, topic string, partition int32, records ...*kgo.Record) {
	t.Helper()
	for _, r := range records {
		r.Topic, r.Partition = topic, partition
	}
	s.Produce(t, records...)
}

// advance writes a state of an order as its owner would, and returns when the view has it.
func (s *shop) advance(t *testing.T, state *order.State, c order.Change) {
	t.Helper()
	changes, stop := s.view.Watch(state.Order.ID)
	defer stop()
	c.Rev, c.At = state.Rev+1, state.Order.PlacedAt.Add(time.Second)
	kafkatest.Record(t, state, c)
	// The partition has no claim, so the state is not stale.
	s.put(t, s.Topics.Status, state.Origin.Partition, wire.State(*state, 0))
	<-changes
}

// work brings an order or a refund to status mailing, with an issued invoice. It returns the
// document.
func (s *shop) work(t *testing.T, state *order.State) []byte {
	t.Helper()
	return s.issue(t, state, []byte("%PDF-1.7 of "+string(state.Order.ID)))
}

// issue is work with the given document.
func (s *shop) issue(t *testing.T, state *order.State, document []byte) []byte {
	t.Helper()
	number, net := "INV-1", state.Order.ItemsTotal().Plus(order.EUR.Cents(490))
	tax := net.Percent(1900)
	if r := state.Order.Refund; r != nil {
		number, net, tax = "CRN-1", state.Order.Refunded(), r.Tax
	} else {
		state.Progress.Shipping = &order.Shipping{Zone: "DE", Service: order.Standard, Price: order.EUR.Cents(490), MinDays: 1, MaxDays: 2}
	}
	state.Progress.Invoice = &order.Invoice{
		Number: number, IssuedAt: state.Order.PlacedAt, Taxes: []order.Tax{{Category: order.VATStandard, Rate: 1900, Net: net, Tax: tax}},
		Net: net, Tax: tax, Total: net.Plus(tax),
	}
	s.advance(t, state, order.Change{Status: order.Working})
	state.Document = document
	r := wire.Invoice(state, state.Order.PlacedAt)
	s.put(t, s.Topics.Invoices, state.Origin.Partition, r)
	state.Progress.Invoice.Kept = &order.Kept{Offset: r.Offset, SHA256: wire.SHA256(document), Bytes: len(document)}
	s.advance(t, state, order.Change{Status: order.Mailing})
	return document
}

// failDead makes an order dead, and returns the ID of its dead letter.
func (s *shop) failDead(t *testing.T, state *order.State) string {
	t.Helper()
	r := wire.Order(state.Order)
	at := state.Order.PlacedAt.Add(time.Minute)
	l := dlq.DeadLetter{
		Source: wire.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Origin: state.Origin},
		Topic:  s.Topics.Orders, Group: "order-workers",
		Step: order.StepShipping, Class: failure.Permanent, Reason: failure.NoRoute, Message: "no route to AQ",
		Attempts: 1, FirstFailed: at, LastFailed: at, Worker: "w", Rev: state.Rev + 1, Replays: state.Replays,
	}
	deadLetter := l.Record()
	s.put(t, s.Topics.DLQ, state.Origin.Partition, deadLetter)
	state.DeadLetter = &order.DeadLetter{ID: l.ID(), Partition: deadLetter.Partition, Offset: deadLetter.Offset, Step: l.Step, Reason: string(l.Reason)}
	s.advance(t, state, order.Change{Status: order.Dead, Step: l.Step, Reason: string(l.Reason)})
	return l.ID()
}

// send sends a request as it is, header names and values in turn.
func (s *shop) send(t *testing.T, c *http.Client, method, path, body string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	must(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	resp, err := c.Do(r)
	must(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return string(body)
}

// isProblem fails the test unless err is a problem of a kind.
func isProblem(t *testing.T, what string, err error, status int, kind string) {
	t.Helper()
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Status != status || p.Type != "/problems/"+kind {
		t.Errorf("%s: got %#v, want problem %d %s", what, err, status, kind)
	}
}
