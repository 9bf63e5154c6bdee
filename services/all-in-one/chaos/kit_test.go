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

// TestMain lets the test program be what a stage starts: its processes run it again under another name.
func TestMain(m *testing.M) {
	switch as := os.Getenv("CHAOS_TEST_AS"); as {
	case "":
		os.Exit(m.Run())
	case "puppet":
		puppet()
	case "order-api":
		config.Main(as, runAPI)
	case "order-worker":
		config.Main(as, runWorker)
	}
}

// puppet does nothing but tell what becomes of it: that it is there, that it was continued, that it was told to end.
func puppet() {
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGCONT)
	c, err := net.Dial("tcp", os.Getenv("CHAOS_TEST_TELL"))
	if err != nil {
		os.Exit(1)
	}
	name := os.Args[1]
	fmt.Fprintln(c, name, "is there")
	fmt.Println("ready")
	for s := range signals {
		fmt.Fprintln(c, name, "was told:", s)
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
	drain := kong.Vars{"drain": "4s"}
	if err := config.Parse(&s, "order-worker", "", args, env, stdout, stderr, drain); err != nil {
		return err
	}
	return worker.Run(ctx, worker.Config{
		Settings: s.Settings, Kafka: kafka.Config{Brokers: s.Brokers}, Topics: topic.Names(s.Prefix), Log: s.Logger(stderr),
	})
}

// puppets are a stage whose processes are puppets, and what they tell.
type puppets struct {
	*stage
	told chan string
}

func setup(t *testing.T) *puppets {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mail, err := inbox.Open(inbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p := &puppets{
		stage: &stage{dir: t.TempDir(), out: io.Discard, mail: mail, skipped: map[string]int{}, turns: turns(), began: time.Now()},
		told:  make(chan string, 100),
	}
	var hearing sync.WaitGroup
	hearing.Go(func() { p.hear(ln, &hearing) })
	p.brokers, p.apis, p.workers = p.crowd("broker", brokerCount, ln), p.crowd("api", apiCount, ln), p.crowd("worker", placeCount, ln)
	t.Cleanup(func() {
		p.close(context.Background())
		ln.Close()
		hearing.Wait()
	})
	return p
}

func (p *puppets) crowd(name string, n int, ln net.Listener) (all []*process) {
	for i := range n {
		one := p.process(fmt.Sprint(name, "-", i+1), "ready", os.Args[0], fmt.Sprint(name, "-", i+1))
		one.env = []string{"CHAOS_TEST_AS=puppet", "CHAOS_TEST_TELL=" + ln.Addr().String()}
		all = append(all, one)
	}
	return all
}

// hear passes on what puppets tell, and that they are gone.
func (p *puppets) hear(ln net.Listener, hearing *sync.WaitGroup) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		hearing.Go(func() {
			defer c.Close()
			name := ""
			for lines := bufio.NewScanner(c); lines.Scan(); {
				fmt.Sscan(lines.Text(), &name)
				p.told <- lines.Text()
			}
			p.told <- name + " is gone"
		})
	}
}

// begin starts some of them, and hears that they are there.
func (p *puppets) begin(t *testing.T, some ...*process) {
	t.Helper()
	if err := each(some, func(one *process) error { return one.start(t.Context()) }); err != nil {
		t.Fatal(err)
	}
	for range some {
		<-p.told
	}
}

// hears waits for as many lines as are wanted, in any sequence.
func (p *puppets) hears(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for range want {
		got = append(got, <-p.told)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got told %q, want %q", got, want)
	}
}
