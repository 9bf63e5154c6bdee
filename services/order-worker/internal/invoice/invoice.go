// Package invoice is the step that issues the invoice of an order, or the credit note of a refund:
// number, date, VAT and totals, and the document for people and programs.
//
// Plan decides everything that could differ between two attempts and writes it to the order's
// progress. Do renders the document from the order, its progress and the seller alone. So every
// attempt of every worker renders the same bytes.
//
// # Arithmetic
//
// Prices are net. Lines and shipping add up to the net amount, and net and VAT to the total,
// exactly. The VAT of a rate is computed from the summed net, not from rounded lines, and rounded
// half away from zero to a cent.
//
// The prices of a gross order include VAT. If VAT is charged, at whatever rate, lines and shipping add
// up to the total. The VAT is computed from the total, and rounded; the net amount is the rest. So the
// VAT can differ by a cent from the rate of the net amount, which BR-CO-17 of EN 16931 allows: not every
// total is a net amount and its VAT. If no VAT is charged, the total is that of the prices without the
// VAT that the seller charges at home, so that the seller has the net amount of a sale at home.
//
// All lines and shipping have one category and rate: those that package vat decides for the day of the
// issue. The progress records them, with the version of the VAT table: a later attempt, and the credit
// notes of the invoice, keep them. The document states the reason for 0 %. Reduced rates are not used.
// Whether a VAT ID is in use, which a seller must check, is checked by the API when the order is placed, or not at all.
//
// # Parties
//
// The invoice is addressed to whom the order is billed, and names the address of the delivery if that
// is another one. VAT is that of the place of delivery, with the VAT ID of who is billed.
//
// # Credit notes
//
// A credit note corrects an invoice, which it names. It has the category, rate and language of that
// invoice. Its amounts are positive: its title says that they are refunded. Lines, shipping and VAT
// add up to the total, exactly. The VAT of a refund is the VAT of all refunds up to it less the VAT
// of those before it, so it can differ by a cent from the rate of its own net. All credit notes of
// an invoice together never exceed the invoice, and equal it when everything is refunded.
//
// # Language
//
// Labels, dates and numbers are in the language that most people of the buyer's country write, if it
// is one of package locale, and in English otherwise. Addresses are in the
// sequence of the post of their country; they name the country, unless it is the seller's. Plan
// decides the language, so that all documents of an order have the same one.
//
// # Dates
//
// Days are those of the seller's time zone: those of issue, supply, payment and due date, and the day
// whose VAT rate applies. The record of an invoice keeps the offset of its time, so its day stays the
// same if the seller's zone changes.
//
// The date of supply is the day of dispatch as the seller plans it. Without a plan the documents say so in
// words: a date is required only as far as it can be determined (Article 226(7) of Directive
// 2006/112/EC). Instead of the date (BT-72) the XML then has a period that begins on the day of the
// invoice (BT-73): it must have either, by BR-FX-EN-04 of Factur-X and BR-IC-11 of EN 16931.
//
// The rate is that of the day of issue. By Article 93 it is that of the chargeable event, which is the
// supply (Article 63); member states can let the VAT become chargeable with the invoice (Article 66(a)).
// They differ only if a rate changes between invoice and dispatch.
//
// # Failures
//
// An order that cannot be invoiced fails permanently (failure.RenderRefused): another attempt would
// end the same way.
package invoice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"example.com/orders/services/order-worker/internal/document"
	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/address"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/vat"
)

// Step issues the invoices of one seller. It is safe for concurrent use.
type Step struct {
	seller       Seller
	zone         *time.Location
	vat          *vat.Table
	log          *slog.Logger
	places       *address.Countries
	renderer     *document.Renderer
	translations map[locale.Language]*translation
}

// New returns the step for a seller that LoadSeller has read with the same table. An error means that
// the embedded fonts, translations or address formats are damaged.
func New(seller Seller, table *vat.Table, log *slog.Logger) (*Step, error) {
	zone, err := seller.location()
	if err != nil {
		return nil, err
	}
	places, err := address.Load()
	if err != nil {
		return nil, err
	}
	renderer, err := seller.design().NewRenderer()
	if err != nil {
		return nil, err
	}
	t, err := loadTranslations()
	if err != nil {
		return nil, fmt.Errorf("reading translations: %w", err)
	}
	return &Step{seller: seller, zone: zone, vat: table, log: log, places: places, renderer: renderer, translations: t}, nil
}

// now is the time in the zone of the seller, as documents have it.
func (s *Step) now() time.Time { return time.Now().In(s.zone).Truncate(time.Second) }

