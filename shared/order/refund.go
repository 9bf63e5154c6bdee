package order

import (
	"fmt"
	"slices"
	"strconv"
)

// Refund makes an order one the other way round: what its lines and shipping cost is given back, and its document is a credit
// note for the invoice of another order. It goes the way of every order, under an ID, a number and with a state of its own;
// the order that it refunds stays as it is.
type Refund struct {
	Of       ID      // the order that is refunded
	Number   int     // 1 for the first refund of that order, without gaps
	Key      string  // hex; tells it from others that are asked for under the same number
	Reason   string  // printed on the credit note; or empty
	Shipping Money   // net, of what was paid for shipping
	Tax      Money   // VAT of lines and shipping
	Invoice  Invoice // that is corrected, without Kept
}

// Refund is the ID of an order's refund of a number. Whoever refunds an order appends under the number that follows those it
// knows. When two do that at once the first record counts, and so every refund that counts was made by somebody who
// knew all before it.
func (id ID) Refund(number int) ID { return ID(fmt.Sprintf("%s-refund-%d", id, number)) }

// Refund returns the next refund of an order whose invoice is issued: of quantities of its lines,
// by SKU, and of its shipping; or, when neither is asked for, of all that is left. Time, key and
// reason are for the caller to set. Before holds all refunds that the order has, whatever became of
// them: a dead letter can be replayed. What is asked for and not left to refund is invalid.
//
// VAT is that of all refunds together, less what was refunded before. So the last one takes what rounding left, and all of
// them give back what the invoice says, to the cent, and never more.
func (w *Work) Refund(items []Line, shipping bool, before []Order) (Order, []Invalid) {
	i := w.Progress.Invoice
	v := &checker{}
	if len(items) > 0 {
		v.lines(items)
	}
	if len(i.Taxes) != 1 {
		v.add("", "its invoice has several rates of VAT")
	}
	if len(v.found) > 0 {
		return Order{}, v.found
	}
	r := &Refund{Of: w.Order.ID, Number: len(before) + 1, Shipping: EUR.Cents(0), Invoice: *i}
	r.Invoice.Announced, r.Invoice.Kept = 0, nil
	o := Order{ID: r.Of.Refund(r.Number), Customer: w.Order.Customer, ShipTo: w.Order.ShipTo, Service: w.Order.Service, Refund: r}
	price, net, tax := w.Progress.Shipping.Price, Money{}, Money{}
	for _, b := range before {
		price, net, tax = price.Plus(b.Refund.Shipping.Times(-1)), net.Plus(b.Refunded()), tax.Plus(b.Refund.Tax)
	}
	all := len(items) == 0 && !shipping
	o.Lines = v.left(w.Order.Lines, items, before, all)
	if all || shipping {
		r.Shipping = price
	}
	switch {
	case shipping && price.Minor == 0:
		v.add("/shipping", "nothing of it is left to refund")
	case all && len(o.Lines) == 0 && price.Minor == 0:
		v.add("", "nothing of the order is left to refund")
	}
	r.Tax = net.Plus(o.Refunded()).Percent(i.Taxes[0].Rate).Plus(tax.Times(-1))
	return o, v.found
}

// Refunded is the net amount that a refund gives back: its lines and what it has of the shipping. Of an order it is nothing.
func (o Order) Refunded() Money {
	if o.Refund == nil {
		return Money{}
	}
	return o.ItemsTotal().Plus(o.Refund.Shipping)
}

// Shipping is what an order's document says of its shipping: what was settled or, of a refund, what is given back of that; nil if
// that is nothing. It reports false as long as nothing is settled.
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

// left are the lines to refund: those asked for, or all, as far as earlier refunds have left something of them.
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

// quantity is how many pieces lines have of a SKU.
func quantity(lines []Line, sku string) (sum int) {
	for _, l := range lines {
		if l.SKU == sku {
			sum += l.Quantity
		}
	}
	return sum
}

// refund says what is wrong with a refund: whoever writes to the topic can write anything.
func (v *checker) refund(o Order) {
	r := o.Refund
	if r.Number < 1 {
		v.add("/refund/number", "must be at least 1")
	}
	v.text("/refund/reason", r.Reason, 0, maxText)
	v.text("/refund/invoice/number", r.Invoice.Number, 1, maxText)
	if r.Invoice.IssuedAt.IsZero() {
		v.add("/refund/invoice/issued_at", "must be the date of the invoice")
	}
	if len(r.Invoice.Taxes) != 1 {
		v.add("/refund/invoice/taxes", "must be one")
	}
	if min(r.Shipping.Minor, r.Tax.Minor) < 0 {
		v.add("/refund", "must have no amounts below 0.00")
	}
	if len(o.Lines) == 0 && r.Shipping.Minor == 0 {
		v.add("/items", "must have lines, unless shipping is refunded")
	}
}
