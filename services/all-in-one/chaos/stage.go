package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
)

// How much there is of everything. Scaling goes through all places of workers; otherwise the first ones are filled.
const (
	brokerCount = 3
	apiCount    = 2
	workerCount = 2
	placeCount  = 6
	concurrency = 64 // orders in hand of a worker
)

// stage is the application under test: real processes on a real Kafka, and what stands between them.
//
//	load ──▶ order-api × 2 ──┐
//	                         ├──▶ proxy × 3 ──▶ broker × 3 ◀── observer, audit
//	         order-worker × N┤
//	                         └──▶ mail server
type stage struct {
	settings
	dir   string // everything that is written goes there
	out   io.Writer
	began time.Time

	brokers, apis, workers []*process
	proxies                []*proxy
	mail                   *inbox.Inbox
	clock                  string // file that moves the brokers' clock
	smallDisk              string // folder of an API whose disk can be filled, or empty: it could not be mounted

	turns map[string]*sync.Mutex // by what faults touch

	mu      sync.Mutex
	played  []played
	fallen  []fallen
	skipped map[string]int
}

// fallen is a process that ended by itself.
type fallen struct {
	name string
	at   time.Time
}

// address is the n-th of the ports that the stage uses, from --port on. A broker has four: its clients', its controller's, the one
// behind its proxy, and the proxy's.
func (s *stage) address(n int) string { return fmt.Sprintf("127.0.0.1:%d", s.Port+n) }

const (
	brokersApart = 10
	proxyPort    = 3
	apiPort      = 40
	mailPort     = 45
)

// direct reaches the brokers past the proxies.
func (s *stage) direct() kafka.Config {
	var brokers []string
	for i := range brokerCount {
		brokers = append(brokers, s.address(i*brokersApart))
	}
	return kafka.Config{Brokers: brokers}
}

// build describes every process, and opens the proxies and the mail server.
func (s *stage) build(ctx context.Context, plan []fault) (err error) {
	s.clock = filepath.Join(s.dir, "clock")
	if err := s.setClock(0); err != nil {
		return err
	}
	var proxied []string
	for i := range brokerCount {
		at := s.address(i*brokersApart + proxyPort)
		p, err := newProxy(ctx, at, s.address(i*brokersApart+proxyPort-1))
		if err != nil {
			return err
		}
		s.proxies, proxied = append(s.proxies, p), append(proxied, at)
		s.brokers = append(s.brokers, s.process(fmt.Sprint("broker-", i+1), "Kafka Server started",
			s.Scripts+"/kafka", "--data", filepath.Join(s.dir, "kafka"), "--port", fmt.Sprint(s.Port), "--apart", fmt.Sprint(brokersApart),
			"--proxied", "--clock", s.clock, "--broker", fmt.Sprint(i+1), fmt.Sprint(brokerCount)))
	}
	if s.mail, err = inbox.Open(inbox.Config{SMTP: s.address(mailPort)}); err != nil {
		return err
	}
	kafkaAt := strings.Join(proxied, ",")
	for i := range apiCount {
		name := fmt.Sprint("api-", i+1)
		p := s.process(name, "msg=listening", filepath.Join(s.Bin, "order-api"), "--brokers", kafkaAt,
			"--http", s.address(apiPort+i), "--data", filepath.Join(s.dir, name))
		p.env = []string{"ORDERS_SECRET=one-secret-for-both-instances-of-the-api"}
		s.apis = append(s.apis, p)
	}
	for i := range placeCount {
		s.workers = append(s.workers, s.process(fmt.Sprint("worker-", i+1), `msg="partitions owned"`, filepath.Join(s.Bin, "order-worker"),
			"--brokers", kafkaAt, "--smtp", s.address(mailPort), "--concurrency", fmt.Sprint(concurrency)))
	}
	if slices.ContainsFunc(plan, func(f fault) bool { return f.name == "disk-full" }) {
		return s.mountSmallDisk(ctx)
	}
	return nil
}

func (s *stage) process(name, mark string, args ...string) *process {
	return &process{name: name, mark: mark, log: filepath.Join(s.dir, name+".log"), args: args, fell: s.fell}
}

// fell notes that a process ended by itself.
func (s *stage) fell(name string) {
	s.mu.Lock()
	s.fallen = append(s.fallen, fallen{name, time.Now()})
	s.mu.Unlock()
	s.say("%s ended by itself", name)
}

// say prints what happens, with the time since the load began.
func (s *stage) say(format string, args ...any) {
	since := time.Duration(0)
	if !s.began.IsZero() {
		since = time.Since(s.began)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "%6.1fs  %s\n", since.Seconds(), fmt.Sprintf(format, args...))
}

// mountSmallDisk gives the last API a disk of its own. Only root can, or whoever has a namespace of mounts.
func (s *stage) mountSmallDisk(ctx context.Context) error {
	dir := filepath.Join(s.dir, fmt.Sprint("api-", apiCount))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", dir).Run() == nil {
		s.smallDisk = dir
	}
	return nil
}

// open starts everything: brokers, then topics, then those that need them.
func (s *stage) open(ctx context.Context) error {
	start := func(p *process) error { return p.start(ctx) }
	if err := each(s.brokers, start); err != nil {
		return err
	}
	if err := s.createTopics(ctx); err != nil {
		return err
	}
	return each(slices.Concat(s.apis, s.workers[:workerCount]), start)
}

// createTopics repeats itself: three brokers that have just started, on a machine that does other things, may need a while to
// agree on 288 copies of partitions. What is there already is left alone.
func (s *stage) createTopics(ctx context.Context) error {
	cl, err := s.direct().Connect(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	for try := 1; ; try++ {
		_, err := kafka.Create(ctx, cl, topic.Names(s.Prefix), topic.Partitions, brokerCount)
		if !errors.Is(err, context.DeadlineExceeded) || try == 6 {
			return err
		}
	}
}

// each does something with processes side by side.
func each(all []*process, do func(*process) error) error {
	var g errgroup.Group
	for _, p := range all {
		g.Go(func() error { return do(p) })
	}
	return g.Wait()
}

// close kills what still runs and forgets the disk. What the processes have written stays.
func (s *stage) close(ctx context.Context) {
	for _, p := range slices.Concat(s.workers, s.apis, s.brokers) {
		if p.done != nil {
			_ = p.end(syscall.SIGKILL) // nothing outlives it
		}
	}
	if s.smallDisk != "" {
		_ = exec.CommandContext(ctx, "umount", s.smallDisk).Run() // else it goes with the namespace
	}
}

// inSync returns when every partition has all its copies: only then may another broker go.
func (s *stage) inSync(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("waiting for all copies to be in sync: too long"))
	defer cancel()
	cl, err := s.direct().Connect(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	for {
		topics, err := adm.ListTopicsWithInternal(ctx)
		if err == nil && whole(topics) {
			return nil
		}
		if !hold(ctx, 200*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

func whole(topics kadm.TopicDetails) bool {
	for _, t := range topics {
		for _, p := range t.Partitions {
			if len(p.ISR) < brokerCount {
				return false
			}
		}
	}
	return len(topics) > 0
}
