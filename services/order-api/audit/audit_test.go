package audit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func run(t testing.TB, k *kafkatest.Kafka) audit.Report {
	t.Helper()
	report, err := audit.Run(t.Context(), k.Config(), k.Topics, group)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// onBoth runs a test in memory and, if there is one, on a real Kafka.
func onBoth(t *testing.T, test func(*testing.T, *kafkatest.Kafka)) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) *kafkatest.Kafka{"in memory": kafkatest.Start, "real": kafkatest.Real} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

func TestEveryOrderIsInOnePlace(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		produce(t, k, clean)
		report := run(t, k)
		want := audit.Report{
			Prefix: k.Prefix, Group: group, Committed: true, Faults: []audit.Fault{}, Uncertain: audit.Uncertain{IDs: []order.ID{}},
			Orders:     audit.Tally{Accepted: 5, Confirmed: 2, Dead: 1, InFlight: 2, Duplicates: 1, Undecodable: 1},
			Partitions: []audit.Partition{{Committed: -1}, {Committed: 5, End: 7}, {Committed: -1}},
		}
		if diff := cmp.Diff(want, report, cmpopts.IgnoreFields(audit.Report{}, "Began", "Horizon")); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
		if time.Since(report.Horizon) > time.Hour || !report.OK() {
			t.Errorf("got horizon %s and OK %t, want when the first order was appended, and true", report.Horizon, report.OK())
		}
	})
}

// named formats faults like the tables below.
func named(faults []audit.Fault) (all []string) {
	for _, f := range faults {
		for _, at := range f.Where {
			all = append(all, fmt.Sprintf("%s %d-%d %s", f.Kind, at.Partition, at.Offset, at.Order))
		}
	}
	return all
}

// fault is a history that no correct worker writes, below the committed offset.
type fault struct {
	name string
	does func(*clerk)
	lost int64
	want []string
}

func TestOrdersInNoPlaceOrInTwoAreFaults(t *testing.T) {
	t.Parallel()
	areNamed(t, []fault{
		{"nothing is known of it", func(c *clerk) { c.place(nil) }, 1, []string{"lost 1-0 ord_1_1"}},
		{"its only state is void", func(c *clerk) { c.claim(); c.haunt(c.place(nil)) }, 1, []string{"lost 1-0 ord_1_1"}},
		{"void as a repeat of nothing", func(c *clerk) { c.void(c.place(nil), failure.Duplicate) }, 1, []string{"lost 1-0 ord_1_1"}},
		{"void, and cancelled by no state", func(c *clerk) { c.void(c.place(nil), "cancelled") }, 1, []string{"lost 1-0 ord_1_1"}},
		{"begun and let go", func(c *clerk) { c.write(c.place(nil), order.Working) }, 1, []string{"stuck 1-0 ord_1_1"}},
		{"retrying and let go", func(c *clerk) { c.park(c.place(nil), order.Retrying) }, 1, []string{"stuck 1-0 ord_1_1"}},
		{"waiting and let go", func(c *clerk) { c.park(c.place(nil), order.Waiting) }, 1, []string{"stuck 1-0 ord_1_1"}},
		{"waiting, begun and let go", func(c *clerk) { c.write(c.park(c.place(nil), order.Waiting), order.Working) }, 1, []string{"stuck 1-0 ord_1_1"}},
		{"replayed, begun and let go", func(c *clerk) {
			p := c.fail(c.place(nil))
			c.replay(p)
			c.write(p, order.Working)
		}, 0, []string{"no-death 1-0 ord_1_1"}},
		{"dead without a dead letter", func(c *clerk) { c.write(c.place(nil), order.Dead) }, 1, []string{"no-dead-letter 1-0 ord_1_1"}},
		{"dead with the dead letter of another", func(c *clerk) {
			p, other := c.place(nil), c.fail(c.place(nil))
			p.DeadLetter = other.DeadLetter
			c.write(p, order.Dead)
		}, 1, []string{"no-dead-letter 1-0 ord_1_1"}},
		{"dead again with its old dead letter", func(c *clerk) {
			p := c.fail(c.place(nil))
			p.DeadLetter.Offset++
			c.write(p, order.Dead)
		}, 1, []string{"no-dead-letter 1-0 ord_1_1"}},
		{"a dead letter without a state", func(c *clerk) { c.deadLetter(c.place(nil)) }, 0, []string{"no-death 1-0 ord_1_1"}},
		{"a dead letter newer than its state", func(c *clerk) {
			p := c.fail(c.place(nil))
			old := *p
			c.deadLetter(p)
			old.Rev = 0
			c.deadLetter(&old)
		}, 0, []string{"no-death 1-0 ord_1_1"}},
		{"undecodable without a dead letter", func(c *clerk) { c.void(c.poison(""), failure.Undecodable) }, 0, []string{"no-dead-letter 1-0 "}},
		{"undecodable without a void record", func(c *clerk) { c.deadLetter(c.poison("")) }, 0, []string{"no-death 1-0 "}},
		{"a repeat without a void record", func(c *clerk) { c.place(c.confirm(c.place(nil))) }, 0, []string{"no-void 1-1 ord_1_1"}},
		{"cancelled without a void record", func(c *clerk) { c.write(c.place(nil), order.Cancelled) }, 0, []string{"no-void 1-0 ord_1_1"}},
		{"confirmed, and void as a repeat", func(c *clerk) { c.void(c.confirm(c.place(nil)), failure.Duplicate) }, 0, []string{"two-places 1-0 ord_1_1"}},
		{"confirmed, and void as cancelled", func(c *clerk) { c.void(c.confirm(c.place(nil)), failure.Cancelled) }, 0, []string{"two-places 1-0 ord_1_1"}},
		{"a state of no order", func(c *clerk) {
			p := c.place(nil)
			p.Origin.Offset = 70
			c.confirm(p)
		}, 1, []string{"lost 1-0 ord_1_1", "unplaced 1-70 "}},
	})
}

