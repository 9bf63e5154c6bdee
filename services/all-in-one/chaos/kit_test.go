package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"example.com/orders/services/order-api/api"
	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/config"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

// TestMain lets the test program act as the programs that a system starts.
func TestMain(m *testing.M) {
	switch as := os.Getenv("CHAOS_TEST_AS"); as {
	case "":
		os.Exit(m.Run())
	case "fake":
		fakeProgram()
	case "order-api":
		config.Main(as, runAPI)
	case "order-worker":
		config.Main(as, runWorker)
	}
}

// fakeProgram only reports events over TCP: its start, and the signals SIGCONT and SIGTERM.
func fakeProgram() {
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGCONT)
	c, err := net.Dial("tcp", os.Getenv("CHAOS_TEST_EVENTS"))
	if err != nil {
		os.Exit(1)
	}
	name := os.Args[1]
	report := func(event ...any) {
		fmt.Fprintln(c, append([]any{name}, event...)...)
		_, _ = c.Read(make([]byte, 1)) // until it is forwarded: the events of all programs stay in order
	}
	report("started")
	fmt.Println("ready")
	for s := range signals {
		report("was events:", s)
		if s == syscall.SIGTERM {
			os.Exit(0)
		}
	}
}

func runAPI(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s struct {
		config.Kafka
		HTTP   string `name:"http"`
		Data   string
		Secret string `env:"ORDERS_SECRET"`
		telemetry.Log
	}
	if err := config.Parse(&s, "order-api", "", args, env, stdout, stderr); err != nil {
		return err
	}
	return api.Run(ctx, api.Config{
		Settings: api.Settings{HTTP: s.HTTP, Data: s.Data, Secret: s.Secret},
		Kafka:    kafka.Config{Brokers: s.Brokers}, Topics: topic.Names(s.Prefix), Log: s.Logger(stderr),
	})
}

func runWorker(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s struct {
		config.Kafka
		worker.Settings
		telemetry.Log
	}
	drain := kong.Vars{"drain": worker.DefaultDrain.String()}
	if err := config.Parse(&s, "order-worker", "", args, env, stdout, stderr, drain); err != nil {
		return err
	}
	return worker.Run(ctx, worker.Config{
		Settings: s.Settings, Kafka: kafka.Config{Brokers: s.Brokers}, Topics: topic.Names(s.Prefix), Log: s.Logger(stderr),
	})
}

// fakeSystem is a system whose processes are fake programs, with the events that they report.
type fakeSystem struct {
	*system
	events chan string
}

func setup(t *testing.T) *fakeSystem {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mail, err := inbox.Open(inbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p := &fakeSystem{
		system: &system{dir: t.TempDir(), out: io.Discard, mail: mail, skipped: map[string]int{}, locks: componentLocks(), began: time.Now()},
		events: make(chan string, 100),
	}
	var forwarding sync.WaitGroup
	forwarding.Go(func() { p.forward(ln, &forwarding) })
	p.brokers, p.apis, p.workers = p.fakes("broker", brokerCount, ln), p.fakes("api", apiCount, ln), p.fakes("worker", maxWorkers, ln)
	t.Cleanup(func() {
		p.close(context.Background())
		ln.Close()
		forwarding.Wait()
	})
	return p
}

func (p *fakeSystem) fakes(name string, n int, ln net.Listener) (all []*process) {
	for i := range n {
		one := p.process(fmt.Sprint(name, "-", i+1), "ready", os.Args[0], fmt.Sprint(name, "-", i+1))
		one.env = []string{"CHAOS_TEST_AS=fake", "CHAOS_TEST_EVENTS=" + ln.Addr().String()}
		all = append(all, one)
	}
	return all
}

// forward forwards the events of the fake programs, and their exits: that of a process before the start of the next of its name.
func (p *fakeSystem) forward(ln net.Listener, forwarding *sync.WaitGroup) {
	var last sync.Map // by name, a channel that is closed when the exit of the last process is forwarded
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		forwarding.Go(func() {
			defer c.Close()
			name, exited := "", make(chan struct{})
			for lines := bufio.NewScanner(c); lines.Scan(); fmt.Fprint(c, ".") {
				if name == "" {
					fmt.Sscan(lines.Text(), &name)
					if before, ok := last.Swap(name, exited); ok {
						<-before.(chan struct{})
					}
				}
				p.events <- lines.Text()
			}
			p.events <- name + " exited"
			close(exited)
		})
	}
}

// startAll starts some programs and waits until they have reported that.
func (p *fakeSystem) startAll(t *testing.T, some ...*process) {
	t.Helper()
	if err := each(some, func(one *process) error { return one.start(t.Context()) }); err != nil {
		t.Fatal(err)
	}
	for range some {
		<-p.events
	}
}

// expect waits for as many events as are wanted, in any order.
func (p *fakeSystem) expect(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for range want {
		got = append(got, <-p.events)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got events %q, want %q", got, want)
	}
}
