// Package worker is the face of the module: a member of the worker group, with its settings.
//
// Run wires what the packages of this module provide, in the way that an order goes:
//
//	consumer ── Handle ──▶ pipeline ── Plan, Do ──▶ shipping, invoice, email
//	    │                      │
//	    └── Open ──▶ ledger ◀──┴── Write, Keep, Bury
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-worker/internal/consumer"
	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/services/order-worker/internal/invoice"
	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/pipeline"
	"example.com/orders/services/order-worker/internal/shipping"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/topic"
)

// Config is everything a worker can be told.
type Config struct {
	Group       string        `env:"ORDERS_GROUP" default:"order-workers" help:"Consumer group of the workers."`
	SMTP        string        `name:"smtp" env:"ORDERS_SMTP" default:"127.0.0.1:1025" help:"Mail server to send to."`
	MailFrom    string        `env:"ORDERS_MAIL_FROM" default:"orders@shop.example.com" help:"Sender of the confirmations."`
	RateCard    string        `env:"ORDERS_RATE_CARD" type:"path" help:"Rate card (YAML); an embedded one by default."`
	Seller      string        `env:"ORDERS_SELLER" type:"path" help:"Who issues the invoices (YAML); a made-up shop by default."`
	Concurrency int           `env:"ORDERS_CONCURRENCY" default:"64" help:"Orders in hand at once."`
	Drain       time.Duration `env:"ORDERS_DRAIN" default:"${drain}" help:"How long orders in hand may be finished when a partition goes."`
	Health      string        `env:"ORDERS_HEALTH" help:"Address of /healthz; off by default."`

	Kafka  kafka.Config `kong:"-"`
	Topics topic.Set    `kong:"-"`
	Log    *slog.Logger `kong:"-"`
	// DialMail replaces the network on the way to the mail server; or nil.
	DialMail func(ctx context.Context, network, address string) (net.Conn, error) `kong:"-"`
	// Assigned is called with the owned partition numbers after each change; or nil. It must not block.
	Assigned func(partitions []int32) `kong:"-"`
}

// Validate refuses what no worker can run with. Kong calls it for flags.
func (c *Config) Validate() error {
	if c.Concurrency < 1 || c.Drain < 0 || c.Group == "" {
		return errors.New("--concurrency must be at least 1, --drain not negative, and --group not empty")
	}
	return nil
}

// DefaultDrain is longer than the time-out of a mail, so that a worker that stops finishes what it is sending.
const DefaultDrain = 35 * time.Second

// Run is a member of the group until ctx ends; then it drains what is in hand, commits, leaves, and returns nil. It
// refuses to start with settings, topics or files that are wrong.
func Run(ctx context.Context, cfg Config) error {
	stages, mail, err := steps(cfg)
	if err != nil {
		return err
	}
	defer mail.Close()
	producer, err := ledger.Connect(ctx, cfg.Kafka)
	if err != nil {
		return err
	}
	defer producer.Close()
	layout, err := kafka.Check(ctx, producer, cfg.Topics)
	if err != nil {
		return err
	}
	name := name()
	p := pipeline.New(cfg.Log, cfg.Topics, cfg.Group, name, stages)
	var ready atomic.Bool
	member := consumer.Config{
		Kafka: cfg.Kafka, Topics: cfg.Topics, Group: cfg.Group, Concurrency: cfg.Concurrency, Drain: cfg.Drain, Log: cfg.Log,
		Ledger: ledger.Config{
			Topics: cfg.Topics, Incarnation: layout.Incarnation, Worker: name, Producer: producer, Log: cfg.Log,
		},
		Assigned: func(partitions []int32) {
			ready.Store(true)
			if cfg.Assigned != nil {
				cfg.Assigned(partitions)
			}
		},
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return consumer.Run(ctx, member, p.Handle) })
	g.Go(func() error { return health(ctx, cfg.Health, &ready) })
	return g.Wait()
}

// steps makes the list of steps from the files and settings they need. The caller closes the mail step.
func steps(cfg Config) ([]pipeline.Stage, *email.Step, error) {
	card, err := shipping.Load(cfg.RateCard)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the rate card: %w", err)
	}
	seller, err := invoice.LoadSeller(cfg.Seller)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the seller: %w", err)
	}
	bills, err := invoice.New(seller)
	if err != nil {
		return nil, nil, err
	}
	// A connection for each order in hand: a mail that takes long must not make others wait.
	mail, err := email.New(email.Config{
		SMTP: cfg.SMTP, From: cfg.MailFrom, Seller: seller.Name, Connections: cfg.Concurrency, Dial: cfg.DialMail,
	})
	if err != nil {
		return nil, nil, err
	}
	return pipeline.Stages(shipping.New(card), bills, mail), mail, nil
}

// health answers whether the process lives, and whether it has been given partitions, or told that there are none for it.
func health(ctx context.Context, address string, ready *atomic.Bool) error {
	if address == "" {
		return nil
	}
	ln, err := serve.Listen(ctx, address, "--health", "ORDERS_HEALTH")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz/live", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /healthz/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return serve.Run(ctx, ln, mux, time.Second)
}

// name says in claims and letters which worker it was: host, process and version.
func name() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	version := "devel"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return fmt.Sprintf("%s/%d %s", host, os.Getpid(), version)
}
