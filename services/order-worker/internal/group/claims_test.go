//go:build synctests

package group

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"

	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/wire"
)

// claim appends claims of another group's member to all partitions.
func (m *team) claim(t *testing.T, group string) {
	t.Helper()
	for number := range int32(kafkatest.Partitions) {
		r := wire.Claim{Group: group, Worker: "another", At: time.Now()}.Record()
		r.Topic, r.Partition = m.Topics.Status, number
		m.Produce(t, r)
	}
}

// rival is a member of another group on the same topics that claims nothing by itself. It ends when the function is called.
func (m *team) rival(t *testing.T, opts ...kgo.Opt) (end func()) {
	t.Helper()
	cl, err := m.Config().Connect(t.Context(), append([]kgo.Opt{
		kgo.ConsumerGroup("others"), kgo.ConsumeTopics(m.Topics.Orders), kgo.ClientID(clientID), kgo.DisableAutoCommit(),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	go func() { // ended by Close
		for !cl.PollFetches(t.Context()).IsClientClosed() && t.Context().Err() == nil { //nolint:revive // nothing is done with them
		}
	}()
	time.Sleep(3 * time.Second)
	return cl.Close
}

func TestOrdersContinueAfterAForeignClaim(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, group string
		times       int
		most        time.Duration
	}{
		{"of a group without members", "typo", 1, 15 * time.Second},
		{"of a former owner in the same group", "team", 1, 5 * time.Second},
		{"that names no group", "", 1, 15 * time.Second},
		{"again and again", "typo", 2, 30 * time.Second},
	} {
		for _, protocol := range []string{"classic", brokered} {
			t.Run(row.name+" "+protocol, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m := gather(t)
					m.cfg.Protocol = protocol
					set(t, m, "8000")
					worked := make(chan string, 99)
					stop := m.join(t, m.tell(worked))
					m.fill(t, m.Topics.Orders, 1, 2)
					<-worked
					<-worked
					time.Sleep(2 * time.Second) // committed
					for range row.times {
						m.claim(t, row.group)
						time.Sleep(time.Second)
					}
					m.fill(t, m.Topics.Orders, 1, 2)
					since := time.Now()
					for range 2 {
						select {
						case <-worked:
						case <-time.After(time.Minute):
							t.Fatal("nothing is worked on within a minute")
						}
					}
					if took := time.Since(since); took > row.most && protocol != brokered || took > row.most+12*time.Second {
						t.Errorf("worked on after %s, want at most %s", took, row.most)
					}
					stop()
					if diff := cmp.Diff([]string{"orders/1@0", "orders/1@1", "orders/1@2", "orders/1@3"}, m.worked()); diff != "" {
						t.Errorf("worked on (-want +got):\n%s", diff)
					}
					if got := m.committed(t, m.Topics.Orders, 1); got != 4 {
						t.Errorf("committed %d, want 4", got)
					}
				})
			})
		}
	}
}

// tell works and tells of it.
func (m *team) tell(worked chan<- string) Handler {
	return func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error {
		defer func() { worked <- name(r) }()
		return m.work(ctx, l, r, stopping)
	}
}

func TestAPartitionStaysBlockedWhileAnotherGroupWorksOnIt(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		opts []kgo.Opt
	}{
		{"classic", nil},
		{brokered, []kgo.Opt{kgo.ServerSideBalancer()}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := gather(t)
				worked := make(chan string, 99)
				c, _ := m.member(t, m.tell(worked))
				time.Sleep(3 * time.Second)
				end := m.rival(t, row.opts...)
				m.claim(t, "others")
				kafkatest.Pass(time.Second) // orders and claims are fetched by two clients: the claims first
				m.fill(t, m.Topics.Orders, 1, 1)
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				if len(worked) > 0 {
					t.Error("two groups at work at once")
				}
				for _, p := range c.Partitions() {
					if p.Blocked == nil || !strings.Contains(p.Blocked.Error(), `group "others"`) {
						t.Errorf("partition %d: blocked because %v, want the other group named", p.Number, p.Blocked)
					}
				}
				end()
				since := time.Now()
				<-worked
				if took := time.Since(since); took > 10*time.Second {
					t.Errorf("worked on %s after the other group has ended, want it soon", took)
				}
			})
		})
	}
}

func TestASecondGroupOnTheSameTopicsIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.rival(t)
		err := New(m.cfg, m.work).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), `group "others" (1 members`) || !strings.Contains(err.Error(), "stop its workers first") {
			t.Errorf("got %v, want the other group named", err)
		}
	})
}

func TestAWorkerThatWaitsForAnotherGroupStopsWhenItIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.rival(t)
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		defer cancel()
		if err := New(m.cfg, m.work).Run(ctx); err != nil {
			t.Errorf("got %v, want no error", err)
		}
	})
}

// What is no worker, or works on other topics, is no second group, and neither is one that ends while a worker starts.
func TestOtherGroupsKeepNoWorkerFromItsStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.rival(t, kgo.ClientID("analytics"), kgo.ConsumerGroup("analytics"))
		m.rival(t, kgo.ConsumerGroup("elsewhere"), kgo.ConsumeTopics(), kgo.ConsumeTopics(m.Topics.DLQ))
		end := m.rival(t)
		worked := make(chan string, 9)
		m.join(t, m.tell(worked))
		m.fill(t, m.Topics.Orders, 1, 1)
		time.Sleep(5 * time.Second)
		end()
		select {
		case <-worked:
		case <-time.After(10 * time.Second):
			t.Error("nothing is worked on")
		}
	})
}

// TestAWorkerStopsWhileItGivesUpAClaimedPartition stops a worker, which drains its partitions, at the
// moment when another member has claimed one and an order in flight still has to end.
func TestAWorkerStopsWhileItGivesUpAClaimedPartition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		begun := make(chan string, 1)
		stop := m.join(t, func(ctx context.Context, _ *ledger.Ledger, r *kgo.Record, _ <-chan struct{}) error {
			begun <- name(r)
			<-ctx.Done()
			time.Sleep(3 * time.Second) // an effect that does not end at once
			return context.Cause(ctx)
		})
		m.fill(t, m.Topics.Orders, 1, 1)
		<-begun
		r := wire.Claim{Group: "team", Worker: "another", At: time.Now()}.Record()
		r.Topic, r.Partition = m.Topics.Status, 1
		m.Produce(t, r)
		time.Sleep(time.Second)
		since := time.Now()
		stop()
		if took := time.Since(since); took > time.Minute {
			t.Errorf("stopped after %s", took)
		}
	})
}
