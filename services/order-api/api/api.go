// Package api runs the order API. Run connects the packages of this module:
//
//	            ┌── Place ──▶ intake ──▶ orders
//	httpapi ────┼── Order, Orders, DeadLetters, Acts, Watch ──▶ view ◀── orders, .status, .dlq, .desk
//	            ├── Begin ──▶ trail ──▶ orders.desk
//	            ├── Replay, Cancel ──▶ desk ──▶ orders.replay
//	            ├── Create, Command ──▶ jobs ──▶ orders.desk, .replay
//	            └── Now, Watch ──▶ stats ◀── orders, .status, .workers, view
//
// openapi.yaml is the contract: tests check the API against it, and /docs shows it.
package api

import (
	"context"
	_ "embed" // for the contract
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/foreign/sender"
	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/stats"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/services/order-api/internal/vies"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/postgres"
	"example.com/orders/services/order-api/internal/view/sqlite"
	"example.com/orders/services/order-api/internal/web"
	"example.com/orders/shared/address"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafka/meter"
	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/tracing"
)

// Config is the configuration of Run.
type Config struct {
	Settings
	Database string // URL of the PostgreSQL database for the read model; or empty: a file in Data
	RateCard string // path of the rate card for quotes, the same as the workers'; or empty: the built-in one
	Group    string // consumer group of the workers: its committed offsets tell which orders have been begun
	Health   string // address of health checks, metrics and profiles; or empty: none

	Access config.Access
	Kafka  kafka.Config
	Topics topic.Set
	Log    *slog.Logger
	Traces *tracing.Tracer // or nil: there are no traces

	Inbox     string                      // URL of the mail inbox that pages link to; or empty
	Breaker   Breaker                     // breaks things for people who try the program; or nil
	Ready     func(context.Context) error // additional check of /healthz/ready; or nil
	Listening func(address string)        // called once with the address of the listener; or nil
}

//go:embed openapi.yaml
var contract []byte

// grace is how long in-flight requests may take when the API stops.
const grace = 2 * time.Second

// Run runs the API until ctx is done, and returns nil then. It refuses to start if topics are
// missing or have wrong settings, if the address is in use or reachable from other machines without
// permission or sign-in, if the file of API keys has faults, or if another process uses the data
// directory.
func Run(ctx context.Context, cfg Config) error {
	auth, err := cfg.openSignIn()
	if err != nil {
		return err
	}
	shop, err := cfg.shop()
	if err != nil {
		return err
	}
	ln, proxies, err := cfg.listen(ctx)
	if err != nil {
		return err
	}
	defer ln.Close()
	counts := cfg.measure()
	k, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer k.close()
	v, err := openView(ctx, cfg, k.layout)
	if err != nil {
		return err
	}
	defer v.Close()
	// With a file the view has locked the data directory: no other process creates a secret there.
	secret, err := cfg.secret()
	if err != nil {
		return err
	}
	in := intake.New(k.orders, v, intake.Config{
		Topic: cfg.Topics.Orders, Incarnation: k.layout.Incarnation, Partitions: k.layout.Partitions,
		Secret: secret, Promise: cfg.Promise, PerHour: cfg.PerRecipient, VATIDs: shop.vatIDs, Closed: cfg.Closed,
	}, (*order.Order).NormaliseVATIDs, shop.complete, shop.card.Check)
	issuer, err := auth.withIssuer(ctx, &cfg, ln.Addr())
	if err != nil {
		return err
	}
	d, acts := desk.New(k.replays, cfg.Topics, v), trail.New(k.replays, cfg.Topics, k.layout, cfg.Log)
	auth.record(acts, cfg.Log)
	replays, expiring, sums := cfg.jobs(k, v, d, shop.complete), cfg.watchExpiry(k.replays, v), cfg.stats(k, v, in)
	tasks := []func(context.Context) error{acts.Run, auth.run, replays.Run, expiring.Run, k.watch(cfg.Log, in), sums.Run}
	return serveAndWatch(ctx, cfg, ln, v, tasks, func(stopping <-chan struct{}) http.Handler {
		return cfg.Traces.Handler(proxies.Handler(httpapi.New(httpapi.Config{
			Log: cfg.Log, OpenAPI: contract, Access: cfg.Access, Ready: cfg.Ready, Stopping: stopping, Trail: acts,
			Auth: auth, Keys: auth.keys, Pages: issuer.pages, Sessions: issuer.sessions, Guests: cfg.Guests, Limits: cfg.limits(), Web: shop.pages,
			Decisions: desk.NewDecisions(d, k.layout, shop.complete), Jobs: replays, Stats: sums, Meter: counts, DeadLetters: cfg.Topics.DLQ, Expiry: expiring, Foreign: k.rules, Earlier: shop.earlier,
		}, in, v, d, shop.products, shop.card)))
	})
}

