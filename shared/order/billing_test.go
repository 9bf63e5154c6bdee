package order_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.com/orders/shared/order"
)

// billTo is whom the invoice of a business goes to.
func billTo() *order.BillTo {
	return &order.BillTo{
		Name: "Bo Example", Company: "Example Holding AG", VATID: "DE123456789",
		Address: order.Address{Line1: "2 Main Street", City: "Bonn", PostalCode: "53111", Country: "DE"},
	}
}

func TestTheBuyerIsBilledAndTheCustomerIsWithout(t *testing.T) {
	t.Parallel()
	o := valid()
	buyer, at := o.Buyer()
	if !cmp.Equal(o.Customer, buyer) || !cmp.Equal(o.ShipTo, at) || buyer.Party() != o.Customer.Name {
		t.Errorf("got %+v at %+v, want the customer at the address of the delivery", buyer, at)
	}
	o.BillTo = billTo()
	want := order.Customer{Name: "Bo Example", Company: "Example Holding AG", Email: o.Customer.Email, VATID: "DE123456789"}
	if buyer, at = o.Buyer(); !cmp.Equal(want, buyer) || !cmp.Equal(o.BillTo.Address, at) || buyer.Party() != want.Company {
		t.Errorf("got %+v at %+v, want whom the invoice is addressed to", buyer, at)
	}
	o.BillTo.Name, o.Customer.VATID = "", o.BillTo.VATID
	if faults := o.Validate(); len(faults) > 0 {
		t.Errorf("a company without a person, and its VAT ID twice: got %v, want no faults", faults)
	}
}

func TestPeopleKnowAnOrderByTheNumberOfTheShop(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		o    order.Order
		want string
	}{
		{order.Order{ID: "ord_1"}, "ord_1"},
		{order.Order{ID: "ord_1", Reference: "2026-1042"}, "2026-1042"},
		{order.Order{ID: "ord_1-refund-2", Refund: &order.Refund{Of: "ord_1"}}, "ord_1"},
		{order.Order{ID: "ord_1-refund-2", Reference: "2026-1042", Refund: &order.Refund{Of: "ord_1"}}, "2026-1042"},
	} {
		if got := row.o.Number(); got != row.want {
			t.Errorf("%+v: got %q, want %q", row.o, got, row.want)
		}
	}
}

// TestBodyHashKeepsTheFieldsOfTheInvoiceApart spreads one text over them in two ways, and names the
// lines like them.
func TestBodyHashKeepsTheFieldsOfTheInvoiceApart(t *testing.T) {
	t.Parallel()
	texts := rapid.SampledFrom([]string{"", "1", "company", "reference", "bill_to", "ATU12345678"})
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) order.Order {
			o := order.Order{
				Customer: order.Customer{Company: texts.Draw(t, label+" company"), VATID: texts.Draw(t, label+" VAT ID")}, Reference: texts.Draw(t, label+" reference"),
				BuyerReference: texts.Draw(t, label+" buyer reference"), PurchaseOrder: texts.Draw(t, label+" purchase order"),
			}
			if rapid.Bool().Draw(t, label+" has a line") {
				o.Lines = []order.Line{{SKU: texts.Draw(t, label+" SKU"), Quantity: 1}}
			}
			if rapid.Bool().Draw(t, label+" has an address of the invoice") {
				o.BillTo = &order.BillTo{Name: texts.Draw(t, label+" name"), Company: texts.Draw(t, label+" bill company")}
			}
			return o
		}
		a, b := draw("a"), draw("b")
		if same, want := a.BodyHash() == b.BodyHash(), cmp.Equal(a, b); same != want {
			t.Errorf("got the same hash of %+v and %+v: %t, want %t", a, b, same, want)
		}
	})
}

func TestARefundIsAddressedAsItsInvoice(t *testing.T) {
	t.Parallel()
	o := shop()
	w := &order.Work{Order: o, Progress: order.Progress{
		Shipping: &order.Shipping{Price: order.EUR.Cents(100)}, Invoice: &order.Invoice{Taxes: []order.Tax{{Rate: 1900}}},
	}}
	got, faults := w.Refund(nil, false, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	o.ID, o.PlacedAt, o.Note, o.Refund = got.ID, got.PlacedAt, "", got.Refund
	if diff := cmp.Diff(o, got); diff != "" {
		t.Errorf("refund (-order +refund):\n%s", diff)
	}
}

func TestFaultsOfBillingPointAtTheirFields(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 201)
	for _, row := range []struct {
		name   string
		spoil  func(*order.Order)
		points string
	}{
		{"a company of spaces", func(o *order.Order) { o.Customer.Company = "  " }, "/customer/company"},
		{"a line feed in a company", func(o *order.Order) { o.Customer.Company = "A\nB" }, "/customer/company"},
		{"a long company", func(o *order.Order) { o.Customer.Company = long }, "/customer/company"},
		{"a reference with a header", func(o *order.Order) { o.Reference = "1\r\nBcc: all@example.com" }, "/reference"},
		{"a long reference", func(o *order.Order) { o.Reference = long }, "/reference"},
		{"a direction override in a buyer reference", func(o *order.Order) { o.BuyerReference = "7\u202e" }, "/buyer_reference"},
		{"a NUL in a purchase order", func(o *order.Order) { o.PurchaseOrder = "7\x00" }, "/purchase_order"},
		{"an invoice to no one", func(o *order.Order) { o.BillTo.Name, o.BillTo.Company = "", "" }, "/bill_to/name"},
		{"an invoice to a blank company", func(o *order.Order) { o.BillTo.Company = "\u200b" }, "/bill_to/company"},
		{"an invoice without a street", func(o *order.Order) { o.BillTo.Address.Line1 = "" }, "/bill_to/line1"},
		{"an invoice without a city", func(o *order.Order) { o.BillTo.Address.City = "" }, "/bill_to/city"},
		{"an invoice to a country that is none", func(o *order.Order) { o.BillTo.Address.Country = "Germany" }, "/bill_to/country"},
		{"an invoice to a long postal code", func(o *order.Order) { o.BillTo.Address.PostalCode = long }, "/bill_to/postal_code"},
		{"an invoice to a VAT ID that is none", func(o *order.Order) { o.BillTo.VATID = "ATU1" }, "/bill_to/vat_id"},
		{"two VAT IDs", func(o *order.Order) { o.Customer.VATID = "ATU12345678" }, "/customer/vat_id"},
	} {
		o := valid()
		if o.BillTo = billTo(); strings.HasPrefix(row.points, "/customer/company") {
			o.BillTo = nil
		}
		row.spoil(&o)
		if got := o.Validate(); len(got) != 1 || got[0].Pointer != row.points {
			t.Errorf("%s: got %v, want one fault at %s", row.name, got, row.points)
		}
	}
}
