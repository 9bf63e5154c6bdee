package invoice

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"example.com/orders/services/order-worker/internal/einvoice"
	"example.com/orders/shared/order"
)

// data returns the invoice for the XML, from the same values as the pages. Like the pages it has
// neither e-mail nor note of the customer: an operator may edit both after the invoice was issued.
func (s *Step) data(w *order.Work) *einvoice.Invoice {
	i, subject, customer := w.Progress.Invoice, subjectOf(w), w.Order.Customer
	t := s.translation(w)
	// All goods go to one country, so all lines have one rate.
	rate := rateOf(i.Taxes[0])
	buyer := einvoice.Party{Name: customer.Name, VATID: customer.VATID, Address: shipTo(w.Order.ShipTo)}
	data := &einvoice.Invoice{
		Type: einvoice.Commercial, Number: i.Number, Issued: i.IssuedAt,
		Supplied: subject.supplied, Currency: order.EUR, Order: string(subject.order),
		Seller: s.seller.party(), Buyer: buyer, ShipTo: einvoice.Party{Name: buyer.Name, Address: buyer.Address},
		IBAN: strings.ReplaceAll(s.seller.IBAN, " ", ""), BIC: s.seller.BIC,
		Terms: t.terms(s.seller, *i), Due: s.seller.due(*i),
		Items: w.Order.ItemsTotal(), Net: i.Net, Tax: i.Tax, Total: i.Total,
	}
	if c := subject.corrects; c != nil {
		// A credit note is not paid: it has no account and no due date.
		data.Type, data.IBAN, data.BIC, data.Due = einvoice.CreditNote, "", "", time.Time{}
		data.Corrects, data.Note = einvoice.Document{Number: c.Number, Issued: c.IssuedAt}, subject.reason
	}
	for n, l := range w.Order.Lines {
		data.Lines = append(data.Lines, einvoice.Line{
			// A line must have a name. Records of other producers may lack it: then the SKU is the
			// name.
			ID: strconv.Itoa(n + 1), SKU: l.SKU, Name: cmp.Or(l.Name, l.SKU),
			Price: l.UnitPrice, Quantity: l.Quantity, Net: l.Net(), Rate: rate,
		})
	}
	ship(data, t, subject.shipping, rate)
	for _, tax := range i.Taxes {
		reason, code := t.exemption(tax.Category)
		data.Taxes = append(data.Taxes, einvoice.Tax{
			Rate: rateOf(tax), Net: tax.Net, Tax: tax.Tax, Exemption: reason, ExemptionCode: code,
		})
	}
	return data
}

// ship adds shipping as a charge. If the invoice has no lines, shipping is its only line: EN 16931
// requires one.
func ship(data *einvoice.Invoice, t *translation, s *order.Shipping, rate einvoice.Rate) {
	if s == nil {
		return
	}
	reason := t.Shipping + ", " + t.service(s.Service)
	if len(data.Lines) == 0 {
		data.Lines = []einvoice.Line{{ID: "1", Name: reason, Price: s.Price, Quantity: 1, Net: s.Price, Rate: rate}}
		data.Items = s.Price
		return
	}
	data.Charges = []einvoice.Charge{{Code: einvoice.Freight, Reason: reason, Net: s.Price, Rate: rate}}
	data.Charged = s.Price
}

// percent formats a rate for the XML, without trailing zeros: 19, 25.5.
func percent(rate int) string { return strconv.FormatFloat(float64(rate)/100, 'f', -1, 64) }

func rateOf(t order.Tax) einvoice.Rate {
	return einvoice.Rate{Category: t.Category, Percent: percent(t.Rate)}
}

func shipTo(a order.Address) einvoice.Address {
	return einvoice.Address{
		Line1: a.Line1, Line2: a.Line2, City: a.City, PostalCode: a.PostalCode, Region: a.Region, Country: a.Country,
	}
}

// party returns the seller. The lines of its address stay lines: which one names the city is
// unknown.
func (s Seller) party() einvoice.Party {
	lines := make([]string, 3)
	copy(lines, s.Address)
	if len(s.Address) > len(lines) {
		lines[2] = strings.Join(s.Address[2:], ", ")
	}
	return einvoice.Party{
		Name: s.Name, Legal: s.Register, VATID: s.VATID, Email: s.Email,
		Address: einvoice.Address{Line1: lines[0], Line2: lines[1], Line3: lines[2], Country: s.Country},
	}
}

// supplied returns the date of supply: the goods are handed to the carrier on the day of the
// invoice.
func supplied(i order.Invoice) time.Time { return i.IssuedAt.UTC() }

func (s Seller) due(i order.Invoice) time.Time { return i.IssuedAt.UTC().AddDate(0, 0, s.PaymentDays) }
