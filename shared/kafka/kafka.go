// Package kafka makes franz-go clients with the project's settings, creates, checks and watches the
// topics, reads ranges of partitions, and decides what an error of Kafka calls for.
//
// It does not hide kgo: callers hold a *kgo.Client. It adds the settings that every client needs,
// each with its reason, and a first round trip that fails with an error instead of retrying for
// ever. Classify decides which errors pass by themselves, and Insist is the loop that retries them.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kslog"

	"example.com/orders/shared/topic"
)

// Config says how to reach the brokers.
type Config struct {
	Brokers  []string
	Security Security // the zero value: neither TLS nor a sign-in
	// Dial replaces net.Dialer.DialContext, for a network in memory; or nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Log  *slog.Logger // nil: no logs of the client
	// Meter is told what the clients do, as a hook of kgo; or nil.
	Meter kgo.Hook
}

// DeliveryTimeout is how long the acknowledgement of a record may take before its produce fails. It
// is shorter than the workers' session timeout: a process that resumes after a long pause has no
// records left to send.
const DeliveryTimeout = 5 * time.Second

// Blocked is a word in the metadata of a commit: the group does not work on the partition until an
// operator acts.
const Blocked = "blocked"

// readCommitted is the protocol's isolation level of every read. With two levels, one part of a
// program would work on records that another part does not see.
const readCommitted = 1

// unpackable is the largest size of an unpacked batch, ten times that of any of ours. A larger one
// could exhaust the memory of the process.
const unpackable = 64 << 20

// connectTimeout bounds the first round trip: kgo retries for ever, so a wrong address would look
// like a hang.
const connectTimeout = 10 * time.Second

// Connect returns a client whose brokers have answered once. The caller closes it.
func (c Config) Connect(ctx context.Context, opts ...kgo.Opt) (*kgo.Client, error) {
	if err := c.Security.check(); err != nil {
		return nil, fmt.Errorf("connecting to Kafka: %w", err)
	}
	cl, err := kgo.NewClient(append(c.options(), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("configuring the Kafka client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := cl.Ping(ctx); err != nil {
		cl.Close()
		return nil, fmt.Errorf("reaching Kafka at %v: %w", c.Brokers, c.Security.signInError(err))
	}
	return cl, nil
}

func (c Config) options() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.RecordDeliveryTimeout(DeliveryTimeout),
		// A broker that hangs keeps its connections open. The defaults wait 20 s for an answer on
		// each, and later records are not delivered meanwhile.
		kgo.ProduceRequestTimeout(DeliveryTimeout),
		kgo.RequestTimeoutOverhead(DeliveryTimeout),
		// With the default, every change of a leader takes 5 s.
		kgo.MetadataMinAge(250 * time.Millisecond),
		// Orders wait for each acknowledgement. Parallel lanes fill batches without lingering.
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytesFn(func(name string) int32 { return int32(topic.MaxBytes(name)) }),
		kgo.UnknownTopicRetries(3),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.MaxDecompressBatchBytes(unpackable),
	}
	opts = append(opts, c.Security.options(c.Dial)...)
	if c.Meter != nil {
		opts = append(opts, kgo.WithHooks(c.Meter))
	}
	if c.Log != nil {
		opts = append(opts, kgo.WithLogger(quiet{kslog.New(c.Log), new(repeats)}))
	}
	return opts
}

// quiet drops the client's messages at level info, a line for each partition and more, unless the
// level is debug. Of a repeating message it logs one a minute: a client reconnects many times a
// minute to a broker that refuses it.
type quiet struct {
	*kslog.Logger
	repeats *repeats
}

// repeats are the messages of the last minute.
type repeats struct {
	mu   sync.Mutex
	told Backoff
}

// Log is called by kgo.
func (q quiet) Log(level kgo.LogLevel, text string, pairs ...any) {
	key := text
	for i := 0; i+1 < len(pairs); i += 2 {
		if name := pairs[i]; name == "err" || name == "broker" || name == "addr" {
			key = fmt.Sprint(key, " ", pairs[i+1])
		}
	}
	q.repeats.mu.Lock()
	defer q.repeats.mu.Unlock()
	q.repeats.told.Tell(errors.New(key), func(error) { q.Logger.Log(level, text, pairs...) })
}

// Level is called by kgo.
func (q quiet) Level() kgo.LogLevel {
	if level := q.Logger.Level(); level != kgo.LogLevelInfo {
		return level
	}
	return kgo.LogLevelWarn
}
