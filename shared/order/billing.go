package order

import "cmp"

// BillTo is whom the invoice of an order is addressed to, if not the customer at the address of the
// delivery. It has a name or a company; VATID may be empty.
type BillTo struct {
	Name, Company string
	VATID         string // as that of a Customer
	Address       Address
}

// Buyer returns whom the invoice is addressed to, and where: BillTo, or the customer at the address of
// the delivery. The e-mail address is the customer's. The VAT is that of the place of delivery in any
// case.
func (o Order) Buyer() (Customer, Address) {
	b := o.BillTo
	if b == nil {
		return o.Customer, o.ShipTo
	}
	return Customer{Name: b.Name, Company: b.Company, Email: o.Customer.Email, VATID: b.VATID}, b.Address
}

// Party is the name of the business or, without one, of the person.
func (c Customer) Party() string { return cmp.Or(c.Company, c.Name) }

// Number is the number by which people know the order: that of the shop or, without one, the ID; for a
// refund, that of the refunded order.
func (o Order) Number() string {
	id := o.ID
	if o.Refund != nil {
		id = o.Refund.Of
	}
	return cmp.Or(o.Reference, string(id))
}

// billing checks whom the invoice is addressed to.
func (v *checker) billing(o Order) {
	v.text("/reference", o.Reference, 0, maxReference)
	v.text("/buyer_reference", o.BuyerReference, 0, maxReference)
	v.text("/purchase_order", o.PurchaseOrder, 0, maxReference)
	v.optional("/customer/company", o.Customer.Company)
	b := o.BillTo
	if b == nil {
		return
	}
	v.optional("/bill_to/company", b.Company)
	least := 1
	if b.Company != "" {
		least = 0
	}
	v.text("/bill_to/name", b.Name, least, maxText)
	v.vatID("/bill_to/vat_id", b.VATID, b.Address.Country)
	if buyer, _ := o.Buyer(); o.Customer.VATID != "" && o.Customer.VATNumber() != buyer.VATNumber() {
		v.add("/customer/vat_id", "must be in bill_to: the invoice is addressed to it")
	}
	v.in("/bill_to", func() { v.address(b.Address) })
}

// optional checks a text that may be empty, and is visible otherwise.
func (v *checker) optional(pointer, text string) {
	if text != "" {
		v.text(pointer, text, 1, maxText)
	}
}

// billingFields are the parts of the body hash of an order that has them: an order without them keeps
// the hash that it had before there were any. No SKU has a control character, so their names are no line.
func (o Order) billingFields() (fields []string) {
	add := func(name string, values ...string) { fields = append(append(fields, "\x00"+name), values...) }
	for _, f := range []struct{ name, value string }{
		{"company", o.Customer.Company},
		{"reference", o.Reference},
		{"buyer_reference", o.BuyerReference},
		{"purchase_order", o.PurchaseOrder},
	} {
		if f.value != "" {
			add(f.name, f.value)
		}
	}
	if b := o.BillTo; b != nil {
		a := b.Address
		add("bill_to", b.Name, b.Company, b.VATID, a.Line1, a.Line2, a.City, a.Region, a.PostalCode, a.Country)
	}
	return fields
}
