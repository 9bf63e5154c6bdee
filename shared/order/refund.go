package order

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Refund makes an order a refund: the price of its lines and shipping is paid back, and its document
// is a credit note for the invoice of another order. A refund is processed like any order, with an ID,
// a number and a state of its own. The order that it refunds does not change.
type Refund struct {
	Of       ID      // the refunded order
	Number   int     // 1 for the first refund of that order, without gaps
	Key      string  // hex; distinguishes requests with the same number
	Reason   string  // printed on the credit note; or empty
	Shipping Money   // the refunded part of the shipping price; net, or with VAT if the order is Gross
	Tax      Money   // VAT of lines and shipping
	Net      Money   // of a Gross order: lines and shipping without VAT; else 0
	Invoice  Invoice // the corrected one, without Kept
	PayBack  Money   // the part of the total that is to be paid back
	Method   string  // by which the order was paid, if that was one; or empty
	Returned Money   // the part of the total that was paid back before; the rest reduces what is still due
	// ReturnedAt is when the last of Returned was paid back; zero without any. UTC, seconds.
	ReturnedAt time.Time
}

// Refund is the ID of an order's refund with a number. A client that refunds an order takes the next
// number after those that it has seen. If two do so at the same time, the first record is valid and
// the other one is a duplicate: so the client of a valid refund has seen all earlier ones.
func (id ID) Refund(number int) ID { return ID(fmt.Sprintf("%s-refund-%d", id, number)) }

// Refund returns the next refund of an order whose invoice is issued: of quantities of its lines, by
// SKU, and of its shipping; or, without both, of everything that is left. The caller sets time, key
// and reason. Before holds all refunds of the order, dead ones too: a dead letter can be replayed. A
// request for more than what is left is invalid.
//
// The VAT is that of all refunds together, less the VAT that was refunded before. So the last refund
// includes the remainder of rounding, and together they equal the invoice to the cent. With gross prices
// that is so for the VAT that they include, whether it is charged or not.
func (w *Work) Refund(items []Line, shipping bool, before []Order) (Order, []Invalid) {
	i := w.Progress.Invoice
	v := &checker{}
	if len(items) > 0 {
		v.lines(items)
	}
	if len(i.Taxes) != 1 {
		v.add("", "an invoice with several VAT rates cannot be refunded")
	}
	if len(v.found) > 0 {
		return Order{}, v.found
	}
	r := &Refund{Of: w.Order.ID, Number: len(before) + 1, Shipping: EUR.Cents(0), Invoice: *i}
	r.Invoice.Announced, r.Invoice.Kept, r.Invoice.Payments = 0, nil, 0
	p := w.Order
	o := Order{
		ID: r.Of.Refund(r.Number), Customer: p.Customer, ShipTo: p.ShipTo, BillTo: p.BillTo, Service: p.Service,
		Reference: p.Reference, BuyerReference: p.BuyerReference, PurchaseOrder: p.PurchaseOrder,
		Gross: p.Gross, Owner: p.Owner, LinkToken: p.LinkToken, Refund: r,
	}
	price := w.Progress.Shipping.Price
	for _, b := range before {
		price = price.Plus(b.Refund.Shipping.Times(-1))
	}
	all := len(items) == 0 && !shipping
	o.Lines = v.left(w.Order.Lines, items, before, all)
	if all || shipping {
		r.Shipping = price
	}
	switch {
	case shipping && price.Minor == 0:
		v.add("/shipping", "nothing of the shipping is left to refund")
	case all && len(o.Lines) == 0 && price.Minor == 0:
		v.add("", "nothing of the order is left to refund")
	}
	o.tax(before)
	r.payBack(w.Payments, w.balance(before), o.Refunded().Plus(r.Tax))
	return o, v.found
}

// tax sets the VAT of a refund and, with gross prices, its net amount.
func (o *Order) tax(before []Order) {
	r, rate := o.Refund, o.Refund.Invoice.Taxes[0].Rate
	prices, done := o.prices(), Money{} // the VAT of the refunds before, on their prices or in them
	for _, b := range before {
		prices = prices.Plus(b.prices())
		if !o.Gross {
			done = done.Plus(b.Refund.Tax)
			continue
		}
		done = done.Plus(b.prices()).Plus(b.Refund.Net.Times(-1))
	}
	if !o.Gross {
		r.Tax = prices.Percent(rate).Plus(done.Times(-1))
		return
	}
	included := prices.Included(r.Invoice.Included).Plus(done.Times(-1))
	r.Net, r.Tax = o.prices().Plus(included.Times(-1)), EUR.Cents(0)
	if rate > 0 {
		r.Tax = included
	}
}

// prices is the price of the lines and of the shipping of a refund.
func (o Order) prices() Money { return o.ItemsTotal().Plus(o.Refund.Shipping) }

// Refunded is the net amount of a refund: its lines and its part of the shipping. For an order it is
// zero.
func (o Order) Refunded() Money {
	switch {
	case o.Refund == nil:
		return Money{}
	case o.Gross:
		return o.Refund.Net
	}
	return o.prices()
}

// Shipping is the shipping on an order's document: the result of the step or, for a refund, the
// refunded part, nil if there is none. It returns false before the step has finished.
func (w *Work) Shipping() (shipping *Shipping, settled bool) {
	r := w.Order.Refund
	switch {
	case r == nil:
		return w.Progress.Shipping, w.Progress.Shipping != nil
	case r.Shipping.Minor == 0:
		return nil, true
	default:
		return &Shipping{Service: w.Order.Service, Price: r.Shipping}, true
	}
}

// left returns the lines to refund: the ones asked for, or all, less earlier refunds.
func (v *checker) left(placed, asked []Line, before []Order, all bool) (lines []Line) {
	for _, l := range placed {
		have := l.Quantity
		for _, b := range before {
			have -= quantity(b.Lines, l.SKU)
		}
		at := slices.IndexFunc(asked, func(a Line) bool { return a.SKU == l.SKU })
		switch {
		case all:
			l.Quantity = have
		case at < 0:
			continue
		case asked[at].Quantity > have:
			v.add("/items/"+strconv.Itoa(at)+"/quantity", fmt.Sprintf("must be at most %d: no more is left to refund", have))
			continue
		default:
			l.Quantity = asked[at].Quantity
		}
		if l.Quantity > 0 {
			lines = append(lines, l)
		}
	}
	for at, a := range asked {
		if quantity(placed, a.SKU) == 0 {
			v.add("/items/"+strconv.Itoa(at)+"/sku", "is not in the order")
		}
	}
	return lines
}

// quantity is the number of pieces of a SKU in lines.
func quantity(lines []Line, sku string) (sum int) {
	for _, l := range lines {
		if l.SKU == sku {
			sum += l.Quantity
		}
	}
	return sum
}
