//go:build synctests

package group

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafkatest"
)

// foreign are the balancers that consumers bring with them which are no order workers.
func foreign() []kgo.GroupBalancer {
	return []kgo.GroupBalancer{kgo.CooperativeStickyBalancer(), kgo.RangeBalancer()}
}

// console is a console consumer in the workers' group: it reads orders and commits them, and does not work on them.
func (m *team) console(t *testing.T, balancer kgo.GroupBalancer) (stop func()) {
	t.Helper()
	cl, err := m.Config().Connect(t.Context(), kgo.ConsumerGroup(m.cfg.Group), kgo.ConsumeTopics(m.Topics.Orders),
		kgo.Balancers(balancer), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitInterval(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends when the client is closed
		defer close(done)
		for !cl.PollFetches(t.Context()).IsClientClosed() && t.Context().Err() == nil {
			cl.AllowRebalance()
		}
	}()
	stop = func() {
		cl.Close()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func TestRecordsPassedOverByAForeignCommitAreNamedAndWorkedOn(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		commit func(t *testing.T, m *team)
	}{
		{"a console consumer", func(t *testing.T, m *team) {
			stop := m.console(t, kgo.RangeBalancer())
			time.Sleep(10 * time.Second)
			stop()
		}},
		{"a reset by an operator", func(t *testing.T, m *team) { m.commit(t, m.Topics.Orders, 1, 7, "") }},
		{"a copy with its metadata", func(t *testing.T, m *team) {
			m.commit(t, m.Topics.Orders, 1, 7, m.metadata(t, m.Topics.Orders, 1))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := gather(t)
				m.fill(t, m.Topics.Orders, 1, 2)
				m.joinFor(t, 10*time.Second, m.work)
				m.fill(t, m.Topics.Orders, 1, 5)
				row.commit(t, m)
				said := listen(&m.cfg)
				m.join(t, m.work)
				time.Sleep(20 * time.Second)
				var want []string
				for offset := range 5 {
					want = append(want, fmt.Sprintf("orders/1@%d", 2+offset))
				}
				worked := strings.Join(m.worked(), " ")
				for _, w := range want {
					if !strings.Contains(worked, w) {
						t.Errorf("worked on %s, want %s too", worked, w)
					}
				}
				if text := said.String(); !strings.Contains(text, "from=0 to=7") {
					t.Errorf("said %q, want the offsets that another client committed", text)
				}
				if got := m.committed(t, m.Topics.Orders, 1); got != 7 {
					t.Errorf("committed %d, want 7", got)
				}
			})
		})
	}
}

// commit commits an offset as a tool does.
func (m *team) commit(t *testing.T, topic string, partition int32, at int64, metadata string) {
	t.Helper()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, Partition: partition, At: at, LeaderEpoch: -1, Metadata: metadata})
	if err := kadm.NewClient(m.Client).CommitAllOffsets(t.Context(), m.cfg.Group, offsets); err != nil {
		t.Fatal(err)
	}
}

// metadata is what is committed with an offset.
func (m *team) metadata(t *testing.T, topic string, partition int32) string {
	t.Helper()
	found, err := kadm.NewClient(m.Client).FetchOffsets(t.Context(), m.cfg.Group)
	if err != nil {
		t.Fatal(err)
	}
	o, _ := found.Lookup(topic, partition)
	return o.Metadata
}

// A leader that forgot the newest records writes others in their place: the offsets alone look as if nothing had happened.
func TestALogCutAndWrittenAgainIsALoss(t *testing.T) {
	t.Parallel()
	for _, accept := range []bool{false, true} {
		for _, topic := range []string{"orders", "orders.retry.10s", "orders.replay"} {
			t.Run(fmt.Sprintf("%s accept %t", topic, accept), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m := gather(t)
					m.fill(t, topic, 1, 5)
					m.joinFor(t, 30*time.Second, m.work)
					m.seen = nil
					m.Forget(t, topic, 1, 3)
					m.fill(t, topic, 1, 4)
					said := listen(&m.cfg)
					m.join(t, m.work, func(c *Config) { c.AcceptLoss = accept })
					time.Sleep(30 * time.Second)
					if want := "topic=" + topic + " partition=1 from=3 to=5 count=2"; !strings.Contains(said.String(), want) {
						t.Errorf("said %q, want %q", said, want)
					}
					worked := strings.Join(m.worked(), " ")
					if got := strings.Contains(worked, topic+"/1@3"); got != accept {
						t.Errorf("worked on %q: got the record behind the cut %t, want %t", worked, got, accept)
					}
				})
			})
		}
	}
}

