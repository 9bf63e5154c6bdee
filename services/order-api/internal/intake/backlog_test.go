//go:build synctests

package intake_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// TestOrderThatNoWorkerWillBeginCausesNoBackpressure has a case for each reason why no worker
// begins a record of orders.
func TestOrderThatNoWorkerWillBeginCausesNoBackpressure(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		happened func(t *testing.T, k *kafkatest.Kafka, old *kgo.Record)
		refused  bool
	}{
		"nothing": {func(*testing.T, *kafkatest.Kafka, *kgo.Record) {}, true},
		"committed up to it": {func(t *testing.T, k *kafkatest.Kafka, old *kgo.Record) {
			commit(t, k, old.Offset, "")
		}, true},
		"committed past": {func(t *testing.T, k *kafkatest.Kafka, old *kgo.Record) {
			commit(t, k, old.Offset+1, "")
		}, false},
		"partition blocked": {func(t *testing.T, k *kafkatest.Kafka, old *kgo.Record) {
			commit(t, k, old.Offset, "member blocked")
		}, false},
		"dropped by the log": {func(t *testing.T, k *kafkatest.Kafka, old *kgo.Record) {
			var offsets kadm.Offsets
			offsets.AddOffset(k.Topics.Orders, old.Partition, old.Offset+1, -1)
			_, err := kadm.NewClient(k.Client).DeleteRecords(t.Context(), offsets)
			must(t, err)
		}, false},
		"a dead letter": {func(t *testing.T, k *kafkatest.Kafka, old *kgo.Record) {
			l := dlq.DeadLetter{Source: wire.Source{Key: old.Key, Value: old.Value}, Topic: k.Topics.Orders, Reason: failure.Undecodable}
			put(t, k, k.Topics.DLQ, l.Record())
		}, false},
		"a dead letter of another order": {func(t *testing.T, k *kafkatest.Kafka, old *kgo.Record) {
			l := dlq.DeadLetter{Source: wire.Source{Key: []byte("ord_x"), Value: old.Value}, Topic: k.Topics.Orders, Reason: failure.Undecodable}
			put(t, k, k.Topics.DLQ, l.Record())
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := kafkatest.Start(t)
				in := open(t, k, intake.Config{Promise: 15 * time.Minute})
				o := wanted()
				o.ID, o.PlacedAt = "ord_1", time.Now().Add(-time.Hour)
				o.Lines[0].UnitPrice = order.EUR.Cents(1)
				row.happened(t, k, put(t, k, k.Topics.Orders, wire.Order(o)))
				kafkatest.Pass(2 * time.Second) // the view looks once a second
				_, err := in.Place(t.Context(), wanted(), "")
				if errors.Is(err, intake.ErrBackpressure) != row.refused {
					t.Errorf("got %v, want it refused: %t", err, row.refused)
				}
				if row.refused && !strings.Contains(fmt.Sprint(err), "order ord_1, partition 0 offset 0 of orders, has waited for 1h0m2s") {
					t.Errorf("got %v, want partition and offset of the oldest order", err)
				}
			})
		})
	}
}

// commit commits an offset of partition 0 of orders for the workers' group.
func commit(t *testing.T, k *kafkatest.Kafka, at int64, metadata string) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: k.Topics.Orders, At: at, LeaderEpoch: -1, Metadata: metadata})
	must(t, kadm.NewClient(k.Client).CommitAllOffsets(t.Context(), "order-workers", offsets))
}
