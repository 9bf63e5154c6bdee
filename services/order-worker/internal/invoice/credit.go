package invoice

import (
	"fmt"
	"time"

	"example.com/orders/shared/order"
)

// credit settles the credit note of a refund. Category, rate and language are those of the invoice that it corrects, whatever the
// tables of today say.
func credit(w *order.State) (*order.Invoice, error) {
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

// matter is what a document is about: where pages and data find out in what an invoice and a credit note differ, beside their words.
type matter struct {
	order    order.ID
	placed   time.Time       // or zero: not known
	supplied time.Time       // when the goods were handed to the carrier
	shipping *order.Shipping // or nil: it has no part in this
	corrects *order.Invoice  // or nil: it is an invoice
	reason   string
}

// matterOf is an order and its invoice or, of a refund, the order that is refunded and the invoice that is corrected.
func matterOf(w *order.State) matter {
	shipping, _ := w.Shipping()
	r := w.Order.Refund
	if r == nil {
		return matter{order: w.Order.ID, placed: w.Order.PlacedAt, supplied: supplied(*w.Progress.Invoice), shipping: shipping}
	}
	return matter{order: r.Of, supplied: supplied(r.Invoice), shipping: shipping, corrects: &r.Invoice, reason: r.Reason}
}

// credit is the language with the words of a credit note for what an invoice names in another way.
func (t *tongue) credit() *tongue {
	c := *t
	c.Invoice, c.words.Number, c.words.Date = t.CreditNote, t.CreditNumber, t.CreditDate
	c.NetTotal, c.Total = t.CreditNet, t.CreditTotal
	c.Due, c.AtOnce = t.Settled, t.Settled
	return &c
}
