//go:build synctests

package worker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// An operator erases an order by a tombstone in orders.status, while workers run or while they are away. Nothing brings it
// back: no restart, no stale state, no replay, and no second look at its record.
func TestErasedOrderStaysErased(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]bool{"while workers run": false, "while workers are away": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				stop := s.work(t) // its claims have offset 0
				refused := sample("nobody@refused.test", 0)
				s.Produce(t, s.record(0, refused), s.record(0, sample("zoe@example.com", 3)))
				states := s.Await(t, ended(2))
				if away {
					stop()
				}
				time.Sleep(time.Second)
				tombstone := &kgo.Record{Topic: s.Topics.Status, Key: []byte(refused.ID)}
				s.Produce(t, tombstone)
				time.Sleep(5 * time.Second)
				stop()
				s.sendBack(t)
				stop = s.work(t)
				time.Sleep(5 * time.Second)
				late := states[refused.ID]
				kafkatest.Record(t, &late, order.Change{Rev: 9, At: time.Now(), Status: order.Working})
				stale := wire.State(late, 0)
				stale.Topic = s.Topics.Status
				s.Produce(t, stale)
				time.Sleep(5 * time.Second)
				stop()
				s.work(t)
				time.Sleep(5 * time.Second)
				var last *kgo.Record
				for _, r := range s.Records(t, s.Topics.Status) {
					if string(r.Key) == string(refused.ID) {
						last = r
					}
				}
				if last.Value != nil {
					t.Errorf("the last record of the order is %q at offset %d, want a tombstone", wire.Header(last, "state"), last.Offset)
				}
				if deadLetters, mails := len(s.DeadLetters(t)), len(s.mails.Deliveries()); deadLetters != 1 || mails != 1 {
					t.Errorf("got %d dead letters and mails of %d orders, want what was there before", deadLetters, mails)
				}
			})
		})
	}
}
