package consumer

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
)

// offerSide hands over what the second client fetched.
func (c *Consumer) offerSide(topic string, number int32, records []*kgo.Record) {
	if topic == c.cfg.Topics.Status {
		defer c.lanes.observed(number, records[len(records)-1])
		records = c.observe(number, records)
	}
	c.lanes.offer(topic, number, records)
}

// observe looks at what comes behind our claim in orders.status, and returns void states and tombstones: their orders
// are put right, or forgotten, in their lanes. A newer claim ends all work on the partition: the group has given it to another worker and we are about to
// hear of it, or there is a second group on these topics, which must not do everything twice.
func (c *Consumer) observe(number int32, records []*kgo.Record) (void []*kgo.Record) {
	l := c.lanes.ledger(number)
	if l == nil {
		return nil
	}
	for _, r := range records {
		switch l.Judge(r) {
		case status.Current: // ours: the ledger wrote it
		case status.Void, status.Erased:
			void = append(void, r)
		case status.Claim:
			c.cfg.Log.Warn("partition claimed by another worker: work on it ends", telemetry.Partition, number)
			c.abandon(c.drain([]int32{number}))
			return nil
		}
	}
	return void
}