func TestWrongInvoicesAreFaults(t *testing.T) {
	t.Parallel()
	areNamed(t, []fault{
		{"confirmed without an invoice", func(c *clerk) { c.write(c.place(nil), order.Confirmed) }, 0, []string{"no-invoice 1-0 ord_1_1"}},
		{"confirmed with the invoice of another", func(c *clerk) {
			a, b := c.confirm(c.place(nil)), c.place(nil)
			c.write(b, order.Working)
			b.Progress.Invoice.Kept = a.Progress.Invoice.Kept
			c.write(b, order.Confirmed)
		}, 0, []string{"no-invoice 1-1 ord_1_2"}},
		{"two invoices with different bytes", func(c *clerk) { c.keep(c.confirm(c.place(nil)), "%PDF another") }, 0, []string{"number-twice 1-0 ord_1_1"}},
		{"an invoice under the number of another", func(c *clerk) {
			a, b := c.confirm(c.place(nil)), c.place(nil)
			at := len(c.acts)
			c.confirm(b)
			c.acts[at+1].record.Key = []byte(a.Origin.InvoiceNumber())
		}, 0, []string{"number-twice 1-1 ord_1_2"}},
		{"a state with the number of another", func(c *clerk) {
			a, b := c.confirm(c.place(nil)), c.place(nil)
			c.write(b, order.Working)
			c.keep(b, "%PDF")()
			b.Progress.Invoice.Number = a.Origin.InvoiceNumber()
			c.write(b, order.Confirmed)
		}, 0, []string{"number-twice 1-1 ord_1_2"}},
		{"two orders at one offset", func(c *clerk) {
			a, b := c.confirm(c.place(nil)), c.place(nil)
			b.Origin = a.Origin
			c.fail(b)
		}, 1, []string{"lost 1-1 ord_1_2", "number-twice 1-0 ord_1_1"}},
		{"one order at two offsets", func(c *clerk) { c.confirm(c.place(c.confirm(c.place(nil)))) }, 0, []string{"order-twice 1-1 ord_1_1"}},
		{"an invoice that is not the one pointed at", func(c *clerk) {
			p := c.place(nil)
			c.write(p, order.Working)
			c.keep(p, "%PDF")()
			p.Progress.Invoice.Kept.SHA256 = wire.SHA256([]byte("other"))
			c.write(p, order.Confirmed)
		}, 0, []string{"unequal-hash 1-0 ord_1_1"}},
		{"an invoice whose bytes have changed", func(c *clerk) {
			at := len(c.acts)
			c.confirm(c.place(nil))
			c.acts[at+2].record.Value = []byte("%PDF changed")
		}, 0, []string{"unequal-hash 1-0 ord_1_1"}},
	})
}

