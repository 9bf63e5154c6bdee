package audit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// TestTransactionsAreNoFault has transactions at the end of orders.replay: one that was aborted, and
// one that was committed.
func TestTransactionsAreNoFault(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		produce(t, k, clean)
		want := run(t, k)
		for _, how := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
			r := wire.CancelRequest{Order: "ord_1_1", Origin: order.Origin{Partition: 1, Offset: 70}, At: clock}.Record()
			r.Topic, r.Partition = k.Topics.Replay, 1
			k.Transact(t, how, r)
			if diff := cmp.Diff(want, run(t, k), cmpopts.IgnoreFields(audit.Report{}, "Began", "Horizon")); diff != "" {
				t.Errorf("report after a transaction (-before +after):\n%s", diff)
			}
		}
	})
}
