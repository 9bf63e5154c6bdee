//go:build synctests

package group

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/kafkatest"
)

func kip848(c *Config) { c.Protocol = brokered }

// pass works on records of all three partitions with members that come and go.
func pass(t *testing.T, m *team, protocol func(*Config)) {
	t.Helper()
	slowly := func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error {
		time.Sleep(300 * time.Millisecond)
		return m.work(ctx, l, r, stopping)
	}
	fill := func() {
		for partition := range int32(kafkatest.Partitions) {
			m.fill(t, m.Topics.Orders, partition, 10)
			m.fill(t, m.Topics.Waiting, partition, 2)
		}
	}
	first := m.join(t, slowly, protocol)
	fill()
	time.Sleep(3 * time.Second)
	second := m.join(t, slowly, protocol)
	fill()
	time.Sleep(8 * time.Second)
	first()
	fill()
	time.Sleep(15 * time.Second)
	second()
	worked := m.worked()
	if n := len(worked); n != 3*3*12 || len(slices.Compact(worked)) != n {
		t.Errorf("got %d worked on, %d of them different, want %d, each once", n, len(slices.Compact(worked)), 3*3*12)
	}
	for partition := range int32(kafkatest.Partitions) {
		if orders, waiting := m.committed(t, m.Topics.Orders, partition), m.committed(t, m.Topics.Waiting, partition); orders != 30 || waiting != 6 {
			t.Errorf("partition %d: committed %d of orders and %d of waiting, want 30 and 6", partition, orders, waiting)
		}
	}
}

func TestMembersComeAndGoWithTheBrokersProtocol(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		var mu sync.Mutex
		asked := 0
		m.Cluster.ControlKey(int16(kmsg.ConsumerGroupHeartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
			m.Cluster.KeepControl()
			mu.Lock()
			defer mu.Unlock()
			asked++
			return nil, nil, false
		})
		pass(t, m, kip848)
		if asked == 0 {
			t.Error("no heartbeat of the brokers' protocol was seen")
		}
	})
}

func TestTheLeaseLastsAsLongAsTheSession(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		protocol string
		millis   string // set for the group; or empty
		want     time.Duration
		warned   bool
	}{
		{"classic", "", session, false},
		{brokered, "", 45 * time.Second, true},
		{brokered, "12000", 12 * time.Second, false},
		{brokered, "13000", 13 * time.Second, true},
	} {
		t.Run(row.protocol+row.millis, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := gather(t)
				if row.millis != "" {
					set(t, m, row.millis)
				}
				cfg := m.cfg
				cfg.Protocol = row.protocol
				said := listen(&cfg)
				got, err := sessionTimeout(t.Context(), cfg, m.Client)
				if err != nil || got != row.want || strings.Contains(said.String(), "stay idle") != row.warned {
					t.Errorf("got %s, %v, said %q; want %s, and a warning: %t", got, err, said, row.want, row.warned)
				}
			})
		})
	}
}

// set gives the group a session time-out.
func set(t *testing.T, m *team, millis string) {
	t.Helper()
	question, group, value := kmsg.NewPtrIncrementalAlterConfigsRequest(), kmsg.NewIncrementalAlterConfigsRequestResource(), kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	value.Name, value.Value = "consumer.session.timeout.ms", &millis
	group.ResourceType, group.ResourceName, group.Configs = kmsg.ConfigResourceTypeGroupConfig, m.cfg.Group, append(group.Configs, value)
	question.Resources = append(question.Resources, group)
	answer, err := question.RequestWith(t.Context(), m.Client)
	if err == nil {
		err = kerr.ErrorForCode(answer.Resources[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("setting the session time-out: %v", err)
	}
}

// A broker may allow longer sessions than ours only, or shorter ones.
func TestTheBrokersBoundsOfTheSessionAreKept(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, min, max string
		want           time.Duration // or zero: refused
	}{
		{"within", "6000", "300000", session},
		{"longer ones only", "10000", "300000", 10 * time.Second},
		{"shorter ones only", "1000", "7000", 7 * time.Second},
		{"too short to work with", "1000", "2000", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := gather(t)
				m.setBroker(t, "group.min.session.timeout.ms", row.min)
				m.setBroker(t, "group.max.session.timeout.ms", row.max)
				if row.want == 0 {
					if err := New(m.cfg, m.work).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "group.max.session.timeout.ms") {
						t.Errorf("got %v, want the setting named", err)
					}
					return
				}
				c, stop := m.member(t, m.work)
				m.fill(t, m.Topics.Orders, 1, 3)
				time.Sleep(5 * time.Second)
				stop()
				if got := len(m.worked()); got != 3 || c.session != row.want {
					t.Errorf("worked on %d with a session of %s, want 3 with %s", got, c.session, row.want)
				}
			})
		})
	}
}

// Where the bounds cannot be read, the coordinator refuses the member.
func TestARefusedSessionEndsTheMember(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.setBroker(t, "group.min.session.timeout.ms", "10000")
		m.Cluster.Fault(kafkatest.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.ClusterAuthorizationFailed, Count: -1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := New(m.cfg, m.work).Run(ctx); err == nil || !strings.Contains(err.Error(), "--session-timeout") {
			t.Errorf("got %v, want the flag named", err)
		}
	})
}

// setBroker changes a setting of all brokers.
func (m *team) setBroker(t *testing.T, key, value string) {
	t.Helper()
	answers, err := kadm.NewClient(m.Client).AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Name: key, Value: &value}})
	if err == nil {
		err = answers[0].Err
	}
	if err != nil {
		t.Fatal(err)
	}
}
