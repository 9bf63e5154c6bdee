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

// soon is how long faults last here.
const soon = 20 * time.Millisecond

func fall(t *testing.T, p *puppets, name string, target int) {
	t.Helper()
	chosen, err := choose([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	if err := chosen[0].play(p.stage, t.Context(), fault{kind: chosen[0], target: target, lasts: soon}); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func TestKilledProcessComesBack(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		kind   string
		target int
		victim func(*puppets) *process
	}{
		{"worker-kill", 2, func(p *puppets) *process { return p.workers[1] }},
		{"api-kill", 1, func(p *puppets) *process { return p.apis[0] }},
	} {
		t.Run(row.kind, func(t *testing.T) {
			t.Parallel()
			p := setup(t)
			victim := row.victim(p)
			p.begin(t, victim)
			fall(t, p, row.kind, row.target)
			p.hears(t, victim.name+" is gone", victim.name+" is there")
			if len(p.fallen) != 0 {
				t.Errorf("got %v as ended by themselves, want none: it was killed", p.fallen)
			}
		})
	}
}

func TestStoppedProcessGoesOn(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		kind   string
		target int
		victim func(*puppets) *process
	}{
		{"worker-stop-long", 1, func(p *puppets) *process { return p.workers[0] }},
		{"api-stop", 2, func(p *puppets) *process { return p.apis[1] }},
	} {
		t.Run(row.kind, func(t *testing.T) {
			t.Parallel()
			p := setup(t)
			victim := row.victim(p)
			p.begin(t, victim)
			fall(t, p, row.kind, row.target)
			p.hears(t, victim.name+" was told: continued")
		})
	}
}

func TestScalingKillsNobody(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.begin(t, p.workers[:workerCount]...)
	fall(t, p, "scale-1-6-2", 0)
	told := []string{"worker-2 was told: terminated", "worker-2 is gone", "worker-2 is there"}
	for _, name := range []string{"worker-3", "worker-4", "worker-5", "worker-6"} {
		told = append(told, name+" is there", name+" was told: terminated", name+" is gone")
	}
	p.hears(t, told...)
}

func TestFaultsOfOneThingTakeTurns(t *testing.T) {
	t.Parallel()
	p := setup(t)
	inside := make(chan string)
	wait := func(name string) fault {
		return fault{kind: kind{name: name, touches: theMail, play: func(*stage, context.Context, fault) error {
			inside <- name + " begins"
			inside <- name + " ends"
			return nil
		}}, at: -time.Hour}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	for _, name := range []string{"one", "other"} {
		go func() { ended <- p.perform(ctx, wait(name)) }()
	}
	first := <-inside
	if second := <-inside; strings.Fields(first)[0] != strings.Fields(second)[0] {
		t.Errorf("got %q inside %q", second, first)
	}
	cancel() // nobody rests any more
	<-inside
	<-inside
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if len(p.played) != 2 || p.played[1].began.Before(p.played[0].ended) {
		t.Errorf("got %v, want two faults one behind the other", p.played)
	}
}

func TestFaultThatCannotBeUndoneEndsTheRun(t *testing.T) {
	t.Parallel()
	p := setup(t)
	broken := errors.New("broken")
	f := fault{kind: kind{name: "worst", touches: theKafka, play: func(*stage, context.Context, fault) error { return broken }}, at: -time.Hour}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.perform(ctx, f); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "worst: ") {
		t.Errorf("got %v, want it named", err)
	}
}

// mailed sends a mail to the stage's inbox and reports what that did.
func mailed(p *puppets) error {
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
		kind, says string
		delivered  int // by the mail that is answered so
	}{
		{"smtp-down", "refused", 0},
		{"smtp-451", "451", 0},
		{"smtp-hangup", "EOF", 1},
	} {
		before := p.mail.Deliveries()["one@example.com"]
		p.mail.Behave(behaviour(row.kind))
		if err := mailed(p); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: got %v, want an error that says %s", row.kind, err, row.says)
		}
		if n := p.mail.Deliveries()["one@example.com"] - before; n != row.delivered {
			t.Errorf("%s: got %d mails, want %d", row.kind, n, row.delivered)
		}
		fall(t, p, row.kind, 0)
		if err := mailed(p); err != nil {
			t.Errorf("after %s: got %v, want a mail", row.kind, err)
		}
	}
	if b := behaviour("smtp-slow"); b.Late <= session {
		t.Errorf("smtp-slow: got %+v, want it later than a session lasts", b)
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
	fall(t, p, "kafka-cut", 0)
	if _, err := ask(open, "still there?"); err == nil {
		t.Error("a connection outlived kafka-cut")
	}
	for _, kind := range []string{"kafka-cut", "kafka-slow"} {
		fall(t, p, kind, 0)
		for _, one := range p.proxies {
			if got, err := ask(one.dial(t), "back?"); got != "back?\n" || err != nil || one.slow != (delay{}) {
				t.Errorf("after %s: got %q, %v, %+v; want a connection as before", kind, got, err, one.slow)
			}
		}
	}
}

func TestDiskIsFilledOnlyIfItIsOneOfItsOwn(t *testing.T) {
	t.Parallel()
	p := setup(t)
	fall(t, p, "disk-full", 0)
	if p.skipped["disk-full"] != 1 {
		t.Errorf("got skipped %v, want disk-full once", p.skipped)
	}
	// A device that is always full stands in for the disk.
	p.smallDisk = t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(p.smallDisk, "filler")); err != nil {
		t.Fatal(err)
	}
	fall(t, p, "disk-full", 0)
	if left, err := os.ReadDir(p.smallDisk); len(left) != 0 || err != nil || p.skipped["disk-full"] != 1 {
		t.Errorf("got %v left and skipped %v, %v; want an empty disk", left, p.skipped, err)
	}
}

func TestEveryKindCanBePlayed(t *testing.T) {
	t.Parallel()
	var names []string
	for _, k := range kinds() {
		if k.play == nil || k.shortest > k.longest || turns()[k.touches] == nil || slices.Contains(names, k.name) {
			t.Errorf("%s: got %+v, want what it does, a lasting, what it touches, and a name of its own", k.name, k)
		}
		names = append(names, k.name)
	}
}
