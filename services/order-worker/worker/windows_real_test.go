//go:build synctests

package worker_test

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// TestCrashWindowsOnRealKafka dies where the broker's clock, its log and its groups decide what the next owner finds.
func TestCrashWindowsOnRealKafka(t *testing.T) {
	t.Parallel()
	busyOnce := func(t *testing.T, sc *scene) {
		placed(t, sc)
		sc.refuse(3, "451 4.3.0 try again later")
	}
	for _, w := range []window{
		// The next owner looks for the invoice by the broker's clock.
		{"invoice to mailing", placed, []kill{{true, "invoice", 1}}, order.Confirmed, 0, 0},
		// An order that is retrying is due by it.
		{"retrying to commit", busyOnce, []kill{{true, "retrying", 1}}, order.Confirmed, 0, 0},
	} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			openOn(t, kafkatest.Real(t)).crash(t, w, w.kills[0])
		})
	}
}

// TestCompactionKeepsWhatCounts lets a worker that has lost the partition write last, the broker compact the topic, and
// the group lose its offsets: the next owner still knows all orders.
func TestCompactionKeepsWhatCounts(t *testing.T) {
	t.Parallel()
	s := openOn(t, kafkatest.Real(t))
	stop := s.work(t)
	s.place(t, orders(3)...)
	s.Await(t, ended(3))
	stop()
	stop = s.work(t)
	s.place(t, orders(6)[3:]...)
	s.Await(t, ended(6))
	for _, state := range s.States(t) {
		kafkatest.Force(&state, order.Change{Rev: 9, At: time.Now(), Status: order.Working})
		late := wire.State(state, 0)
		late.Topic, late.Partition = s.Topics.Status, state.Origin.Partition
		s.Produce(t, late)
	}
	restore := s.configure(t, map[string]string{"segment.ms": "1", "min.cleanable.dirty.ratio": "0", "min.compaction.lag.ms": "0"})
	s.place(t, orders(9)[6:]...) // what they write lets the broker begin new segments
	s.Await(t, ended(9))
	s.compacted(t)
	stop()
	restore()
	if _, err := kadm.NewClient(s.Client).DeleteGroup(t.Context(), s.Prefix); err != nil {
		t.Fatal(err)
	}
	s.place(t, orders(12)[9:]...) // one in each partition, behind the orders that are read again
	stop = s.work(t)
	s.Await(t, ended(12))
	stop()
	s.confirmedOnce(t, 12)
	s.committedAll(t)
}

// configure changes settings of orders.status and returns how to change them back.
func (s *shop) configure(t *testing.T, settings map[string]string) (restore func()) {
	t.Helper()
	alter := func(op kadm.IncrementalOp, settings map[string]string) {
		t.Helper()
		var all []kadm.AlterConfig
		for name, value := range settings {
			all = append(all, kadm.AlterConfig{Op: op, Name: name, Value: &value})
		}
		answers, err := kadm.NewClient(s.Client).AlterTopicConfigs(t.Context(), all, s.Topics.Status)
		if err == nil {
			_, err = answers.On(s.Topics.Status, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	alter(kadm.SetConfig, settings)
	return func() {
		alter(kadm.DeleteConfig, settings)
		for _, spec := range s.Topics.Specs() {
			if spec.Name == s.Topics.Status {
				alter(kadm.SetConfig, spec.Config)
			}
		}
	}
}

// compacted returns when each of the first six orders has one record left. A broker does not report when it compacts, so it is asked
// again and again.
func (s *shop) compacted(t *testing.T) {
	t.Helper()
	for range time.Tick(200 * time.Millisecond) {
		left := map[string]int{}
		for _, r := range s.Records(t, s.Topics.Status) {
			left[string(r.Key)]++
		}
		old := 0
		for _, o := range orders(6) {
			old += left[string(o.ID)]
		}
		if old == 6 {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("got %v records by key, want one of each of the first six orders", left)
		}
	}
}

// TestAWorkerThatWakesOverwritesNothing stops a worker's process with mails in flight for longer than its session, and
// lets it go on.
func TestAWorkerThatWakesOverwritesNothing(t *testing.T) {
	t.Parallel()
	s := openOn(t, kafkatest.Real(t))
	mails, err := inbox.Open(inbox.Config{SMTP: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	s.mails = mails
	s.run(t, "inbox", mails.Run)
	mails.Behave(inbox.Behaviour{At: ".", Late: 2 * time.Second})
	child := s.process(t)
	s.place(t, orders(30)...)
	s.Await(t, func(all map[order.ID]order.State) bool { return count(all)[order.Mailing] >= 4 })
	send(t, child, syscall.SIGSTOP)
	stop := s.work(t, func(c *worker.Config) { c.SMTP, c.DialMail = mails.SMTPAddr(), nil })
	s.Await(t, ended(30))
	send(t, child, syscall.SIGCONT)
	s.place(t, orders(60)[30:]...)
	states := s.Await(t, ended(60))
	send(t, child, syscall.SIGTERM)
	if err := child.Wait(); err != nil {
		t.Errorf("the worker that woke ended: %v", err)
	}
	stop()
	sc := &scene{shop: s, repeats: true}
	sc.lastWords(t, states)
	sc.mailed(t, states, window{}, kill{})
	sc.invoiced(t, states)
	sc.nothingLeft(t)
	if got := count(states)[order.Confirmed]; got != 60 {
		t.Errorf("got %v, want 60 confirmed", count(states))
	}
}

func send(t *testing.T, child *exec.Cmd, s syscall.Signal) {
	t.Helper()
	if err := child.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// process starts a worker as a process of its own: TestMain becomes it.
func (s *shop) process(t *testing.T) *exec.Cmd {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), asWorker+"="+s.Prefix+" "+s.mails.SMTPAddr())
	child.Stderr = t.Output()
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if child.ProcessState == nil {
			child.Process.Kill()
			child.Wait()
		}
	})
	return child
}

// asWorker is set in the environment of a worker's process: to its prefix and mail server.
const asWorker = "ORDERS_TEST_AS_WORKER"

func TestMain(m *testing.M) {
	prefix, smtp, found := strings.Cut(os.Getenv(asWorker), " ")
	if !found {
		os.Exit(m.Run())
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := worker.Run(ctx, worker.Config{
		Settings: worker.Settings{
			Group: prefix, SMTP: smtp, MailFrom: "shop@example.com", Concurrency: 16, Drain: worker.DefaultDrain, Session: 8 * time.Second,
		},
		Kafka: kafka.Config{Brokers: strings.Split(os.Getenv("ORDERS_TEST_BROKERS"), ",")}, Topics: topic.Names(prefix), Log: log,
	})
	if err != nil {
		log.Error("ended", "error", err)
		os.Exit(1)
	}
}
