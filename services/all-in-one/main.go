// Command all-in-one runs the whole application in one process: a Kafka broker, a mail inbox, the
// API and some workers.
//
// It is for trying and testing. Each part is the code that runs as a process of its own in
// production. The broker listens on a TCP address, so workers in other processes can join the
// group: those of --workers-as-processes, which end with this one, and any other.
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
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/api"
	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/config"
	"example.com/orders/shared/embedded/broker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/filelock"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/tracing"
	"example.com/orders/shared/tracing/otlp"
)

func main() {
	if slices.Equal(os.Args[1:], []string{workerCommand}) {
		config.Main("all-in-one worker", func(ctx context.Context, _ []string, env func(string) string, _, stderr io.Writer) error {
			return runWorkerProcess(ctx, os.Stdin, env, stderr)
		})
	}
	config.Main("all-in-one", run)
}

// settings are those of all parts, and those of this program only.
type settings struct {
	config.Kafka
	config.Access
	API    api.Settings    `embed:""`
	Worker worker.Settings `embed:""`
	telemetry.Log

	Embedded []string `env:"ORDERS_EMBEDDED" enum:"broker,inbox,none" default:"broker,inbox" help:"Parts to start in this process, in addition to API and workers: broker (Kafka), inbox (mail server and its web page), or none."`
	Inbox    string   `env:"ORDERS_INBOX" default:"127.0.0.1:8025" help:"Address of the web page that shows the mails of the embedded inbox."`
	Workers  int      `env:"ORDERS_WORKERS" default:"2" help:"Number of workers to start. Others can join the same group. 0: none."`
	Apart    bool     `name:"workers-as-processes" env:"ORDERS_WORKERS_AS_PROCESSES" help:"Run each worker in a process of its own, so that it can be killed, and show Break it on the page /ops, unless --allow-remote is set. A worker that ends is not started again. Default: all in this process; if one fails, the program ends."`
	Sample   string   `env:"ORDERS_SAMPLE" type:"existingfile" placeholder:"FILE" help:"File of orders to place at the start (JSON, NDJSON or CSV). Orders with an idempotency key are placed once, however often you start."`
}

// Validate is called by config.Parse.
func (s *settings) Validate() error {
	if s.Workers < 0 {
		return errors.New("--workers must not be negative")
	}
	if s.Security != (config.KafkaSecurity{}) && slices.Contains(s.Embedded, "broker") {
		return errors.New("--kafka-tls and --kafka-sasl: the embedded broker has neither; name a Kafka with --brokers and --embedded inbox, or none")
	}
	return nil
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s settings
	err := config.Parse(&s, "all-in-one", "Runs the whole application in one process, for trying and testing."+otlp.Help, args, env, stdout, stderr,
		// Log less than a service does: the terminal shows what welcome prints.
		kong.Vars{"drain": "4s", "log_level": "warn"})
	if err != nil {
		return err
	}
	d := &demo{settings: s, log: s.Logger(stderr), stdout: stdout, stderr: stderr, listening: make(chan struct{})}
	d.log.LogAttrs(ctx, slog.LevelInfo, "settings", config.Effective(&s)...)
	stop, err := d.openTraces(ctx, env)
	if err != nil {
		return err
	}
	defer stop()
	if err := d.open(ctx); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { fmt.Fprintln(stderr, "all-in-one: stopping; press Ctrl-C again to stop at once") })
	return stack(ctx, d.runBroker, d.runInbox, d.runWorkers, d.runAPI, d.runBreaker, d.welcome)
}

// openTraces opens the tracers of the two services. The caller calls stop.
func (d *demo) openTraces(ctx context.Context, env otlp.Env) (stop func(), err error) {
	var stopAPI, stopWorker func()
	if d.apiTraces, stopAPI, err = otlp.Open(ctx, "order-api", env, d.log); err != nil {
		return nil, err
	}
	d.workerTraces, stopWorker, err = otlp.Open(ctx, "order-worker", env, d.log)
	return func() { stopAPI(); stopWorker() }, err
}

// demo is the running application.
type demo struct {
	settings
	log            *slog.Logger
	stdout, stderr io.Writer
	kafka          kafka.Config
	broker         *broker.Broker // or nil: --brokers names a Kafka that is running already
	inbox          *inbox.Inbox   // or nil: --smtp names a server that is running already
	listening      chan struct{}  // closed when the API is listening
	url            string         // of the API; set before listening is closed
	keys           []demoKey      // or nil: the visitor has keys
	processes      *processes     // workers, if they run in processes of their own
	breaker        *breaker       // or nil: nothing can be broken on purpose

	apiTraces, workerTraces *tracing.Tracer // or nil: there are no traces
}

// ownFolder is the hint for a directory that another process uses.
const ownFolder = "stop the other process, or give this one another directory with --data or ORDERS_DATA"

