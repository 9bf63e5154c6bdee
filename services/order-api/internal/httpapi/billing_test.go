package httpapi_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
)

// billed is an order of a business whose invoice goes to another place.
func billed() client.NewOrder {
	o := wanted()
	o.Customer.Company = "Example Studio"
	o.BillTo = &client.BillTo{
		Company: "Example Holding AG", VATID: "DE123456789", Address: client.Address{Line1: "2 Main Street", City: "Bonn", PostalCode: "53111", Country: "DE"},
	}
	o.References = client.References{Reference: "2026-1042", BuyerReference: "04011000-12345-34", PurchaseOrder: "PO-7"}
	return o
}

func TestAnOrderKeepsWhomItsInvoiceIsAddressedTo(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, billed())
	got, err := s.client.Order(t.Context(), string(state.Order.ID))
	must(t, err)
	answered := client.NewOrder{
		Customer: got.Customer, ShipTo: got.ShipTo, BillTo: got.BillTo, Service: got.Service, References: got.References, Items: wanted().Items,
	}
	if diff := cmp.Diff(billed(), answered); diff != "" {
		t.Errorf("order (-asked +got):\n%s", diff)
	}
	// The key of the order with another reference is that of another order.
	other := billed()
	other.Reference = "2026-1043"
	_, err = s.client.Place(t.Context(), other, s.keys[state.Order.ID], 0)
	isProblem(t, "another reference", err, 422, "idempotency-key-reused")
}

func TestFaultsOfTheInvoiceAddressPointAtTheirFields(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, row := range []struct {
		body, want string
	}{
		{`"bill_to":null`, "/bill_to /bill_to/city /bill_to/country /bill_to/line1 /bill_to/name"},
		{`"bill_to":"Example AG"`, "/bill_to /bill_to/city /bill_to/country /bill_to/line1 /bill_to/name"},
		{`"bill_to":{}`, "/bill_to/city /bill_to/country /bill_to/line1 /bill_to/name"},
		{`"bill_to":{"name":"A","line1":"B","city":"C","country":"DE","phone":"1"}`, "/bill_to/phone"},
		{`"bill_to":{"name":"A","name":"B","line1":"B","city":"C","country":"DE"}`, "/bill_to/name"},
		{`"bill_to":{"name":"A\nB","line1":"B","city":"C","country":"DE","vat_id":7}`, "/bill_to/name /bill_to/vat_id"},
		{`"reference":1042`, "/reference"},
		{`"reference":"1\r\nBcc: all@example.com"`, "/reference"},
		{`"purchase_order":["PO-7"],"buyer_reference":"\u202e7"`, "/buyer_reference /purchase_order"},
	} {
		body := strings.Replace(good, "{", "{"+row.body+",", 1)
		_, err := s.client.PlaceJSON(t.Context(), []byte(body), "", 0)
		problem, _ := errors.AsType[*client.Problem](err)
		if problem == nil {
			t.Errorf("%s: got %v, want a problem", row.body, err)
			continue
		}
		var pointers []string
		for _, f := range problem.Errors {
			pointers = append(pointers, f.Pointer)
		}
		slices.Sort(pointers)
		if got := strings.Join(pointers, " "); got != row.want {
			t.Errorf("%s: got faults at %s, want %s", row.body, got, row.want)
		}
	}
}
