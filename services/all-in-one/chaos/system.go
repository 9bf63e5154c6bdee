package main

import (
	"cmp"
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

// Numbers of instances. Scaling uses up to maxWorkers; otherwise the first workerCount run.
const (
	brokerCount = 3
	apiCount    = 2
	workerCount = 2
	maxWorkers  = 6
	concurrency = 64 // orders that a worker mails at the same time
)

// system is the system under test: real processes, Apache Kafka, and proxies between them.
//
//	load ──▶ order-api × 2 ──┐
//	                         ├──▶ proxy × 3 ──▶ broker × 3 ◀── observer, audit
//	         order-worker × N┤
//	                         └──▶ mail server
type system struct {
	settings
	dir   string // of all data and logs
	out   io.Writer
	began time.Time

	brokers, apis, workers []*process
	proxies                []*proxy
	mail                   *inbox.Inbox
	clock                  string // file that sets the clocks of the brokers
	smallDisk              string // data directory of an API whose disk can be filled; empty if it could not be mounted

	locks map[string]*sync.Mutex // by component

	mu       sync.Mutex
	injected []injectedFault
	exits    []exit
	skipped  map[string]int
}

// exit is an unexpected exit of a process.
type exit struct {
	name string
	at   time.Time
}

// address returns the address with the n-th port from --port on. Each broker uses four ports: for
// direct clients, the controller, the clients of its proxy, and the proxy itself.
func (s *system) address(n int) string { return fmt.Sprintf("127.0.0.1:%d", s.Port+n) }

const (
	brokersApart = 10
	proxyPort    = 3
	apiPort      = 40
	mailPort     = 45
)

// direct returns a configuration that bypasses the proxies.
func (s *system) direct() kafka.Config {
	var brokers []string
	for i := range brokerCount {
		brokers = append(brokers, s.address(i*brokersApart))
	}
	return kafka.Config{Brokers: brokers}
}

// build defines all processes, and opens the proxies and the mail server.
func (s *system) build(ctx context.Context, plan []fault) (err error) {
	proxied, err := s.buildKafka(ctx)
	if err != nil {
		return err
	}
	if s.mail, err = inbox.Open(inbox.Config{SMTP: s.address(mailPort)}); err != nil {
		return err
	}
	bootstrap := strings.Join(proxied, ",")
	for i := range apiCount {
		name := fmt.Sprint("api-", i+1)
		p := s.process(name, "msg=listening", filepath.Join(cmp.Or(s.From, s.Bin), "order-api"), "--brokers", bootstrap,
			"--http", s.address(apiPort+i), "--data", filepath.Join(s.dir, name))
		p.env = []string{"ORDERS_SECRET=one-secret-for-both-instances-of-the-api"}
		s.apis = append(s.apis, p)
	}
	for i := range maxWorkers {
		s.workers = append(s.workers, s.process(fmt.Sprint("worker-", i+1), `msg="partitions owned"`, filepath.Join(cmp.Or(s.From, s.Bin), "order-worker"),
			"--brokers", bootstrap, "--smtp", s.address(mailPort), "--concurrency", fmt.Sprint(concurrency)))
	}
	if slices.ContainsFunc(plan, func(f fault) bool { return f.name == "disk-full" }) {
		return s.mountSmallDisk(ctx)
	}
	return nil
}

// buildKafka defines the brokers and opens their proxies. It returns the addresses of the proxies.
func (s *system) buildKafka(ctx context.Context) (proxied []string, err error) {
	s.clock = filepath.Join(s.dir, "clock")
	if err := s.setClock(0); err != nil {
		return nil, err
	}
	for i := range brokerCount {
		at := s.address(i*brokersApart + proxyPort)
		p, err := newProxy(ctx, at, s.address(i*brokersApart+proxyPort-1))
		if err != nil {
			return nil, err
		}
		s.proxies, proxied = append(s.proxies, p), append(proxied, at)
		s.brokers = append(s.brokers, s.process(fmt.Sprint("broker-", i+1), "Kafka Server started",
			s.Scripts+"/kafka", "--data", filepath.Join(s.dir, "kafka"), "--port", fmt.Sprint(s.Port), "--apart", fmt.Sprint(brokersApart),
			"--proxied", "--clock", s.clock, "--broker", fmt.Sprint(i+1), fmt.Sprint(brokerCount)))
	}
	return proxied, nil
}

func (s *system) process(name, readyText string, args ...string) *process {
	return &process{name: name, readyText: readyText, log: filepath.Join(s.dir, name+".log"), args: args, onExit: s.exited}
}

// exited records an unexpected exit.
func (s *system) exited(name string) {
	s.mu.Lock()
	s.exits = append(s.exits, exit{name, time.Now()})
	s.mu.Unlock()
	s.logf("%s: unexpected exit, restarting", name)
}

// logf prints a line with the time since the start of the load.
func (s *system) logf(format string, args ...any) {
	since := time.Duration(0)
	if !s.began.IsZero() {
		since = time.Since(s.began)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "%6.1fs  %s\n", since.Seconds(), fmt.Sprintf(format, args...))
}

// mountSmallDisk mounts a small disk for the last API. That needs root, or a mount namespace.
func (s *system) mountSmallDisk(ctx context.Context) error {
	dir := filepath.Join(s.dir, fmt.Sprint("api-", apiCount))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", dir).Run() == nil {
		s.smallDisk = dir
	}
	return nil
}

// open starts the brokers, creates the topics, then starts APIs and workers.
func (s *system) open(ctx context.Context) error {
	start := func(p *process) error { return p.start(ctx) }
	if err := each(s.brokers, start); err != nil {
		return err
	}
	if err := s.createTopics(ctx); err != nil {
		return err
	}
	return each(slices.Concat(s.apis, s.workers[:workerCount]), start)
}

// createTopics creates missing topics. It retries on a timeout: on a busy machine, three new
// brokers need time to create 288 replicas.
func (s *system) createTopics(ctx context.Context) error {
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

// each calls do for all processes concurrently.
func each(all []*process, do func(*process) error) error {
	var g errgroup.Group
	for _, p := range all {
		g.Go(func() error { return do(p) })
	}
	return g.Wait()
}

// close kills all running processes and unmounts the disk. It keeps data and logs.
func (s *system) close(ctx context.Context) {
	for _, p := range slices.Concat(s.workers, s.apis, s.brokers) {
		if p.done != nil {
			_ = p.end(syscall.SIGKILL)
		}
	}
	if s.smallDisk != "" {
		_ = exec.CommandContext(ctx, "umount", s.smallDisk).Run() // in a namespace it is unmounted anyway
	}
}

// inSync waits until all replicas of all partitions are in sync: only then may another broker stop.
func (s *system) inSync(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, processTimeout, errors.New("waiting for replicas to be in sync: timeout"))
	defer cancel()
	cl, err := s.direct().Connect(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	for {
		topics, err := adm.ListTopicsWithInternal(ctx)
		if err == nil && allInSync(topics) {
			return nil
		}
		if !wait(ctx, 200*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

func allInSync(topics kadm.TopicDetails) bool {
	for _, t := range topics {
		for _, p := range t.Partitions {
			if len(p.ISR) < brokerCount {
				return false
			}
		}
	}
	return len(topics) > 0
}