// open starts the broker and the mail server, and creates the topics. The other parts need them to
// start.
func (d *demo) open(ctx context.Context) error {
	d.kafka = kafka.Config{Brokers: d.Brokers, Security: kafka.Security(d.Security), Log: d.log}
	var err error
	if slices.Contains(d.Embedded, "broker") {
		d.broker, err = broker.Start(ctx, broker.Config{
			Addr: d.Brokers[0], Dir: d.folder("broker"), Members: d.Workers, Access: d.Access, Log: d.log,
		})
		if errors.Is(err, filelock.ErrHeld) {
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
		d.inbox, err = inbox.Open(inbox.Config{SMTP: d.Worker.SMTP, HTTP: d.Inbox, Dir: d.folder("inbox"), Shop: d.shop(), Access: d.Access, Log: d.log})
		if errors.Is(err, filelock.ErrHeld) {
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
	if err := d.createKeys(); err != nil {
		return errors.Join(err, d.close())
	}
	d.Worker.ShopURL = cmp.Or(d.Worker.ShopURL, d.shop())
	d.processes = &processes{settings: workerSettings{d.Kafka, d.Access, d.Worker, d.Log}, log: d.log, stderr: d.stderr, running: map[int]*process{}}
	d.processes.settings.Kafka.Brokers = d.kafka.Brokers
	if d.Apart && !d.AllowRemote && (d.API.Auth == api.AuthNone || len(d.keys) > 0) {
		d.breaker = &breaker{
			workers: d.processes, inbox: d.inbox, kafka: d.kafka, orders: topic.Names(d.Prefix).Orders, log: d.log, loads: make(chan load, 1), mail: "works",
		}
	}
	return nil
}

// shop is the default of --shop-url: mails link to the page of the order. It is empty when the port of
// the address is not known yet.
func (s *settings) shop() string {
	if host, port, err := net.SplitHostPort(s.API.HTTP); err != nil || host == "" || port == "0" {
		return ""
	}
	return s.scheme() + s.API.HTTP
}

// scheme is the beginning of the URL of the API.
func (s *settings) scheme() string {
	if s.API.TLSCert != "" {
		return "https://"
	}
	return "http://"
}

func (d *demo) folder(name string) string { return filepath.Join(d.API.Data, name) }

// createTopics creates missing topics. The parts check the settings of those that exist.
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
	if d.Apart {
		return d.processes.run(ctx, d.Workers)
	}
	if d.Workers == 0 {
		<-ctx.Done()
		return nil
	}
	cfg := worker.Config{Settings: d.Worker, Access: d.Access, Kafka: d.kafka, Topics: topic.Names(d.Prefix), Log: d.log, Traces: d.workerTraces}
	g, ctx := errgroup.WithContext(ctx)
	for i := range d.Workers {
		one := cfg
		if i > 0 {
			one.Health = "" // only one worker can listen on the address
		}
		g.Go(func() error { return worker.Run(ctx, one) })
	}
	return g.Wait()
}

func (d *demo) runAPI(ctx context.Context) error {
	cfg := api.Config{
		Settings: d.API, RateCard: d.Worker.RateCard, Group: d.Worker.Group,
		Access: d.Access, Kafka: d.kafka, Topics: topic.Names(d.Prefix), Log: d.log, Traces: d.apiTraces,
	}
	cfg.Data = d.folder("view")
	if d.broker != nil {
		cfg.Ready = d.reachKafka
	}
	if d.inbox != nil {
		cfg.Inbox = "http://" + d.inbox.HTTPAddr() + "/"
	}
	cfg.Listening = func(address string) {
		d.url = d.scheme() + address
		close(d.listening)
	}
	if d.breaker != nil {
		cfg.Breaker = d.breaker
	}
	return api.Run(ctx, cfg)
}

// runBreaker places the orders of "Break it", as a customer.
func (d *demo) runBreaker(ctx context.Context) error {
	select {
	case <-d.listening:
	case <-ctx.Done():
		return nil
	}
	if d.breaker == nil {
		<-ctx.Done()
		return nil
	}
	customer := client.New(d.url, http.DefaultClient)
	if d.required() {
		var err error
		if customer, err = customer.WithToken(d.keys[0].text, false); err != nil {
			return err
		}
	}
	return d.breaker.run(ctx, customer)
}

// reachKafka fails when a new client cannot connect to the broker. Clients that are connected
// already may not notice.
func (d *demo) reachKafka(ctx context.Context) error {
	cl, err := d.kafka.Connect(ctx)
	if err == nil {
		cl.Close()
	}
	return err
}

// stack runs parts in order of dependency: each part needs those before it. When ctx is done or one
// part returns, all parts are cancelled in reverse order, each after those that depend on it have
// returned. It returns the errors of all parts, except that of a part that returned
// context.Canceled because it was cancelled.
func stack(ctx context.Context, parts ...func(context.Context) error) error {
	if len(parts) == 0 {
		<-ctx.Done()
		return nil
	}
	lower, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	upper, endUpper := context.WithCancel(ctx)
	defer endUpper()
	ended := make(chan error, 1)
	go func() { // waited for below
		err := parts[0](lower)
		if lower.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil
		}
		ended <- err
		endUpper()
	}()
	err := stack(upper, parts[1:]...)
	end()
	return errors.Join(<-ended, err)
}
