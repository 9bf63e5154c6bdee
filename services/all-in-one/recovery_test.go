package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/embedded/broker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// desk is two APIs and two workers, each a process, with a mail server.
type desk struct {
	*kit
	kafka *kafkatest.Kafka
	bin   string
	mails *inbox.Inbox
	apis  [2]*instance

	inFlight int // orders of a worker at most
}

// instance is an API that has the same address whenever it is started.
type instance struct {
	*program
	*client.Client
	name, address string
}

// TestReplayedOrdersAreMailedOnce replays many dead letters while the API that runs the job is killed twice and stopped
// once for longer than its session, and a worker is killed.
func TestReplayedOrdersAreMailedOnce(t *testing.T) {
	t.Parallel()
	total := 200
	if n, err := strconv.Atoi(os.Getenv("ORDERS_TEST_REPLAYS")); err == nil {
		total = n
	}
	d := openDesk(t)
	d.dies(t, total)
	job, err := d.apis[0].StartReplay(t.Context(), client.NewReplayJob{
		Selection: client.Selection{All: true}, Rate: float64(total) / 10, Ramp: []int{1, 5, 20}, StopAbove: 0.1, Reason: "The mail server works again",
	})
	if err != nil {
		t.Fatal(err)
	}
	d.await(t, job.ID, sent(total/20))
	d.programs["worker-1"].end(os.Kill)
	for _, at := range []int{total / 10, 3 * total / 10} {
		runner, _ := d.await(t, job.ID, sent(at))
		runner.end(os.Kill)
		d.startAPI(t, runner)
	}
	stopped, other := d.await(t, job.ID, sent(total/2))
	stopped.signal(syscall.SIGSTOP)
	d.watch(t, other, job.ID, func(j client.ReplayJob) bool { return d.runner(j) == other && sent(6*total/10)(j) })
	stopped.signal(syscall.SIGCONT)
	done := d.watch(t, other, job.ID, client.ReplayJob.Ended)
	if diff := cmp.Diff(client.ReplayCounts{Confirmed: total}, done.Counts); diff != "" || done.Total != total || done.Phase != "done" {
		t.Errorf("the job is %s with %d dead letters; counts (-want +got):\n%s", done.Phase, done.Total, diff)
	}
	d.mailedOnce(t, total)
	d.requestedOnce(t, total)
	d.audited(t)
}

// openDesk starts the processes.
func openDesk(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	for i := range d.apis {
		d.apis[i] = &instance{name: fmt.Sprint("api-", i+1), address: "127.0.0.1:0"}
		d.startAPI(t, d.apis[i])
	}
	for _, name := range workerNames {
		d.work(t, name, d.flags()...)
	}
	return d
}

var workerNames = []string{"worker-1", "worker-2"}

// work starts a worker.
func (d *desk) work(t *testing.T, name string, flags ...string) {
	t.Helper()
	if _, err := d.launch(name, filepath.Join(d.bin, "order-worker"),
		append(flags, "--smtp", d.mails.SMTPAddr(), "--health", "127.0.0.1:0", "--concurrency", strconv.Itoa(d.inFlight))...); err != nil {
		t.Fatal(err)
	}
}

// newDesk builds the programs, and runs a mail server and, unless there is Apache Kafka, the embedded broker.
func newDesk(t *testing.T) *desk {
	t.Helper()
	k := &kit{t: t, workdir: t.TempDir(), programs: map[string]*program{}}
	t.Cleanup(func() {
		for name, p := range k.programs {
			p.signal(syscall.SIGCONT)
			p.end(os.Kill)
			if t.Failed() {
				t.Logf("%s printed:\n%s", name, p.text())
			}
		}
	})
	d := &desk{kit: k, bin: t.TempDir(), inFlight: 8}
	build := exec.Command("go", "build", "-o", d.bin+"/", "example.com/orders/services/order-api", "example.com/orders/services/order-worker",
		"example.com/orders/services/order-api/cmd/ordersctl")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the programs: %v\n%s", err, out)
	}
	if os.Getenv("ORDERS_TEST_BROKERS") != "" {
		d.kafka = kafkatest.Real(t)
	} else {
		b, err := broker.Start(t.Context(), broker.Config{Addr: "127.0.0.1:0", Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() }) // it may be busy with those that were killed
		d.kafka = kafkatest.At(t, b.Addr())
	}
	d.mails = runInbox(t)
	return d
}

