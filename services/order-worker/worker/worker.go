// Package worker is the face of the module: a member of the worker group, with its settings.
//
// Run wires what the packages of this module provide, in the way that an order goes:
//
//	consumer ── Handle ──▶ pipeline ── Plan, Do ──▶ shipping, invoice, email
//	  │   │                  │   │
//	  │   └─ Open ─▶ ledger ◀┘   └── Allow ──▶ retry (the mail server's breaker)
//	  └──────────── Room ────────────────────────┘
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-worker/internal/consumer"
	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/services/order-worker/internal/invoice"
	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/services/order-worker/internal/pipeline"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/services/order-worker/internal/shipping"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
	"example.com/orders/shared/topic"
)

// Config is everything a worker can be told.
type Config struct {
	Group       string        `env:"ORDERS_GROUP" default:"order-workers" help:"Consumer group of the workers."`
	Protocol    string        `name:"group-protocol" env:"ORDERS_GROUP_PROTOCOL" enum:"classic,consumer" default:"classic" help:"Protocol of the group: classic, or consumer (KIP-848), whose session time-out is the brokers'."`
	Session     time.Duration `name:"session-timeout" env:"ORDERS_SESSION_TIMEOUT" default:"8s" help:"Give the partitions of a worker that is silent for this long to others (classic protocol; within the brokers' bounds)."`
	AcceptLoss  bool          `env:"ORDERS_ACCEPT_LOSS" help:"Go on where a topic's log begins now, although orders before were lost."`
	SMTP        string        `name:"smtp" env:"ORDERS_SMTP" default:"127.0.0.1:1025" help:"Mail server to send to."`
	MailFrom    string        `env:"ORDERS_MAIL_FROM" default:"orders@shop.example.com" help:"Sender of the confirmations."`
	Templates   string        `name:"mail-templates" env:"ORDERS_MAIL_TEMPLATES" type:"path" help:"Folder of mail templates; each replaces the embedded one of its name."`
	ShopURL     string        `name:"shop-url" env:"ORDERS_SHOP_URL" help:"Where the shop is: mails link to /orders/ID there. No link by default."`
	RateCard    string        `env:"ORDERS_RATE_CARD" type:"path" help:"Rate card (YAML); an embedded one by default."`
	Seller      string        `env:"ORDERS_SELLER" type:"path" help:"Who issues the invoices (YAML); a made-up shop by default."`
	Concurrency int           `env:"ORDERS_CONCURRENCY" default:"64" help:"Orders in hand at once."`
	Drain       time.Duration `env:"ORDERS_DRAIN" default:"${drain}" help:"Grace period for in-flight orders when a partition is revoked."`
	Retries     int           `env:"ORDERS_RETRIES" default:"6" help:"How often a failed order is put off for 10 s; 0: never."`
	RetryFor    time.Duration `env:"ORDERS_RETRY_FOR" default:"1h" help:"Then retry every 2 minutes until the delays of an order add up to this, then dead-letter it."`
	Uncertain   string        `env:"ORDERS_UNCERTAIN" default:"resend" enum:"resend,hold" help:"A mail that may have gone out: resend it, or hold it as a letter."`
	Health      string        `env:"ORDERS_HEALTH" help:"Address of /healthz and /metrics; off by default."`

	Access config.Access `kong:"-"`
	Kafka  kafka.Config  `kong:"-"`
	Topics topic.Set     `kong:"-"`
	Log    *slog.Logger  `kong:"-"`
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
	if c.Session < consumer.SessionLeast {
		return fmt.Errorf("--session-timeout must be at least %s", consumer.SessionLeast)
	}
	if c.Retries < 0 || c.RetryFor < 0 {
		return errors.New("--retries and --retry-for must not be negative")
	}
	return nil
}

// DefaultDrain is longer than the time-out of a mail, so that a worker that stops finishes what it is sending.
const DefaultDrain = 35 * time.Second

// Run is a member of the group until ctx ends; then it drains what is in hand, commits, leaves, and returns nil. It
// refuses to start with settings, topics or files that are wrong.
func Run(ctx context.Context, cfg Config) error {
	name, meter := name(), metrics.New()
	server := retry.NewBreaker(cfg.Log, "mail server", cfg.Concurrency, func(open bool) { meter.Breaker(order.StepEmail, open) })
	stages, mail, err := steps(cfg, server)
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
	p := pipeline.New(pipeline.Config{
		Topics: cfg.Topics, Home: layout.Home, Group: cfg.Group, Worker: name, Meter: meter, Log: cfg.Log,
		Retry: retry.Policy{Retries: cfg.Retries, For: cfg.RetryFor}, Hold: cfg.Uncertain == "hold",
	}, stages)
	var ready atomic.Bool
	member := consumer.Config{
		Kafka: cfg.Kafka, Topics: cfg.Topics, Partitions: layout.Partitions, Group: cfg.Group, Concurrency: cfg.Concurrency, Drain: cfg.Drain,
		SessionTimeout: cfg.Session, Protocol: cfg.Protocol, AcceptLoss: cfg.AcceptLoss, Meter: meter, Log: cfg.Log,
		Ledger: ledger.Config{
			Topics: cfg.Topics, Incarnation: layout.Incarnation, Worker: name, Producer: producer, Meter: meter, Log: cfg.Log,
		},
		Room: server.Room,
		Assigned: func(partitions []int32) {
			ready.Store(true)
			meter.Owns(len(partitions))
			if cfg.Assigned != nil {
				cfg.Assigned(partitions)
			}
		},
	}
	g, ctx := errgroup.WithContext(ctx)
	c := consumer.New(member, p.Handle)
	meter.Watch(c.Hands)
	meter.WatchBlocked(c.Blocked)
	meter.WatchUnreadable(func(say func(topic string, partition int32, offset int64)) {
		for _, p := range c.Partitions() {
			if bad, ok := errors.AsType[*kafka.UnreadableError](p.Held); ok {
				say(bad.Topic, bad.Partition, bad.From)
			}
		}
	})
	g.Go(func() error { return kafka.Watch(ctx, producer, layout) })
	g.Go(func() error { return c.Run(ctx) })
	g.Go(func() error {
		if changed := layout.Watch(ctx, producer, cfg.Topics, cfg.Log); changed != nil {
			c.Block(changed)
		}
		return nil
	})
	g.Go(func() error { return health(ctx, cfg.Health, cfg.Access, &ready, c, meter.Handler()) })
	return g.Wait()
}

// envelope is what a record of orders.invoices takes beside the document: key, headers, and what Kafka adds.
const envelope = 16 << 10

// steps makes the list of steps from the files and settings they need. The caller closes the mail step.
func steps(cfg Config, server *retry.Breaker) ([]pipeline.Stage, *email.Step, error) {
	card, err := rates.Load(cfg.RateCard)
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
	if cfg.Seller != "" {
		if err := bills.Fits(topic.MaxBytes(cfg.Topics.Invoices) - envelope); err != nil {
			return nil, nil, fmt.Errorf("reading the seller: %w", err)
		}
	}
	// A connection for each order in hand: a mail that takes long must not make others wait.
	mail, err := email.New(email.Config{
		SMTP: cfg.SMTP, From: cfg.MailFrom, Seller: seller.Name, Templates: cfg.Templates, ShopURL: cfg.ShopURL,
		Connections: cfg.Concurrency, Dial: cfg.DialMail,
	})
	if err != nil {
		return nil, nil, err
	}
	return pipeline.Stages(shipping.New(card), bills, mail, server), mail, nil
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
