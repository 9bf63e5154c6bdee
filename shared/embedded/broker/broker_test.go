package broker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/embedded/broker"
	"example.com/orders/shared/filelock"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
)

// TestMain lets the test binary be the program that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("BROKER_TEST_DIR"); dir != "" {
		b, err := broker.Start(context.Background(), broker.Config{Addr: "127.0.0.1:0", Dir: dir})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(b.Addr())
		select {}
	}
	os.Exit(m.Run())
}

func Example() {
	b, err := broker.Start(context.Background(), broker.Config{Addr: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	cl, err := kafka.Config{Brokers: []string{b.Addr()}}.Connect(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cl.Close()
	fmt.Println(kafka.Create(context.Background(), cl, topic.Names("orders"), 1, 0))
	// Output: [orders orders.retry.10s orders.retry.2m orders.waiting orders.replay orders.status orders.invoices orders.dlq orders.desk orders.workers] <nil>
}

func TestAcknowledgedDataSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, dir)
	before := write(t, b.Addr())
	if err := b.CloseWithin(patience); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, read(t, start(t, dir).Addr()), cmp.AllowUnexported(kafka.Layout{})); diff != "" {
		t.Errorf("after the restart (-before +after):\n%s", diff)
	}
}

func TestAcknowledgedDataSurvivesAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "BROKER_TEST_DIR="+dir)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	before := write(t, strings.TrimSpace(addr))

	_, err = broker.Start(t.Context(), broker.Config{Addr: "127.0.0.1:0", Dir: dir})
	want := fmt.Sprintf("the data directory %q of the broker is in use by another process (pid %d)", dir, cmd.Process.Pid)
	if !errors.Is(err, filelock.ErrHeld) || err.Error() != want {
		t.Errorf("a second broker on the folder: got %v, want %s", err, want)
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its error is the kill
	if diff := cmp.Diff(before, read(t, start(t, dir).Addr()), cmp.AllowUnexported(kafka.Layout{})); diff != "" {
		t.Errorf("after the kill (-before +after):\n%s", diff)
	}
}

func TestAddressInUseLeavesTheDirectoryUntouched(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	b := start(t, "")
	if _, err := broker.Start(t.Context(), broker.Config{Addr: b.Addr(), Dir: dir}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v, want %v", err, syscall.EADDRINUSE)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder: got %v, want it not made", err)
	}
}

func TestDamagedDirectoryIsNamedAndUnlocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	meta := filepath.Join(dir, "meta.json")
	if err := os.WriteFile(meta, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := broker.Start(t.Context(), broker.Config{Addr: "127.0.0.1:0", Dir: dir})
	if err == nil || !strings.Contains(err.Error(), strconv.Quote(dir)) {
		t.Errorf("got %v, want an error that names %s", err, dir)
	}
	if err := os.Remove(meta); err != nil {
		t.Fatal(err)
	}
	start(t, dir)
}

func start(t *testing.T, dir string) *broker.Broker {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Config{Addr: "127.0.0.1:0", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.CloseWithin(patience); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return b
}

// kept is the data that must survive a restart.
type kept struct {
	Topics  string // their number of partitions and the incarnation, which is part of the topic's ID
	Values  []string
	Commits kadm.Offsets
}

// write writes records and offsets to a broker, and returns its data.
func write(t *testing.T, addr string) kept {
	t.Helper()
	cl := connect(t, addr)
	if _, err := kafka.Create(t.Context(), cl, topic.Names("orders"), 2, 0); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		r := &kgo.Record{Topic: "orders.status", Key: []byte{byte(i)}, Value: []byte(strconv.Itoa(i)), Partition: int32(i % 2)}
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var offsets kadm.Offsets
	offsets.AddOffset("orders", 1, 0, -1)
	offsets.AddOffset("orders.status", 1, 7, -1)
	if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), "workers", offsets); err != nil {
		t.Fatal(err)
	}
	return read(t, addr)
}

func read(t *testing.T, addr string) kept {
	t.Helper()
	cl := connect(t, addr)
	layout, err := kafka.Check(t.Context(), cl, topic.Names("orders"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := kadm.NewClient(cl).FetchOffsets(t.Context(), "workers")
	if err != nil {
		t.Fatal(err)
	}
	k := kept{Topics: fmt.Sprint(layout.Partitions, layout.Incarnation), Commits: found.Offsets()}
	for p := range int32(layout.Partitions) {
		err := kafka.Config{Brokers: []string{addr}}.Read(t.Context(), "orders.status", p, 0, 25, func(r *kgo.Record) error {
			k.Values = append(k.Values, string(r.Value))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// patience is how long tests wait for a broker, which writes each change to the disk: that may be busy.
const patience = 10 * time.Minute

func connect(t *testing.T, addr string) *kgo.Client {
	t.Helper()
	cl, err := kafka.Config{Brokers: []string{addr}}.Connect(t.Context(), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequestTimeoutOverhead(patience), kgo.ProduceRequestTimeout(patience), kgo.RecordDeliveryTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}