// transact writes records to a partition of orders in a transaction, and returns what ends it.
func (m *team) transact(t *testing.T, partition int32, n int) (end func(kgo.TransactionEndTry)) {
	t.Helper()
	cl, err := m.Config().Connect(t.Context(), kgo.TransactionalID("relay"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err == nil {
		err = cl.BeginTransaction()
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r := &kgo.Record{Topic: m.Topics.Orders, Partition: partition, Key: fmt.Append(nil, "t", i), Value: []byte("{}")}
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return func(how kgo.TransactionEndTry) {
		if err := cl.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
		cl.Close()
	}
}

func TestAnOrderOfAnAbortedTransactionIsNotWorkedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.join(t, m.work)
		time.Sleep(5 * time.Second)
		end := m.transact(t, 1, 2)
		m.fill(t, m.Topics.Orders, 1, 1)
		time.Sleep(5 * time.Second)
		if got := m.worked(); len(got) != 0 {
			t.Errorf("worked on %v while the transaction is open, want nothing", got)
		}
		end(kgo.TryAbort)
		time.Sleep(5 * time.Second)
		if diff := cmp.Diff([]string{"orders/1@2"}, m.worked()); diff != "" {
			t.Errorf("worked on (-want +got):\n%s", diff)
		}
		const control = 3 // the record that ends the transaction
		if got := m.committed(t, m.Topics.Orders, 1); got != control+1 {
			t.Errorf("committed %d, want %d: no lag is left", got, control+1)
		}
	})
}

func TestAnOpenTransactionIsNoLoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.fill(t, m.Topics.Orders, 1, 1)
		end := m.transact(t, 1, 2)
		m.fill(t, m.Topics.Orders, 1, 1)
		said := listen(&m.cfg)
		for range 2 {
			m.joinFor(t, 10*time.Second, m.work)
		}
		end(kgo.TryCommit)
		m.join(t, m.work)
		time.Sleep(10 * time.Second)
		if diff := cmp.Diff([]string{"orders/1@0", "orders/1@1", "orders/1@2", "orders/1@3"}, m.worked()); diff != "" {
			t.Errorf("worked on (-want +got):\n%s", diff)
		}
		if said.String() != "" {
			t.Errorf("said %q, want nothing", said)
		}
	})
}

// The whole group is told that others commit its offsets when consumers of another kind were there first.
func TestAGroupOfOtherConsumersIsNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		stop := m.console(t, kgo.RangeBalancer())
		time.Sleep(5 * time.Second)
		said := listen(&m.cfg)
		m.join(t, m.work)
		time.Sleep(20 * time.Second)
		if !strings.Contains(said.String(), "consumers that are not order workers") {
			t.Errorf("said %q, want that the group has other members", said)
		}
		stop()
		m.fill(t, m.Topics.Orders, 0, 1)
		time.Sleep(30 * time.Second)
		if diff := cmp.Diff([]string{"orders/0@0"}, m.worked()); diff != "" {
			t.Errorf("worked on (-want +got):\n%s", diff)
		}
	})
}

func TestALogCutUnderAMemberThatReadsItIsALoss(t *testing.T) {
	t.Parallel()
	for _, accept := range []bool{false, true} {
		for _, topic := range []string{"orders", "orders.replay", "orders.status"} {
			t.Run(fmt.Sprintf("%s accept %t", topic, accept), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m := gather(t)
					said := listen(&m.cfg)
					m.join(t, m.work, func(c *Config) { c.AcceptLoss = accept })
					kafkatest.Pass(5 * time.Second) // it has claimed the partitions
					m.fill(t, m.Topics.Orders, 1, 5)
					m.fill(t, m.Topics.Replay, 1, 5)
					m.fill(t, m.Topics.Status, 1, 4) // behind the claim
					time.Sleep(10 * time.Second)
					m.Forget(t, topic, 1, 3)
					m.fill(t, topic, 1, 1)
					time.Sleep(20 * time.Second)
					m.fill(t, m.Topics.Orders, 1, 1)
					time.Sleep(20 * time.Second)
					if want := "topic=" + topic + " partition=1 from=3 to=5 count=2"; !strings.Contains(said.String(), want) {
						t.Errorf("said %q, want %q", said, want)
					}
					if got := slices.Contains(m.worked(), "orders/1@5") || slices.Contains(m.worked(), "orders/1@6"); got != accept {
						t.Errorf("worked on %v: got an order that came after the cut %t, want %t", m.worked(), got, accept)
					}
				})
			})
		}
	}
}
