package invoice

import (
	"fmt"
	"time"

	"example.com/orders/shared/order"
)

// planCreditNote decides the credit note of a refund. It has category, rate and language of the
// invoice that it corrects, even if the VAT table has changed since.
func (s *Step) planCreditNote(w *order.Work) (*order.Invoice, error) {
	r := w.Order.Refund
	if len(r.Invoice.Taxes) != 1 {
		n := len(r.Invoice.Taxes)
		return nil, fmt.Errorf("planning credit note: invoice %s has %d VAT rates, want 1", r.Invoice.Number, n)
	}
	if _, err := add(w.Order.Lines, r.Shipping, r.Tax, r.Net); err != nil {
		return nil, fmt.Errorf("planning credit note: %w", err)
	}
	net, of := w.Order.Refunded(), r.Invoice.Taxes[0]
	return &order.Invoice{
		Number:   w.Origin.CreditNoteNumber(),
		IssuedAt: s.now(),
		VATTable: r.Invoice.VATTable,
		Language: r.Invoice.Language,
		Taxes:    []order.Tax{{Category: of.Category, Rate: of.Rate, Net: net, Tax: r.Tax}},
		Net:      net,
		Tax:      r.Tax,
		Total:    net.Plus(r.Tax),
		Included: r.Invoice.Included,
	}, nil
}

// subject is in what an invoice and a credit note differ apart from
// their words.
type subject struct {
	placed   time.Time // zero: unknown
	supplied time.Time // when the goods are dispatched; zero: not planned
	invoiced time.Time
	shipping *order.Shipping // nil: the document has no shipping
	corrects *order.Invoice  // nil: the document is an invoice
	reason   string
}

// subjectOf returns the subject of an order's invoice, with the time of placing in a zone. For a refund that is the refunded order and
// the corrected invoice.
func subjectOf(w *order.Work, zone *time.Location) subject {
	shipping, _ := w.Shipping()
	r := w.Order.Refund
	if r == nil {
		return subject{
			placed: w.Order.PlacedAt.In(zone), supplied: w.Progress.Invoice.Dispatch, invoiced: w.Progress.Invoice.IssuedAt, shipping: shipping,
		}
	}
	return subject{
		supplied: r.Invoice.Dispatch, invoiced: r.Invoice.IssuedAt, shipping: shipping,
		corrects: &r.Invoice, reason: r.Reason,
	}
}

// forCreditNotes returns the translation with the words of a credit note in place of those of an
// invoice.
func (t *translation) forCreditNotes() *translation {
	c := *t
	c.Invoice, c.words.Number, c.words.Date = t.CreditNote, t.CreditNumber, t.CreditDate
	c.NetTotal, c.Total = t.CreditNet, t.CreditTotal
	return &c
}
