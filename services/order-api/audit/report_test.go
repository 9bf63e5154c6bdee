package audit_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
)

// TestReportAsTextAndJSON has a report without faults, and one with all kinds of lines.
func TestReportAsTextAndJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	fine := audit.Report{
		Prefix: "orders", Group: "order-workers", Began: at, Horizon: at.Add(-time.Hour), Committed: true, Faults: []audit.Fault{}, Uncertain: audit.Uncertain{IDs: []order.ID{}},
		Orders:     audit.Tally{Accepted: 1200, Confirmed: 1180, Dead: 4, InFlight: 16, Retrying: 3, Waiting: 12, Refunds: 21, Duplicates: 3, Undecodable: 1},
		Partitions: []audit.Partition{{Committed: 1188, End: 1204}},
	}
	all := fine
	all.Committed, all.Untraced = false, 2
	all.Older = audit.Tally{Accepted: 88_012, Confirmed: 88_000, Cancelled: 11, Lost: 1}
	all.StaleStates, all.Repeated, all.Foreign, all.Unreadable, all.Dismissed, all.Unsettled = 1, 3, 4, 5, 6, 7
	all.Uncertain = audit.Uncertain{Mails: 3, Orders: 2, IDs: []order.ID{"ord_x", "ord_z"}}
	all.Faults = []audit.Fault{
		{Kind: "lost", Count: 3, Where: []audit.Place{{Partition: 3, Offset: 124, Order: "ord_x"}, {Partition: 11, Offset: 7}}},
		{Kind: "number-twice", Count: 1, Where: []audit.Place{{Partition: 0, Offset: 0, Order: "ord_y"}}},
		{Kind: "over-refunded", Count: 1, Where: []audit.Place{{Partition: 1, Offset: 9, Order: "ord_y-refund-2"}}},
	}
	all.Partitions = []audit.Partition{{Start: 88_014, Committed: -1, End: 89_218}}
	for name, report := range map[string]audit.Report{"ok": fine, "faults": all} {
		var text strings.Builder
		if err := report.Write(&text); err != nil {
			t.Fatal(err)
		}
		machine, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, "testdata/"+name+".txt", text.String())
		golden.Compare(t, "testdata/"+name+".json", string(machine)+"\n")
	}
}

func TestReportWarnsAboutAGroupWithoutCommits(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	produce(t, k, func(c *clerk) { c.confirm(c.place(nil)) })
	report, err := audit.Run(t.Context(), k.Config(), k.Topics, "mistyped")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.Write(&text); err != nil {
		t.Fatal(err)
	}
	if want := "Group mistyped has committed nothing"; report.Committed || !strings.Contains(text.String(), want) {
		t.Errorf("got %s\nwant %q in it", text.String(), want)
	}
}