func areNamed(t *testing.T, faults []fault) {
	t.Helper()
	for _, row := range faults {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			k := kafkatest.Start(t)
			produce(t, k, row.does, (*clerk).commitAll)
			report := run(t, k)
			if diff := cmp.Diff(row.want, named(report.Faults)); diff != "" || report.OK() {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if report.Orders.Lost != row.lost || report.Repeated != 0 {
				t.Errorf("got %d lost, %d repeated; want %d, and nothing read twice", report.Orders.Lost, report.Repeated, row.lost)
			}
			addsUp(t, report)
		})
	}
}

// addsUp checks that each accepted order is counted in one place.
func addsUp(t fataler, r audit.Report) {
	t.Helper()
	for name, o := range map[string]audit.Tally{"orders": r.Orders, "older": r.Older} {
		if sum := o.Confirmed + o.Cancelled + o.Dead + o.InFlight + o.Lost; sum != o.Accepted {
			t.Fatal(fmt.Sprintf("%s: got %d accepted and %d in all places: %+v", name, o.Accepted, sum, o))
		}
	}
}

// allowed is what the promises do not forbid.
type allowed struct {
	name string
	does func(*clerk)
	want audit.Report // its counts
}

func TestRecordsOfCrashesAndTakeoversAreNoFault(t *testing.T) {
	t.Parallel()
	areNoFaults(t, []allowed{
		{
			"a state of a worker that lost the partition", func(c *clerk) { p := c.confirm(c.place(nil)); c.claim(); c.haunt(p) },
			audit.Report{StaleStates: 1, Orders: audit.Tally{Accepted: 1, Confirmed: 1}},
		},
		{"an invoice kept twice, and the second counts", func(c *clerk) {
			p := c.place(nil)
			c.write(p, order.Working)
			c.keep(p, "%PDF")
			c.keep(p, "%PDF")()
			c.write(p, order.Confirmed)
		}, audit.Report{Repeated: 1, Orders: audit.Tally{Accepted: 1, Confirmed: 1}}},
		{"a retry written again, and one after it", func(c *clerk) {
			p := c.place(nil)
			c.carry(p, c.topics.Retry10s)
			c.confirm(c.park(c.park(p, order.Retrying), order.Waiting))
		}, audit.Report{Orders: audit.Tally{Accepted: 1, Confirmed: 1}}},
		{
			"a dead letter written again", func(c *clerk) { p := c.place(nil); c.deadLetter(p); c.fail(p) },
			audit.Report{Orders: audit.Tally{Accepted: 1, Dead: 1}},
		},
		{
			"a dead letter, and then it went well", func(c *clerk) { p := c.place(nil); c.deadLetter(p); c.confirm(p) },
			audit.Report{Orders: audit.Tally{Accepted: 1, Confirmed: 1}},
		},
		{
			"it went well, and then a dead letter of a worker that lost the partition",
			func(c *clerk) { c.deadLetter(c.confirm(c.place(nil))) },
			audit.Report{Orders: audit.Tally{Accepted: 1, Confirmed: 1}},
		},
	})
}

