//go:build synctests

package httpapi_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
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
		{`"bill_to":{"name":"A","line1":"B","city":"C","postal_code":"10115","country":"DE","phone":"1"}`, "/bill_to/phone"},
		{`"bill_to":{"name":"A","name":"B","line1":"B","city":"C","postal_code":"10115","country":"DE"}`, "/bill_to/name"},
		{`"bill_to":{"name":"A\nB","line1":"B","city":"C","postal_code":"10115","country":"DE","vat_id":7}`, "/bill_to/name /bill_to/vat_id"},
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

func TestTheCheckoutBillsToAnotherAddressWithoutJavaScript(t *testing.T) {
	t.Parallel()
	s := setup(t, withPages(t))
	b := s.reader(t, "")
	form := b.form(map[string]string{
		"company": "Example Studio", "vat_id": "de 123456789", "purchase_order": "PO-7", "buyer_reference": "Dept. 7",
		"bill_company": "Example Holding AG", "bill_country": "FR", "bill_line1": "12 rue des Exemples", "bill_postal_code": "69001",
	})
	status, body, _ := b.post("/checkout", form)
	if status != http.StatusUnprocessableEntity || !strings.Contains(body, `id="e-bill_city"`) || !strings.Contains(body, "<details open>") || !strings.Contains(body, `value="DE123456789"`) {
		t.Errorf("without a city: got %d, want the form with the draft and the fault at its field", status)
	}
	form.Set("bill_city", "Lyon")
	status, _, path := b.post("/checkout", form)
	if status != http.StatusSeeOther {
		t.Fatalf("got %d, want the page of the order", status)
	}
	_, page, _ := b.get(path)
	for _, text := range []string{"Example Studio", "Example Holding AG", "12 rue des Exemples", "69001 Lyon", "PO-7", "Dept. 7", "DE123456789"} {
		if !strings.Contains(page, text) {
			t.Errorf("the page of the order lacks %q", text)
		}
	}
	got, err := s.client.Order(t.Context(), strings.TrimPrefix(path, "/orders/"))
	must(t, err)
	want := &client.BillTo{
		Company: "Example Holding AG", VATID: "DE123456789", Address: client.Address{Line1: "12 rue des Exemples", City: "Lyon", PostalCode: "69001", Country: "FR"},
	}
	if diff := cmp.Diff(want, got.BillTo); diff != "" || got.Customer.VATID != "" {
		t.Errorf("VAT ID of the customer %q, bill_to (-want +got):\n%s", got.Customer.VATID, diff)
	}
	// The country alone is no address: it is chosen in any case.
	_, _, path = b.post("/checkout", b.form(map[string]string{"bill_country": "FR", "vat_id": "DE123456789"}))
	if got, err = s.client.Order(t.Context(), strings.TrimPrefix(path, "/orders/")); err != nil || got.BillTo != nil || got.Customer.VATID != "DE123456789" {
		t.Errorf("got %+v, %v, want an order that is billed to the customer", got.BillTo, err)
	}
}

func TestOrdersAreFoundByTheNumberOfTheShop(t *testing.T) {
	t.Parallel()
	s := setup(t, withPages(t))
	first := s.place(t, billed())
	other := billed()
	other.Reference = "2026-7"
	var twins []order.State
	for range 2 {
		twins = append(twins, s.place(t, other))
	}
	found, _, err := s.client.Orders(t.Context(), client.OrderQuery{Reference: "2026-1042"})
	if err != nil || len(found) != 1 || found[0].ID != string(first.Order.ID) || found[0].Reference != "2026-1042" {
		t.Errorf("got %+v, %v, want the order with that number", found, err)
	}
	b := s.reader(t, "")
	if status, _, to := b.get("/orders?q=2026-1042"); status != http.StatusSeeOther || to != "/orders/"+string(first.Order.ID) {
		t.Errorf("search: got %d to %q, want the page of the order", status, to)
	}
	status, list, _ := b.get("/orders?q=2026-7")
	if status != http.StatusOK || strings.Count(list, "<bdi>2026-7</bdi></a>") != len(twins) || strings.Contains(list, ">2026-1042<") || strings.Contains(list, ">ord_") {
		t.Errorf("search for a number of two orders: got %d, %s", status, list)
	}
	if _, page, _ := b.get("/orders?q=holding"); !strings.Contains(page, ">2026-1042<") || !strings.Contains(page, ">2026-7<") {
		t.Error("search for a company: an order is missing")
	}
}