// runInbox runs a mail server until the test ends.
func runInbox(t *testing.T) *inbox.Inbox {
	t.Helper()
	in, err := inbox.Open(inbox.Config{SMTP: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }() // received below
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return in
}

func (d *desk) flags() []string {
	return []string{"--brokers", strings.Join(d.kafka.Config().Brokers, ","), "--prefix", d.kafka.Prefix, "--group", d.kafka.Prefix}
}

// startAPI starts an API and waits until it answers.
func (d *desk) startAPI(t *testing.T, i *instance) {
	t.Helper()
	d.startAPIWith(t, i, d.flags()...)
}

// startAPIWith is startAPI with other flags.
func (d *desk) startAPIWith(t *testing.T, i *instance, flags ...string) {
	t.Helper()
	var err error
	i.program, err = d.launch(i.name, filepath.Join(d.bin, "order-api"), append(flags, "--http", i.address, "--data", i.name)...)
	if err != nil {
		t.Fatal(err)
	}
	at, err := i.line(listening, 0)
	if err != nil {
		t.Fatal(err)
	}
	i.address, i.Client = at[1], client.New("http://"+at[1], nil)
}

// listening is the line with the address of an API.
var listening = regexp.MustCompile(`msg=listening .*address=(\S+)`)

// dies places orders whose mails are refused, and returns when all are dead.
func (d *desk) dies(t *testing.T, total int) {
	t.Helper()
	d.mails.Behave(inbox.Behaviour{At: "RCPT", Code: 550})
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(32)
	for n := range total {
		g.Go(func() error { return d.die(ctx, n) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	d.mails.Behave(inbox.Behaviour{})
}

// die places an order, and returns when it is dead. An answer that is late is asked for again, with the same key.
func (d *desk) die(ctx context.Context, n int) error {
	for {
		o, err := d.apis[0].Place(ctx, client.NewOrder{
			Customer: client.Customer{Name: "Ann Example", Email: fmt.Sprintf("ann-%d@example.com", n)}, Service: "standard",
			ShipTo: client.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
			Items:  []client.Item{{SKU: "BOTTLE-750", Quantity: 1}},
		}, fmt.Sprint("order-", n), time.Minute)
		p, refused := errors.AsType[*client.Problem](err)
		if late := refused && p.Status >= http.StatusInternalServerError; err != nil && !late || o.Status == string(order.Dead) {
			return err
		}
	}
}

// sent reports whether a job has sent so many dead letters, and is run by somebody.
func sent(n int) func(client.ReplayJob) bool {
	return func(j client.ReplayJob) bool { return j.Runner != "" && j.Total-j.Counts.NotSent >= n }
}

// runner is the API that runs a job, or nil. An API names itself after its host and its process.
func (d *desk) runner(j client.ReplayJob) *instance {
	_, pid, _ := strings.Cut(j.Runner, "/")
	for _, i := range d.apis {
		if pid == strconv.Itoa(i.cmd.Process.Pid) {
			return i
		}
	}
	return nil
}

// await waits, by the events of the job, until it is as wanted and an API that lives runs it.
func (d *desk) await(t *testing.T, id string, is func(client.ReplayJob) bool) (runner, other *instance) {
	t.Helper()
	runner = d.runner(d.watch(t, d.apis[0], id, func(j client.ReplayJob) bool { return d.runner(j) != nil && is(j) }))
	if runner == d.apis[0] {
		return runner, d.apis[1]
	}
	return runner, d.apis[0]
}

// watch follows the events that an API sends about a job until the job is as wanted.
func (d *desk) watch(t *testing.T, from *instance, id string, is func(client.ReplayJob) bool) client.ReplayJob {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var last client.ReplayJob
	for j, err := range from.WatchReplay(ctx, id, -1) {
		if err != nil {
			t.Fatal(err)
		}
		if last = j; is(j) {
			return j
		}
	}
	t.Fatalf("%s sent no more events of the job; the last was %+v", from.name, last)
	return last
}

// mailedOnce checks that each order is confirmed and has one mail, and one more at most for each time that it is
// uncertain.
func (d *desk) mailedOnce(t *testing.T, total int) {
	t.Helper()
	states, mails, uncertain := d.kafka.States(t), d.mails.Deliveries(), 0
	if len(states) != total || len(mails) != total {
		t.Errorf("got %d orders and mails of %d, want %d", len(states), len(mails), total)
	}
	for id, s := range states {
		if s.Status != order.Confirmed || s.Replays != 1 || s.Progress.Email == nil {
			t.Errorf("%s: got %s after %d replays, want it confirmed after one", id, s.Status, s.Replays)
			continue
		}
		uncertain += s.Progress.Email.Uncertain
		if n := mails[s.Progress.Email.MessageID]; n < 1 || n > 1+s.Progress.Email.Uncertain {
			t.Errorf("%s: got %d mails, %d uncertain", id, n, s.Progress.Email.Uncertain)
		}
	}
	if uncertain > d.inFlight {
		t.Errorf("got %d uncertain mails, want at most the %d that the killed worker can have had in flight", uncertain, d.inFlight)
	}
	t.Logf("%d orders confirmed and mailed, %d mails of the killed worker uncertain", total, uncertain)
}

// requestedOnce checks that the topic for replays holds each request once.
func (d *desk) requestedOnce(t *testing.T, total int) {
	t.Helper()
	requests := map[string]int{}
	for _, r := range d.kafka.Records(t, d.kafka.Topics.Replay) {
		q, err := wire.ReadReplayRequest(r)
		if err != nil {
			t.Fatal(err)
		}
		requests[fmt.Sprint(q.Origin, "/", q.Number)]++
	}
	for request, n := range requests {
		if n != 1 {
			t.Errorf("replay %s: got %d requests, want one", request, n)
		}
	}
	if len(requests) != total {
		t.Errorf("got %d requests, want %d", len(requests), total)
	}
}

// audited runs ordersctl audit.
func (d *desk) audited(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(d.bin, "ordersctl"), append([]string{"audit"}, d.flags()...)...).CombinedOutput()
	if err != nil {
		t.Errorf("ordersctl audit: %v\n%s", err, out)
	}
}

// TestReplaysAreSentFasterThanTheWorkersTakeThem: a job without a rate never lets the workers wait. When it has sent all, they still
// have a quarter to do at least; on an idle machine it is most.
func TestReplaysAreSentFasterThanTheWorkersTakeThem(t *testing.T) {
	t.Parallel()
	const total = 1_000
	d := openDesk(t)
	d.dies(t, total)
	began := time.Now()
	job, err := d.apis[0].StartReplay(t.Context(), client.NewReplayJob{Selection: client.Selection{All: true}, Ramp: []int{}})
	must(t, err)
	all := d.watch(t, d.apis[0], job.ID, func(j client.ReplayJob) bool { return j.Counts.NotSent == 0 && j.Total > 0 })
	sent := time.Since(began)
	if finished := total - all.Counts.InProgress; all.Total != total || finished > total*3/4 {
		t.Errorf("when all of %d were sent, the workers had finished %d, want less than three quarters of %d", all.Total, finished, total)
	}
	done := d.watch(t, d.apis[0], job.ID, client.ReplayJob.Ended)
	if diff := cmp.Diff(client.ReplayCounts{Confirmed: total}, done.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	t.Logf("%d sent in %v, of which %d were finished; two workers have finished all after %v", total, sent, total-all.Counts.InProgress, time.Since(began))
}
