package intake

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafka"
)

// Producer appends orders to Kafka, or gives up within kafka.DeliveryTimeout. It is safe for
// concurrent use.
type Producer struct {
	cl      *kgo.Client
	gather  kafka.Gather
	written atomic.Int64 // produce requests of which at least a part was written to a connection
}

// reconnectAfter is the pause before another attempt to reach a broker. The client gives up a
// record only between two attempts, so the pause must be much shorter than kafka.DeliveryTimeout.
const reconnectAfter = 250 * time.Millisecond

// Connect returns a producer after a broker has answered. The caller closes it.
func Connect(ctx context.Context, k kafka.Config, opts ...kgo.Opt) (*Producer, error) {
	p := &Producer{}
	var err error
	p.cl, err = k.ConnectProducer(ctx, append(opts,
		kgo.WithHooks(p),
		kgo.RetryBackoffFn(func(int) time.Duration { return reconnectAfter }),
	)...)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Close drops records that are not acknowledged.
func (p *Producer) Close() { p.cl.Close() }

// OnBrokerWrite is called by kgo after it has written a request or a part of it.
func (p *Producer) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, written int, _, _ time.Duration, _ error) {
	if key == int16(kmsg.Produce) && written > 0 {
		p.written.Add(1)
	}
}
