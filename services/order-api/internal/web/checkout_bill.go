package web

import (
	"cmp"

	"example.com/orders/shared/order"
)

// billTo reads whom the invoice of the form is addressed to, and the numbers of the buyer. The country is
// chosen in any case, so it alone is no address. The VAT ID of the form is that of the buyer.
func billTo(o *order.Order, text func(name string) string) {
	o.Customer.Company, o.PurchaseOrder, o.BuyerReference = text("company"), text("purchase_order"), text("buyer_reference")
	b := order.BillTo{Name: text("bill_name"), Company: text("bill_company"), Address: order.Address{
		Line1: text("bill_line1"), Line2: text("bill_line2"), City: text("bill_city"), Region: text("bill_region"),
		PostalCode: text("bill_postal_code"),
	}}
	if b == (order.BillTo{}) {
		return
	}
	b.Address.Country = text("bill_country")
	b.VATID, o.Customer.VATID = o.Customer.VATID, ""
	o.BillTo = &b
}

// vatID is the field of the VAT ID, which is that of the buyer.
func (v checkoutPage) vatID() field {
	buyer, _ := v.Draft.Buyer()
	f := v.field("/customer/vat_id", "VAT ID of a business", "text", "off", buyer.VATID, true)
	f.Wrong = cmp.Or(f.Wrong, v.Wrong["/bill_to/vat_id"])
	return f
}

// Numbers are the fields of the numbers that the invoice shows.
func (v checkoutPage) Numbers() []field {
	return []field{
		v.field("/purchase_order", "Your order number", "text", "off", v.Draft.PurchaseOrder, true),
		v.field("/buyer_reference", "Your reference, such as a department", "text", "off", v.Draft.BuyerReference, true),
	}
}

// BillTo are the fields of the invoice address, in the rows of its country.
func (v checkoutPage) BillTo() [][]field {
	var b order.BillTo
	if v.Draft.BillTo != nil {
		b = *v.Draft.BillTo
	}
	rows := [][]field{
		{v.field("/bill_to/company", "Company", "text", "billing organization", b.Company, true)},
		{v.field("/bill_to/name", "Name", "text", "billing name", b.Name, true)},
	}
	return append(rows, v.address("/bill_to", "billing ", b.Address, v.BillCountry)...)
}

// BillCountryCode is the country that the form shows for the invoice address.
func (v checkoutPage) BillCountryCode() string {
	if b := v.Draft.BillTo; b != nil {
		return b.Address.Country
	}
	return v.Draft.ShipTo.Country
}