func TestRecordsOfOperatorsAndOtherProgramsAreNoFault(t *testing.T) {
	t.Parallel()
	areNoFaults(t, []allowed{
		{"undecodable then, understood by a newer version", func(c *clerk) {
			p := c.place(nil)
			c.deadLetter(p)
			c.void(p, failure.Undecodable)
			c.replay(p)
			c.confirm(p)
		}, audit.Report{Orders: audit.Tally{Accepted: 1, Confirmed: 1}}},
		{"cancelled, and void", func(c *clerk) {
			p := c.place(nil)
			c.write(p, order.Cancelled)
			c.void(p, failure.Cancelled)
		}, audit.Report{Orders: audit.Tally{Accepted: 1, Cancelled: 1}}},
		{"cancelled under a number that has its invoice", func(c *clerk) {
			p := c.place(nil)
			c.write(p, order.Working)
			c.keep(p, "%PDF")()
			c.write(p, order.Cancelled)
		}, audit.Report{Orders: audit.Tally{Accepted: 1, Cancelled: 1}}},
		{"a replay that no worker takes up", func(c *clerk) {
			p := c.fail(c.place(nil))
			c.commitAll()
			c.append(c.topics.Replay, 1, p.request().Record()) // without a number
		}, audit.Report{Orders: audit.Tally{Accepted: 1, Dead: 1}}},
		{"mails that may have gone out twice, and three times", func(c *clerk) {
			for n := range 3 { // the first has no uncertain mail
				p := c.place(nil)
				c.write(p, order.Working)
				c.keep(p, "%PDF")()
				for sent := range n + 1 {
					p.Progress.Email = &order.Email{MessageID: "m", Date: clock, Uncertain: sent}
					c.write(p, order.Mailing)
				}
				c.write(p, order.Confirmed)
			}
		}, audit.Report{
			Uncertain: audit.Uncertain{Mails: 3, Orders: 2, IDs: []order.ID{"ord_1_2", "ord_1_3"}},
			Orders:    audit.Tally{Accepted: 3, Confirmed: 3},
		}},
		{"records of others", func(c *clerk) {
			c.append(c.topics.DLQ, 1, &kgo.Record{Value: []byte("spring")})
			p := &paper{}
			p.Origin.Partition = c.partition
			other := c.asDeadLetter(p)
			other.Topic = "payments"
			c.append(c.topics.DLQ, 1, other.Record())
			c.append(c.topics.Status, 1, &kgo.Record{Key: []byte("k"), Value: []byte("k")})
			c.append(c.topics.Invoices, 1, &kgo.Record{Key: []byte("k")})
		}, audit.Report{Foreign: 2, Unreadable: 2}},
		{"orders erased on purpose", func(c *clerk) {
			for _, p := range []*paper{c.confirm(c.place(nil)), c.place(nil)} { // of the second compaction has left nothing else
				c.append(c.topics.Status, c.partition, &kgo.Record{Key: p.key})
			}
		}, audit.Report{Orders: audit.Tally{Accepted: 2, Erased: 2}}},
	})
}

