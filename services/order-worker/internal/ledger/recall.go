package ledger

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
)

// Recall makes an order known whose newest state lies before what the ledger was restored from. At is where that state
// stands in orders.status, as somebody saw it. After it, the order has a Standing if it has any state.
func (l *Ledger) Recall(ctx context.Context, id order.ID, _ int64) error {
	return l.insist(ctx, l.cfg.Topics.Status, func() error {
		end, err := l.end(ctx, l.cfg.Topics.Status)
		if err != nil {
			return err
		}
		var fold status.Fold
		return l.cfg.Kafka.Read(ctx, l.cfg.Topics.Status, l.partition, 0, end, func(r *kgo.Record) error {
			head, verdict, err := fold.Apply(r)
			if unreadable := err != nil; unreadable || verdict != status.Current || order.ID(r.Key) != id {
				return nil
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.orders[id] = entry{head.Origin, head.Status, r.Offset}
			return nil
		})
	})
}

// Placed reports whether an offset of the topic orders has been given to a record. It blocks while Kafka is away.
func (l *Ledger) Placed(ctx context.Context, offset int64) (bool, error) {
	var end int64
	err := l.insist(ctx, l.cfg.Topics.Orders, func() (err error) {
		end, err = l.end(ctx, l.cfg.Topics.Orders)
		return err
	})
	return offset < end, err
}

// end is where the next record of our partition of a topic will stand.
func (l *Ledger) end(ctx context.Context, topic string) (int64, error) {
	ends, err := kadm.NewClient(l.cfg.Producer).ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	end, ok := ends.Lookup(topic, l.partition)
	if !ok {
		return 0, kerr.UnknownTopicOrPartition
	}
	return end.Offset, end.Err
}
