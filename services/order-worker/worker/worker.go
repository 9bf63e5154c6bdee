// Package worker is the face of the module: a member of the worker group, with its settings.
//
// Run wires what the packages of this module provide, in the way that an order goes:
//
//	group ── Handle ──▶ pipeline ── Plan, Do ──▶ shipping, invoice, email
//	  │   │                  │   │
//	  │   └─ Open ─▶ ledger ◀┘   └── Allow ──▶ retry (the mail server's breaker)
//	  └──────────── Room ────────────────────────┘
//	presence ── Look ──▶ group, retry: what the worker tells of itself in orders.workers
package worker

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-worker/internal/group"
	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/services/order-worker/internal/pipeline"
	"example.com/orders/services/order-worker/internal/presence"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/tracing"
	"example.com/orders/shared/wire"
)

// Config is everything that a worker needs to run.
type Config struct {
	Settings
	Access config.Access
	Kafka  kafka.Config
	Topics topic.Set
	Log    *slog.Logger
	Traces *tracing.Tracer // or nil: there are no traces
	// DialMail replaces net.Dialer for connections to the mail server; or nil.
	DialMail func(ctx context.Context, network, address string) (net.Conn, error)
	// Assigned is called with the owned partition numbers after each change; or nil. It must not block.
	Assigned func(partitions []int32)
	// Probes is called with the handler of --health before the worker joins its group; or nil.
	Probes func(h http.Handler)
}

// mailServer is the name of the dependency of the step email, in logs, metrics and reports.
const mailServer = "mail server"

// Run is a member of the group until ctx ends; then it drains orders in flight, commits, leaves, and returns nil. It
// refuses to start with settings, topics or files that are wrong.
func Run(ctx context.Context, cfg Config) error {
	self, meter := identify(), metrics.New()
	name := self.name()
	cfg.Kafka.Meter = meter.Kafka
	server := retry.NewBreaker(cfg.Log, mailServer, cfg.slots())
	steps, mail, err := steps(cfg, server)
	if err != nil {
		return err
	}
	defer mail.Close()
	producer, err := cfg.Kafka.ConnectProducer(ctx)
	if err != nil {
		return err
	}
	defer producer.Close()
	layout, err := kafka.Check(ctx, producer, cfg.Topics, kafka.WorkerGrants(cfg.Topics, cfg.Group)...)
	if err != nil {
		return err
	}
	p := pipeline.New(pipeline.Config{
		Topics: cfg.Topics, Home: layout.Home, Group: cfg.Group, Worker: name, Meter: meter, Log: cfg.Log,
		Retry: retry.Policy{Retries: cfg.Retries, For: cfg.RetryFor}, Hold: cfg.Uncertain == "hold",
	}, steps)
	var ready atomic.Bool
	member := group.Config{
		Kafka: cfg.Kafka, Topics: cfg.Topics, Partitions: layout.Partitions, Group: cfg.Group, Slots: cfg.slots(), Drain: cfg.Drain,
		SessionTimeout: cfg.Session, Protocol: cfg.Protocol, AcceptLoss: cfg.AcceptLoss, Meter: meter, Log: cfg.Log,
		Ledger: ledger.Config{
			Topics: cfg.Topics, Incarnation: layout.Incarnation, Worker: name, Producer: producer, Gather: new(kafka.Gather), Meter: meter, Log: cfg.Log,
		},
		Room:     server.Room,
		Assigned: assigned(cfg, &ready, meter),
	}
	m := group.New(member, traced(cfg, p.Handle))
	meter.Watch(cfg.slots(), m.Gauges, mailServer, server.State)
	health, err := health(ctx, cfg, probes(cfg.Access, &ready, m, meter.Handler()))
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return layout.Watch(ctx, producer, cfg.Log, m.Block) })
	g.Go(func() error {
		// While it drains it is still there.
		defer publish(ctx, cfg, func() wire.Worker { return look(cfg, self, &ready, m, server) })()
		return m.Run(ctx)
	})
	g.Go(func() error { return health(ctx) })
	return g.Wait()
}

// assigned is told which partitions the worker owns.
func assigned(cfg Config, ready *atomic.Bool, meter *metrics.Meter) func(partitions []int32) {
	return func(partitions []int32) {
		ready.Store(true)
		meter.Owns(len(partitions))
		if cfg.Assigned != nil {
			cfg.Assigned(partitions)
		}
	}
}

// identity is which worker this is.
type identity struct {
	id, host, version string
	started           time.Time
}

// name says in claims and dead letters which worker it was: host, process and version.
func (i identity) name() string { return fmt.Sprintf("%s/%d %s", i.host, os.Getpid(), i.version) }

func identify() identity {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return identity{"wrk_" + strings.ToLower(rand.Text()), host, config.Version(), time.Now()}
}

// publish tells others what the worker is doing, until the returned function is called.
func publish(ctx context.Context, cfg Config, look func() wire.Worker) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { // ends with cancel
		defer close(done)
		presence.Run(ctx, presence.Config{Kafka: cfg.Kafka, Topic: cfg.Topics.Workers, Log: cfg.Log, Look: look})
	}()
	return func() {
		cancel()
		<-done
	}
}

// look is what the worker tells of itself.
func look(cfg Config, self identity, ready *atomic.Bool, m *group.Member, server *retry.Breaker) wire.Worker {
	w := wire.Worker{
		ID: self.id, Host: self.host, PID: os.Getpid(), Version: self.version, Group: cfg.Group, Started: self.started, At: time.Now(), Slots: cfg.slots(),
	}
	if ready.Load() {
		w.Lease = m.Lease()
	}
	for _, p := range m.Partitions() {
		w.InFlight += p.InFlight
		told := wire.WorkerPartition{Number: p.Number, State: string(p.State), InFlight: p.InFlight}
		if reason := cmp.Or(p.Blocked, p.Reason); reason != nil {
			told.Reason = reason.Error()
		}
		w.Partitions = append(w.Partitions, told)
	}
	s := server.Status()
	w.Dependencies = []wire.Dependency{{Name: s.Name, State: s.State, Since: s.Since, Probe: s.Probe, Reason: string(s.Reason)}}
	return w
}
