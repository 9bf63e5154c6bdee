package kafkatest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

var placed = order.Order{
	ID: "ord_1", PlacedAt: time.UnixMilli(1_700_000_000_000).UTC(), Service: order.Standard,
	Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"},
	ShipTo:   order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
	Lines:    []order.Line{{SKU: "A", Quantity: 1, Name: "a", UnitPrice: order.EUR.Cents(100)}},
}

func TestOnMemory(t *testing.T) {
	t.Parallel()
	check(t, kafkatest.Start(t))
}

func TestOnRealKafka(t *testing.T) {
	t.Parallel()
	check(t, kafkatest.Real(t))
}

// check writes one record of each kind and reads all of them back.
func check(t *testing.T, k *kafkatest.Kafka) {
	layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
	if err != nil || layout.Partitions != kafkatest.Partitions {
		t.Fatalf("got layout %+v, %v; want %d partitions", layout, err, kafkatest.Partitions)
	}
	origin := order.Origin{Incarnation: layout.Incarnation, Partition: 2}
	produceAll(t, k, placed.Begin(origin))

	if diff := cmp.Diff([]int32{0, 2, 2}, partitions(k.Records(t, k.Topics.Orders))); diff != "" {
		t.Errorf("partitions of orders (-want +got):\n%s", diff)
	}
	deadLetters := k.DeadLetters(t)
	if len(deadLetters) != 1 || deadLetters[0].ID() != "2-0" || deadLetters[0].Reason != failure.NoRoute {
		t.Errorf("got dead letters %+v, want one of 2-0 with no-route", deadLetters)
	}
	if got := k.Invoices(t); len(got) != 1 || len(got["ord_1"]) != 1 {
		t.Errorf("got invoices %v, want one of ord_1", got)
	}
	for name, states := range map[string]map[order.ID]order.State{
		"States": k.States(t),
		"Await":  k.Await(t, func(all map[order.ID]order.State) bool { return all["ord_1"].Status == order.Working }),
	} {
		if got := states["ord_1"]; got.Rev != 1 || got.Origin != origin || len(states) != 1 {
			t.Errorf("%s: got %+v, want one state of rev 1: the void one counts for nobody", name, states)
		}
	}
	var offsets kadm.Offsets
	offsets.AddOffset(k.Topics.Orders, 0, 1, -1)
	offsets.AddOffset(k.Topics.Orders, 2, 2, -1)
	if err := kadm.NewClient(k.Client).CommitAllOffsets(t.Context(), k.Prefix, offsets); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]map[int32]int64{k.Topics.Orders: {0: 1, 2: 2}}, k.Committed(t, k.Prefix)); diff != "" {
		t.Errorf("committed (-want +got):\n%s", diff)
	}
}

// produceAll appends three orders, a dead letter, an invoice and a void record, and a state of rev 1 between two claims with a void one behind.
func produceAll(t *testing.T, k *kafkatest.Kafka, s order.State) {
	t.Helper()
	at := placed.PlacedAt
	deadLetter := dlq.DeadLetter{Source: wire.Source{Key: []byte("ord_1"), Value: []byte("{"), Origin: s.Origin}, Topic: k.Topics.Orders, Reason: failure.NoRoute}
	s.Progress.Invoice = &order.Invoice{Number: s.Origin.InvoiceNumber(), Net: order.EUR.Cents(100), Tax: order.EUR.Cents(19), Total: order.EUR.Cents(119)}
	kafkatest.Record(t, &s, order.Change{Rev: 1, At: at, Status: order.Working})
	current := wire.State(s, 0)
	s.Document = []byte("%PDF")
	kafkatest.Record(t, &s, order.Change{Rev: 2, At: at, Status: order.Dead})
	k.Produce(t,
		in(k.Topics.Orders, 2, wire.Order(placed)), in(k.Topics.Orders, 2, &kgo.Record{Value: []byte("?")}), in(k.Topics.Orders, 0, wire.Order(placed)),
		in(k.Topics.DLQ, 2, deadLetter.Record()),
		in(k.Topics.Invoices, 2, wire.Invoice(&s, at)),
		in(k.Topics.Invoices, 2, wire.VoidNumber{Origin: s.Origin, Reason: "duplicate", At: at}.Record()),
		in(k.Topics.Status, 2, wire.Claim{Worker: "w1", At: at}.Record()), in(k.Topics.Status, 2, current),
		in(k.Topics.Status, 2, wire.Claim{Worker: "w2", At: at}.Record()), in(k.Topics.Status, 2, wire.State(s, 0)),
	)
}

func in(topic string, partition int32, r *kgo.Record) *kgo.Record {
	r.Topic, r.Partition = topic, partition
	return r
}

func partitions(records []*kgo.Record) []int32 {
	var all []int32
	for _, r := range records {
		all = append(all, r.Partition)
	}
	return all
}
