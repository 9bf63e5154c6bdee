package intake

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafka"
)

// Producer appends orders to Kafka, or gives them up in time. It is safe for concurrent use.
type Producer struct {
	cl   *kgo.Client
	sent atomic.Int64 // requests that may have brought an order to a broker
}

// again is how soon a broker that could not be reached is tried again. A record is given up between two tries only, so it
// must be short beside kafka.DeliveryTimeout.
const again = 250 * time.Millisecond

// Connect returns a producer whose brokers have answered once. The caller closes it.
func Connect(ctx context.Context, k kafka.Config, opts ...kgo.Opt) (*Producer, error) {
	p := &Producer{}
	var err error
	p.cl, err = k.ConnectProducer(ctx, append(opts,
		kgo.WithHooks(p),
		kgo.RetryBackoffFn(func(int) time.Duration { return again }),
	)...)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Close gives up what is not acknowledged.
func (p *Producer) Close() { p.cl.Close() }

// OnBrokerWrite is called by kgo when it has written a request, or a part of it.
func (p *Producer) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, written int, _, _ time.Duration, _ error) {
	if key == int16(kmsg.Produce) && written > 0 {
		p.sent.Add(1)
	}
}
