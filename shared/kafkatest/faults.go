package kafkatest

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Away makes the broker unreachable until back is called, as when its machine restarts: it refuses connections, and those
// that it has end with their next request, of which no client knows whether it was heard.
func (k *Kafka) Away() (back func()) {
	k.away.Store(true)
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
