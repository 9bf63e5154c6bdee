// Package api is the face of the module: the order API, with its settings.
//
// Run wires what the packages of this module provide:
//
//	            ┌── Place ──▶ intake ──▶ orders
//	httpapi ────┼── Order, Orders, DeadLetters, Watch ──▶ view ◀── orders, orders.status, orders.dlq
//	            └── Replay, Cancel ──▶ desk ──▶ orders.replay
//
// Beside it stands openapi.yaml, the contract that the API is tested against and shows at /docs.
package api

import (
	"context"
	_ "embed" // for the contract
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/rates"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

// Settings are the settings of the API that an operator may change. Programs embed them among their own flags.
type Settings struct {
	HTTP         string        `name:"http" env:"ORDERS_HTTP" default:"127.0.0.1:8080" help:"Address of the HTTP API and its documentation."`
	Data         string        `env:"ORDERS_DATA" default:".data" help:"Directory for data on disk. Each process needs its own."`
	Catalogue    string        `env:"ORDERS_CATALOGUE" placeholder:"FILE" help:"Product catalogue (YAML). Default: a built-in example."`
	SecretFile   string        `env:"ORDERS_SECRET_FILE" placeholder:"FILE" help:"File with the secret key that order IDs are derived from; the same for all instances. ORDERS_SECRET may hold the key itself. Default: a file in --data, created at the first start."`
	Secret       string        `env:"ORDERS_SECRET" secret:"" hidden:"" help:"Secret key that order IDs are derived from."`
	Promise      time.Duration `env:"ORDERS_PROMISE" default:"15m" help:"Backpressure: refuse new orders with 429 while the oldest order that no worker has begun is older than this. 0: never refuse."`
	PerRecipient int           `name:"orders-per-recipient" env:"ORDERS_ORDERS_PER_RECIPIENT" default:"0" help:"Maximum number of orders per hour for one e-mail address; refuse more with 429. 0: no limit."`
}

// Config is everything that the API needs to run.
type Config struct {
	Settings
	RateCard string // path of the rate card for quotes, or empty: the built-in one; the workers must have the same
	Group    string // consumer group of the workers, whose commits tell which orders have been begun

	Access config.Access
	Kafka  kafka.Config
	Topics topic.Set
	Log    *slog.Logger

	Ready     func(context.Context) error // an additional check of /healthz/ready; or nil
	Listening func(address string)        // called once with the address of the listener; or nil
}

//go:embed openapi.yaml
var contract []byte

// grace is how long answers in hand may take when the API stops.
const grace = 2 * time.Second

// Run runs the API until ctx is done, and returns nil then. Topics that are missing or not as they must be, an address
// that is taken or open to other machines, and a folder that another process uses are errors at once.
func Run(ctx context.Context, cfg Config) error {
	shop, err := catalogue.Load(cfg.Catalogue)
	if err != nil {
		return err
	}
	card, err := rates.Load(cfg.RateCard)
	if err != nil {
		return fmt.Errorf("reading the rate card: %w", err)
	}
	ln, err := serve.Listen(ctx, cfg.HTTP, "--http", "ORDERS_HTTP", cfg.Access)
	if err != nil {
		return err
	}
	defer ln.Close()
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
	// The view's folder belongs to this process now, so nobody else makes a secret there.
	secret, err := cfg.secret()
	if err != nil {
		return err
	}
	in := intake.New(k.orders, v, shop.Price, intake.Config{
		Topic: cfg.Topics.Orders, Incarnation: k.layout.Incarnation, Partitions: k.layout.Partitions, Secret: secret, Promise: cfg.Promise,
		PerHour: cfg.PerRecipient,
	})
	d := desk.New(k.replays, cfg.Topics, v)
	watch := func(ctx context.Context) error {
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { return kafka.Watch(ctx, k.replays, k.layout) })
		g.Go(func() error {
			if changed := k.layout.Watch(ctx, k.replays, cfg.Topics, cfg.Log); changed != nil {
				in.Block(changed)
			}
			return nil
		})
		return g.Wait()
	}
	return answer(ctx, cfg, ln, v, watch, func(stopping <-chan struct{}) http.Handler {
		return httpapi.New(httpapi.Config{Log: cfg.Log, OpenAPI: contract, Access: cfg.Access, Ready: cfg.Ready, Stopping: stopping}, in, v, d, shop, card)
	})
}

// answer keeps the view up to date, watches the topics and serves what handler makes, until ctx is done or one of them fails.
func answer(
	ctx context.Context, cfg Config, ln net.Listener, v *view.View, watch func(context.Context) error, handler func(stopping <-chan struct{}) http.Handler,
) error {
	g, running := errgroup.WithContext(ctx)
	// Orders in hand are answered from the view, so it ends after them.
	tailing, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error { return v.Run(tailing) })
	g.Go(func() error { return watch(running) })
	g.Go(func() error {
		defer stop()
		return serve.Run(running, ln, handler(running.Done()), grace)
	})
	address := ln.Addr().String()
	cfg.Log.LogAttrs(ctx, slog.LevelInfo, "listening", slog.String(telemetry.Address, address))
	if cfg.Listening != nil {
		cfg.Listening(address)
	}
	return g.Wait()
}

// clients are the producers, one for each way to choose a partition.
type clients struct {
	orders  *intake.Producer // by the order's ID
	replays *kgo.Client      // to the partition that a record names
	layout  kafka.Layout
}

func connect(ctx context.Context, cfg Config) (*clients, error) {
	replays, err := cfg.Kafka.ConnectProducer(ctx)
	if err != nil {
		return nil, err
	}
	k := &clients{replays: replays}
	if k.layout, err = kafka.Check(ctx, replays, cfg.Topics); err == nil {
		k.orders, err = intake.Connect(ctx, cfg.Kafka)
	}
	if err != nil {
		replays.Close()
		return nil, err
	}
	return k, nil
}

func (k *clients) close() {
	k.orders.Close()
	k.replays.Close()
}

func openView(ctx context.Context, cfg Config, layout kafka.Layout) (*view.View, error) {
	// It holds names and addresses of customers.
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	return view.New(ctx, view.Config{
		Kafka: cfg.Kafka, Topics: cfg.Topics, Incarnation: layout.Incarnation, Home: layout.Home, Group: cfg.Group,
		Path: filepath.Join(cfg.Data, "view.db"), Log: cfg.Log,
	})
}
