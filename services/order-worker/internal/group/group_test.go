//go:build synctests

package group

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

// team is a group on a Kafka in memory, in a synctest bubble. Its members do nothing but what a test says.
type team struct {
	*kafkatest.Kafka
	cfg Config

	mu   sync.Mutex
	seen []string // what was worked on to the end
}

const drain, session = 10 * time.Second, 8 * time.Second

func gather(t *testing.T) *team {
	t.Helper()
	return gatherOn(t, kafkatest.Start(t))
}

func gatherOn(t *testing.T, k *kafkatest.Kafka) *team {
	t.Helper()
	layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
	if err != nil {
		t.Fatal(err)
	}
	log, meter := slog.New(slog.NewTextHandler(t.Output(), nil)), metrics.New()
	return &team{Kafka: k, cfg: Config{
		Kafka: k.Config(), Topics: k.Topics, Partitions: layout.Partitions, Group: "team", Slots: 8, Drain: drain, SessionTimeout: session, Meter: meter, Log: log,
		Ledger: ledger.Config{Topics: k.Topics, Incarnation: layout.Incarnation, Worker: "test", Producer: k.Client, Meter: meter, Log: log},
	}}
}

// work finishes a record at once.
func (m *team) work(_ context.Context, _ *ledger.Ledger, r *kgo.Record, _ <-chan struct{}) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, name(r))
	return nil
}

func (m *team) worked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(slices.Values(m.seen))
}

// join runs a member until the returned function is called, or the test ends.
func (m *team) join(t *testing.T, handle Handler, change ...func(*Config)) (stop func()) {
	t.Helper()
	_, stop = m.member(t, handle, change...)
	return stop
}

// joinFor runs a member for some time, which commits and leaves then.
func (m *team) joinFor(t *testing.T, d time.Duration, handle Handler, change ...func(*Config)) {
	t.Helper()
	stop := m.join(t, handle, change...)
	time.Sleep(d)
	stop()
}

func (m *team) member(t *testing.T, handle Handler, change ...func(*Config)) (c *Member, stop func()) {
	t.Helper()
	cfg := m.cfg
	for _, c := range change {
		c(&cfg)
	}
	c = New(cfg, handle)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { // ended by stop
		defer close(done)
		if err := c.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return c, stop
}

// fill appends n records to a topic's partition.
func (m *team) fill(t *testing.T, topic string, partition int32, n int) {
	t.Helper()
	for i := range n {
		m.Produce(t, &kgo.Record{Topic: topic, Partition: partition, Key: fmt.Append(nil, "k", i), Value: []byte("{}")})
	}
}

func (m *team) committed(t *testing.T, topic string, partition int32) int64 {
	t.Helper()
	at, ok := m.Committed(t, m.cfg.Group)[topic][partition]
	if !ok {
		return -1
	}
	return at
}

func TestOwnerWorksOnAllTopicsAndCommitsThemTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.fill(t, m.Topics.Orders, 0, 3)
		m.fill(t, m.Topics.Replay, 0, 2)
		m.fill(t, m.Topics.Replay, 2, 1)
		stop := m.join(t, m.work)
		time.Sleep(5 * time.Second)
		want := map[string]map[int32]int64{m.Topics.Orders: {0: 3}, m.Topics.Replay: {0: 2, 2: 1}}
		if diff := cmp.Diff(want, m.Committed(t, "team")); diff != "" {
			t.Errorf("committed while it runs (-want +got):\n%s", diff)
		}
		m.fill(t, m.Topics.Orders, 1, 1)
		m.fill(t, m.Topics.Replay, 2, 1)
		time.Sleep(100 * time.Millisecond) // fetched and worked on, not committed yet
		stop()
		want = map[string]map[int32]int64{m.Topics.Orders: {0: 3, 1: 1}, m.Topics.Replay: {0: 2, 2: 2}}
		if diff := cmp.Diff(want, m.Committed(t, "team")); diff != "" {
			t.Errorf("committed at its end (-want +got):\n%s", diff)
		}
		if got := m.worked(); len(got) != 8 {
			t.Errorf("worked on %v, want 8 records, each once", got)
		}
	})
}

