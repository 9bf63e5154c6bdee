package audit

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
)

// refund is a refund with its total.
type refund struct {
	*order.Refund
	gives order.Money // with VAT
}

// refund notes an order if it is a refund.
func (t *table) refund(offset int64, o order.Order) {
	if o.Refund != nil {
		t.at(offset).facts |= isRefund
		t.refunds[offset] = refund{o.Refund, o.Refunded().Plus(o.Refund.Tax)}
	}
}

// place is the origin of the order at an offset.
func (t *table) place(offset int64) order.Origin {
	at := t.origin
	at.Offset = offset
	return at
}

// number is the invoice number of an offset of orders, or its credit note number for a refund.
func (t *table) number(offset int64) string {
	if t.at(offset).facts&isRefund != 0 {
		return t.place(offset).CreditNoteNumber()
	}
	return t.place(offset).InvoiceNumber()
}

// total is a hash of an amount, and never 0.
func total(seed maphash.Seed, m order.Money) uint32 {
	return uint32(maphash.String(seed, m.String())) | 1
}

// credit is a refund with its place in orders.
type credit struct {
	refund
	partition int
	offset    int64
	issued    bool // the credit note is issued
	old       bool // appended before the audit measured anything else
	wrong     kinds
}

// balance compares all refunds with the invoices that they refund, after all partitions are read.
// before has the ends of orders before anything else was measured: everything that an older refund
// was computed from has been read.
func (a *auditor) balance(verdicts []verdict, before kafka.Offsets) {
	var all []credit
	whole := true // no earlier refund can be missing
	for number, t := range a.tables {
		end := before[kafka.Partition{Topic: a.topics.Orders, Number: int32(number)}].At // 0 if it is unknown: no refund is older
		whole = whole && verdicts[number].untraced == 0 && verdicts[number].unread == nil
		for offset, r := range t.refunds {
			all = append(all, credit{refund: r, partition: number, offset: offset, issued: t.issued(t.at(offset)), old: offset < end})
		}
	}
	slices.SortFunc(all, func(a, b credit) int { return cmp.Or(cmp.Compare(a.Of, b.Of), cmp.Compare(a.Number, b.Number)) })
	a.refunds(verdicts, all, whole)
	// Name the oldest faults.
	slices.SortFunc(all, func(a, b credit) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
	})
	for _, c := range all {
		if c.old {
			verdicts[c.partition].fault(c.wrong, c.offset, 1)
		}
	}
}

// refunds judges the refunds of each order by their numbers.
func (a *auditor) refunds(verdicts []verdict, all []credit, whole bool) {
	given, reached := order.Money{}, 0
	for i := range all {
		c := &all[i]
		if i > 0 && all[i-1].Of != c.Of {
			given, reached = order.Money{}, 0
		}
		if whole && c.Number > reached+1 {
			c.wrong |= refundGap
		}
		reached = c.Number
		switch {
		case !a.corrects(verdicts, c.Refund):
			c.wrong |= noOriginal
		case c.issued:
			given = given.Plus(c.gives)
			if given.Minor > c.Invoice.Total.Minor {
				c.wrong |= overRefunded
			}
		}
	}
}

// corrects reports whether the invoice in a refund was issued for the refunded order, with the same
// total. It returns true if the partition of the invoice was not read.
func (a *auditor) corrects(verdicts []verdict, r *order.Refund) bool {
	at := order.Origin{Incarnation: a.incarnation}
	_, err := fmt.Sscanf(r.Invoice.Number, "INV-"+a.incarnation+"-%d-%d", &at.Partition, &at.Offset)
	if err != nil || at.InvoiceNumber() != r.Invoice.Number || min(int64(at.Partition), at.Offset) < 0 || int(at.Partition) >= len(a.tables) {
		return false
	}
	if verdicts[at.Partition].unread != nil {
		return true
	}
	t := a.tables[at.Partition]
	e := t.at(at.Offset)
	return e.key == maphash.String(a.seed, string(r.Of)) && t.issued(e) && e.facts&isRefund == 0 &&
		(e.total == 0 || e.total == total(a.seed, r.Invoice.Total))
}