// measure has all Kafka clients counted together.
func (cfg *Config) measure() *meter.Kafka {
	counts := meter.New()
	cfg.Kafka.Meter = counts
	return counts
}

// jobs are the replay jobs. People know this instance by its host and process.
func (cfg *Config) jobs(k *clients, v *view.View, d *desk.Desk, price edit.Price) *jobs.Jobs {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return jobs.New(k.replays, jobs.Config{
		Kafka: cfg.Kafka, Topics: cfg.Topics, Layout: k.layout, View: v, Name: host + "/" + strconv.Itoa(os.Getpid()), Log: cfg.Log,
		Own:     &jobs.Own{Desk: d, Decisions: desk.NewDecisions(d, k.layout, price), Topics: cfg.Topics, Layout: k.layout},
		Foreign: jobs.NewForeign(sender.New(k.replays, k.rules, cfg.Log), v),
	})
}

func (cfg *Config) stats(k *clients, v *view.View, in *intake.Intake) *stats.Stats {
	return stats.New(stats.Config{
		Kafka: cfg.Kafka, Client: k.replays, Topics: cfg.Topics, Partitions: k.layout.Partitions, Group: cfg.Group, View: v, Promise: cfg.Promise, Blocked: in.Blocked, Log: cfg.Log,
	})
}

// shop is what orders are placed with.
type shop struct {
	places   *address.Countries
	products *catalogue.Catalogue
	card     *rates.Card // for quotes
	pages    *web.Pages
	vatIDs   intake.VATIDs // or nil: they are not checked
	earlier  *url.URL      // of the API that earlier orders were placed at; or nil
}

// complete checks postal codes and prices of a new order, or of an edited one.
func (s shop) complete(o *order.Order) []order.Invalid {
	return slices.Concat(s.places.Missing(o), s.places.Normalise(o), s.products.Price(o))
}

func (cfg *Config) shop() (s shop, err error) {
	if s.places, err = address.Load(); err != nil {
		return s, err
	}
	if s.products, err = catalogue.Load(cfg.Catalogue); err != nil {
		return s, fmt.Errorf("reading the catalogue: %w", err)
	}
	if s.card, err = rates.Load(cfg.RateCard); err != nil {
		return s, fmt.Errorf("reading the rate card: %w", err)
	}
	if s.products.Gross() != s.card.Gross() {
		return s, fmt.Errorf("the catalogue has %s prices, and the rate card has %s ones: both need prices: gross, or neither",
			order.Prices(s.products.Gross()), order.Prices(s.card.Gross()))
	}
	if s.vatIDs, err = cfg.vatIDs(); err != nil {
		return s, err
	}
	if s.earlier, err = cfg.earlier(); err != nil {
		return s, err
	}
	s.pages, err = web.New(web.Config{Log: cfg.Log, Inbox: cfg.Inbox, Breaker: cfg.Breaker})
	return s, err
}

// earlier is the API of the prefix that this one has taken over from, or nil.
func (cfg *Config) earlier() (*url.URL, error) {
	if cfg.EarlierAPI == "" {
		return nil, nil
	}
	u, err := url.Parse(cfg.EarlierAPI)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("--earlier-api %q: want an address such as http://127.0.0.1:8080", cfg.EarlierAPI)
	}
	return u, nil
}

// vatIDs checks VAT IDs, or is nil.
func (cfg *Config) vatIDs() (intake.VATIDs, error) {
	if cfg.VIES == "" && cfg.VIESRequester != "" {
		return nil, errors.New("--vies-requester needs --vies")
	}
	if cfg.VIES == "" {
		return nil, nil
	}
	c, err := vies.New(cfg.VIES, cfg.VIESRequester, cfg.Log)
	if err != nil {
		return nil, fmt.Errorf("--vies: %w", err)
	}
	return c, nil
}

// listen opens the address of the API, with HTTPS if there is a certificate.
func (cfg *Config) listen(ctx context.Context) (net.Listener, serve.Proxies, error) {
	proxies, err := serve.ParseProxies(cfg.TrustedProxies)
	if err != nil {
		return nil, nil, fmt.Errorf("--trusted-proxies: %w", err)
	}
	if min(cfg.RateLimit, cfg.GuestRateLimit, cfg.MaxStreams, cfg.MaxWaits, cfg.PerRecipient) < 0 || cfg.Promise < 0 {
		return nil, nil, errors.New("--rate-limit, --guest-rate-limit, --max-streams, --max-waits, --orders-per-recipient and --promise must not be negative")
	}
	if (cfg.TLSCert == "") != (cfg.TLSKey == "") {
		return nil, nil, errors.New("--tls-cert and --tls-key need each other")
	}
	ln, err := cfg.bind(ctx)
	if err != nil || cfg.TLSCert == "" {
		return ln, proxies, err
	}
	secured, err := serve.Secure(ln, cfg.TLSCert, cfg.TLSKey, cfg.Log)
	if err != nil {
		ln.Close()
	}
	return secured, proxies, err
}

