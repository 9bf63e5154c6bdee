package invoice

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/orders/services/order-worker/internal/einvoice"
	"example.com/orders/shared/order"
)

// data returns the invoice for the XML, from the same values as the pages. Like the pages it has
// neither e-mail nor note of the customer: an operator may edit both after the invoice was issued.
func (s *Step) data(w *order.Work) *einvoice.Invoice {
	i, subject, paid := w.Progress.Invoice, subjectOf(w, s.zone), settlementOf(w, s.zone)
	t, amounts := s.translation(w), w.Statement()
	// All goods go to one country, so all lines have one rate.
	rate := rateOf(i.Taxes[0])
	data := &einvoice.Invoice{
		Type: einvoice.Commercial, Number: i.Number, Issued: i.IssuedAt,
		Supplied: subject.supplied, Currency: order.EUR, Order: w.Order.Number(),
		BuyerReference: w.Order.BuyerReference, PurchaseOrder: w.Order.PurchaseOrder,
		Seller: s.seller.party(t), Buyer: buyer(w.Order.Buyer()),
		ShipTo: einvoice.Party{Name: w.Order.Customer.Party(), Address: postalAddress(w.Order.ShipTo)},
		Terms:  t.terms(s.seller, *i, paid),
		Items:  amounts.Items().Net, Net: i.Net, Tax: i.Tax, Total: i.Total, Paid: paid.before,
	}
	if data.Supplied.IsZero() {
		data.From = subject.invoiced
	}
	s.means(data, paid)
	if c := subject.corrects; c != nil {
		data.Type = einvoice.CreditNote
		data.Corrects, data.Note = einvoice.Document{Number: c.Number, Issued: c.IssuedAt}, subject.reason
	}
	for n, l := range w.Order.Lines {
		data.Lines = append(data.Lines, einvoice.Line{
			// A line must have a name. Records of other producers may lack it: then the SKU is the
			// name.
			ID: strconv.Itoa(n + 1), SKU: l.SKU, Name: cmp.Or(l.Name, l.SKU),
			Price: unitPrice(w.Order, n, amounts.Lines[n].Net, xmlDecimals), Quantity: l.Quantity, Net: amounts.Lines[n].Net, Rate: rate,
		})
	}
	ship(data, t, subject.shipping, amounts.Shipping.Net, rate)
	for _, tax := range i.Taxes {
		reason, code := t.exemption(tax.Category)
		data.Taxes = append(data.Taxes, einvoice.Tax{
			Rate: rateOf(tax), Net: tax.Net, Tax: tax.Tax, Exemption: reason, ExemptionCode: code,
		})
	}
	return data
}

// The most decimals of a unit price that is computed. With those of the XML, quantity and price give the
// amount of the line to the cent (BT-131), up to the largest quantity.
const (
	xmlDecimals  = 8
	pageDecimals = 4
)

// unitPrice is the unit price of a line whose amount is stated: the one of the order or, if the order has
// gross prices and the line is stated net, its share of the amount.
func unitPrice(o order.Order, n int, stated order.Money, decimals int) string {
	l := o.Lines[n]
	if stated == l.Price() {
		return l.UnitPrice.String()
	}
	return stated.Each(l.Quantity, decimals)
}

// ship adds shipping as a charge. If the invoice has no lines, shipping is its only line: EN 16931
// requires one.
func ship(data *einvoice.Invoice, t *translation, s *order.Shipping, net order.Money, rate einvoice.Rate) {
	if s == nil {
		return
	}
	reason := t.Shipping + ", " + t.service(s.Service)
	if len(data.Lines) == 0 {
		data.Lines = []einvoice.Line{{ID: "1", Name: reason, Price: net.String(), Quantity: 1, Net: net, Rate: rate}}
		data.Items = net
		return
	}
	data.Charges = []einvoice.Charge{{Code: einvoice.Freight, Reason: reason, Net: net, Rate: rate}}
	data.Charged = net
}

// percent formats a rate for the XML, without trailing zeros: 19, 25.5.
func percent(rate int) string { return strconv.FormatFloat(float64(rate)/100, 'f', -1, 64) }

func rateOf(t order.Tax) einvoice.Rate {
	return einvoice.Rate{Category: t.Category, Percent: percent(t.Rate)}
}

// buyer returns the buyer: the business, with the person as its contact, or the person.
func buyer(c order.Customer, a order.Address) einvoice.Party {
	p := einvoice.Party{Name: c.Party(), Address: postalAddress(a)}
	if p.VATID = c.VATNumber(); c.VATState() == "" {
		p.ID, p.VATID = p.VATID, "" // a number of another kind: BT-48 needs the prefix of a country
	}
	if c.Company != "" {
		p.Contact.Name = c.Name
	}
	return p
}

func postalAddress(a order.Address) einvoice.Address {
	return einvoice.Address{
		Line1: a.Line1, Line2: a.Line2, City: a.City, PostalCode: a.PostalCode, Region: a.Region, Country: a.Country,
	}
}

// party returns the seller. Only a person or a telephone number makes a contact.
func (s *Seller) party(t *translation) einvoice.Party {
	p := einvoice.Party{
		Name: s.Name, VATID: s.VATID, TaxNumber: s.TaxNumber, Email: s.Email,
		Legal:   strings.Join(slices.DeleteFunc([]string{s.Register, t.managers(*s)}, empty), "; "),
		Address: einvoice.Address{Line1: s.Street, Line2: s.Street2, PostalCode: s.PostalCode, City: s.City, Country: s.Country},
	}
	if c := s.Contact; c.Name != "" || c.Phone != "" {
		p.Contact = einvoice.Contact{Name: c.Name, Phone: c.Phone, Email: cmp.Or(c.Email, s.Email)}
	}
	return p
}

func (s Seller) due(i order.Invoice) time.Time { return i.IssuedAt.AddDate(0, 0, s.PaymentDays) }
