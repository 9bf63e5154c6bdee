package invoice

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/orders/shared/order"
)

// Fits renders the largest document that an order can cause and returns an error if it has more
// than most bytes. Without this check Kafka would refuse the record of such an invoice, and the
// order would fail.
func (s *Step) Fits(most int) error {
	pdf, _, err := s.renderer.Render(s.content(s.largest()))
	if err != nil {
		return fmt.Errorf("rendering the largest invoice: %w", err)
	}
	if len(pdf) > most {
		return fmt.Errorf("the largest invoice has %d KiB with this seller, and the limit is %d KiB: "+
			"shorten its texts or its logo", len(pdf)>>10, most>>10)
	}
	return nil
}

// largest returns an order with the maximum number of lines, in two alphabets, and texts of
// the characters with the largest outlines.
func (s *Step) largest() *order.Work {
	dense := s.renderer.Densest(3000)
	take := func(n int) (next string) {
		next, dense = string(dense[:n]), dense[n:]
		return next
	}
	text := func() string { return take(200) }
	address := func() order.Address {
		return order.Address{
			Line1: text(), Line2: text(), City: text(), Region: text(), PostalCode: strings.Repeat("W", 16), Country: "GS",
		}
	}
	o := order.Order{
		Customer: order.Customer{Name: text(), Company: text()}, Service: order.Standard, ShipTo: address(),
		BillTo:    &order.BillTo{Name: text(), Company: text(), Address: address()},
		Reference: take(100), BuyerReference: take(100), PurchaseOrder: take(100),
	}
	line := order.Line{
		SKU: strings.Repeat("S", 64), Name: strings.Repeat("A"+strings.Repeat("\u0301\u0302", 4), 22),
		Quantity: order.MaxQuantity, UnitPrice: order.EUR.Cents(order.MaxPrice),
	}
	o.Lines = slices.Repeat([]order.Line{line}, order.MaxLines)
	w := new(o.Begin(order.Origin{Incarnation: "000000"}).Work)
	net := o.ItemsTotal()
	w.Progress.Shipping = &order.Shipping{Service: order.Standard, Price: order.EUR.Cents(0)}
	w.Progress.Invoice = &order.Invoice{
		Number: w.Origin.InvoiceNumber(), IssuedAt: time.Unix(0, 0).UTC(), Language: "en",
		Taxes: []order.Tax{{Category: order.VATExport, Net: net}}, Net: net, Total: net,
	}
	return w
}
