package group

import (
	"context"
	"time"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/services/order-worker/internal/partition"
	"example.com/orders/shared/kafka"
)

// observer has the ledgers know when records arrive; see ledger.Arrived.
type observer struct{ *core }

func (o observer) run(ctx context.Context) {
	every(ctx, 2*ledger.MarkEvery, func() { o.observe(ctx) })
}

// observe asks how far the topics are that orders come from. An answer that comes late would say that
// records arrived earlier than they did, and is not used.
func (o observer) observe(ctx context.Context) {
	asked, arrived := time.Now(), map[int32]func(topic string, end int64){}
	var parts []kafka.Partition
	for _, a := range o.all() {
		if l := a.opened(); l != nil && a.State() == partition.Running {
			moment := l.Moment()
			arrived[a.Number()] = func(topic string, end int64) { l.Arrived(topic, end, moment) }
			parts = append(parts, o.parts(a.Number())...)
		}
	}
	for p, end := range kafka.HighWatermarks(ctx, o.side.Client, parts...) {
		if end.Err == nil && time.Since(asked) < ledger.MarkEvery {
			arrived[p.Number](p.Topic, end.At)
		}
	}
}
