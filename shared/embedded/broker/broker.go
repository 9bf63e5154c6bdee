// Package broker is a Kafka for trying and testing, in the process that starts it: franz-go's kfake, on disk.
//
// A door stands between strangers and kfake, which ends the whole process on some requests: it passes on what can be read.
//
// It is not for production. It is one process and one goroutine: there is no second copy of anything, a large compaction
// stops it for a second or two, and it does less than Kafka where nobody here noticed yet. What it does keep is what it
// acknowledged: every batch is synced to disk before its answer, so that records, topic IDs and committed offsets
// survive a kill. Some things differ from Apache Kafka, so every promise is tested on both:
//
//   - message.timestamp.type is stored and shown, and records keep the producer's time nevertheless
//   - min.compaction.lag.ms is stored and shown, and ignored
//   - a compacted topic without retention.ms=-1 loses what is older than a week
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

	"example.com/orders/shared/config"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/telemetry"
)

// Config says where a broker listens and keeps its data.
type Config struct {
	Addr string       // such as "127.0.0.1:9092"; clients are told to come back to this address, so it cannot be 0.0.0.0
	Dir  string       // made when missing; empty: everything in memory
	Log  *slog.Logger // or nil

	Access config.Access // whether other machines may reach the address
}

// Broker is a running Kafka broker.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
	lock    *os.File // or nil: in memory
}

// ErrInUse is returned by Start when another process holds the folder: two brokers on one folder would destroy it.
var ErrInUse = errors.New("in use by another process")

// closing bounds Close. Everything acknowledged is on disk already; what is missed is a tidy end.
const closing = 2 * time.Second

// Start opens the folder, continues where an earlier broker ended, and returns when clients can connect. The caller closes the broker.
func Start(ctx context.Context, cfg Config) (*Broker, error) {
	// Listening comes first: when the address is taken, the folder stays untouched.
	ln, err := serve.Open(ctx, cfg.Addr, cfg.Access)
	if err != nil {
		return nil, err
	}
	b := &Broker{addr: ln.Addr().String()}
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return newDoor(ln, cfg.Log), nil }),
	}
	if cfg.Log != nil {
		opts = append(opts, kfake.WithLogger(logger{cfg.Log}))
	}
	if cfg.Dir != "" {
		if b.lock, err = lock(cfg.Dir); err != nil {
			return nil, errors.Join(err, ln.Close())
		}
		opts = append(opts, kfake.DataDir(cfg.Dir), kfake.SyncWrites())
	}
	if b.cluster, err = kfake.NewCluster(opts...); err != nil {
		// A cluster that did not start has closed its listener.
		return nil, errors.Join(fmt.Errorf("opening the data directory %q of the broker: %w", cfg.Dir, err), b.unlock())
	}
	return b, nil
}

// Addr is the address that the broker listens on, with its actual port.
func (b *Broker) Addr() string { return b.addr }

// Close ends the broker and lets go of its folder. It gives up waiting after two seconds; nothing acknowledged is lost then either.
func (b *Broker) Close() error {
	closed := make(chan struct{})
	go func() { // ends when the broker's one goroutine has time for it, or with the process
		b.cluster.Close()
		close(closed)
	}()
	select {
	case <-closed:
		return b.unlock()
	case <-time.After(closing):
		return fmt.Errorf("closing the broker at %s: still busy after %s", b.addr, closing)
	}
}

func (b *Broker) unlock() error {
	if b.lock == nil {
		return nil
	}
	return b.lock.Close()
}

// logger passes on what should not happen. The rest is a line a request.
type logger struct{ log *slog.Logger }

// Logf is called by kfake.
func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	if level == kfake.LogLevelError || level == kfake.LogLevelWarn {
		l.log.Warn("embedded broker", slog.String(telemetry.Error, fmt.Sprintf(format, args...)))
	}
}
