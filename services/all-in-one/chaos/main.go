// Command chaos injects faults under load, then checks that every promise was kept.
//
// It runs the application as real processes on three brokers of Apache Kafka. It places orders at a
// steady rate through the API, cancels some of them and refunds others, and injects faults into
// processes, network, disk and mail server by a schedule. The schedule depends on a seed only: the
// same seed gives the same schedule. Between faults the system gets time to recover.
//
// At the end all faults are over. When every accepted order is final, check compares independent
// sources: the answers of the API, the states in orders.status, the audit of all topics, and the
// deliveries of the mail server. The exit status is 1 if a promise was broken; the logs are kept
// then.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/config"
	"example.com/orders/shared/topic"
)

func main() { config.Main("chaos", run) }

// settings are the flags.
type settings struct {
	Minutes float64       `default:"3" help:"Duration of the faults in minutes. Starting and settling take about two minutes more."`
	Seed    uint64        `help:"Seed of the random schedule of faults. Default: random; it is printed."`
	Rate    float64       `default:"20" help:"Orders placed per second."`
	Only    []string      `help:"Kinds of faults in the schedule. Default: all."`
	Lasting time.Duration `help:"Duration of each fault. Default: random, from the seed."`
	Plan    bool          `help:"Print the schedule and exit."`
	Table   string        `type:"path" placeholder:"FILE" help:"Write the result tables to this file, as Markdown."`
	Keep    bool          `help:"Keep data and logs. Default: keep only the logs, and only if a promise was broken."`
	Port    int           `default:"21092" help:"First of 50 TCP ports to use on 127.0.0.1."`
	Bin     string        `default:"bin" type:"path" help:"Directory of the programs order-api, order-worker and ordersctl."`
	From    string        `type:"path" placeholder:"DIR" help:"Directory of order-api and order-worker of another version. Instead of other faults, they are replaced by those of --bin under load, one process at a time, and put back. Then the load ends."`
	Scripts string        `default:"scripts" type:"path" help:"Directory of the script kafka."`
	Prefix  string        `kong:"-"`
	Group   string        `kong:"-"`
}

// Validate is called by config.Parse.
func (s *settings) Validate() error {
	if s.Minutes <= 0 || s.Rate <= 0 || s.Lasting < 0 {
		return errors.New("--minutes and --rate must be positive, and --lasting not negative")
	}
	_, err := choose(s.Only)
	return err
}

func (s *settings) length() time.Duration { return time.Duration(s.Minutes * float64(time.Minute)) }

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	s := settings{Prefix: "orders", Group: "order-workers"}
	const does = "Injects faults under load, then checks that every promise was kept."
	if err := config.Parse(&s, "chaos", does, args, env, stdout, stderr); err != nil {
		return err
	}
	if s.Seed == 0 {
		s.Seed = 1 + rand.Uint64N(1_000_000)
	}
	from, err := choose(s.Only)
	if err != nil {
		return err
	}
	plan := newPlan(s.Seed, s.length(), s.Lasting, from)
	if s.From != "" {
		plan = upgradePlan()
	}
	fmt.Fprintf(stdout, "chaos --minutes %g --seed %d --rate %g: %d faults\n", s.Minutes, s.Seed, s.Rate, len(plan))
	printPlan(stdout, plan)
	if s.Plan {
		return nil
	}
	dir, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		return err
	}
	found, err := runPlan(ctx, s, dir, plan, stdout)
	if err := removeData(ctx, s, dir, err != nil || len(found.Violations) > 0, stderr); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	return report(s, found, stdout)
}

// removeData removes the data of a run. It keeps the logs of a run that failed, but not of one that
// was interrupted.
func removeData(ctx context.Context, s settings, dir string, failed bool, stderr io.Writer) error {
	switch {
	case s.Keep:
		fmt.Fprintf(stderr, "chaos: data and logs are in %s\n", dir)
		return nil
	case failed && ctx.Err() == nil:
		fmt.Fprintf(stderr, "chaos: the logs are in %s\n", dir)
		return os.RemoveAll(filepath.Join(dir, "kafka"))
	}
	return os.RemoveAll(dir)
}

