package order

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// lock says when an edit must leave a field of an order as it is.
type lock int

const (
	always  lock = iota // it identifies the order, or whose it is
	priced              // once the document is issued; before, a change decides price and VAT again
	printed             // once the document is issued
	free                // not at all: no document prints it
)

// field is a row of the table: a part of an order, by its JSON pointer (RFC 6901), with all that is
// below it.
type field struct {
	pointer string
	lock    lock
	value   func(o *Order) any // nil: it is compared as JSON only
}

// fields is the one table of what an edit may change. A field of a newer version, which is not in the
// table, must stay as it is.
var fields = []field{
	{"/schema", always, nil},
	{"/id", always, func(o *Order) any { return o.ID }},
	{"/placed_at", always, func(o *Order) any { return o.PlacedAt }},
	{"/owner", always, func(o *Order) any { return o.Owner }},
	{"/link_token", always, func(o *Order) any { return o.LinkToken }},
	{"/payment", always, func(o *Order) any { return o.Payment }},
	{"/prices", always, func(o *Order) any { return o.Gross }},
	{"/vat_id_check", always, func(o *Order) any { return o.VATCheck }},
	{"/refund", always, func(o *Order) any { return o.Refund }},
	{"/customer/name", printed, func(o *Order) any { return o.Customer.Name }},
	{"/customer/company", printed, func(o *Order) any { return o.Customer.Company }},
	{"/customer/vat_id", priced, func(o *Order) any { return o.Customer.VATID }},
	{"/customer/email", free, func(o *Order) any { return o.Customer.Email }},
	{"/ship_to", priced, func(o *Order) any { return o.ShipTo }},
	{"/bill_to", priced, func(o *Order) any { return o.BillTo }},
	{"/reference", printed, func(o *Order) any { return o.Reference }},
	{"/buyer_reference", printed, func(o *Order) any { return o.BuyerReference }},
	{"/purchase_order", printed, func(o *Order) any { return o.PurchaseOrder }},
	{"/service", priced, func(o *Order) any { return o.Service }},
	{"/items", priced, func(o *Order) any { return o.Lines }},
	{"/note", free, func(o *Order) any { return o.Note }},
}

// has reports whether a pointer is that of the field, or below it.
func (f field) has(pointer string) bool {
	return pointer == f.pointer || strings.HasPrefix(pointer, f.pointer+"/")
}

// locked reports whether a field must stay as it is. A credit note corrects an invoice that is issued,
// so a refund keeps what both print from the start.
func (o *Order) locked(l lock, issued bool) bool {
	return l == always || l != free && (issued || o.Refund != nil)
}

// Locked returns the JSON pointers of the fields that an edit of the order must leave as they are, each
// with all that is below it. Issued says whether its invoice, or credit note, is stored.
func (o Order) Locked(issued bool) []string {
	var pointers []string
	for _, f := range fields {
		if o.locked(f.lock, issued) {
			pointers = append(pointers, f.pointer)
		}
	}
	return pointers
}

// Edit returns where an edited order differs in a field that is locked; nil if the edit is allowed. It
// does not validate the edited order: wire.ReadOrder does.
func (o Order) Edit(edited Order, issued bool) []Invalid {
	var v checker
	for _, f := range fields {
		if f.value == nil || reflect.DeepEqual(f.value(&o), f.value(&edited)) {
			continue
		}
		switch {
		case f.lock == always:
			v.add(f.pointer, "cannot be edited")
		case o.locked(f.lock, issued):
			v.add(f.pointer, "cannot be edited: the issued document prints it")
		}
	}
	for _, pointer := range unlisted(o.Source, edited.Source) {
		v.add(pointer, "cannot be edited: it is no field that an operator may edit")
	}
	return v.found
}

// Edited replaces the order by an edited one, if the edit is allowed: otherwise it changes nothing and
// returns why not. The hash of the customer's request stays, so a repeated request finds the order.
// Results that the edit decides differently are forgotten, and their steps are taken again. Issued says
// whether the order's document is stored.
func (s *State) Edited(edited Order, version int, issued bool) []Invalid {
	if faults := s.Order.Edit(edited, issued); len(faults) > 0 {
		return faults
	}
	for _, f := range fields {
		if f.lock == priced && !reflect.DeepEqual(f.value(&s.Order), f.value(&edited)) {
			s.Progress = Progress{}
		}
	}
	edited.Cause = s.Order.Cause
	s.Order, s.Edit = edited, version
	return nil
}

// unlisted returns the pointers at which two orders differ in JSON, outside the table. An order without
// its JSON has no fields but those of the table.
func unlisted(a, b []byte) (pointers []string) {
	if a == nil || b == nil {
		return nil
	}
	differ(value(a), value(b), "", func(pointer string) {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.value != nil && f.has(pointer) }) {
			pointers = append(pointers, pointer)
		}
	})
	slices.Sort(pointers)
	return pointers
}

// value is a JSON value with its numbers as they are written.
func value(data []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	_ = d.Decode(&v) // an order's Source has been read
	return v
}

// differ calls found with the pointer of each place where two JSON values differ.
func differ(a, b any, at string, found func(pointer string)) {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			break
		}
		for name := range a {
			differ(a[name], b[name], at+"/"+escape(name), found)
		}
		for name := range b {
			if _, both := a[name]; !both {
				found(at + "/" + escape(name))
			}
		}
		return
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			break
		}
		for i := range a {
			differ(a[i], b[i], at+"/"+strconv.Itoa(i), found)
		}
		return
	}
	if !reflect.DeepEqual(a, b) {
		found(at)
	}
}

// escape writes a name as a part of a JSON pointer.
func escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
