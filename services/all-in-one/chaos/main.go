// Command chaos proves the promises while things are killed.
//
// It runs the application as real processes on three brokers of Apache Kafka, places orders at a steady rate through the API,
// calls some of them off and refunds others, and does to the processes, the network, the disk and the mail server what a
// schedule says. The schedule is drawn from a seed before the run begins: the same seed gives the same schedule. Between faults
// the system gets time to recover.
//
// In the end everything runs again, and when every accepted order has ended, witnesses that know nothing of each other are held
// against each other: what the API promised to the load, what the states in Kafka say, what the audit finds in all topics, and how
// often the mail server was given each mail. The process exits with 1 when a promise was broken, and keeps its logs then.
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

// settings are what a run can be told.
type settings struct {
	Minutes float64       `default:"3" help:"Duration of the faults in minutes. Starting and settling take about two minutes more."`
	Seed    uint64        `help:"Seed of the random schedule of faults. Default: a random seed, which is printed."`
	Rate    float64       `default:"20" help:"Orders placed per second."`
	Only    []string      `help:"Kinds of faults in the schedule. Default: all."`
	Lasting time.Duration `help:"Duration of each fault. Default: random, from the seed."`
	Plan    bool          `help:"Print the schedule and exit."`
	Table   string        `type:"path" placeholder:"FILE" help:"Write the result tables to this file, as Markdown."`
	Keep    bool          `help:"Keep data and logs. Default: keep only the logs, and only if a promise was broken."`
	Port    int           `default:"21092" help:"First of 50 TCP ports to use on 127.0.0.1."`
	Bin     string        `default:"bin" type:"path" help:"Directory of the programs order-api, order-worker and ordersctl."`
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
	if err := config.Parse(&s, "chaos", "Injects faults under load, then checks that every promise was kept.", args, env, stdout, stderr); err != nil {
		return err
	}
	if s.Seed == 0 {
		s.Seed = 1 + rand.Uint64N(1_000_000)
	}
	from, err := choose(s.Only)
	if err != nil {
		return err
	}
	plan := draw(s.Seed, s.length(), s.Lasting, from)
	fmt.Fprintf(stdout, "chaos --minutes %g --seed %d --rate %g: %d faults\n", s.Minutes, s.Seed, s.Rate, len(plan))
	printPlan(stdout, plan)
	if s.Plan {
		return nil
	}
	dir, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		return err
	}
	found, err := try(ctx, s, dir, plan, stdout)
	if err := tidy(ctx, s, dir, err != nil || len(found.Violations) > 0, stderr); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	return report(s, found, stdout)
}

// tidy removes what a run has written, but for the logs of one that went wrong. One that was interrupted did not.
func tidy(ctx context.Context, s settings, dir string, wrong bool, stderr io.Writer) error {
	switch {
	case s.Keep:
		fmt.Fprintf(stderr, "chaos: data and logs are kept in %s\n", dir)
		return nil
	case wrong && ctx.Err() == nil:
		fmt.Fprintf(stderr, "chaos: the logs are kept in %s\n", dir)
		return os.RemoveAll(filepath.Join(dir, "kafka"))
	}
	return os.RemoveAll(dir)
}

// try runs the whole thing; whatever it started is gone when it returns.
func try(ctx context.Context, s settings, dir string, plan []fault, out io.Writer) (*findings, error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	st := &stage{settings: s, dir: dir, out: out, skipped: map[string]int{}, turns: turns()}
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
		e, err := st.suffer(ctx, plan)
		if err == nil {
			found = judge(e)
		}
		return err
	})
	return found, g.Wait()
}

// settleTime bounds how long everything may take to end once nothing is broken any more.
const settleTime = 5 * time.Minute

// suffer places orders while faults happen, waits until all have ended, and gathers the evidence.
func (s *stage) suffer(ctx context.Context, plan []fault) (evidence, error) {
	h := newHistory()
	observing, stop := context.WithCancel(ctx)
	cl, err := s.direct().Connect(ctx, kgo.ConsumeTopics(topic.Names(s.Prefix).Status), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		stop()
		return evidence{}, err
	}
	var observer sync.WaitGroup
	observer.Go(func() { observe(observing, cl, h) })
	defer observer.Wait()
	defer cl.Close()
	defer stop()

	s.began = time.Now()
	placing, enough := context.WithDeadline(ctx, s.began.Add(s.length()))
	defer enough()
	l := newLoad(s.Seed, []string{"http://" + s.address(apiPort), "http://" + s.address(apiPort+1)})
	answering, giveUp := context.WithDeadline(ctx, s.began.Add(s.length()+settleTime))
	defer giveUp()
	var g errgroup.Group // without a context: what a fault starts again runs on when all faults are over
	g.Go(func() error {
		l.run(answering, placing, s.Rate)
		return nil
	})
	for _, f := range plan {
		g.Go(func() error { return s.perform(ctx, f) })
	}
	if err := g.Wait(); err != nil || ctx.Err() != nil {
		return evidence{}, errors.Join(err, context.Cause(ctx))
	}
	s.say("%d orders are accepted; %d requests were repeated", len(l.accepted), l.repeated)
	s.settle(ctx, h, l.accepted)
	return s.gather(ctx, h, l)
}

// observe adds whatever comes to orders.status to the history.
func observe(ctx context.Context, cl *kgo.Client, h *history) {
	for ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(h.add)
	}
}

// settle waits until all accepted orders have ended. Those that do not in time are the judge's.
func (s *stage) settle(ctx context.Context, h *history, accepted map[string]placed) {
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
	s.say("all have ended")
}

func (s *stage) gather(ctx context.Context, h *history, l *load) (evidence, error) {
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
		history: h, audit: report, delivered: s.mail.Deliveries(), played: s.played, skipped: s.skipped, fallen: s.fallen,
	}, nil
}

// report prints what was found. A broken promise is an error.
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
