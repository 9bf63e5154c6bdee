package ctl_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafkatest"
)

// TestAuditFailsOnFaults audits an order in flight, then an order that was committed without a
// status.
func TestAuditFailsOnFaults(t *testing.T) {
	t.Parallel()
	s, k := open(t), kafkatest.Start(t)
	k.Produce(t, &kgo.Record{Topic: k.Topics.Orders, Partition: 1, Key: []byte("ord_1"), Value: []byte("{}")})
	check := func(args, stdout, want string) {
		t.Helper()
		args += " --brokers " + strings.Join(k.Config().Brokers, ",")
		out, _, err := s.run(t, "", strings.Fields(args)...)
		if !strings.Contains(out, stdout) || fmt.Sprint(err) != want {
			t.Errorf("%s: got %q, %v; want %q and %s", args, out, err, stdout, want)
		}
	}
	check("audit", "Group order-workers has committed nothing", "<nil>")
	check("audit", "\nok: every order is in exactly one place\n", "<nil>")
	check("invoice gaps", "partition 1: 1 numbers, 0 issued\n  INV-", "<nil>")
	check("invoice gaps --json", `"partitions":[{"end":0,"issued":0,"gaps":[]},{"end":1,"issued":0,"gaps":[{"first":0,"last":0}]}`, "<nil>")

	var offsets kadm.Offsets
	offsets.AddOffset(k.Topics.Orders, 1, 1, -1)
	if err := kadm.NewClient(k.Client).CommitAllOffsets(t.Context(), "g", offsets); err != nil {
		t.Fatal(err)
	}
	check("audit --group g", "\nnot ok: 1 faults\n", "faults found: 1 lost")
	check("audit --group g --json", `"faults":[{"kind":"lost","count":1,"where":[{"partition":1,"offset":0,"order":"ord_1"}]}]`,
		"faults found: 1 lost")
	check("audit --prefix shop", "", "topics are not as they must be:\n"+missing("shop", "shop.retry.10s", "shop.retry.2m", "shop.waiting", "shop.replay", "shop.status", "shop.invoices", "shop.dlq", "shop.desk", "shop.workers"))
}

func missing(topics ...string) string {
	for i, name := range topics {
		topics[i] = "  " + name + ": missing (create it with: ordersctl topics create --prefix shop)"
	}
	return strings.Join(topics, "\n")
}
