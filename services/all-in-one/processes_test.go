package main

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/client/system"
	"example.com/orders/shared/embedded/inbox"
)

// owners waits until each partition has an owner, and the owners are as many processes as wanted, without
// the one that has ended. It returns the processes.
func (s *site) owners(t *testing.T, want, ended int) []int {
	t.Helper()
	for now, err := range s.api.WatchStats(t.Context()) {
		must(t, err)
		var pids []int
		for _, w := range now.Workers {
			if len(w.Partitions) > 0 && w.PID != ended {
				pids = append(pids, w.PID)
			}
		}
		if len(pids) == want && !slices.ContainsFunc(now.Partitions, func(p system.Partition) bool { return !owned(p, now.Workers, pids) }) {
			return pids
		}
	}
	t.Fatal("the statistics ended")
	return nil
}

// owned reports whether the owner of a partition is one of some processes.
func owned(p system.Partition, workers []system.Worker, pids []int) bool {
	return p.Owner != nil && slices.ContainsFunc(workers, func(w system.Worker) bool { return w.ID == *p.Owner && slices.Contains(pids, w.PID) })
}

// placeMany places orders of one customer, and returns their IDs.
func (s *site) placeMany(t *testing.T, n int) (ids []string) {
	t.Helper()
	for range n {
		o, err := s.api.Place(t.Context(), client.NewOrder{
			Customer: client.Customer{Name: "Ada Example", Email: "ada@example.com"}, Service: "standard",
			ShipTo: client.Address{Line1: "1 Sample Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
			Items:  []client.Item{{SKU: "BOTTLE-750", Quantity: 1}},
		}, "", 0)
		must(t, err)
		ids = append(ids, o.ID)
	}
	return ids
}

// deliveredOnce checks that so many different mails were delivered, each once.
func deliveredOnce(t *testing.T, in *inbox.Inbox, want int) {
	t.Helper()
	mails := in.Deliveries()
	for id, times := range mails {
		if times != 1 {
			t.Errorf("%s was delivered %d times, want once", id, times)
		}
	}
	if len(mails) != want {
		t.Errorf("got %d mails, want %d", len(mails), want)
	}
}

// TestAKilledWorkerProcessLosesNoOrder kills one of two worker processes while both have orders in flight, of
// which the mail server has accepted no mail yet. The other one finishes all.
func TestAKilledWorkerProcessLosesNoOrder(t *testing.T) {
	t.Parallel()
	in := runInbox(t)
	s := openSite(t, "--workers-as-processes", "--embedded", "broker", "--smtp", in.SMTPAddr())
	pids := s.owners(t, 2, 0)
	in.Behave(inbox.Behaviour{At: "RCPT", Late: time.Minute})
	ids := s.placeMany(t, 40)
	for _, id := range ids {
		s.ends(t, id, "mailing")
	}
	must(t, syscall.Kill(pids[0], syscall.SIGKILL))
	in.Behave(inbox.Behaviour{})
	if left := s.owners(t, 1, pids[0]); left[0] != pids[1] {
		t.Errorf("got owner %d, want the other worker %d: none is started again", left[0], pids[1])
	}
	for _, id := range ids {
		s.ends(t, id, "confirmed")
	}
	deliveredOnce(t, in, len(ids))
}

// apart starts all-in-one as a process, with workers as processes. It returns the IDs of the workers when each has partitions.
func apart(t *testing.T) (p *program, pids []int) {
	t.Helper()
	k := &kit{t: t, workdir: t.TempDir(), programs: map[string]*program{}}
	p, err := k.launch("all-in-one", "all-in-one", "--http", "127.0.0.1:0", "--inbox", "127.0.0.1:0", "--smtp", "127.0.0.1:0", "--brokers", "127.0.0.1:0",
		"--data", "data", "--log-level", "info", "--health", "127.0.0.1:0", "--workers-as-processes")
	must(t, err)
	t.Cleanup(func() {
		p.end(os.Kill)
		if t.Failed() {
			t.Log(p.text())
		}
	})
	found, err := p.line(regexp.MustCompile(`^Documentation +(http://\S+)/docs`), 0)
	must(t, err)
	s := &site{url: found[1], api: client.New(found[1], http.DefaultClient)}
	return p, s.owners(t, 2, 0) // both listen to signals
}

// The output of the program is a pipe, which its workers write to, too: it ends when all have ended.
func TestWorkerProcessesEndWithTheirParent(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "aborted": syscall.SIGABRT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := apart(t)
			p.signal(signal)
			select {
			case <-p.ended:
			case <-time.After(patience):
				t.Errorf("a worker is still running after %s:\n%s", patience, p.text())
			}
		})
	}
}

func TestWorkerProcessesDrainWithTheirParent(t *testing.T) {
	t.Parallel()
	p, pids := apart(t)
	if state := p.end(syscall.SIGTERM); state.ExitCode() != 0 {
		t.Errorf("the program ended with %s, want 0", state)
	}
	for _, pid := range pids {
		if _, err := p.line(regexp.MustCompile(fmt.Sprintf(`level=INFO msg="a worker process was stopped" process=%d exit="exit status 0"`, pid)), 0); err != nil {
			t.Error(err)
		}
	}
}

func TestAWorkerProcessThatEndsByItselfIsLogged(t *testing.T) {
	t.Parallel()
	p, pids := apart(t)
	must(t, syscall.Kill(pids[0], syscall.SIGKILL))
	_, err := p.line(regexp.MustCompile(fmt.Sprintf(`level=WARN msg="a worker process ended by itself, .*" process=%d exit="signal: killed"`, pids[0])), 0)
	must(t, err)
	must(t, syscall.Kill(pids[1], syscall.SIGTERM)) // which it drains for
	_, err = p.line(regexp.MustCompile(fmt.Sprintf(`level=WARN msg="a worker process ended by itself, .*" process=%d exit="exit status 0"`, pids[1])), 0)
	must(t, err)
	found, err := p.line(regexp.MustCompile(`^Documentation +(http://\S+)/docs`), 0)
	must(t, err)
	if err := client.New(found[1], http.DefaultClient).Ready(t.Context()); err != nil {
		t.Errorf("without workers: got %v, want the program to run on", err)
	}
	if state := p.end(syscall.SIGTERM); state.ExitCode() != 0 {
		t.Errorf("the program ended with %s, want 0", state)
	}
}
