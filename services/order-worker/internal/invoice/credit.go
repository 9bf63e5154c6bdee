package invoice

import (
	"fmt"
	"time"

	"example.com/orders/shared/order"
)

// planCreditNote settles the credit note of a refund. Category, rate and language are those of the invoice that it corrects, whatever the
// tables of today say.
func planCreditNote(w *order.State) (*order.Invoice, error) {
	r := w.Order.Refund
	if len(r.Invoice.Taxes) != 1 {
		return nil, fmt.Errorf("planning credit note: invoice %s has %d rates of VAT", r.Invoice.Number, len(r.Invoice.Taxes))
	}
	total, err := add(w.Order.Lines, r.Shipping, r.Tax)
	if err != nil {
		return nil, fmt.Errorf("planning credit note: %w", err)
	}
	net, of := w.Order.Refunded(), r.Invoice.Taxes[0]
	return &order.Invoice{
		Number:   w.Origin.CreditNoteNumber(),
		IssuedAt: time.Now().UTC().Truncate(time.Second),
		VATTable: r.Invoice.VATTable,
		Language: r.Invoice.Language,
		Taxes:    []order.Tax{{Category: of.Category, Rate: of.Rate, Net: net, Tax: r.Tax}},
		Net:      net,
		Tax:      r.Tax,
		Total:    total,
	}, nil
}

// subject is what a document is subject: where pages and data find out in what an invoice and a credit note differ, beside their words.
type subject struct {
	order    order.ID
	placed   time.Time       // or zero: not known
	supplied time.Time       // when the goods were handed to the carrier
	shipping *order.Shipping // or nil: it has no part in this
	corrects *order.Invoice  // or nil: it is an invoice
	reason   string
}

// subjectOf is an order and its invoice or, of a refund, the order that is refunded and the invoice that is corrected.
func subjectOf(w *order.State) subject {
	shipping, _ := w.Shipping()
	r := w.Order.Refund
	if r == nil {
		return subject{order: w.Order.ID, placed: w.Order.PlacedAt, supplied: supplied(*w.Progress.Invoice), shipping: shipping}
	}
	return subject{order: r.Of, supplied: supplied(r.Invoice), shipping: shipping, corrects: &r.Invoice, reason: r.Reason}
}

// credit is the language with the words of a credit note for what an invoice names in another way.
func (t *translation) credit() *translation {
	c := *t
	c.Invoice, c.words.Number, c.words.Date = t.CreditNote, t.CreditNumber, t.CreditDate
	c.NetTotal, c.Total = t.CreditNet, t.CreditTotal
	c.Due, c.AtOnce = t.Settled, t.Settled
	return &c
}
