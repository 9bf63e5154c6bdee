//go:build synctests

package view_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func TestAPartitionWithoutALeaderKeepsNothingElseFromTheView(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{"", "orders", "orders.status"} {
		t.Run("of "+topic, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t)
				back := b.Leaderless(topic, 0)
				v, _ := b.start(t)
				kafkatest.Pass(2 * view.MaxAge)
				must(t, v.Fresh(t.Context()))
				watched(t, v, "ord_001", func() { b.put(t, b.Topics.Orders, wire.Order(placed(1))) })
				if err := v.CheckPartition(1); err != nil {
					t.Errorf("partition 1 has a leader: got %v, want nil", err)
				}
				if err := v.CheckPartition(0); !errors.Is(err, view.ErrBehind) || !errors.Is(err, view.ErrNoLeader) {
					t.Errorf("partition 0 has none: got %v, want ErrBehind for ErrNoLeader", err)
				}
				if got, want := v.Leader(0) != nil, topic != "orders.status"; got != want {
					t.Errorf("orders has no leader of partition 0: got %t, want %t", got, want)
				}
				back()
				kafkatest.Pass(5 * time.Second)
				if err := errors.Join(v.CheckPartition(0), v.Leader(0)); err != nil {
					t.Errorf("with its leader back: got %v, want nil", err)
				}
				watched(t, v, "ord_002", func() {
					r := wire.Order(placed(2))
					r.Topic = b.Topics.Orders
					b.Produce(t, r)
				})
			})
		})
	}
}

func TestOrdersOfAPartitionWithoutALeaderAreNoBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		v, _ := b.start(t)
		o := placed(1)
		o.PlacedAt = time.Now()
		watched(t, v, o.ID, func() { b.put(t, b.Topics.Orders, wire.Order(o)) })
		kafkatest.Pass(5 * time.Second)
		if v.Health().Oldest.Placed.IsZero() {
			t.Error("got no backlog, want the order")
		}
		b.Leaderless("", 1)
		kafkatest.Pass(5 * time.Second)
		if got := v.Health().Oldest; !got.Known || !got.Placed.IsZero() {
			t.Errorf("got the backlog %+v, want none: no worker can begin the order", got)
		}
	})
}

func TestTheBacklogIsNotKnownBeforeItIsMeasuredAndWhileTheViewIsOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		v, err := view.New(t.Context(), b.config(t))
		must(t, err)
		if v.Health().Oldest.Known {
			t.Error("before Run: got a known backlog, want an unknown one")
		}
		must(t, v.Close())
		v, _ = b.start(t)
		kafkatest.Pass(time.Second)
		if got := v.Health().Oldest; got != (view.Backlog{Known: true}) {
			t.Errorf("measured: got the backlog %+v, want none", got)
		}
		b.Away()
		kafkatest.Pass(view.MaxAge + 5*time.Second)
		if v.Health().Oldest.Known {
			t.Error("without Kafka: got a known backlog, want an unknown one")
		}
	})
}

// What a leader wrote where it had forgotten other records is at offsets that the view has read.
func TestTheViewIsRebuiltWhenALeaderHasForgottenRecords(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} {
		t.Run(map[bool]string{false: "before it starts", true: "while it runs"}[running], func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t)
				for n := range 5 {
					b.put(t, b.Topics.Orders, wire.Order(placed(n)))
				}
				v, stop := b.start(t)
				if !running {
					must(t, stop())
				}
				b.hide(t, "ord_004")
				b.Forget(t, b.Topics.Orders, 1, 4)
				b.put(t, b.Topics.Orders, wire.Order(placed(5)))
				if !running {
					v, _ = b.start(t)
				}
				kafkatest.Pass(10 * time.Second)
				must(t, v.Fresh(t.Context()))
				for _, id := range []order.ID{"ord_000", "ord_004", "ord_005"} {
					get(t, v, id)
				}
			})
		})
	}
}

// hide takes an order out of the view's file, as if another record had stood in its place when it
// was read.
func (b bench) hide(t *testing.T, id order.ID) {
	t.Helper()
	db, err := sql.Open("sqlite", b.path)
	must(t, err)
	_, err = db.ExecContext(t.Context(), "DELETE FROM orders WHERE id = ?", id)
	must(t, errors.Join(err, db.Close()))
}

func TestAnOrderOfAnAbortedTransactionIsNotInTheView(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		cl, err := b.Config().Connect(t.Context(), kgo.TransactionalID("relay"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		must(t, err)
		defer cl.Close()
		must(t, cl.BeginTransaction())
		r := wire.Order(placed(1))
		r.Topic, r.Partition = b.Topics.Orders, 1
		must(t, cl.ProduceSync(t.Context(), r).FirstErr())
		v, _ := b.start(t) // fresh in spite of an open transaction
		b.put(t, b.Topics.Orders, wire.Order(placed(2)))
		watched(t, v, "ord_002", func() { must(t, cl.EndTransaction(context.WithoutCancel(t.Context()), kgo.TryAbort)) })
		if _, err := v.Order(t.Context(), "ord_001"); !errors.Is(err, view.ErrUnknown) {
			t.Errorf("got %v, want ErrUnknown", err)
		}
	})
}
