package order_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/order"
)

// shop is an order in which every field has a value. A refund is set by tests.
func shop() order.Order {
	return order.Order{
		ID: "ord_1", PlacedAt: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC), Service: order.Standard, Note: "ring twice",
		Customer: order.Customer{Name: "Zoë", Company: "Zoë AG", Email: "zoe@example.com", VATID: "DE123456789"},
		BillTo: &order.BillTo{
			Name: "Bo", Company: "Zoë AG", VATID: "DE123456789", Address: order.Address{Line1: "2 Main Street", Line2: "c", City: "Bonn", Region: "NW", PostalCode: "53111", Country: "DE"},
		},
		Reference: "2026-1042", BuyerReference: "04011000-12345-34", PurchaseOrder: "PO-7",
		ShipTo: order.Address{Line1: "1 Main Street", Line2: "b", City: "Berlin", Region: "BE", PostalCode: "10115", Country: "DE"},
		Lines:  []order.Line{{SKU: "A", Quantity: 1, Name: "a", UnitPrice: order.EUR.Cents(100), Grams: 1, Size: [3]int{1, 2, 3}}},
		Owner:  order.Actor{Kind: order.ActorCustomer, ID: "17"}, LinkToken: "mfzwizltoq2gk3tunfxw42lomq",
	}
}

// leaves calls each with a function that changes one field of an order, for every field that there is.
func leaves(v func(*order.Order) reflect.Value, name string, each func(name string, change func(*order.Order))) {
	o := shop()
	switch at := v(&o); at.Kind() {
	case reflect.Struct:
		if _, ok := at.Interface().(time.Time); ok {
			each(name, func(o *order.Order) { v(o).Set(reflect.ValueOf(o.PlacedAt.Add(time.Hour))) })
			return
		}
		for i := range at.NumField() {
			leaves(func(o *order.Order) reflect.Value { return v(o).Field(i) }, name+"/"+at.Type().Field(i).Name, each)
		}
	case reflect.Pointer:
		if at.IsNil() {
			return
		}
		leaves(func(o *order.Order) reflect.Value { return own(v(o)).Elem() }, name, each)
	case reflect.Slice:
		if at.Len() > 0 {
			leaves(func(o *order.Order) reflect.Value { return v(o).Index(0) }, name, each)
		}
	case reflect.Array:
		leaves(func(o *order.Order) reflect.Value { return v(o).Index(0) }, name, each)
	case reflect.String:
		each(name, func(o *order.Order) {
			f := v(o)
			f.SetString(f.String() + "x")
		})
	case reflect.Int, reflect.Int64:
		each(name, func(o *order.Order) {
			f := v(o)
			f.SetInt(f.Int() + 1)
		})
	}
}

// own gives a pointer a copy of its value, which no other order has.
func own(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type().Elem())
	c.Elem().Set(v.Elem())
	v.Set(c)
	return v
}

// TestAnEditChangesWhatItMay changes every field of an order, one at a time.
func TestAnEditChangesWhatItMay(t *testing.T) {
	t.Parallel()
	free := map[string]bool{"/Customer/Email": true, "/Note": true}
	until := map[string]bool{ // the invoice is issued
		"/Customer/Name": true, "/Customer/Company": true, "/Customer/VATID": true, "/Service": true,
		"/BillTo/Name": true, "/BillTo/Company": true, "/BillTo/VATID": true, "/BillTo/Address/Line1": true, "/BillTo/Address/Line2": true, "/BillTo/Address/City": true,
		"/BillTo/Address/Region": true, "/BillTo/Address/PostalCode": true, "/BillTo/Address/Country": true,
		"/Reference": true, "/BuyerReference": true, "/PurchaseOrder": true,
		"/ShipTo/Line1": true, "/ShipTo/Line2": true, "/ShipTo/City": true,
		"/ShipTo/Region": true, "/ShipTo/PostalCode": true, "/ShipTo/Country": true, "/Lines/SKU": true, "/Lines/Quantity": true, "/Lines/Name": true,
		"/Lines/UnitPrice/Minor": true, "/Lines/UnitPrice/Currency": true, "/Lines/Grams": true, "/Lines/Size": true,
	}
	seen := 0
	leaves(func(o *order.Order) reflect.Value { return reflect.ValueOf(o).Elem() }, "", func(name string, change func(*order.Order)) {
		if strings.HasPrefix(name, "/Cause") { // is not part of the JSON
			return
		}
		seen++
		for _, issued := range []bool{false, true} {
			edited := shop()
			change(&edited)
			faults := shop().Edit(edited, issued)
			if allowed := free[name] || until[name] && !issued; allowed != (len(faults) == 0) {
				t.Errorf("%s changed, invoice issued %t: got faults %v, want it allowed: %t", name, issued, faults, allowed)
			}
		}
	})
	if want := len(free) + len(until) + 5; seen != want { // and id, time, owner (two fields) and token
		t.Errorf("got %d fields, want %d", seen, want)
	}
}

