package intake_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafkatest"
)

// TestKeyIsRefusedInABlockedPartition has a record of a newer version. A repeat of an order behind
// it would be appended again, and workers detect only recent duplicates.
func TestKeyIsRefusedInABlockedPartition(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	write(t, k, k.Topics.Orders, &kgo.Record{Key: []byte("ord_x"), Value: []byte(`{"schema":9}`)})
	isRefusedInOnePartitionAlone(t, k, 1)
}

func TestUnreadableBatchRefusesOnlyKeysOfItsPartition(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{"orders", "orders.status"} {
		t.Run(topic, func(t *testing.T) {
			t.Parallel()
			k := kafkatest.Start(t)
			k.ProduceBad(t, topic, 1, 1, 0)
			isRefusedInOnePartitionAlone(t, k, 0)
		})
	}
}

// isRefusedInOnePartitionAlone places orders with keys while partition 1 is blocked.
func isRefusedInOnePartitionAlone(t *testing.T, k *kafkatest.Kafka, others int) {
	t.Helper()
	const held = 1
	in := start(t, k, 0)
	refused, taken := 0, 0
	for i := range 20 {
		s, err := in.Place(t.Context(), wanted(), fmt.Sprint("k", i))
		switch {
		case errors.Is(err, view.ErrBehind):
			refused++
		case err != nil || s.Origin.Partition == held:
			t.Fatalf("k%d: got %v in partition %d, want ErrBehind there, and no other error", i, err, s.Origin.Partition)
		default:
			taken++
		}
	}
	got := -others
	for number := range int32(kafkatest.Partitions) {
		if number != held || others > 0 {
			got += k.Count(t, k.Topics.Orders, number)
		}
	}
	if refused == 0 || taken == 0 || got != taken {
		t.Errorf("got %d refused, %d taken and %d records, want some of each, and a record for each that was taken", refused, taken, got)
	}
}
