package invoice

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"example.com/orders/shared/order"
)

// TestAnAllowedEditLeavesTheIssuedInvoiceAsItIs edits any fields of orders and refunds. What package order
// allows once the invoice is issued changes no byte of it; and what changes a byte is not allowed.
func TestAnAllowedEditLeavesTheIssuedInvoiceAsItIs(t *testing.T) {
	t.Parallel()
	s := setup(t)
	allowed, refused := 0, 0
	document := func(t *rapid.T, w *order.Work) []byte {
		w.Document = nil
		if err := s.Do(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		return w.Document
	}
	rapid.Check(t, func(t *rapid.T) {
		w := randomOrder(t, s)
		if rapid.IntRange(0, 3).Draw(t, "refund") == 0 {
			w = refunded(t, w, nil, w.Progress.Shipping.Price.Minor > 0, 1)
			if err := s.Plan(t.Context(), w); err != nil {
				t.Fatal(err)
			}
		}
		first := document(t, w)
		edited := w.Order
		edited.Lines = append([]order.Line{}, edited.Lines...)
		for _, edit := range rapid.SliceOfNDistinct(rapid.SampledFrom(edits()), 1, 3, func(e edit) string { return e.name }).Draw(t, "edits") {
			edit.do(&edited)
		}
		faults := w.Order.Edit(edited, true)
		before := w.Order
		w.Order = edited
		same := bytes.Equal(first, document(t, w))
		w.Order = before
		if len(faults) == 0 && !same {
			t.Fatalf("the edit is allowed and changes the document: %+v", edited)
		}
		if len(faults) == 0 {
			allowed++
		} else {
			refused++
		}
	})
	if allowed == 0 || refused == 0 {
		t.Errorf("got %d allowed edits and %d refused, want some of each", allowed, refused)
	}
}

// edit changes one field of an order.
type edit struct {
	name string
	do   func(*order.Order)
}

// String names the edit when a test fails.
func (e edit) String() string { return e.name }

func edits() []edit {
	return []edit{
		{"e-mail", func(o *order.Order) { o.Customer.Email = "new@example.com" }},
		{"note", func(o *order.Order) { o.Note = "at the back door" }},
		{"no note", func(o *order.Order) { o.Note = "" }},
		{"name", func(o *order.Order) { o.Customer.Name = "Eve" }},
		{"company", func(o *order.Order) { o.Customer.Company = "Example Studio" }},
		{"reference", func(o *order.Order) { o.Reference = "2026-1042" }},
		{"buyer reference", func(o *order.Order) { o.BuyerReference = "04011000-12345-34" }},
		{"purchase order", func(o *order.Order) { o.PurchaseOrder = "PO-7" }},
		{"address of the invoice", func(o *order.Order) { o.BillTo = &order.BillTo{Name: "Bo", Address: o.ShipTo} }},
		{"VAT ID", func(o *order.Order) { o.Customer.VATID = "DE123456789" }},
		{"street", func(o *order.Order) { o.ShipTo.Line1 = "2 Side Street" }},
		{"second line", func(o *order.Order) { o.ShipTo.Line2 = "Flat 7" }},
		{"postal code", func(o *order.Order) { o.ShipTo.PostalCode = "99999" }},
		{"city", func(o *order.Order) { o.ShipTo.City = "Elsewhere" }},
		{"region", func(o *order.Order) { o.ShipTo.Region = "XX" }},
		{"country", func(o *order.Order) { o.ShipTo.Country = "JP" }},
		{"service", func(o *order.Order) { o.Service = "other" }},
		{"quantity", func(o *order.Order) { o.Lines[0].Quantity++ }},
		{"price", func(o *order.Order) { o.Lines[0].UnitPrice.Minor++ }},
		{"product", func(o *order.Order) { o.Lines[0].Name += "!" }},
		{"SKU", func(o *order.Order) { o.Lines[0].SKU += "-X" }},
		{"weight", func(o *order.Order) { o.Lines[0].Grams++ }},
		{"one line more", func(o *order.Order) { o.Lines = append(o.Lines, o.Lines[0]) }},
		{"ID", func(o *order.Order) { o.ID += "x" }},
		{"time", func(o *order.Order) { o.PlacedAt = o.PlacedAt.AddDate(0, 0, 1) }},
	}
}
