package consumer

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// offerSide hands over what the second client fetched.
func (c *Consumer) offerSide(topic string, number int32, records []*kgo.Record) {
	if topic == c.cfg.Topics.Status {
		defer c.lanes.observed(number, records[len(records)-1])
		records = c.observe(number, records)
	}
	c.lanes.offer(topic, number, records)
}

// passed blocks until orders.status is read past an offset of an owned partition number. It returns an error when that is
// not owned any more, or is blocked.
func (l *lanes) passed(ctx context.Context, number int32, offset int64) error {
	for {
		l.mu.Lock()
		p := l.find(number)
		if p == nil || p.ledger == nil {
			l.mu.Unlock()
			return errLost
		}
		next, moved := p.tail().next, p.moved
		l.mu.Unlock()
		if next > offset {
			return nil
		}
		select {
		case <-moved:
		case <-p.removed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
