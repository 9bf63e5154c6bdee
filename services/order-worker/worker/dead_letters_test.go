//go:build synctests

package worker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
)

// antarctic is a rate card with a zone that the embedded one lacks.
const antarctic = `
currency: EUR
step_g: 500
carriers:
  - {name: Penguin, most_g: 10000, most_mm: [600, 400, 200], fill_percent: 90, volumetric_divisor: 5000}
zones:
  - name: antarctica
    countries: [AQ]
    tariffs:
      - {carrier: Penguin, days: {min: 30, max: 90}, brackets: [{up_to_g: 10000, price: "499.00"}]}
`

func TestReplayWithAnotherRateCardKeepsTheNumber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		far := sample("scott@example.com", 4)
		far.ShipTo.Country = "AQ"
		r := s.record(1, far)
		s.place(t, orders(1)...)
		s.Produce(t, r)
		stop := s.work(t)
		s.Await(t, ended(2))
		stop()
		deadLetters := s.DeadLetters(t)
		if len(deadLetters) != 1 || deadLetters[0].Reason != failure.NoRoute || deadLetters[0].Step != order.StepShipping {
			t.Fatalf("got dead letters %+v, want one without a route", deadLetters)
		}

		card := filepath.Join(t.TempDir(), "card.yaml")
		if err := os.WriteFile(card, []byte(antarctic), 0o600); err != nil {
			t.Fatal(err)
		}
		s.work(t, func(c *worker.Config) { c.RateCard = card })
		s.sendBack(t)
		states := s.Await(t, confirmed(far.ID))
		got, origin := states[far.ID], states[far.ID].Origin
		if origin.Offset != r.Offset || got.Progress.Invoice.Number != origin.InvoiceNumber() || got.Progress.Shipping.Zone != "antarctica" {
			t.Errorf("got %+v of origin %s, want the number of offset %d", got.Progress, origin, r.Offset)
		}
		s.confirmedOnce(t, 2)
	})
}

func TestRefusedRecipientIsADeadLetterAtTheMail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		refused, fine := sample("nobody@refused.test", 0), sample("zoe@example.com", 3)
		s.Produce(t, s.record(0, refused), s.record(0, fine))
		stop := s.work(t)
		s.Await(t, ended(2))
		stop()
		deadLetters := s.DeadLetters(t)
		if len(deadLetters) != 1 || deadLetters[0].Reason != failure.RecipientRefused || deadLetters[0].Step != order.StepEmail || deadLetters[0].Attempts != 1 {
			t.Errorf("got dead letters %+v, want one of a refused recipient", deadLetters)
		}
		if diff := cmp.Diff(map[order.Status]int{order.Confirmed: 1, order.Dead: 1}, count(s.States(t))); diff != "" {
			t.Errorf("orders (-want +got):\n%s", diff)
		}
		s.committedAll(t)

		s.work(t)
		s.sendBack(t) // nothing has changed: it fails again, and is not invoiced again
		states := s.Await(t, func(all map[order.ID]order.State) bool {
			return all[refused.ID].Replays == 1 && all[refused.ID].Status == order.Dead
		})
		if got := states[refused.ID].Progress.Invoice; got == nil || got.Kept == nil || len(s.Invoices(t)[refused.ID]) != 1 {
			t.Errorf("got invoice %+v, %d kept; want the one that was issued", got, len(s.Invoices(t)[refused.ID]))
		}
		s.mailedOnce(t, 1)
	})
}

func TestBusyServerTakesTheThirdAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.place(t, sample("a@busy.test", 0), sample("b@busy.test", 1), sample("c@busy.test", 2))
		s.work(t)
		s.Await(t, ended(3))
		s.confirmedOnce(t, 3)
	})
}

func TestStrangeRecordsStopNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		cl, err := s.Config().Connect(t.Context(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(8*topic.MaxOrder))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		sneaky := s.record(0, sample("zoe@example.com", 3))
		sneaky.Headers = append(sneaky.Headers, kgo.RecordHeader{Key: "__dlq.errors.offset", Value: []byte("7")}, kgo.RecordHeader{Key: "owner", Value: []byte("0")})
		hostile := []*kgo.Record{
			{},
			{Value: []byte("hello")},
			{Key: []byte("ord_x"), Value: []byte(`{"schema":1}`)},
			{Key: []byte{0xff, 0}, Value: []byte("{"), Headers: []kgo.RecordHeader{{Key: "dlq-reason", Value: []byte("no-route")}, {}}},
			{Value: make([]byte, 6*topic.MaxOrder)}, // that compress to a few bytes
		}
		for _, r := range hostile {
			r.Topic = s.Topics.Orders
		}
		nobodys := []*kgo.Record{{Topic: s.Topics.Replay}, {Topic: s.Topics.Replay, Key: []byte("ord_x"), Value: []byte("{}")}}
		if err := cl.ProduceSync(t.Context(), append(append(hostile, nobodys...), sneaky)...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		stop := s.work(t)
		s.Await(t, ended(1))
		time.Sleep(5 * time.Second)
		stop()
		s.confirmedOnce(t, 1)
		s.committedAll(t)
		undecodable := map[string]failure.Reason{}
		for _, deadLetter := range s.DeadLetters(t) {
			undecodable[deadLetter.ID()] = deadLetter.Reason
		}
		want := map[string]failure.Reason{}
		for offset := range hostile {
			want[fmt.Sprintf("0-%d", offset)] = failure.Undecodable
		}
		if diff := cmp.Diff(want, undecodable); diff != "" {
			t.Errorf("dead letters (-want +got):\n%s", diff)
		}
	})
}

func TestRecordOfNewerVersionBlocksItsPartitionOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		newer := &kgo.Record{Topic: s.Topics.Orders, Partition: 0, Key: []byte("ord_x"), Value: []byte(`{"schema":9}`)}
		s.Produce(t, newer)
		s.Produce(t, s.record(0, sample("zoe@example.com", 90)))
		stop := s.work(t)
		time.Sleep(5 * time.Second)
		s.Produce(t, s.record(0, sample("zoe@example.com", 93)))
		for partition := range int32(kafkatest.Partitions) {
			if partition != newer.Partition {
				s.Produce(t, s.record(partition, sample("zoe@example.com", int(partition))))
			}
		}
		time.Sleep(5 * time.Second)
		stop()
		if got := s.Committed(t, s.Prefix)[s.Topics.Orders][newer.Partition]; got != newer.Offset {
			t.Errorf("committed %d of the blocked partition, want %d: a newer worker begins there", got, newer.Offset)
		}
		if deadLetters := s.DeadLetters(t); len(deadLetters) != 0 {
			t.Errorf("got dead letters %+v, want none", deadLetters)
		}
		s.confirmedOnce(t, kafkatest.Partitions) // two of other partitions, and the one that was begun before it was blocked
	})
}

// confirmed waits for one order.
func confirmed(id order.ID) func(map[order.ID]order.State) bool {
	return func(all map[order.ID]order.State) bool { return all[id].Status == order.Confirmed }
}
