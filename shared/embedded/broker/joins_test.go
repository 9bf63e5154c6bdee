package broker_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/embedded/broker"
)

const (
	virtual    = "localhost:9092"
	partitions = 6
	session    = 8 * time.Second
)

// TestAllPartitionsAreConsumedSoonAfterTenKills kills members of a group at random moments, also
// during joins, and starts others.
func TestAllPartitionsAreConsumedSoonAfterTenKills(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				moments := rand.New(rand.NewPCG(seed, 0))
				network := startVirtual(t, 0)
				consumed := make(chan int32, 100)
				workers := make([]*worker, 3)
				for i := range workers {
					workers[i] = startWorker(t, network, consumed)
				}
				time.Sleep(10 * time.Second)
				for range 10 {
					w := &workers[moments.IntN(len(workers))]
					(*w).kill()
					*w = startWorker(t, network, consumed)
					time.Sleep(time.Duration(moments.IntN(4_000)>>moments.IntN(4)) * time.Millisecond)
				}
				produce(t, network)
				await(t, consumed)
			})
		})
	}
}

func TestMembersThatWaitForADeadOneStayInTheGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := startVirtual(t, 0)
		consumed := make(chan int32, 100)
		long := kgo.RebalanceTimeout(30 * time.Second)
		dead := startWorker(t, network, consumed, long, kgo.SessionTimeout(2*session))
		first := startWorker(t, network, consumed, long)
		startWorker(t, network, consumed, long)
		time.Sleep(10 * time.Second)
		dead.kill()
		first.ForceRebalance()
		produce(t, network)
		await(t, consumed)
	})
}

// TestMembersOfANewGroupAreAssignedTheirPartitionsOnce has the second member join a moment after the
// first, as those of one program do.
func TestMembersOfANewGroupAreAssignedTheirPartitionsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := startVirtual(t, 0)
		consumed := make(chan int32, 100)
		var assigned atomic.Int32
		count := kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			assigned.Add(int32(len(got["orders"])))
		})
		startWorker(t, network, consumed, count)
		time.Sleep(50 * time.Millisecond)
		startWorker(t, network, consumed, count)
		produce(t, network)
		await(t, consumed)
		time.Sleep(10 * time.Second) // virtual: the group rebalances no more
		if got := assigned.Load(); got != partitions {
			t.Errorf("got %d assignments of %d partitions, want one of each", got, partitions)
		}
	})
}

// TestAGroupBeginsAtOnceWhenAllItsMembersHaveJoined starts all of them, or one fewer.
func TestAGroupBeginsAtOnceWhenAllItsMembersHaveJoined(t *testing.T) {
	t.Parallel()
	for started, delay := range map[int]time.Duration{1: 100 * time.Millisecond, 2: 0} {
		synctest.Test(t, func(t *testing.T) {
			network, assigned := startVirtual(t, 2), make(chan time.Time, 100)
			note := kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { assigned <- time.Now() })
			began := time.Now()
			for range started {
				startWorker(t, network, make(chan int32, 100), note)
			}
			if took := (<-assigned).Sub(began); took != delay {
				t.Errorf("%d of 2 members started: got partitions after %s, want %s", started, took, delay)
			}
		})
	}
}

// startVirtual starts a broker in virtual time, whose groups begin with a number of members; see broker.Config.
func startVirtual(t *testing.T, members int) *kfake.VirtualNetwork {
	t.Helper()
	network := new(kfake.VirtualNetwork)
	stop, err := broker.Open(network, virtual, members, kfake.SeedTopics(partitions, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return network
}

// await waits until a record of each partition was consumed.
func await(t *testing.T, consumed <-chan int32) {
	t.Helper()
	const within = 20 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	missing := make(map[int32]bool)
	for p := range int32(partitions) {
		missing[p] = true
	}
	for len(missing) > 0 {
		select {
		case p := <-consumed:
			delete(missing, p)
		case <-ctx.Done():
			t.Fatalf("after %s no record was consumed of partitions %v", within, slices.Sorted(maps.Keys(missing)))
		}
	}
}

// produce appends a record to each partition.
func produce(t *testing.T, network *kfake.VirtualNetwork) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(virtual), kgo.Dialer(network.DialContext), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for p := range int32(partitions) {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Partition: p}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// worker is a member of a group in a process that can be killed.
type worker struct {
	*kgo.Client
	network *kfake.VirtualNetwork
	mu      sync.Mutex
	conns   []net.Conn
	dead    bool
}

// startWorker starts a member that reports the partition of each consumed record.
func startWorker(t *testing.T, network *kfake.VirtualNetwork, consumed chan<- int32, opts ...kgo.Opt) *worker {
	t.Helper()
	w := &worker{network: network}
	var err error
	w.Client, err = kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(virtual), kgo.Dialer(w.dial), kgo.ConsumerGroup("workers"), kgo.ConsumeTopics("orders"),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.HeartbeatInterval(500 * time.Millisecond), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(session), kgo.RebalanceTimeout(session), kgo.FetchMaxWait(500 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.kill)
	go func() { // ends with the client
		for {
			fetches := w.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
			fetches.EachRecord(func(r *kgo.Record) { consumed <- r.Partition })
		}
	}()
	return w
}

// errKilled is not retriable, so that the client closes at once.
var errKilled = errors.New("killed")

func (w *worker) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := w.network.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return nil, errors.Join(errKilled, c.Close())
	}
	w.conns = append(w.conns, c)
	return c, nil
}

// kill ends the member without a LeaveGroup.
func (w *worker) kill() {
	w.mu.Lock()
	w.dead = true
	for _, c := range w.conns {
		c.Close()
	}
	w.mu.Unlock()
	w.Close()
}
