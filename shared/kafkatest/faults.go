package kafkatest

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Away makes the broker unreachable until back is called, as when its machine restarts. It refuses
// connections. Open connections to kfake end with their next request, whose outcome is unknown to the
// client; those to a real broker end at once.
func (k *Kafka) Away() (back func()) {
	k.away.Store(true)
	if k.Cluster == nil {
		k.conns.cut()
		return func() { k.away.Store(false) }
	}
	k.Cluster.ControlKey(-1, func(kmsg.Request) (kmsg.Response, error, bool) {
		if !k.away.Load() {
			k.Cluster.DropControl()
			return nil, nil, false
		}
		k.Cluster.KeepControl()
		return nil, errors.New("away"), true
	})
	return func() { k.away.Store(false) }
}

// Leaderless removes the leaders of partition numbers, in a topic or, if it is empty, in all, until
// back is called. It needs kfake.
func (k *Kafka) Leaderless(topic string, numbers ...int32) (back func()) {
	return k.Cluster.Fault(kfake.Fault{Topic: topic, Partitions: numbers, Err: kerr.LeaderNotAvailable, Count: -1, Keys: []kmsg.Key{
		kmsg.Metadata, kmsg.Produce, kmsg.ListOffsets, kmsg.OffsetForLeaderEpoch,
	}}).Remove
}

// MeetAtProduce delays produce requests until there are n of them. It needs kfake.
func (k *Kafka) MeetAtProduce(n int) {
	met := make(chan struct{})
	k.Cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		k.Cluster.KeepControl()
		if n--; n == 0 {
			close(met)
		}
		k.Cluster.SleepControl(func() { <-met })
		return nil, nil, false
	})
}

// Forget makes a partition look as if its leader had lost the records from offset end on: the records
// of the present epoch end there, and later ones have a newer epoch. It needs kfake.
func (k *Kafka) Forget(t testing.TB, topic string, partition int32, end int64) {
	t.Helper()
	epoch := k.Cluster.PartitionInfo(topic, partition).Epoch
	if err := k.Cluster.MoveTopicPartition(topic, partition, k.Cluster.LeaderFor(topic, partition)); err != nil {
		t.Fatal(err)
	}
	k.Cluster.ControlKey(int16(kmsg.OffsetForLeaderEpoch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		k.Cluster.KeepControl()
		asked := r.(*kmsg.OffsetForLeaderEpochRequest)
		answer := asked.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
		for _, of := range asked.Topics {
			t := kmsg.NewOffsetForLeaderEpochResponseTopic()
			t.Topic = of.Topic
			for _, o := range of.Partitions {
				p := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
				p.Partition, p.LeaderEpoch, p.EndOffset = o.Partition, o.LeaderEpoch, math.MaxInt64
				if of.Topic == topic && o.Partition == partition && o.LeaderEpoch <= epoch {
					p.EndOffset = end
				}
				t.Partitions = append(t.Partitions, p)
			}
			answer.Topics = append(answer.Topics, t)
		}
		return answer, nil, true
	})
}

// dialer has the signature of net.Dialer.DialContext.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// unless returns a dialer that refuses connections while the broker is away.
func unless(away *atomic.Bool, dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if away.Load() {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return dial(ctx, network, address)
	}
}

// conns are the connections to a real broker.
type conns struct {
	mu   sync.Mutex
	open []net.Conn
}

// dial connects, and adds the connection to open.
func (c *conns) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = append(c.open, conn)
	return conn, nil
}

// cut closes all connections. A connection may be closed already.
func (c *conns) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		conn.Close()
	}
	c.open = nil
}
