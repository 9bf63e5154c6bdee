package audit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// forge appends a refund that the API would refuse, and confirms it.
func (c *clerk) forge(of *paper, change func(*order.Order)) *paper {
	o, _ := of.Refund(nil, false, nil)
	o.PlacedAt = clock
	change(&o)
	o.ID = o.Refund.Of.Refund(o.Refund.Number)
	return c.confirm(c.put(&paper{State: o.Begin(order.Origin{})}, wire.Order(o)))
}

func TestNumbersOfTheWrongSeriesAreNamed(t *testing.T) {
	t.Parallel()
	areNamed(t, []fault{
		{"a refund with the number of an invoice", func(c *clerk) {
			p := c.refund(c.confirm(c.place(nil)))
			c.write(p, order.Working)
			p.Progress.Invoice.Number = p.Origin.InvoiceNumber()
			c.confirm(p)
		}, 0, []string{"number-twice 1-1 ord_1_1-refund-1"}},
		{"an order with the number of a credit note", func(c *clerk) {
			p := c.place(nil)
			c.write(p, order.Working)
			p.Progress.Invoice.Number = p.Origin.CreditNoteNumber()
			c.confirm(p)
		}, 0, []string{"number-twice 1-0 ord_1_1"}},
		{"an invoice and a credit note", func(c *clerk) {
			p := c.confirm(c.refund(c.confirm(c.place(nil))))
			p.Progress.Invoice.Number = p.Origin.InvoiceNumber()
			c.keep(p, "%PDF "+p.Origin.InvoiceNumber())
		}, 0, []string{"number-twice 1-1 ord_1_1-refund-1"}},
		{"a credit note under the number of another", func(c *clerk) {
			of := c.confirm(c.place(nil))
			a, b := c.confirm(c.refund(of, piece)), c.refund(of, piece)
			c.write(b, order.Working)
			b.Progress.Invoice.Number = a.Origin.CreditNoteNumber()
			c.keep(b, "%PDF "+b.Origin.CreditNoteNumber())
		}, 1, []string{"stuck 1-2 ord_1_1-refund-2", "number-twice 1-2 ord_1_1-refund-2"}},
	})
}

func TestInvalidRefundsAreFaults(t *testing.T) {
	t.Parallel()
	only := func(number int) func(*order.Order) { return func(o *order.Order) { o.Refund.Number = number } }
	of := func(number func(*clerk) string) func(*clerk) {
		return func(c *clerk) {
			p := c.confirm(c.place(nil))
			c.confirm(c.place(nil))
			c.forge(p, func(o *order.Order) { o.Refund.Invoice.Number = number(c) })
		}
	}
	at := func(partition int32, offset int64) func(*clerk) string {
		return func(c *clerk) string {
			return order.Origin{Incarnation: c.incarnation, Partition: partition, Offset: offset}.InvoiceNumber()
		}
	}
	noOriginal := []string{"no-original 1-2 ord_1_1-refund-1"}
	areNamed(t, []fault{
		{"all of it twice", func(c *clerk) {
			p := c.confirm(c.place(nil))
			c.forge(p, only(1))
			c.forge(p, only(2))
		}, 0, []string{"over-refunded 1-2 ord_1_1-refund-2"}},
		{"a cent too much", func(c *clerk) {
			p := c.confirm(c.place(nil))
			c.confirm(c.refund(p, piece))
			c.forge(p, func(o *order.Order) { o.Lines[0].Quantity, o.Refund.Number, o.Refund.Tax = 1, 2, order.EUR.Cents(10) })
		}, 0, []string{"over-refunded 1-2 ord_1_1-refund-2"}},
		{"a second without a first", func(c *clerk) { c.forge(c.confirm(c.place(nil)), only(2)) }, 0, []string{"refund-gap 1-1 ord_1_1-refund-2"}},
		{"an order without an invoice", func(c *clerk) {
			p := c.fail(c.place(nil))
			p.Progress.Shipping, p.Progress.Invoice = &order.Shipping{Price: order.EUR.Cents(0)}, bill(p)
			c.forge(p, only(1))
		}, 0, []string{"no-original 1-1 ord_1_1-refund-1"}},
		{"of more than was invoiced", func(c *clerk) {
			p := c.confirm(c.place(nil))
			c.forge(p, func(o *order.Order) { o.Refund.Invoice.Total = order.EUR.Cents(120) })
		}, 0, []string{"no-original 1-1 ord_1_1-refund-1"}},
		{"another's invoice", of(at(1, 1)), 0, noOriginal},
		{"an invoice that is not there", of(at(1, 7)), 0, noOriginal},
		{"an invoice of a partition that is not there", of(at(70, 0)), 0, noOriginal},
		{"an invoice of another topic", of(func(*clerk) string { return "INV-ABCDEF-01-0000000" }), 0, noOriginal},
		{"an invoice with another spelling", of(func(c *clerk) string { return "INV-" + c.incarnation + "-1-0" }), 0, noOriginal},
		{"an invoice below nothing", of(func(c *clerk) string { return "INV-" + c.incarnation + "--1-0000000" }), 0, noOriginal},
		{"a refund", func(c *clerk) {
			p := c.refund(c.confirm(c.place(nil)))
			c.write(p, order.Working)
			p.Progress.Invoice.Number = p.Origin.InvoiceNumber()
			c.confirm(p)
			c.forge(p, only(1))
		}, 0, []string{"number-twice 1-1 ord_1_1-refund-1", "no-original 1-2 ord_1_1-refund-1-refund-1"}},
	})
}

