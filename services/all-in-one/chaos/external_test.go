package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

func TestBurstKillsBothWorkersAndLeavesThemRunning(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.startAll(t, p.workers[:workerCount]...)
	inject(t, p, "worker-kill-burst", 0)
	// A worker that is killed while it starts reports nothing. At the end both run, and no kill
	// counts as an unexpected exit.
	for _, w := range p.workers[:workerCount] {
		w.mu.Lock()
		if !w.wanted || w.cmd == nil {
			t.Errorf("%s: got wanted %t, want it running", w.name, w.wanted)
		}
		w.mu.Unlock()
	}
	if len(p.exits) != 0 {
		t.Errorf("got %v as unexpected exits, want none: they were killed", p.exits)
	}
}

// onKafka starts a broker with the topics on the port of the first broker.
func onKafka(t *testing.T, p *fakeSystem) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	if _, err := fmt.Sscanf(cluster.ListenAddrs()[0], "127.0.0.1:%d", &p.Port); err != nil {
		t.Fatal(err)
	}
	p.Prefix = "orders"
	cl, err := kafka.Config{Brokers: cluster.ListenAddrs()}.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kafka.Create(t.Context(), cl, topic.Names(p.Prefix), topic.Partitions, 1); err != nil {
		t.Fatal(err)
	}
}

// commands replaces a program with one that records its arguments, and returns a function that
// reads them.
func commands(t *testing.T, p *fakeSystem, program string) func() string {
	t.Helper()
	p.Bin = t.TempDir()
	recorded := filepath.Join(p.Bin, "recorded")
	script := "#!/bin/sh\necho \"$ORDERS_BROKERS $@\" >>" + recorded + "\n"
	if err := os.WriteFile(filepath.Join(p.Bin, program), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return func() string {
		text, err := os.ReadFile(recorded)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func TestForeignGroupLeavesALateClaim(t *testing.T) {
	t.Parallel()
	p := setup(t)
	onKafka(t, p)
	started := commands(t, p, "order-worker")
	p.workers[0].args = []string{filepath.Join(p.Bin, "order-worker"), "--brokers", "b"}
	// Long enough to start the program on a busy machine; it exits by itself.
	chosen, err := choose([]string{"foreign-group"})
	if err != nil {
		t.Fatal(err)
	}
	if err := chosen[0].inject(p.system, t.Context(), fault{kind: chosen[0], duration: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if got := started(); !strings.Contains(got, "--brokers b --group typo") {
		t.Errorf("got %q, want a worker of another group", got)
	}
	names := topic.Names(p.Prefix)
	for partition := range int32(topic.Partitions) {
		r, err := one(t, p, names.Status, partition)
		if err != nil || wire.Type(r) != wire.TypeClaim {
			t.Errorf("partition %d of %s: got %v, %v; want a claim", partition, names.Status, r, err)
		}
	}
}

func one(t *testing.T, p *fakeSystem, topic string, partition int32) (*kgo.Record, error) {
	t.Helper()
	cl, err := p.direct().Connect(t.Context())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return kafka.NewReader(cl, "").One(t.Context(), topic, partition, 0)
}

func TestUnreadableBatchIsSkipped(t *testing.T) {
	t.Parallel()
	p := setup(t)
	onKafka(t, p)
	called := commands(t, p, "ordersctl")
	inject(t, p, "unreadable-batch", 3)
	want := fmt.Sprintf("%s topics skip orders 2 0 --out %s\n", p.address(0), filepath.Join(p.dir, "batch-2-0"))
	if got := called(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := one(t, p, "orders", 2); err == nil {
		t.Error("the batch can be read")
	}
}

func TestClockStepsForwardAndBackAndEndsRight(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.clock = filepath.Join(p.dir, "clock")
	if err := p.setClock(clockStep); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(p.clock); string(text) != "3600000" || err != nil {
		t.Errorf("an hour ahead: got %q, %v", text, err)
	}
	inject(t, p, "clock-step", 0)
	if text, err := os.ReadFile(p.clock); string(text) != "0" || err != nil {
		t.Errorf("afterwards: got %q, %v; want 0", text, err)
	}
	if left, _ := os.ReadDir(p.dir); slices.ContainsFunc(left, func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), ".part") }) {
		t.Errorf("got %v left over", left)
	}
}
