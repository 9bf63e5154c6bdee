package worker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/tracing"
	"example.com/orders/shared/wire"
)

// handler works on one record; see pipeline.Handle.
type handler = func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error

// traced works on each record in a span, which continues the trace of its order. A replay does so, too:
// the trace of its order then has all attempts, up to the mail. The request of the operator is linked, and
// not the parent, because the request for a replay job leads to thousands of orders.
func traced(cfg Config, handle handler) handler {
	if cfg.Traces == nil {
		return handle
	}
	return func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error {
		if r.Topic == cfg.Topics.Status { // what another worker wrote
			return handle(ctx, l, r, stopping)
		}
		m := tracing.Message{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Group: cfg.Group}
		m.Parent, m.Link = wire.Traces(r)
		ctx, span := cfg.Traces.Process(ctx, m)
		err := handle(ctx, l, r, stopping)
		span.Close(err, "not finished: left to the next owner of the partition")
		return err
	}
}