func TestRefundsAreNoFault(t *testing.T) {
	t.Parallel()
	areNoFaults(t, []allowed{
		{"in parts, and a repeat", func(c *clerk) {
			p := c.confirm(c.place(nil))
			first := c.confirm(c.refund(p, piece))
			c.confirm(c.refund(p))
			c.void(c.place(first), failure.Duplicate)
		}, audit.Report{Orders: audit.Tally{Accepted: 3, Confirmed: 3, Refunds: 2, Duplicates: 1}}},
		{"dead, and one after it", func(c *clerk) {
			p := c.confirm(c.place(nil))
			c.fail(c.refund(p, piece))
			c.confirm(c.refund(p, piece))
		}, audit.Report{Orders: audit.Tally{Accepted: 3, Confirmed: 2, Dead: 1, Refunds: 2}}},
		{"cancelled, and cancelled under a number that has its credit note", func(c *clerk) {
			p := c.confirm(c.place(nil))
			a, b := c.refund(p, piece), c.refund(p, piece)
			c.write(a, order.Cancelled)
			c.void(a, failure.Cancelled)
			c.write(b, order.Working)
			c.keep(b, "%PDF")()
			c.write(b, order.Cancelled)
		}, audit.Report{Orders: audit.Tally{Accepted: 3, Confirmed: 1, Cancelled: 2, Refunds: 2}}},
		{"too much, without a credit note", func(c *clerk) {
			p := c.confirm(c.place(nil))
			c.confirm(c.refund(p))
			o := p.refunds[0]
			o.Refund.Number, o.ID = 2, p.Order.ID.Refund(2)
			c.fail(c.put(&paper{State: o.Begin(order.Origin{})}, wire.Order(o)))
		}, audit.Report{Orders: audit.Tally{Accepted: 3, Confirmed: 2, Dead: 1, Refunds: 2}}},
		{"of an order that is dead with its invoice", func(c *clerk) {
			p := c.place(nil)
			c.write(p, order.Working)
			c.keep(p, "%PDF")()
			c.write(p, order.Mailing)
			c.confirm(c.refund(c.fail(p)))
		}, audit.Report{Orders: audit.Tally{Accepted: 2, Confirmed: 1, Dead: 1, Refunds: 1}}},
		{"a record without headers, known by its state", func(c *clerk) {
			p := c.confirm(c.place(nil))
			at := len(c.acts)
			c.confirm(c.refund(p))
			c.acts[at].record.Headers = nil
		}, audit.Report{Orders: audit.Tally{Accepted: 2, Confirmed: 2, Refunds: 1}}},
	})
}

