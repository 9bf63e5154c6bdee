package kafkatest

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Away makes the broker unreachable until back is called, as when its machine restarts: it refuses connections, and those
// that it has end with their next request, of which no client knows whether it was heard. Those to a real broker end at once.
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

// dialer has the shape of net.Dialer.DialContext.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// unless is a dialer that is refused while the broker is away.
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

// dial connects, and remembers the connection.
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

// cut closes all connections. Closing one that is closed already does no harm.
func (c *conns) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		conn.Close()
	}
	c.open = nil
}
