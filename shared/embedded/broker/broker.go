// Package broker runs a Kafka broker for trying and testing inside the process: franz-go's kfake,
// with data on disk.
//
// It is not for production. There is one broker without replicas, a large compaction stops it for a
// second or two, and it does not support all of Kafka. It does keep what it acknowledged: every
// batch is synced to disk before the response, so records, topic IDs and committed offsets survive
// a kill.
//
// kfake panics on some malformed requests. Its listener therefore validates requests before kfake
// reads them, and closes the connections of clients that send invalid ones.
//
// Known differences from Apache Kafka, because of which every guarantee is tested on both:
//
//   - message.timestamp.type is stored but has no effect: records keep the producer's timestamp
//   - min.compaction.lag.ms is stored but has no effect
//   - a compacted topic without retention.ms=-1 loses records that are older than a week
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/config"
	"example.com/orders/shared/filelock"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/telemetry"
)

// Config are the addresses and the data directory of a broker.
type Config struct {
	Addr string       // such as "127.0.0.1:9092"; advertised to clients, so it cannot be 0.0.0.0
	Dir  string       // created if missing; empty: in memory
	Log  *slog.Logger // or nil

	// Members is how many members of a new group will join together: the group begins when they have.
	// If it is 0, or fewer join, it begins 100 ms after its first join.
	Members int

	Access config.Access // whether other machines may reach the address
}

// Broker is a running Kafka broker.
type Broker struct {
	stop func()
	addr string
	lock *os.File // or nil: in memory
}

// closing is how long Close waits: a busy machine needs seconds. Acknowledged data is on disk already.
const closing = 10 * time.Second

// Start opens the directory, continues with the data of an earlier broker, and returns when clients
// can connect. The caller closes the broker. If another process uses the directory, the error is
// filelock.ErrHeld: two brokers would corrupt it.
func Start(ctx context.Context, cfg Config) (*Broker, error) {
	// Listen first: if the address is in use, the directory stays untouched.
	ln, err := serve.Open(ctx, cfg.Addr, cfg.Access)
	if err != nil {
		return nil, err
	}
	b := &Broker{addr: ln.Addr().String()}
	var opts []kfake.Opt
	if cfg.Log != nil {
		opts = append(opts, kfake.WithLogger(logger{cfg.Log}))
	}
	if cfg.Dir != "" {
		if b.lock, err = lock(cfg.Dir); err != nil {
			return nil, errors.Join(err, ln.Close())
		}
		opts = append(opts, kfake.DataDir(cfg.Dir), kfake.SyncWrites())
	}
	if b.stop, err = open(newListener(ln, cfg.Log), cfg.Members, opts); err != nil {
		// NewCluster closes the listener if it fails.
		return nil, errors.Join(fmt.Errorf("opening the data directory %q of the broker: %w", cfg.Dir, err), b.unlock())
	}
	return b, nil
}

// open starts kfake on a listener, and a client that sends heartbeats for waiting members of
// groups.
func open(ln net.Listener, members int, opts []kfake.Opt, clients ...kgo.Opt) (stop func(), err error) {
	j := &joins{Listener: ln, first: members, groups: make(map[string]*beginning)}
	listen := func(string, string) (net.Listener, error) { return j, nil }
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.ListenFn(listen))...)
	if err != nil {
		return nil, err
	}
	stopHeartbeats, err := j.sendHeartbeats(cluster, clients...)
	if err != nil {
		cluster.Close()
		return nil, err
	}
	return func() {
		stopHeartbeats()
		cluster.Close()
	}, nil
}

// Addr is the listener's address, with the actual port.
func (b *Broker) Addr() string { return b.addr }

// Close stops the broker and unlocks its directory. It returns an error after ten seconds;
// acknowledged data is not lost.
func (b *Broker) Close() error { return b.close(closing) }

func (b *Broker) close(within time.Duration) error {
	closed := make(chan struct{})
	go func() { // ends when kfake's goroutine has stopped, or with the process
		b.stop()
		close(closed)
	}()
	select {
	case <-closed:
		return b.unlock()
	case <-time.After(within):
		return fmt.Errorf("closing the broker at %s: still busy after %s", b.addr, within)
	}
}

func (b *Broker) unlock() error {
	if b.lock == nil {
		return nil
	}
	return filelock.Close(b.lock)
}

// logger logs kfake's warnings and errors. kfake's other levels log every request.
type logger struct{ log *slog.Logger }

// Logf is called by kfake.
func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	if level == kfake.LogLevelError || level == kfake.LogLevelWarn {
		l.log.Warn("embedded broker", slog.String(telemetry.Error, fmt.Sprintf(format, args...)))
	}
}
