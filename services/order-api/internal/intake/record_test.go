package intake_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
)

// TestRecordThatReadersWouldRefuseIsNotAppended has a catalogue with values that decoding
// refuses.
func TestRecordThatReadersWouldRefuseIsNotAppended(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*order.Line){
		"a line separator":   func(l *order.Line) { l.Name = "Bottle\u2028" },
		"a long name":        func(l *order.Line) { l.Name = fmt.Sprintf("%0201d", 0) },
		"not UTF-8":          func(l *order.Line) { l.Name = "Bottle\xff" },
		"a price below zero": func(l *order.Line) { l.UnitPrice = order.EUR.Cents(-1) },
		"no price":           func(l *order.Line) { l.UnitPrice = order.Money{} },
		"too heavy":          func(l *order.Line) { l.Grams = order.MaxGrams + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := kafkatest.Start(t)
			in := openPriced(t, k, func(o *order.Order) []order.Invalid {
				o.Lines[0].UnitPrice = order.EUR.Cents(100)
				spoil(&o.Lines[0])
				return nil
			}, intake.Config{})
			for _, key := range []string{"", "k1", "k1"} {
				_, err := in.Place(t.Context(), wanted(), key)
				if _, theirs := errors.AsType[*intake.RejectedError](err); err == nil || theirs {
					t.Errorf("key %q: got %v, want an error that is not the customer's", key, err)
				}
			}
			if got := k.Records(t, k.Topics.Orders); len(got) != 0 {
				t.Errorf("got %d records, want none", len(got))
			}
		})
	}
}

// TestAddedPartitionsGetNoOrders adds partitions, and refreshes the metadata of the producer.
func TestAddedPartitionsGetNoOrders(t *testing.T) {
	t.Parallel()
	for name, broker := range map[string]func(testing.TB) *kafkatest.Kafka{"memory": kafkatest.Start, "real": kafkatest.Real} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := broker(t)
			layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
			must(t, err)
			shop, err := catalogue.Load("")
			must(t, err)
			_, err = kadm.NewClient(k.Client).UpdatePartitions(t.Context(), 4*kafkatest.Partitions, k.Topics.Orders)
			must(t, err)
			in := openOn(t, k, layout, shop.Price, intake.Config{})
			for i := range 20 {
				for _, key := range []string{"", fmt.Sprint("k", i)} {
					s, err := in.Place(t.Context(), wanted(), key)
					if err != nil || s.Origin.Partition >= kafkatest.Partitions {
						t.Fatalf("key %q: got %v in partition %d, want it in one of the first %d", key, err, s.Origin.Partition, kafkatest.Partitions)
					}
				}
			}
		})
	}
}

func TestBlockedIntakeRefusesNewOrdersAndReturnsOldOnes(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	in := start(t, k, 0)
	placed, err := in.Place(t.Context(), wanted(), "k1")
	must(t, err)
	reason := &kafka.Repartitioned{Topic: k.Topics.Orders, Was: 3, Is: 4}
	in.Block(reason)
	for _, key := range []string{"", "k2"} {
		if _, err := in.Place(t.Context(), wanted(), key); !errors.Is(err, intake.ErrBlocked) || !errors.Is(err, reason) {
			t.Errorf("key %q: got %v, want ErrBlocked and its reason", key, err)
		}
	}
	if again, err := in.Place(t.Context(), wanted(), "k1"); err != nil || again.Order.ID != placed.Order.ID {
		t.Errorf("repeated: got %s, %v; want the order that is placed already", again.Order.ID, err)
	}
	if got := placements(t, k); len(got) != 1 || !errors.Is(in.Blocked(), reason) {
		t.Errorf("got %d records, blocked by %v; want one, and the reason", len(got), in.Blocked())
	}
}
