//go:build synctests

package worker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// callOff asks for an order to be cancelled, as the desk does.
func (s *shop) callOff(t *testing.T, id order.ID, partition int32, offset int64) {
	t.Helper()
	r := wire.CancelRequest{Order: id, Origin: order.Origin{Offset: offset}, At: time.Now()}.Record()
	r.Topic, r.Partition = s.Topics.Replay, partition
	s.Produce(t, r)
}

func TestACancelOvertakesTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		stop := s.work(t, func(c *worker.Config) { c.Concurrency = 1 })
		slow, other, queue := sample("zoe@slow.test", 0), sample("zoe@slow.test", kafkatest.Partitions+1), orders(kafkatest.Partitions + 1)[1:]
		s.Produce(t, s.record(0, slow), s.record(1, other)) // both slots
		time.Sleep(time.Second)                             // of five in which nothing else is begun
		s.place(t, queue...)
		for i, o := range queue {
			p := (i + 1) % kafkatest.Partitions
			offset := int64(0)
			if p < 2 {
				offset = 1
			}
			s.callOff(t, o.ID, int32(p), offset)
		}
		s.callOff(t, slow.ID, 0, 0)
		states := s.Await(t, ended(len(queue)+2))
		time.Sleep(5 * time.Second)
		stop()
		if diff := cmp.Diff(map[order.Status]int{order.Confirmed: 2, order.Cancelled: len(queue)}, count(states)); diff != "" {
			t.Errorf("orders (-want +got):\n%s", diff)
		}
		s.mailedOnce(t, 2)
		s.committedAll(t)
		timeline := s.States(t)[slow.ID].Timeline
		if last := timeline[len(timeline)-1]; last.Status != order.Confirmed || last.Reason != order.CancelRefused {
			t.Errorf("the slow one: got %+v, want the answer that it was begun first", last)
		}
	})
}