// Zone is the time zone of the seller, whose days documents and mails have.
func (s *Step) Zone() *time.Location { return s.zone }

// Name is the step's name.
func (s *Step) Name() order.Step { return order.StepInvoice }

// Intent is the status of an order whose invoice is being issued.
func (s *Step) Intent() order.Status { return order.Working }

// Stored reports whether the document of a planned order is stored in orders.invoices.
func (s *Step) Stored(w *order.Work) bool { return w.Progress.Invoice.Kept != nil }

// Plan decides number, date, VAT and totals. It keeps the invoice that an earlier attempt planned.
// It needs the shipping price.
func (s *Step) Plan(_ context.Context, w *order.Work) error {
	if w.Progress.Invoice != nil {
		return nil
	}
	plan := s.planInvoice
	if w.Order.Refund != nil {
		plan = s.planCreditNote
	}
	planned, err := plan(w)
	if err != nil {
		return refuse(err)
	}
	w.Progress.Invoice = planned
	return nil
}

func (s *Step) planInvoice(w *order.Work) (*order.Invoice, error) {
	if w.Progress.Shipping == nil {
		return nil, errors.New("planning invoice: shipping has no price")
	}
	prices, err := add(w.Order.Lines, w.Progress.Shipping.Price)
	if err != nil {
		return nil, fmt.Errorf("planning invoice: %w", err)
	}
	issued := s.now()
	buyer, billed := w.Order.Buyer()
	ruling := s.vat.Rule(vat.Supply{Seller: s.seller.place(), Buyer: buyer, To: w.Order.ShipTo, On: issued})
	net, tax, included := prices, prices.Percent(ruling.Rate), 0
	if w.Order.Gross {
		included = cmp.Or(ruling.Rate, s.vat.Home(s.seller.place(), issued))
		tax = prices.Included(included)
		net = prices.Plus(tax.Times(-1))
	}
	if ruling.Rate == 0 {
		tax = order.EUR.Cents(0)
	}
	return &order.Invoice{
		Number:   w.Origin.InvoiceNumber(),
		IssuedAt: issued,
		Dispatch: s.seller.dispatch(issued),
		VATTable: s.vat.Version(),
		Language: locale.In(billed.Country).String(),
		Taxes:    []order.Tax{{Category: ruling.Category, Rate: ruling.Rate, Net: net, Tax: tax}},
		Net:      net,
		Tax:      tax,
		Total:    net.Plus(tax),
		Payments: len(w.Payments),
		Included: included,
	}, nil
}

// Do renders the document into w.Document, unless it was issued before. It logs which characters the
// fonts lack.
func (s *Step) Do(ctx context.Context, w *order.Work) error {
	if w.Document != nil {
		return nil
	}
	// Without a date gofpdf would write the current time.
	_, shipped := w.Shipping()
	if i := w.Progress.Invoice; !shipped || i == nil || i.IssuedAt.IsZero() || len(i.Taxes) == 0 {
		return refuse(errors.New("rendering invoice: nothing is planned"))
	}
	pdf, missing, err := s.renderer.Render(s.content(w))
	if err != nil {
		return refuse(fmt.Errorf("rendering invoice %s: %w", w.Progress.Invoice.Number, err))
	}
	if len(missing) > 0 {
		s.log.LogAttrs(ctx, slog.LevelWarn, "characters printed as boxes: the fonts of invoices lack them",
			slog.String(telemetry.Order, string(w.Order.ID)), slog.String(telemetry.Characters, codePoints(missing)))
	}
	w.Document = pdf
	return nil
}

// maxLogged is how many characters a log line names.
const maxLogged = 20

func codePoints(chars []rune) string {
	names := make([]string, min(len(chars), maxLogged))
	for i := range names {
		names[i] = fmt.Sprintf("%U", chars[i])
	}
	return strings.Join(names, " ")
}

// add sums the lines and more amounts. All must be in euros: amounts of two currencies have no sum.
func add(lines []order.Line, more ...order.Money) (order.Money, error) {
	sum := order.EUR.Cents(0)
	for _, l := range lines {
		more = append(more, l.Price())
	}
	for _, m := range more {
		if m.Currency != "" && m.Currency != order.EUR {
			return order.Money{}, fmt.Errorf("%s %s among amounts in %s", m.Currency, m, order.EUR)
		}
		sum = sum.Plus(m)
	}
	return sum, nil
}

func refuse(err error) error { return failure.New(failure.Permanent, failure.RenderRefused, err) }