func (cfg *Config) limits() httpapi.Limits {
	return httpapi.Limits{Rate: cfg.RateLimit, GuestRate: cfg.GuestRateLimit, Streams: cfg.MaxStreams, Waits: cfg.MaxWaits}
}

// serveAndWatch runs the view, the tasks and the HTTP server, until ctx is done or one of them fails.
func serveAndWatch(
	ctx context.Context, cfg Config, ln net.Listener, v *view.View, tasks []func(context.Context) error, handler func(stopping <-chan struct{}) http.Handler,
) error {
	g, running := errgroup.WithContext(ctx)
	h := handler(running.Done())
	health, err := serve.Health(ctx, cfg.Health, cfg.Access, serve.Profiles(cfg.Access, operations(h)))
	if err != nil {
		return err
	}
	// In-flight requests need the view, so it stops after the server.
	tailing, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error { return v.Run(tailing) })
	for _, task := range tasks {
		g.Go(func() error { return task(running) })
	}
	g.Go(func() error {
		defer stop()
		return serve.Run(running, ln, h, grace)
	})
	g.Go(func() error { return health(running) })
	address := ln.Addr().String()
	cfg.Log.LogAttrs(ctx, slog.LevelInfo, "listening", slog.String(telemetry.Address, address))
	if cfg.Listening != nil {
		cfg.Listening(address)
	}
	return g.Wait()
}

// operations are the routes of the API that --health serves, too.
func operations(api http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz/", api)
	mux.Handle("GET /metrics", api)
	return mux
}

// clients are the Kafka clients of intake and desk.
type clients struct {
	orders  *intake.Producer
	replays *kgo.Client // also watches the topics
	layout  kafka.Layout
	rules   sender.Rules
}

func connect(ctx context.Context, cfg Config) (*clients, error) {
	rules, err := cfg.foreignRules()
	if err != nil {
		return nil, err
	}
	replays, err := cfg.Kafka.ConnectProducer(ctx)
	if err != nil {
		return nil, err
	}
	k := &clients{replays: replays, rules: rules}
	if k.layout, err = kafka.Check(ctx, replays, cfg.Topics, kafka.APIGrants(cfg.Topics, cfg.Group)...); err == nil {
		err = checkForeign(ctx, replays, rules)
	}
	if err == nil {
		k.orders, err = intake.Connect(ctx, cfg.Kafka)
	}
	if err != nil {
		replays.Close()
		return nil, err
	}
	return k, nil
}

// watch looks for changes of the topics, which block new orders.
func (k *clients) watch(log *slog.Logger, in *intake.Intake) func(context.Context) error {
	return func(ctx context.Context) error { return k.layout.Watch(ctx, k.replays, log, in.Block) }
}

func (k *clients) close() {
	k.orders.Close()
	k.replays.Close()
}

// openStore opens the store of the read model: a database that instances share, or a file.
func (cfg *Config) openStore(ctx context.Context) (view.Store, error) {
	if cfg.Database == "" {
		// Only the owner may read it: the view contains personal data.
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
			return nil, fmt.Errorf("--data: %w", err)
		}
		store, err := sqlite.Open(ctx, filepath.Join(cfg.Data, "view.db"))
		if err != nil {
			return nil, err // not a store that is nil
		}
		return store, nil
	}
	if cfg.Secret == "" && cfg.SecretFile == "" {
		return nil, errors.New("--database needs --secret-file: instances that share a read model derive order IDs from the same key")
	}
	store, err := postgres.Open(cfg.Database, cfg.Log)
	if err != nil {
		return nil, fmt.Errorf("--database: %w", err)
	}
	return store, nil
}

func openView(ctx context.Context, cfg Config, layout kafka.Layout) (*view.View, error) {
	store, err := cfg.openStore(ctx)
	if err != nil {
		return nil, err
	}
	return view.New(ctx, view.Config{
		Kafka: cfg.Kafka, Topics: cfg.Topics, Incarnation: layout.Incarnation, Home: layout.Home, Group: cfg.Group, Store: store, Log: cfg.Log, Foreign: cfg.DLQTopics,
	})
}
