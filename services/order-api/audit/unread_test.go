package audit_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/kafkatest"
)

func TestPartitionWithoutLeaderIsReportedAndOthersAreAudited(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{"", "orders", "orders.status", "orders.replay"} {
		t.Run("of "+topic, func(t *testing.T) {
			t.Parallel()
			k := kafkatest.Start(t)
			produce(t, k, clean)
			k.Leaderless(topic, 0)
			report := run(t, k)
			if len(report.Unread) != 1 || report.Unread[0].Partition != 0 || report.OK() {
				t.Errorf("unread: got %+v and OK %t, want partition 0, and false", report.Unread, report.OK())
			}
			if got := report.Orders.Accepted; got != 5 {
				t.Errorf("got %d orders, want the 5 of partition 1", got)
			}
			var text bytes.Buffer
			if err := report.Write(&text); err != nil || !strings.Contains(text.String(), "\npartition 0 is not audited: ") {
				t.Errorf("got %v and report\n%s\nwant it to name partition 0", err, &text)
			}
		})
	}
}

func TestGapsOfOtherPartitionsAreExplained(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	produce(t, k, withGaps)
	whole, err := audit.Gaps(t.Context(), k.Config(), k.Topics)
	if err != nil {
		t.Fatal(err)
	}
	k.Leaderless("", 0)
	got, err := audit.Gaps(t.Context(), k.Config(), k.Topics)
	if err != nil {
		t.Fatal(err)
	}
	if got.Partitions[0].Unread == "" {
		t.Error("partition 0: got it read, want it named")
	}
	if diff := cmp.Diff(whole.Partitions[1:], got.Partitions[1:]); diff != "" {
		t.Errorf("the other partitions (-want +got):\n%s", diff)
	}
}