func TestNextMemberBeginsWhereTheLastOneEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		for range 3 {
			m.fill(t, m.Topics.Orders, 1, 2)
			m.fill(t, m.Topics.Replay, 1, 2)
			m.joinFor(t, 5*time.Second, m.work)
		}
		want := []string{}
		for _, topic := range []string{m.Topics.Replay, m.Topics.Orders} {
			for offset := range 6 {
				want = append(want, fmt.Sprintf("%s/1@%d", topic, offset))
			}
		}
		if diff := cmp.Diff(want, m.worked()); diff != "" {
			t.Errorf("worked on (-want +got):\n%s", diff)
		}
	})
}

func TestEveryMemberIsToldWhatItOwns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		var mu sync.Mutex
		owned := map[int][]int32{}
		for i := range kafkatest.Partitions + 1 { // one more than there is work for
			m.join(t, m.work, func(c *Config) {
				c.Assigned = func(numbers []int32) {
					mu.Lock()
					defer mu.Unlock()
					owned[i] = append([]int32{}, numbers...)
				}
			})
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		var all []int32
		for _, numbers := range owned {
			all = append(all, numbers...)
		}
		slices.Sort(all)
		if len(owned) != kafkatest.Partitions+1 || !slices.Equal(all, []int32{0, 1, 2}) {
			t.Errorf("got %v, want the three partitions spread over four members, and all of them told", owned)
		}
	})
}

func TestOffsetsOfUnsubscribedTopicsAreCommittedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.fill(t, m.Topics.Replay, 1, 2)
		m.joinFor(t, 5*time.Second, m.work)
		m.join(t, m.work) // is given nothing to work on
		time.Sleep(5 * time.Second)
		if _, err := kadm.NewClient(m.Client).DeleteOffsets(t.Context(), "team", kadm.TopicsSet{m.Topics.Replay: {1: {}}}); err != nil {
			t.Fatal(err)
		}
		if at := m.committed(t, m.Topics.Replay, 1); at != -1 {
			t.Fatalf("got %d, want the offset expired", at)
		}
		time.Sleep(commitAgain + 10*time.Second)
		if at := m.committed(t, m.Topics.Replay, 1); at != 2 {
			t.Errorf("got %d, want 2 again", at)
		}
	})
}

func TestPositionIsAskedForUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.fill(t, m.Topics.Replay, 1, 2)
		m.joinFor(t, 5*time.Second, m.work)
		fault := m.Cluster.Fault(kafkatest.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "team", Count: 7})
		m.fill(t, m.Topics.Replay, 1, 1)
		m.join(t, m.work)
		time.Sleep(20 * time.Second)
		// The client asks, too, when it joins, and gives its membership up when the last fault is its own: then one is repeated.
		if got := slices.Compact(m.worked()); len(got) != 3 || fault.Hits() != 7 {
			t.Errorf("worked on %v after %d faults, want three records after 7", got, fault.Hits())
		}
		if at := m.committed(t, m.Topics.Replay, 1); at != 3 {
			t.Errorf("committed %d, want 3", at)
		}
	})
}

func TestWhatIsNotFinishedInTimeIsLeftToTheNextOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.fill(t, m.Topics.Orders, 1, 5)
		var cause error
		stop := m.join(t, func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error {
			switch r.Offset {
			case 1: // never ends on its own
				<-ctx.Done()
				cause = context.Cause(ctx)
				return cause
			case 2: // waits for something
				<-stopping
				return retry.ErrStopping
			case 3: // takes its time
				time.Sleep(7 * time.Second)
			}
			return m.work(ctx, l, r, stopping)
		})
		time.Sleep(5 * time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took < drain || took > drain+time.Second {
			t.Errorf("the end took %s, want the drain time of %s", took, drain)
		}
		if !errors.Is(cause, errDrained) {
			t.Errorf("abandoned because %v, want because %v", cause, errDrained)
		}
		if at := m.committed(t, m.Topics.Orders, 1); at != 1 {
			t.Errorf("committed %d, want 1, the first that is unfinished", at)
		}
		m.join(t, m.work)
		time.Sleep(5 * time.Second)
		want := []string{"orders/1@0", "orders/1@1", "orders/1@2", "orders/1@3", "orders/1@3", "orders/1@4", "orders/1@4"}
		if diff := cmp.Diff(want, m.worked()); diff != "" {
			t.Errorf("worked on (-want +got):\n%s", diff)
		}
	})
}

func TestPartitionThatIsDrainedDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		slowly := func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error {
			if r.Offset == 0 {
				time.Sleep(drain - time.Second)
			}
			return m.work(ctx, l, r, stopping)
		}
		m.join(t, slowly)
		time.Sleep(5 * time.Second)
		for partition := range int32(kafkatest.Partitions) {
			m.fill(t, m.Topics.Orders, partition, 1)
		}
		m.join(t, slowly)
		time.Sleep(4 * time.Second) // the first gives one partition to the second now, when its slow record is finished
		for partition := range int32(kafkatest.Partitions) {
			m.Produce(t, &kgo.Record{Topic: m.Topics.Orders, Partition: partition, Key: []byte("other")})
		}
		time.Sleep(2 * time.Second)
		if got := m.worked(); len(got) != kafkatest.Partitions-1 {
			t.Errorf("while one partition is drained: worked on %v, want one record of each other partition", got)
		}
		time.Sleep(20 * time.Second)
		if got := m.worked(); len(got) != 2*kafkatest.Partitions || len(slices.Compact(got)) != len(got) {
			t.Errorf("worked on %v, want every record once", got)
		}
	})
}

func TestPartitionOfAnotherIsLeftAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.fill(t, m.Topics.Orders, 1, 3)
		causes, hung := make(chan error, 1), atomic.Bool{}
		m.join(t, func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error {
			if r.Offset == 1 && hung.CompareAndSwap(false, true) {
				<-ctx.Done()
				causes <- context.Cause(ctx)
				return ctx.Err()
			}
			return m.work(ctx, l, r, stopping)
		})
		time.Sleep(5 * time.Second)
		began := time.Now()
		m.Cluster.Fault(kafkatest.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: "team", TopLevel: true, Err: kerr.UnknownMemberID, Count: 2})
		if cause := <-causes; !errors.Is(cause, errLost) || time.Since(began) > 2*heartbeat {
			t.Errorf("abandoned after %s because %v, want at the next heartbeat because %v", time.Since(began), cause, errLost)
		}
		time.Sleep(20 * time.Second) // it joins again, and takes the work up
		if at := m.committed(t, m.Topics.Orders, 1); at != 3 {
			t.Errorf("committed %d, want 3", at)
		}
	})
}

func TestMemberEndsWhileKafkaIsAway(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		since time.Duration // how long Kafka is away when the member is told to end
		away  func(*kafkatest.Kafka) (back func())
	}{
		{"just now", 0, (*kafkatest.Kafka).Away},
		{"longer than a heartbeat", 3 * time.Second, (*kafkatest.Kafka).Away},
		{"longer than a session", time.Minute, (*kafkatest.Kafka).Away},
		{"just now, without a word", 0, silence},
		{"longer than a heartbeat, without a word", 3 * time.Second, silence},
		{"longer than a session, without a word", time.Minute, silence},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := gather(t)
				m.fill(t, m.Topics.Orders, 1, 3)
				stop := m.join(t, m.work)
				time.Sleep(1500 * time.Millisecond)
				back := row.away(m.Kafka)
				defer back()
				time.Sleep(row.since)
				began := time.Now()
				stop()
				if took := time.Since(began); took > drain+kafka.DeliveryTimeout {
					t.Errorf("the end took %s, want it soon", took)
				}
			})
		})
	}
}

// silence makes the brokers take requests and answer none.
func silence(k *kafkatest.Kafka) (back func()) {
	var here atomic.Bool
	k.Cluster.ControlKey(-1, func(kmsg.Request) (kmsg.Response, error, bool) {
		k.Cluster.KeepControl()
		return nil, nil, !here.Load()
	})
	return func() { here.Store(true) }
}

func name(r *kgo.Record) string { return fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset) }
