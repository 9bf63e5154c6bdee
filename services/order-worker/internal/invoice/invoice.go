// Package invoice is the step that settles an order's invoice (number, date, VAT) and renders it as a hybrid document
// (Factur-X, ZUGFeRD): a PDF/A-3b for people, with the same figures as XML inside, for programs.
//
// Plan decides all that may differ between two attempts and writes it to the order's progress; Do renders from the
// order, its progress and the seller alone. So the same order gives the same bytes, on every attempt and in every worker.
//
// # Arithmetic
//
// Prices are net. Lines and shipping add up to the net amount, and net and VAT to the total, exactly. The VAT of a rate
// is the rate of the summed net (not the sum of rounded lines), rounded half away from zero to a cent.
//
// The rate is the standard rate of the country the order is shipped to, for all lines and for shipping, as of the table
// in folder vat, whose version the progress records. A country outside the European Union is an export at 0 %; so is what
// a business with a VAT ID has sent to another member state, an intra-community supply. The invoice says which.
// Simplifications: reduced rates are not used; a country counts as a whole (the Canary Islands are
// Spain); Northern Ireland and Monaco are outside, although goods shipped there are taxed as in the Union; whether a VAT ID
// is in use, which the seller must know, is not asked.
//
// # Credit notes
//
// A refund is invoiced the other way round. Its credit note says which invoice it corrects, and its amounts are above zero: its
// name says that they are given back. It has the category, rate and language of that invoice. Its lines, shipping and VAT add
// up to the total, exactly. Its VAT stands in the refund, as that of all refunds so far less that of all before, and so differs
// from the rate of its own net by a cent at most; all credit notes together never exceed the invoice, and equal it when all is
// refunded.
//
// # Language
//
// Labels, dates and numbers are in the language that most people of the country write that the goods go to (English,
// German, French, Polish, Greek, Ukrainian), and in English everywhere else. Country names in addresses are English, which
// carriers read. Plan settles the language, so that an invoice stays in it.
//
// # Failures
//
// An order that cannot be invoiced is refused for good (failure.RenderRefused): there is nothing to wait for.
package invoice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/orders/services/order-worker/internal/document"
	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

// Step makes invoices of one seller. It is safe for concurrent use.
type Step struct {
	seller       Seller
	rates        *rates
	renderer     *document.Renderer
	translations map[locale.Language]*translation
}

// New returns the step for a seller. An error means that the embedded fonts, languages or VAT table are damaged.
func New(seller Seller) (*Step, error) {
	r, err := loadRates()
	if err != nil {
		return nil, fmt.Errorf("reading VAT table: %w", err)
	}
	renderer, err := seller.design().NewRenderer()
	if err != nil {
		return nil, err
	}
	t, err := loadTranslations()
	if err != nil {
		return nil, fmt.Errorf("reading languages: %w", err)
	}
	return &Step{seller: seller, rates: r, renderer: renderer, translations: t}, nil
}

// Plan settles number, date, VAT and totals. What an earlier attempt settled stays. It needs the shipping price.
func (s *Step) Plan(_ context.Context, w *order.State) error {
	if w.Progress.Invoice != nil {
		return nil
	}
	settle := s.planInvoice
	if w.Order.Refund != nil {
		settle = planCreditNote
	}
	settled, err := settle(w)
	if err != nil {
		return refuse(err)
	}
	w.Progress.Invoice = settled
	return nil
}

// planInvoice settles the invoice of an order.
func (s *Step) planInvoice(w *order.State) (*order.Invoice, error) {
	if w.Progress.Shipping == nil {
		return nil, errors.New("planning invoice: shipping has no price")
	}
	net, err := add(w.Order.Lines, w.Progress.Shipping.Price)
	if err != nil {
		return nil, fmt.Errorf("planning invoice: %w", err)
	}
	to := w.Order.ShipTo.Country
	category := s.rates.category(s.seller.Country, w.Order.Customer, to)
	rate := s.rates.of(category, to)
	tax := net.Percent(rate)
	return &order.Invoice{
		Number:   w.Origin.InvoiceNumber(),
		IssuedAt: time.Now().UTC().Truncate(time.Second),
		VATTable: s.rates.version,
		Language: locale.In(to).String(),
		Taxes:    []order.Tax{{Category: category, Rate: rate, Net: net, Tax: tax}},
		Net:      net,
		Tax:      tax,
		Total:    net.Plus(tax),
	}, nil
}

// Do renders the document into w.Document. A document that is there already, because it was issued, stays.
func (s *Step) Do(_ context.Context, w *order.State) error {
	if w.Document != nil {
		return nil
	}
	// Without a date gofpdf would take the time of day.
	if _, shipped := w.Shipping(); !shipped || w.Progress.Invoice == nil || w.Progress.Invoice.IssuedAt.IsZero() || len(w.Progress.Invoice.Taxes) == 0 {
		return refuse(errors.New("rendering invoice: nothing is planned"))
	}
	pdf, err := s.renderer.Render(s.content(w))
	if err != nil {
		return refuse(fmt.Errorf("rendering invoice %s: %w", w.Progress.Invoice.Number, err))
	}
	w.Document = pdf
	return nil
}

// add sums lines and more. Everything must be in euros: amounts of two currencies have no sum.
func add(lines []order.Line, more ...order.Money) (order.Money, error) {
	sum := order.EUR.Cents(0)
	for _, m := range append(nets(lines), more...) {
		if m.Currency != "" && m.Currency != order.EUR {
			return order.Money{}, fmt.Errorf("%s %s among amounts in %s", m.Currency, m, order.EUR)
		}
		sum = sum.Plus(m)
	}
	return sum, nil
}

// nets are the net amounts of the lines.
func nets(lines []order.Line) []order.Money {
	nets := make([]order.Money, 0, len(lines)+2)
	for _, l := range lines {
		nets = append(nets, l.Net())
	}
	return nets
}

// refuse marks an error as final. Another attempt has the same order, and ends the same way.
func refuse(err error) error { return failure.New(failure.Permanent, failure.RenderRefused, err) }
