// Package kafka makes franz-go clients with the project's settings, creates and checks the topics, and reads a stretch of a partition.
//
// Nothing here hides kgo: callers hold a *kgo.Client. What it adds are the settings that must not be forgotten, each
// with its reason, and a connection that fails loudly at start instead of retrying for ever.
package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kslog"

	"example.com/orders/shared/topic"
)

// Config says how to reach the brokers.
type Config struct {
	Brokers []string
	// Dial replaces net.Dialer.DialContext, for a network in memory; or nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Log  *slog.Logger // or nil for silence
}

// DeliveryTimeout is how long a record may take to be acknowledged before its produce fails. It is shorter than the
// workers' session time-out, so that a process that wakes from a long stop has nothing left to flush.
const DeliveryTimeout = 5 * time.Second

// Blocked is a word in the metadata of a commit: the group does not work on the partition until somebody acts.
const Blocked = "blocked"

// readCommitted is the isolation level of all that is read, in the protocol's words. With two levels one part of a program
// would work on records of transactions that another part takes for records that do not exist.
const readCommitted = 1

// connectTimeout bounds the first round trip: kgo retries for ever, so a wrong address would look like a hang.
const connectTimeout = 10 * time.Second

// Connect returns a client whose brokers have answered once. The caller closes it.
func (c Config) Connect(ctx context.Context, opts ...kgo.Opt) (*kgo.Client, error) {
	cl, err := kgo.NewClient(append(c.options(), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("configuring the Kafka client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := cl.Ping(ctx); err != nil {
		cl.Close()
		return nil, fmt.Errorf("reaching Kafka at %v: %w", c.Brokers, err)
	}
	return cl, nil
}

func (c Config) options() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.RecordDeliveryTimeout(DeliveryTimeout),
		// A broker that hangs keeps its connections open. The defaults would wait 20 s for an answer on each, and records that
		// come after would not be delivered meanwhile.
		kgo.ProduceRequestTimeout(DeliveryTimeout),
		kgo.RequestTimeoutOverhead(DeliveryTimeout),
		// The default of 5 s would make every change of a leader cost that long.
		kgo.MetadataMinAge(250 * time.Millisecond),
		// Orders wait for each acknowledgement; lanes side by side fill batches without lingering.
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytesFn(func(name string) int32 { return int32(topic.MaxBytes(name)) }),
		kgo.UnknownTopicRetries(3),
		// Orders of a transaction that was aborted do not exist.
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Nothing of ours unpacks to a tenth of it. What does would take the process down.
		kgo.MaxDecompressBatchBytes(unpackable),
	}
	if c.Dial != nil {
		opts = append(opts, kgo.Dialer(c.Dial))
	}
	if c.Log != nil {
		opts = append(opts, kgo.WithLogger(quiet{kslog.New(c.Log)}))
	}
	return opts
}

// quiet leaves out what the client says of its ordinary work, a line a partition and more, unless everything is asked for.
type quiet struct{ *kslog.Logger }

// Level is called by kgo.
func (q quiet) Level() kgo.LogLevel {
	if level := q.Logger.Level(); level != kgo.LogLevelInfo {
		return level
	}
	return kgo.LogLevelWarn
}