// TestRefundsBelowTheHorizonAreKnownByTheirStates deletes the records of orders and refunds, and
// one without a trace.
func TestRefundsBelowTheHorizonAreKnownByTheirStates(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	produce(t, k, func(c *clerk) {
		p, mailing := c.confirm(c.place(nil)), c.confirm(c.place(nil))
		c.confirm(c.refund(p))
		r := c.refund(mailing)
		c.write(r, order.Working)
		c.keep(r, "%PDF")()
		c.write(r, order.Mailing)
		c.commitAll()
		c.forge(p, func(o *order.Order) { o.Refund.Number = 2 })
	})
	// The records up to offset 4 are deleted. The refund with status mailing is known by its state
	// only, and stuck.
	var upTo kadm.Offsets
	upTo.AddOffset(k.Topics.Orders, 1, 4, -1)
	if _, err := kadm.NewClient(k.Client).DeleteRecords(t.Context(), upTo); err != nil {
		t.Fatal(err)
	}
	got := run(t, k)
	want := []string{"stuck 1-3 ", "over-refunded 1-4 ord_1_1-refund-2"}
	if diff := cmp.Diff(want, named(got.Faults)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if want := (audit.Tally{Accepted: 4, Confirmed: 3, Lost: 1, Refunds: 2}); got.Older != want {
		t.Errorf("older: got %+v, want %+v", got.Older, want)
	}
}

// TestARefundBeforeTheHorizonIsNoGap: where nothing is known of an offset, the refund that a later
// one follows may have stood.
func TestARefundBeforeTheHorizonIsNoGap(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	produce(t, k, func(c *clerk) {
		p := c.confirm(c.place(nil))
		c.refund(p, piece) // its loss was accepted
		c.commitAll()
		c.confirm(c.refund(p, piece))
	})
	var upTo kadm.Offsets
	upTo.AddOffset(k.Topics.Orders, 1, 2, -1)
	if _, err := kadm.NewClient(k.Client).DeleteRecords(t.Context(), upTo); err != nil {
		t.Fatal(err)
	}
	if got := run(t, k); !got.OK() || got.Untraced != 1 {
		t.Errorf("got faults %v, %d untraced; want none, and 1", named(got.Faults), got.Untraced)
	}
}

// TestRefundBeforeTheMailOfItsOrderIsNoFault: an order has its invoice before it has ended.
func TestRefundBeforeTheMailOfItsOrderIsNoFault(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	produce(t, k, func(c *clerk) {
		p := c.place(nil)
		c.write(p, order.Working)
		c.keep(p, "%PDF")()
		c.write(p, order.Mailing)
		c.confirm(c.refund(p))
	})
	if got := run(t, k); !got.OK() || got.Orders != (audit.Tally{Accepted: 2, Confirmed: 1, InFlight: 1, Refunds: 1}) {
		t.Errorf("got %+v, faults %v; want one order in flight, its refund confirmed, and no fault", got.Orders, named(got.Faults))
	}
}

// TestARefundFindsItsOrderInAnotherPartition has refund and order in different partitions, with
// and without faults.
func TestARefundFindsItsOrderInAnotherPartition(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		b := newBook(t, k, k.Prefix)
		near, far := newClerk(b, 0), newClerk(b, 2)
		p := near.confirm(near.place(nil))
		far.confirm(far.refund(p, piece))
		near.confirm(near.refund(p, piece))
		far.forge(p, func(o *order.Order) { o.Refund.Number = 4 })
		b.play(t, k, len(b.acts))
		want := []string{"over-refunded 2-1 ord_0_1-refund-4", "refund-gap 2-1 ord_0_1-refund-4"}
		if diff := cmp.Diff(want, named(run(t, k).Faults)); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	})
}
