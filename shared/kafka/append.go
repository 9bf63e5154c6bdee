package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ConnectProducer returns a client for Append. The caller closes it.
func (c Config) ConnectProducer(ctx context.Context, opts ...kgo.Opt) (*kgo.Client, error) {
	return c.Connect(ctx, append(opts,
		// A record goes to the partition that its caller names.
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		// By itself the client never gives up a record that was sent and not answered. It would write it at the end of an
		// outage, when the partition has another owner, and customer and operator were told that it failed.
		kgo.AllowIdempotentProduceCancellation(),
	)...)
}

// Append appends a record to a partition of a topic, with a client of ConnectProducer, and returns
// it with its offset once all in-sync replicas have it. The record that was passed stays as it is, so
// it can be appended again. Append blocks for DeliveryTimeout at most, or until ctx ends; then the
// error is the cause of that. After an error the record may be in the topic or not, unless the error
// is the answer of a broker. It is a span in the trace of ctx.
func Append(ctx context.Context, cl *kgo.Client, topic string, partition int32, r *kgo.Record) (*kgo.Record, error) {
	var atOnce *Gather
	return atOnce.Append(ctx, cl, topic, partition, r)
}

// perRecord is more than a record adds to a batch, apart from its bytes.
const perRecord = 100

// Size is at most how many bytes a record takes in a batch of its own, before compression.
func Size(r *kgo.Record) int {
	n := perRecord + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 10
	}
	return n
}