func TestARefundKeepsWhatItsInvoicePrints(t *testing.T) {
	t.Parallel()
	placed := shop()
	placed.Refund = &order.Refund{Of: "ord_0", Number: 1, Tax: order.EUR.Cents(19), Invoice: order.Invoice{Number: "INV-1"}}
	for want, change := range map[string]func(*order.Order){
		"/items":         func(o *order.Order) { o.Lines = append(o.Lines, order.Line{SKU: "B"}) },
		"/ship_to":       func(o *order.Order) { o.ShipTo.Country = "FR" },
		"/customer/name": func(o *order.Order) { o.Customer.Name = "Eve" },
		"/payment":       func(o *order.Order) { o.Payment = &order.Payment{Method: order.ByInvoice} },
		"/refund":        func(o *order.Order) { r := *o.Refund; r.Tax = order.EUR.Cents(20); o.Refund = &r },
		"":               func(o *order.Order) { o.Customer.Email = "eve@example.com" },
	} {
		edited := placed
		change(&edited)
		got := ""
		for _, f := range placed.Edit(edited, false) {
			got += f.Pointer
		}
		if got != want {
			t.Errorf("got faults at %q, want %q", got, want)
		}
	}
	plain := placed
	plain.Refund = nil
	if faults := placed.Edit(plain, false); len(faults) != 1 {
		t.Errorf("a refund made an order: got %v, want one fault", faults)
	}
}

func TestFieldsOfANewerVersionCannotBeEdited(t *testing.T) {
	t.Parallel()
	const placed = `{"id":"ord_1","note":"a","gift":{"wrap":"red","a/b~":1},"customer":{"name":"Zoë","segment":7}}`
	for _, row := range []struct{ edited, want string }{
		{placed, ""},
		{` { "gift" : {"a/b~":1,"wrap":"red"}, "note":"a","id":"ord_1","customer":{"segment":7,"name":"Zo\u00eb"}}`, ""},
		{strings.Replace(placed, `"red"`, `"blue"`, 1), "/gift/wrap"},
		{strings.Replace(placed, `"a/b~":1`, `"a/b~":1.0`, 1), "/gift/a~1b~0"},
		{strings.Replace(placed, `{"wrap":"red","a/b~":1}`, `[]`, 1), "/gift"},
		{strings.Replace(placed, `"gift":{"wrap":"red","a/b~":1},`, ``, 1), "/gift"},
		{strings.Replace(placed, `,"segment":7`, ``, 1), "/customer/segment"},
		{strings.Replace(placed, `"note"`, `"Note"`, 1), "/Note"}, // encoding/json reads it as the note
		{strings.Replace(placed, `{"id"`, `{"admin":true,"id"`, 1), "/admin"},
		{strings.Replace(placed, `{"id"`, `{"schema":2,"id"`, 1), "/schema"},
	} {
		before, after := shop(), shop()
		before.Source, after.Source = []byte(placed), []byte(row.edited)
		var got []string
		for _, f := range before.Edit(after, false) {
			got = append(got, f.Pointer)
		}
		if fmt.Sprint(got) != fmt.Sprintf("[%s]", row.want) {
			t.Errorf("%s: got faults at %v, want %q", row.edited, got, row.want)
		}
	}
}

func TestLockedNamesWhatMustStay(t *testing.T) {
	t.Parallel()
	always := []string{"/schema", "/id", "/placed_at", "/owner", "/link_token", "/payment", "/prices", "/vat_id_check", "/refund"}
	all := append(append([]string{}, always...), "/customer/name", "/customer/company", "/customer/vat_id", "/ship_to",
		"/bill_to", "/reference", "/buyer_reference", "/purchase_order", "/service", "/items")
	if diff := cmp.Diff(always, shop().Locked(false)); diff != "" {
		t.Errorf("before the invoice (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(all, shop().Locked(true)); diff != "" {
		t.Errorf("after the invoice (-want +got):\n%s", diff)
	}
	refund := shop()
	refund.Refund = &order.Refund{}
	if diff := cmp.Diff(all, refund.Locked(false)); diff != "" {
		t.Errorf("a refund (-want +got):\n%s", diff)
	}
}

func TestAnEditedOrderKeepsItsHashAndItsCause(t *testing.T) {
	t.Parallel()
	placed := shop()
	placed.Cause = order.Cause{Actor: order.Actor{Kind: order.ActorCustomer, ID: "17"}}
	s := placed.Begin(order.Origin{})
	s.Progress = order.Progress{Finished: []order.Step{order.StepShipping}, Shipping: &order.Shipping{}, Invoice: &order.Invoice{}}
	hash, progress := s.BodyHash, s.Progress
	named := shop()
	named.Customer.Name, named.Note = "Zoë Łukasiewicz", ""
	if faults := s.Edited(named, 1, false); len(faults) > 0 {
		t.Fatal(faults)
	}
	if s.BodyHash != hash || s.Order.Cause != placed.Cause || s.Edit != 1 || s.Order.Customer.Name != named.Customer.Name {
		t.Errorf("got %+v, want the edit, and hash and cause as placed", s)
	}
	if diff := cmp.Diff(progress, s.Progress); diff != "" {
		t.Errorf("the price after a change of the name (-want +got):\n%s", diff)
	}
	moved := named
	moved.ShipTo.Country = "FR"
	if faults := s.Edited(moved, 2, false); len(faults) > 0 || !reflect.DeepEqual(s.Progress, order.Progress{}) || s.Edit != 2 {
		t.Errorf("moved to France: got %v and progress %+v, want price and VAT to be decided again", faults, s.Progress)
	}
	s.Progress.Invoice = &order.Invoice{Kept: &order.Kept{}}
	before := s
	if faults := s.Edited(shop(), 3, true); len(faults) != 2 || !reflect.DeepEqual(before, s) {
		t.Errorf("after the invoice: got %v, want two faults and no change", faults)
	}
}
