package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// fakeKafka runs kfake on the ports of three brokers and of the listeners behind their proxies. It
// returns the first port, and a directory with a script that looks like scripts/kafka.
func fakeKafka(t *testing.T) (port int, scripts string) {
	t.Helper()
	port = freePorts(t)
	k, err := kfake.NewCluster(kfake.NumBrokers(brokerCount), kfake.Ports(port, port+brokersApart, port+2*brokersApart))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	for i := range brokerCount {
		at := port + i*brokersApart
		p, err := newProxy(t.Context(), fmt.Sprint("127.0.0.1:", at+proxyPort-1), fmt.Sprint("127.0.0.1:", at))
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			if err := p.run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	scripts = t.TempDir()
	script := "#!/bin/sh\necho \"$@\"\necho Kafka Server started\nexec tail -f /dev/null\n"
	if err := os.WriteFile(filepath.Join(scripts, "kafka"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return port, scripts
}

// freePorts finds fifty unused ports in a row. It occupies the last one until the test ends, so
// that parallel tests get other ports.
func freePorts(t *testing.T) int {
	t.Helper()
	for port := 28000; port < 31000; port += 50 {
		held, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port+49))
		if err != nil {
			continue
		}
		free := true
		for i := range 49 {
			ln, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port+i))
			if free = free && err == nil; err == nil {
				ln.Close()
			}
		}
		if free {
			t.Cleanup(func() { held.Close() })
			return port
		}
		held.Close()
	}
	t.Fatal("no fifty ports are free")
	return 0
}

// programs returns a directory with programs that look like the services: this test program under
// other names.
func programs(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"order-api", "order-worker"} {
		script := fmt.Sprintf("#!/bin/sh\nCHAOS_TEST_AS=%s exec %s \"$@\"\n", name, os.Args[0])
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// TestRunWithoutDefectsKeepsEveryPromise runs the whole program with short faults.
func TestRunWithoutDefectsKeepsEveryPromise(t *testing.T) {
	t.Parallel()
	port, scripts := fakeKafka(t)
	s := settings{Minutes: 0.03, Rate: 50, Seed: 1, Port: port, Bin: programs(t), Scripts: scripts, Prefix: "orders", Group: "order-workers"}
	var plan []fault
	for i, name := range []string{"worker-stop-short", "api-kill", "smtp-down", "broker-kill"} {
		chosen, err := choose([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		plan = append(plan, fault{kind: chosen[0], at: time.Duration(i) * 100 * time.Millisecond, target: 1, duration: 100 * time.Millisecond})
	}
	var out bytes.Buffer
	dir := t.TempDir()
	found, err := runPlan(t.Context(), s, dir, plan, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if err := report(s, found, &out); err != nil || found.Accepted == 0 || len(found.Kinds) != len(plan) {
		t.Errorf("got %v, %+v\n%s", err, found, &out)
	}
	log, err := os.ReadFile(filepath.Join(dir, "broker-2.log"))
	want := fmt.Sprintf("--data %s --port %d --apart 10 --proxied --clock %s --broker 2 3\n", filepath.Join(dir, "kafka"), port, filepath.Join(dir, "clock"))
	if err != nil || !strings.HasPrefix(string(log), want) {
		t.Errorf("broker 2 was started with %q, %v; want %q", log, err, want)
	}
}

func TestInSyncMeansAllReplicas(t *testing.T) {
	t.Parallel()
	with := func(inSync ...int) (d kadm.TopicDetails) {
		d = kadm.TopicDetails{}
		for i, n := range inSync {
			d[fmt.Sprint("topic-", i)] = kadm.TopicDetail{Partitions: kadm.PartitionDetails{0: {ISR: make([]int32, n)}}}
		}
		return d
	}
	for _, row := range []struct {
		name   string
		topics kadm.TopicDetails
		want   bool
	}{
		{"no topics", with(), false},
		{"all three", with(3, 3), true},
		{"one replica lags", with(3, 2), false},
	} {
		if got := allInSync(row.topics); got != row.want {
			t.Errorf("%s: got %t, want %t", row.name, got, row.want)
		}
	}
}

func TestSmallDiskIsMountedOnlyForDiskFull(t *testing.T) {
	t.Parallel()
	st := &system{settings: settings{Port: freePorts(t)}, dir: t.TempDir()}
	if err := st.build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range st.proxies {
		p.ln.Close()
	}
	if _, err := os.Stat(filepath.Join(st.dir, "api-2")); st.smallDisk != "" || err == nil {
		t.Errorf("got %q mounted, want nothing", st.smallDisk)
	}
}

func TestUsedPortIsReported(t *testing.T) {
	t.Parallel()
	port := freePorts(t)
	ln, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port+proxyPort))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := runPlan(t.Context(), settings{Port: port}, t.TempDir(), nil, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v, want that the address is in use", err)
	}
}

func TestSettlingEndsWithTheLastOrder(t *testing.T) {
	t.Parallel()
	p, h := setup(t), newHistory()
	settled := make(chan struct{})
	go func() {
		p.settle(t.Context(), h, map[string]placed{"ord_1": {}})
		close(settled)
	}()
	for _, r := range []*kgo.Record{claimed(0), state(1, 0, 1, order.Mailing), state(2, 0, 2, order.Confirmed)} {
		select {
		case <-settled:
			t.Errorf("settled before offset %d, where it is confirmed", r.Offset)
		default:
		}
		h.add(r)
	}
	<-settled
}

func TestSettlingEndsWithTheRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := newHistory()
	setup(t).settle(ctx, h, map[string]placed{"ord_1": {}})
	if left := h.unfinished([]string{"ord_1"}, nil); len(left) != 1 {
		t.Errorf("got %v unfinished, want the one that is missing", left)
	}
}
