//go:build synctests

package intake_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// TestNewOrdersAreRefusedWhileOldOnesWaitTooLong has a case for each status of an old order.
func TestNewOrdersAreRefusedWhileOldOnesWaitTooLong(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		is      order.Status // what the first order is by then
		promise time.Duration
		age     time.Duration
		refused bool
	}{
		"not begun, young":        {order.Accepted, 15 * time.Minute, 14 * time.Minute, false},
		"not begun, old":          {order.Accepted, 15 * time.Minute, 16 * time.Minute, true},
		"not begun, and no limit": {order.Accepted, 0, time.Hour, false},
		"not begun, and lost":     {order.Accepted, 15 * time.Minute, 31 * 24 * time.Hour, false},
		"begun":                   {order.Working, 15 * time.Minute, time.Hour, false},
		"retrying":                {order.Retrying, 15 * time.Minute, time.Hour, false},
		"waiting":                 {order.Waiting, 15 * time.Minute, time.Hour, false},
		"dead":                    {order.Dead, 15 * time.Minute, time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := kafkatest.Start(t)
				in := open(t, k, intake.Config{Promise: row.promise})
				o := wanted()
				o.ID, o.PlacedAt = "ord_1", time.Now().Add(-row.age)
				o.Lines[0].UnitPrice = order.EUR.Cents(1)
				placed := put(t, k, k.Topics.Orders, wire.Order(o))
				if row.is != order.Accepted {
					s := o.Begin(order.Origin{Offset: placed.Offset})
					kafkatest.Record(t, &s, order.Change{Rev: 1, At: time.Now(), Status: row.is})
					put(t, k, k.Topics.Status, wire.State(s, 0))
				}
				kafkatest.Pass(2 * time.Second) // the view looks once a second
				for _, key := range []string{"", "k1"} {
					if _, err := in.Place(t.Context(), wanted(), key); errors.Is(err, intake.ErrBackpressure) != row.refused {
						t.Errorf("key %q: got %v, want it refused: %t", key, err, row.refused)
					}
				}
			})
		})
	}
}

func put(t *testing.T, k *kafkatest.Kafka, topic string, r *kgo.Record) *kgo.Record {
	t.Helper()
	r.Topic = topic
	k.Produce(t, r)
	return r
}

func TestOrdersAreAcceptedAgainWhenOldOnesAreBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		in := open(t, k, intake.Config{Promise: time.Minute})
		first, err := in.Place(t.Context(), wanted(), "k1")
		must(t, err)
		kafkatest.Pass(2 * time.Minute)
		if _, err := in.Place(t.Context(), wanted(), ""); !errors.Is(err, intake.ErrBackpressure) {
			t.Errorf("got %v, want ErrBackpressure", err)
		}
		if again, err := in.Place(t.Context(), wanted(), "k1"); err != nil || again.Order.ID != first.Order.ID {
			t.Errorf("repeat: got %s, %v; want the first order, which is no new one", again.Order.ID, err)
		}
		kafkatest.Record(t, &first.State, order.Change{Rev: 1, At: time.Now(), Status: order.Working})
		r := wire.State(first.State, 0)
		r.Partition = first.Origin.Partition
		put(t, k, k.Topics.Status, r)
		kafkatest.Pass(2 * time.Second)
		_, err = in.Place(t.Context(), wanted(), "")
		must(t, err)
	})
}
