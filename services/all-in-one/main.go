// Command all-in-one is the whole application in one process: a Kafka broker, a mail catcher, the API and some workers.
//
// It is for trying and testing. It only builds the settings of the parts and runs them; each part is the same code that
// runs alone in production. The broker listens like any other, so that workers in other terminals can join.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"slices"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/api"
	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/config"
	"example.com/orders/shared/embedded/broker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

func main() { config.Main("all-in-one", run) }

// settings are those of all parts, and what only this program knows.
type settings struct {
	config.Kafka
	config.Access
	API    api.Config    `embed:""`
	Worker worker.Config `embed:""`
	telemetry.Log

	Embedded []string `env:"ORDERS_EMBEDDED" enum:"broker,inbox,none" default:"broker,inbox" help:"What to start here; the rest must be there already."`
	Inbox    string   `env:"ORDERS_INBOX" default:"127.0.0.1:8025" help:"Address of the inbox page."`
	Workers  int      `env:"ORDERS_WORKERS" default:"2" help:"Workers to start here; others can join from outside."`
	Sample   string   `env:"ORDERS_SAMPLE" type:"existingfile" help:"File of orders to place at the start; those of an earlier start are not placed again."`
}

// Validate is called by config.Parse.
func (s *settings) Validate() error {
	if s.Workers < 0 {
		return errors.New("--workers must not be negative")
	}
	return nil
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s settings
	err := config.Parse(&s, "all-in-one", "The whole application in one process, for trying and testing.", args, env, stdout, stderr,
		// Quieter than a service: somebody is looking at what welcome tells.
		kong.Vars{"drain": "4s", "log_level": "warn"})
	if err != nil {
		return err
	}
	d := &demo{settings: s, log: s.Logger(stderr), stdout: stdout, stderr: stderr, listening: make(chan string, 1)}
	d.log.LogAttrs(ctx, slog.LevelInfo, "settings", config.Effective(&s)...)
	if err := d.open(ctx); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { fmt.Fprintln(stderr, "all-in-one: ending; a second Ctrl-C ends it at once") })
	return stack(ctx, d.runBroker, d.runInbox, d.runWorkers, d.runAPI, d.welcome)
}

// demo is a running application.
type demo struct {
	settings
	log            *slog.Logger
	stdout, stderr io.Writer
	kafka          kafka.Config
	broker         *broker.Broker // or nil: the Kafka at --brokers is used
	inbox          *inbox.Inbox   // or nil: the server at --smtp is used
	listening      chan string    // gets the address of the API
}

// ownFolder is the hint for a folder that another process uses.
const ownFolder = "end the other one, or give this one a folder of its own with --data or ORDERS_DATA"

// open starts what the parts need before they can begin: a broker with topics, and a mail server.
func (d *demo) open(ctx context.Context) error {
	d.kafka = kafka.Config{Brokers: d.Brokers, Log: d.log}
	var err error
	if slices.Contains(d.Embedded, "broker") {
		d.broker, err = broker.Start(ctx, broker.Config{Addr: d.Brokers[0], Dir: d.folder("broker"), Access: d.Access, Log: d.log})
		if errors.Is(err, broker.ErrInUse) {
			return config.Hint(err, ownFolder)
		}
		if _, ok := errors.AsType[*fs.PathError](err); ok {
			return fmt.Errorf("--data: %w", err)
		}
		if err != nil {
			return serve.Taken(fmt.Errorf("--brokers: %w", err), "--brokers", "ORDERS_BROKERS")
		}
		d.kafka.Brokers = []string{d.broker.Addr()}
	}
	if slices.Contains(d.Embedded, "inbox") {
		d.inbox, err = inbox.Open(inbox.Config{SMTP: d.Worker.SMTP, HTTP: d.Inbox, Dir: d.folder("inbox"), Access: d.Access, Log: d.log})
		if errors.Is(err, inbox.ErrInUse) {
			err = config.Hint(err, ownFolder)
		}
		if err != nil {
			return errors.Join(serve.Taken(err, "--smtp or --inbox,", "ORDERS_SMTP or ORDERS_INBOX"), d.close())
		}
		d.Worker.SMTP = d.inbox.SMTPAddr()
	}
	if err := d.createTopics(ctx); err != nil {
		return errors.Join(err, d.close())
	}
	d.Worker.ShopURL = cmp.Or(d.Worker.ShopURL, shop(d.API.HTTP))
	return nil
}

// shop is where mails link to when there is no shop: what the API at an address says of an order stands in for its page. It
// is empty when the address is not known yet.
func shop(address string) string {
	if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "0" {
		return ""
	}
	return "http://" + address + "/v1"
}

func (d *demo) folder(name string) string { return filepath.Join(d.API.Data, name) }

// createTopics makes what is missing; the parts compare the rest with what it must be.
func (d *demo) createTopics(ctx context.Context) error {
	cl, err := d.kafka.Connect(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	_, err = kafka.Create(ctx, cl, topic.Names(d.Prefix), topic.Partitions, 0)
	return err
}

func (d *demo) runBroker(ctx context.Context) error {
	<-ctx.Done()
	return d.close()
}

func (d *demo) close() error {
	if d.broker == nil {
		return nil
	}
	return d.broker.Close()
}

func (d *demo) runInbox(ctx context.Context) error {
	if d.inbox == nil {
		<-ctx.Done()
		return nil
	}
	return d.inbox.Run(ctx)
}

func (d *demo) runWorkers(ctx context.Context) error {
	if d.Workers == 0 {
		<-ctx.Done()
		return nil
	}
	cfg := d.Worker
	cfg.Access, cfg.Kafka, cfg.Topics, cfg.Log = d.Access, d.kafka, topic.Names(d.Prefix), d.log
	g, ctx := errgroup.WithContext(ctx)
	for i := range d.Workers {
		one := cfg
		if i > 0 {
			one.Health = "" // only one can listen there
		}
		g.Go(func() error { return worker.Run(ctx, one) })
	}
	return g.Wait()
}

func (d *demo) runAPI(ctx context.Context) error {
	cfg := d.API
	cfg.RateCard, cfg.Group = d.Worker.RateCard, d.Worker.Group
	cfg.Data = d.folder("view")
	cfg.Access, cfg.Kafka, cfg.Topics, cfg.Log = d.Access, d.kafka, topic.Names(d.Prefix), d.log
	if d.broker != nil {
		cfg.Ready = d.reachKafka
	}
	cfg.Listening = func(address string) { d.listening <- address }
	return api.Run(ctx, cfg)
}

// reachKafka fails when a new client cannot talk to the broker: those that are connected already may not notice.
func (d *demo) reachKafka(ctx context.Context) error {
	cl, err := d.kafka.Connect(ctx)
	if err == nil {
		cl.Close()
	}
	return err
}
