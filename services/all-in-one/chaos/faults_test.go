package main

import (
	"context"
	"errors"
	"net/smtp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// soon is the duration of faults in these tests.
const soon = 20 * time.Millisecond

func inject(t *testing.T, p *fakeSystem, name string, target int) {
	t.Helper()
	chosen, err := choose([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	if err := chosen[0].inject(p.system, t.Context(), fault{kind: chosen[0], target: target, duration: soon}); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func TestKilledProcessIsRestarted(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		kind   string
		target int
		victim func(*fakeSystem) *process
	}{
		{"worker-kill", 2, func(p *fakeSystem) *process { return p.workers[1] }},
		{"api-kill", 1, func(p *fakeSystem) *process { return p.apis[0] }},
	} {
		t.Run(row.kind, func(t *testing.T) {
			t.Parallel()
			p := setup(t)
			victim := row.victim(p)
			p.startAll(t, victim)
			inject(t, p, row.kind, row.target)
			p.expect(t, victim.name+" exited", victim.name+" started")
			if len(p.exits) != 0 {
				t.Errorf("got %v as unexpected exits, want none: it was killed", p.exits)
			}
		})
	}
}

func TestStoppedProcessIsContinued(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		kind   string
		target int
		victim func(*fakeSystem) *process
	}{
		{"worker-stop-long", 1, func(p *fakeSystem) *process { return p.workers[0] }},
		{"api-stop", 2, func(p *fakeSystem) *process { return p.apis[1] }},
	} {
		t.Run(row.kind, func(t *testing.T) {
			t.Parallel()
			p := setup(t)
			victim := row.victim(p)
			p.startAll(t, victim)
			inject(t, p, row.kind, row.target)
			p.expect(t, victim.name+" was events: continued")
		})
	}
}

func TestScalingIsGraceful(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.startAll(t, p.workers[:workerCount]...)
	inject(t, p, "scale-1-6-2", 0)
	events := []string{"worker-2 was events: terminated", "worker-2 exited", "worker-2 started"}
	for _, name := range []string{"worker-3", "worker-4", "worker-5", "worker-6"} {
		events = append(events, name+" started", name+" was events: terminated", name+" exited")
	}
	p.expect(t, events...)
}

func TestFaultsOfOneComponentNeverOverlap(t *testing.T) {
	t.Parallel()
	p := setup(t)
	inside := make(chan string)
	blocking := func(name string) fault {
		return fault{kind: kind{name: name, component: componentMail, inject: func(*system, context.Context, fault) error {
			inside <- name + " begins"
			inside <- name + " ends"
			return nil
		}}, at: -time.Hour}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	for _, name := range []string{"one", "other"} {
		go func() { ended <- p.runFault(ctx, blocking(name)) }()
	}
	first := <-inside
	if second := <-inside; strings.Fields(first)[0] != strings.Fields(second)[0] {
		t.Errorf("got %q inside %q", second, first)
	}
	cancel() // skips the time for recovery
	<-inside
	<-inside
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if len(p.injected) != 2 || p.injected[1].began.Before(p.injected[0].ended) {
		t.Errorf("got %v, want two faults that do not overlap", p.injected)
	}
}

func TestFaultThatCannotBeUndoneEndsTheRun(t *testing.T) {
	t.Parallel()
	p := setup(t)
	broken := errors.New("broken")
	f := fault{kind: kind{name: "worst", component: componentKafka, inject: func(*system, context.Context, fault) error { return broken }}, at: -time.Hour}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.runFault(ctx, f); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "worst: ") {
		t.Errorf("got %v, want it named", err)
	}
}

// mailed sends a mail to the inbox of the system.
func mailed(p *fakeSystem) error {
	c, err := p.mail.Dial(context.Background(), "", "")
	if err != nil {
		return err
	}
	client, err := smtp.NewClient(c, "inbox.test")
	if err != nil {
		return err
	}
	defer client.Close()
	err1, err2 := client.Mail("shop@example.com"), client.Rcpt("zoe@example.com")
	w, err3 := client.Data()
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	_, err = w.Write([]byte("Message-ID: <one@example.com>\r\n\r\nhello\r\n"))
	return errors.Join(err, w.Close())
}

func TestMailServerMisbehavesAndRecovers(t *testing.T) {
	t.Parallel()
	p := setup(t)
	serving, end := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- p.mail.Run(serving) }()
	for _, row := range []struct {
		kind, text string
		delivered  int // mails that are delivered
	}{
		{"smtp-down", "refused", 0},
		{"smtp-451", "451", 0},
		{"smtp-hangup", "EOF", 1},
	} {
		before := p.mail.Deliveries()["one@example.com"]
		p.mail.Behave(behaviour(row.kind))
		if err := mailed(p); err == nil || !strings.Contains(err.Error(), row.text) {
			t.Errorf("%s: got %v, want an error with %s", row.kind, err, row.text)
		}
		if n := p.mail.Deliveries()["one@example.com"] - before; n != row.delivered {
			t.Errorf("%s: got %d mails, want %d", row.kind, n, row.delivered)
		}
		inject(t, p, row.kind, 0)
		if err := mailed(p); err != nil {
			t.Errorf("after %s: got %v, want a mail", row.kind, err)
		}
	}
	if b := behaviour("smtp-slow"); b.Late <= session {
		t.Errorf("smtp-slow: got %+v, want it later than the session timeout", b)
	}
	end()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestConnectionsToKafkaAreCutAndSlowed(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.proxies = []*proxy{startProxy(t), startProxy(t)}
	open := p.proxies[1].dial(t)
	if _, err := ask(open, "hello"); err != nil {
		t.Fatal(err)
	}
	inject(t, p, "kafka-cut", 0)
	if _, err := ask(open, "hello again"); err == nil {
		t.Error("a connection survived kafka-cut")
	}
	for _, kind := range []string{"kafka-cut", "kafka-slow"} {
		inject(t, p, kind, 0)
		for _, one := range p.proxies {
			if got, err := ask(one.dial(t), "back?"); got != "back?\n" || err != nil || one.slow != (delay{}) {
				t.Errorf("after %s: got %q, %v, %+v; want a connection as before", kind, got, err, one.slow)
			}
		}
	}
}

func TestOnlyASmallDiskIsFilled(t *testing.T) {
	t.Parallel()
	p := setup(t)
	inject(t, p, "disk-full", 0)
	if p.skipped["disk-full"] != 1 {
		t.Errorf("got skipped %v, want disk-full once", p.skipped)
	}
	// Use a device that is always full as the disk.
	p.smallDisk = t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(p.smallDisk, "filler")); err != nil {
		t.Fatal(err)
	}
	inject(t, p, "disk-full", 0)
	if left, err := os.ReadDir(p.smallDisk); len(left) != 0 || err != nil || p.skipped["disk-full"] != 1 {
		t.Errorf("got %v left and skipped %v, %v; want an empty disk", left, p.skipped, err)
	}
}

func TestEveryKindCanBeInjected(t *testing.T) {
	t.Parallel()
	var names []string
	for _, k := range kinds() {
		if k.inject == nil || k.shortest > k.longest || componentLocks()[k.component] == nil || slices.Contains(names, k.name) {
			t.Errorf("%s: got %+v, want a function, durations, a component and a unique name", k.name, k)
		}
		names = append(names, k.name)
	}
}
