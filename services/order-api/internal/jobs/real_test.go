//go:build synctests

package jobs_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// The variables that make this test binary an instance which runs jobs.
const (
	asInstance = "JOBS_TEST_INSTANCE"
	ofPrefix   = "JOBS_TEST_PREFIX"
	inFolder   = "JOBS_TEST_FOLDER"
)

func TestMain(m *testing.M) {
	name := os.Getenv(asInstance)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := runInstance(context.Background(), name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// runInstance runs until it is killed.
func runInstance(ctx context.Context, name string) error {
	cfg, topics := kafka.Config{Brokers: strings.Split(os.Getenv("ORDERS_TEST_BROKERS"), ",")}, topic.Names(os.Getenv(ofPrefix))
	cl, err := cfg.ConnectProducer(ctx)
	if err != nil {
		return err
	}
	layout, err := kafka.Check(ctx, cl, topics)
	if err != nil {
		return err
	}
	var i instance
	if _, err := i.build(ctx, cfg, topics, layout, os.Getenv(inFolder), name, slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		return err
	}
	ended := make(chan error)
	go func() { ended <- i.view.Run(ctx) }() // received below
	go func() { ended <- i.Jobs.Run(ctx) }() // received below
	return <-ended
}

// process starts an instance in a process of its own.
func (s *shop) process(t *testing.T, name string) *os.Process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asInstance+"="+name, ofPrefix+"="+s.Prefix, inFolder+"="+t.TempDir())
	cmd.Stderr = t.Output()
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be killed already
		_ = cmd.Wait()         // says that it was killed
	})
	return cmd.Process
}

// TestAReplayOf10000SurvivesItsRunnersOnRealKafka kills the process that runs the job twice, and stops it once
// for longer than its session. The worker holds a result of the first step back until then, so that the job cannot
// end before, however late its watcher is.
func TestAReplayOf10000SurvivesItsRunnersOnRealKafka(t *testing.T) {
	t.Parallel()
	total := 10_000
	if raced {
		total = 1_000
	}
	step := 6 * total / 10
	s := openOn(t, kafkatest.Real(t), total)
	open := make(chan struct{})
	s.work(t, func(state *order.State, n int) order.Status {
		if len(s.worked) == total/2 {
			select {
			case <-open:
			case <-t.Context().Done():
			}
		}
		return confirm(state, n)
	})
	watcher := s.connect(t, "watcher")
	running := map[string]*os.Process{"api-1": s.process(t, "api-1"), "api-2": s.process(t, "api-2")}
	id := watcher.create(t, jobs.Spec{Filter: view.DeadLetterFilter{States: view.Unsettled()}, Rate: float64(total) / 10, Ramp: []int{step}})
	sent := func(n int) view.Job {
		return watcher.reached(t, id, func(j view.Job) bool { return j.Sent >= n })
	}
	for n, at := range []int{total / 10, 3 * total / 10} {
		runner := sent(at).Runner
		must(t, running[runner].Kill())
		name := fmt.Sprintf("api-%d", 3+n)
		running[name] = s.process(t, name)
	}
	stopped := sent(total / 2).Runner
	must(t, running[stopped].Signal(syscall.SIGSTOP))
	close(open)
	watcher.reached(t, id, func(j view.Job) bool { return j.Runner != stopped && j.Sent > step })
	must(t, running[stopped].Signal(syscall.SIGCONT))
	watcher.reached(t, id, func(j view.Job) bool { return j.State == view.JobDone })
	p := watcher.await(t, id, phase(jobs.Done)) // the watcher may read the last results later
	if diff := cmp.Diff(map[view.ReplayOutcome]int{view.Confirmed: total}, p.Counts); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	s.workedOnce(t, total)
	requests := map[string]int{}
	for _, r := range s.Records(t, s.Topics.Replay) {
		q, err := wire.ReadReplayRequest(r)
		must(t, err)
		requests[fmt.Sprintf("%s/%d", q.Origin, q.Number)]++
	}
	if len(requests) != total {
		t.Errorf("got %d requests, want %d", len(requests), total)
	}
	for name, n := range requests {
		if n != 1 {
			t.Errorf("replay %s: got %d requests, want one", name, n)
		}
	}
}

// TestManyReplaysOnRealKafka measures a job without a rate against a program that does nothing but produce the
// same requests in transactions, on the same broker. What the job costs does not depend on the machine:
// it makes few transactions, and reads many dead letters at a time.
func TestManyReplaysOnRealKafka(t *testing.T) {
	t.Parallel()
	total := 5_000
	if raced {
		total = 500
	}
	s := openOn(t, kafkatest.Real(t), total)
	i := s.start(t, "api-1")
	s.work(t, confirm)
	before := i.requests()
	began := time.Now()
	id := i.create(t, jobs.Spec{Filter: view.DeadLetterFilter{States: view.Unsettled()}, Ramp: []int{}})
	i.reached(t, id, func(j view.Job) bool { return j.Sent == total })
	took := time.Since(began)
	i.reached(t, id, func(j view.Job) bool { return j.State == view.JobDone })
	done := time.Since(began)
	after := i.requests()
	if got := i.get(t, id).Counts[view.Confirmed]; got != total {
		t.Errorf("got %d confirmed, want %d", got, total)
	}
	if n := after[kmsg.EndTxn] - before[kmsg.EndTxn]; n > total/100+2 {
		t.Errorf("got %d transactions for %d replays, want one for 100 or more", n, total)
	}
	raw := s.produced(t)
	t.Logf("%d requests in transactions %v, replays sent in %v: %.0f %%; all results after %v", total, raw, took, 100*raw.Seconds()/took.Seconds(), done)
}

// produced is how long it takes to produce all replay requests once more in transactions, to the topic for
// retries, which no test reads.
func (s *shop) produced(t *testing.T) time.Duration {
	t.Helper()
	all := s.Records(t, s.Topics.Replay)
	cl, err := s.Config().Connect(t.Context(), kgo.TransactionalID(s.Prefix+"-raw"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(t, err)
	defer cl.Close()
	began := time.Now()
	for part := range slices.Chunk(all, 500) {
		must(t, cl.BeginTransaction())
		for _, r := range part {
			r.Topic, r.Timestamp = s.Topics.Retry2m, time.Now()
		}
		must(t, cl.ProduceSync(t.Context(), part...).FirstErr())
		must(t, cl.EndTransaction(t.Context(), kgo.TryCommit))
	}
	return time.Since(began)
}
