package view

import (
	"context"
	"sync"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
)

// statesFirst has a view that is far behind read orders.status before orders: an order as placed changes nothing once its
// state is stored, and is then not even decoded. In the other sequence each order is decoded twice and written twice. The
// zero value has all topics read. It is safe for concurrent use.
type statesFirst struct {
	mu    sync.Mutex
	until map[kafka.Partition]int64 // how far each partition of orders.status is read before orders; nil: orders is read
}

// sequence decides whether orders.status is read first. The client reads nothing at the moment.
func (v *View) sequence() {
	v.states.mu.Lock()
	defer v.states.mu.Unlock()
	v.states.until = v.freshness.backlogOf(v.cfg.Topics.Status, batchSize)
	if v.states.until != nil {
		v.cl.PauseFetchTopics(v.cfg.Topics.Orders)
		return
	}
	v.cl.ResumeFetchTopics(v.cfg.Topics.Orders)
}

// readOrders has orders read, too, when orders.status is applied as far as it went at the start.
func (v *View) readOrders() {
	v.states.mu.Lock()
	defer v.states.mu.Unlock()
	if v.states.until == nil || !v.freshness.has(v.states.until) {
		return
	}
	v.states.until = nil
	v.cl.ResumeFetchTopics(v.cfg.Topics.Orders)
}

// known returns those of some orders that the store has. While the view is not behind it has none of them, and is not asked.
// One that is erased by the batch that is applied meanwhile may be among them.
func (v *View) known(ctx context.Context, ids []order.ID) map[order.ID]bool {
	if _, behind := v.freshness.progress(); !behind || len(ids) == 0 {
		return nil
	}
	known, err := v.cfg.Store.Known(ctx, ids)
	if err != nil {
		return nil // they are decoded, and change nothing
	}
	return known
}
