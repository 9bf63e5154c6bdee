package invoice

import (
	"fmt"
	"strings"
	"time"

	"example.com/orders/shared/order"
)

// Fits renders the largest document that a customer can bring about, and refuses a seller with whom it has more than most bytes:
// the record that keeps it would be refused, and the order with it. It is for sellers of others: a test holds that ours fits.
func (s *Step) Fits(most int) error {
	pdf, err := s.renderer.Render(s.content(s.largest()))
	if err != nil {
		return fmt.Errorf("rendering the largest invoice: %w", err)
	}
	if len(pdf) > most {
		return fmt.Errorf("the largest invoice has %d KiB with this seller, and %d KiB can be kept: shorten its texts or its logo", len(pdf)>>10, most>>10)
	}
	return nil
}

// largest is an order of as many lines as there can be, in two alphabets, to an address made of the characters that take most room.
func (s *Step) largest() *order.State {
	dense := s.renderer.Densest(1000)
	text := func(n int) string { return string(dense[200*n : 200*n+200]) }
	o := order.Order{
		Customer: order.Customer{Name: text(0)}, Service: order.Standard,
		ShipTo: order.Address{Line1: text(1), Line2: text(2), City: text(3), Region: text(4), PostalCode: strings.Repeat("W", 16), Country: "GS"},
	}
	for range order.MaxLines {
		o.Lines = append(o.Lines, order.Line{
			SKU: strings.Repeat("S", 64), Name: strings.Repeat("Żółty шляхта żeglar ", 10), Quantity: order.MaxQuantity, UnitPrice: order.EUR.Cents(order.MaxPrice),
		})
	}
	w := new(o.Begin(order.Origin{Incarnation: "000000"}))
	net := o.ItemsTotal()
	w.Progress.Shipping = &order.Shipping{Service: order.Standard, Price: order.EUR.Cents(0)}
	w.Progress.Invoice = &order.Invoice{
		Number: w.Origin.InvoiceNumber(), IssuedAt: time.Unix(0, 0).UTC(), Language: "en", Taxes: []order.Tax{{Category: order.VATExport, Net: net}}, Net: net, Total: net,
	}
	return w
}