func areNoFaults(t *testing.T, rows []allowed) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			k := kafkatest.Start(t)
			produce(t, k, row.does, (*clerk).commitAll)
			got := run(t, k)
			row.want.Committed = true
			if diff := cmp.Diff(row.want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(audit.Report{}, "Prefix", "Group", "Began", "Horizon", "Partitions")); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOrdersInFlightAreNotLost(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		does func(*clerk)
		want audit.Tally
	}{
		{"not begun", func(c *clerk) { c.place(nil) }, audit.Tally{Accepted: 1, InFlight: 1}},
		{"begun", func(c *clerk) { c.write(c.place(nil), order.Mailing) }, audit.Tally{Accepted: 1, InFlight: 1}},
		{"dead-lettered, not yet dead", func(c *clerk) { c.deadLetter(c.place(nil)) }, audit.Tally{Accepted: 1, InFlight: 1}},
		{"not read yet, and no order", func(c *clerk) { c.poison("x") }, audit.Tally{Accepted: 1, InFlight: 1}},
		{"a repeat", func(c *clerk) { c.place(c.place(nil)) }, audit.Tally{Accepted: 1, InFlight: 1, Duplicates: 1}},
		{"cancelled, not yet void", func(c *clerk) { c.write(c.place(nil), order.Cancelled) }, audit.Tally{Accepted: 1, Cancelled: 1}},
		{"cancelled after a retry, not yet void", func(c *clerk) {
			p := c.park(c.place(nil), order.Retrying)
			c.append(c.topics.Replay, 1, wire.CancelRequest{Order: p.Order.ID, Origin: p.Origin, At: clock}.Record())
			c.write(p, order.Cancelled)
			c.commit(c.topics.Orders, 1)
			c.commit(c.topics.Retry10s, 1)
		}, audit.Tally{Accepted: 1, Cancelled: 1}},
		{"replayed, not begun", func(c *clerk) { c.replay(c.fail(c.place(nil))); c.commit(c.topics.Orders, 1) }, audit.Tally{Accepted: 1, Dead: 1}},
		{"replayed and begun", func(c *clerk) {
			p := c.fail(c.place(nil))
			c.replay(p)
			c.write(p, order.Working)
			c.commit(c.topics.Orders, 1)
		}, audit.Tally{Accepted: 1, InFlight: 1}},
		{"retrying", func(c *clerk) {
			c.park(c.place(nil), order.Retrying)
			c.commit(c.topics.Orders, 1)
		}, audit.Tally{Accepted: 1, InFlight: 1, Retrying: 1}},
		{"waiting after a retry, which is not committed either", func(c *clerk) {
			c.park(c.park(c.place(nil), order.Retrying), order.Waiting)
		}, audit.Tally{Accepted: 1, InFlight: 1, Waiting: 1}},
		{"retried and begun", func(c *clerk) {
			c.write(c.park(c.place(nil), order.Retrying), order.Mailing)
			c.commit(c.topics.Orders, 1)
		}, audit.Tally{Accepted: 1, InFlight: 1}},
		{"retried and confirmed, not yet committed", func(c *clerk) {
			c.confirm(c.park(c.place(nil), order.Retrying))
			c.commit(c.topics.Orders, 1)
		}, audit.Tally{Accepted: 1, Confirmed: 1}},
		{"replayed and waiting", func(c *clerk) {
			p := c.fail(c.place(nil))
			c.replay(p)
			c.park(p, order.Waiting)
			c.commit(c.topics.Orders, 1)
			c.commit(c.topics.Replay, 1)
		}, audit.Tally{Accepted: 1, InFlight: 1, Waiting: 1}},
		{"replayed and dead-lettered again", func(c *clerk) {
			p := c.fail(c.place(nil))
			c.replay(p)
			c.deadLetter(p)
			c.commit(c.topics.Orders, 1)
		}, audit.Tally{Accepted: 1, Dead: 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			k := kafkatest.Start(t)
			produce(t, k, row.does)
			if got := run(t, k); got.Orders != row.want || !got.OK() {
				t.Errorf("got %+v, faults %v; want %+v and none", got.Orders, named(got.Faults), row.want)
			}
		})
	}
}

// TestIgnoredRetryRecordsContinueNoOrder has retry and waiting records that crashes have left.
func TestIgnoredRetryRecordsContinueNoOrder(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	produce(t, k, func(c *clerk) {
		p := c.place(nil)
		c.carry(p, c.topics.Retry10s) // the state that goes with it was never written
		c.write(p, order.Working)
		c.park(p, order.Waiting)
		c.park(p, order.Retrying)
		c.carry(p, c.topics.Retry2m) // the same
		for name, offset := range map[string]int64{c.topics.Orders: 1, c.topics.Retry10s: 2, c.topics.Retry2m: 0, c.topics.Waiting: 0} {
			c.commit(name, offset)
		}
	})
	if diff := cmp.Diff([]string{"stuck 1-0 ord_1_1"}, named(run(t, k).Faults)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestFaultsAreNamedOnRealKafkaToo(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		produce(t, k, clean, func(c *clerk) {
			c.ids = 100
			c.place(nil)
			c.deadLetter(c.place(nil))
			c.keep(c.confirm(c.place(nil)), "%PDF another")
			c.commitAll()
		})
		want := []string{"lost 1-5 ord_1_4", "lost 1-7 ord_1_101", "stuck 1-6 ord_1_5", "no-death 1-8 ord_1_102", "number-twice 1-9 ord_1_103"}
		if diff := cmp.Diff(want, named(run(t, k).Faults)); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	})
}