// runPlan starts the system, injects the faults, checks the result, and stops all that it started.
func runPlan(ctx context.Context, s settings, dir string, plan []fault, out io.Writer) (*findings, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	st := &system{settings: s, dir: dir, out: out, skipped: map[string]int{}, locks: componentLocks()}
	if err := st.build(ctx, plan); err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return st.mail.Run(ctx) })
	for _, p := range st.proxies {
		g.Go(func() error { return p.run(ctx) })
	}
	var found *findings
	g.Go(func() error {
		defer end()
		defer st.close(context.WithoutCancel(ctx))
		if err := st.open(ctx); err != nil {
			return err
		}
		e, err := st.runFaults(ctx, plan)
		if err == nil {
			found = check(e)
		}
		return err
	})
	return found, g.Wait()
}

// settleTime bounds the time from the end of the faults until all orders are final.
const settleTime = 5 * time.Minute

// runFaults places orders while faults are injected, waits until all orders are final, and collects
// the evidence.
func (s *system) runFaults(ctx context.Context, plan []fault) (evidence, error) {
	h := newHistory()
	stop, err := s.observe(ctx, h)
	if err != nil {
		return evidence{}, err
	}
	defer stop()

	s.began = time.Now()
	placing, stopPlacing := context.WithDeadline(ctx, s.began.Add(s.length()))
	defer stopPlacing()
	l := newLoad(s.Seed, []string{"http://" + s.address(apiPort), "http://" + s.address(apiPort+1)})
	answering, stopWaiting := context.WithDeadline(ctx, s.began.Add(s.length()+settleTime))
	defer stopWaiting()
	// Without a context: processes that a fault restarts keep running when all faults have ended.
	var g errgroup.Group
	g.Go(func() error {
		l.run(answering, placing, s.Rate)
		return nil
	})
	for _, f := range plan {
		g.Go(func() error {
			err := s.runFault(ctx, f)
			if s.From != "" {
				err = errors.Join(err, placing.Err()) // nil, unless orders were not placed until the end
				stopPlacing()
			}
			return err
		})
	}
	if err := g.Wait(); err != nil || ctx.Err() != nil {
		return evidence{}, errors.Join(err, context.Cause(ctx))
	}
	s.logf("%d orders accepted, %d requests repeated; waiting until all orders are final", len(l.accepted), l.repeated)
	s.settle(ctx, h, l.accepted)
	return s.gather(ctx, h, l)
}

// observe adds the records of orders.status to the history until stop is called.
func (s *system) observe(ctx context.Context, h *history) (stop func(), err error) {
	cl, err := s.direct().Connect(ctx, kgo.ConsumeTopics(topic.Names(s.Prefix).Status),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var observer sync.WaitGroup
	observer.Go(func() {
		for ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(h.add)
		}
	})
	return func() {
		cancel()
		observer.Wait()
		cl.Close()
	}, nil
}

// settle waits until all accepted orders are final, at most for settleTime. check reports the
// others.
func (s *system) settle(ctx context.Context, h *history, accepted map[string]placed) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for left := slices.Collect(maps.Keys(accepted)); ; {
		if left = h.unfinished(left, accepted); len(left) == 0 {
			break
		}
		select {
		case <-h.news:
		case <-ctx.Done():
			return
		}
	}
	s.logf("all orders are final")
}

func (s *system) gather(ctx context.Context, h *history, l *load) (evidence, error) {
	report, err := audit.Run(ctx, s.direct(), topic.Names(s.Prefix), s.Group)
	if err != nil {
		return evidence{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return evidence{
		accepted: l.accepted, unknown: l.unknown, refused: l.refused,
		history: h, audit: report, delivered: s.mail.Deliveries(),
		injected: s.injected, skipped: s.skipped, exits: s.exits,
	}, nil
}

// report prints the findings. A broken promise is an error.
func report(s settings, f *findings, stdout io.Writer) error {
	fmt.Fprintln(stdout)
	for _, t := range f.tables() {
		t.text(stdout)
	}
	if s.Table != "" {
		file, err := os.Create(filepath.Clean(s.Table))
		if err != nil {
			return err
		}
		defer file.Close()
		fmt.Fprintf(file, "`scripts/chaos --minutes %g --seed %d --rate %g`\n\n", s.Minutes, s.Seed, s.Rate)
		for _, t := range f.tables() {
			t.markdown(file)
		}
	}
	for i, v := range f.Violations {
		if i == 40 {
			fmt.Fprintf(stdout, "and %d more\n", len(f.Violations)-i)
			break
		}
		fmt.Fprintln(stdout, "violated:", v)
	}
	if n := len(f.Violations); n > 0 {
		return fmt.Errorf("promises broken: %d", n)
	}
	fmt.Fprintln(stdout, "ok: every promise was kept")
	return nil
}
