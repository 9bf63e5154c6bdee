// Package edit checks edited versions of the records of dead letters, and compares versions. It is
// pure: it reads and writes nothing.
//
// What is edited of an order is its document: the JSON of a new order, as a customer sends it. A new
// version of the record is the record with the document's values. It keeps what identifies the order
// and fields that only a newer version of this program knows, and is validated as a new order is. A
// line keeps what the catalogue said when the order was placed; a line with another SKU gets what it
// says now. Once an invoice is stored, what that prints is locked.
package edit

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/edit/jsondiff"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Base is what is edited.
type Base struct {
	Key      []byte   // of the record, which an edit does not change
	Original []byte   // value of the record
	Newest   []byte   // value of the newest edit; or nil: there is none
	Locked   []string // JSON pointers of what must stay as it is in the document; or nil
}

// Price completes an order as when one is placed: it sets what the catalogue knows about the lines, writes
// postal codes in one form, and returns the faults of both, also that of a missing code which VAT depends on.
type Price func(*order.Order) []order.Invalid

// Edited is a new version.
type Edited struct {
	Value   []byte            // of the record
	Changes []jsondiff.Change // of the document; none: nothing has changed
}

// ErrNotEditable is a refund or a record that is no order. What an edit would make of them could not
// be worked on.
var ErrNotEditable = errors.New("refunds and records that are no order cannot be edited")

// InvalidError is a document that is no valid order.
type InvalidError struct{ Faults []order.Invalid } // at least one

// Error names the first fault.
func (e *InvalidError) Error() string {
	return strings.TrimSpace("the edited order is invalid: " + e.Faults[0].Pointer + " " + e.Faults[0].Detail)
}

// LockedError is a document with changes of what is locked.
type LockedError struct{ Pointers []string } // of the changes, at least one

// Error names the first pointer.
func (e *LockedError) Error() string { return e.Pointers[0] + " is printed on the stored invoice" }

// newest is the value of the newest version.
func (b Base) newest() []byte {
	if b.Newest != nil {
		return b.Newest
	}
	return b.Original
}

// Document returns the document of the newest version, or ErrNotEditable.
func (b Base) Document() ([]byte, error) { return Document(b.Key, b.newest()) }

// Document returns the document of a version of a record, or ErrNotEditable.
func Document(key, value []byte) ([]byte, error) {
	o, err := wire.ReadOrder(&kgo.Record{Key: key, Value: value})
	if errors.Is(err, wire.ErrUndecodable) || errors.Is(err, wire.ErrNewer) || err == nil && o.Refund != nil {
		return nil, ErrNotEditable
	}
	if err != nil {
		return nil, err
	}
	n := client.NewOrder{
		Customer: client.Customer(o.Customer), ShipTo: client.Address(o.ShipTo), Service: o.Service, Note: o.Note,
		References: client.References{Reference: o.Reference, BuyerReference: o.BuyerReference, PurchaseOrder: o.PurchaseOrder},
	}
	if b := o.BillTo; b != nil {
		n.BillTo = &client.BillTo{Name: b.Name, Company: b.Company, VATID: b.VATID, Address: client.Address(b.Address)}
	}
	for _, l := range o.Lines {
		n.Items = append(n.Items, client.Item{SKU: l.SKU, Quantity: l.Quantity})
	}
	return json.Marshal(n)
}

// Edit returns the version that an edited document makes. Its error is ErrNotEditable, InvalidError
// or LockedError.
func (b Base) Edit(edited []byte, price Price) (Edited, error) {
	before, err := b.Document()
	if err != nil {
		return Edited{}, err
	}
	tree, again, err := jsondiff.Parse(edited)
	if err != nil {
		return Edited{}, &InvalidError{[]order.Invalid{{Detail: "must be JSON"}}}
	}
	c := checker{found: twice(again)}
	if c.check("", tree, documentShape); len(c.found) > 0 {
		return Edited{}, &InvalidError{c.found}
	}
	value := jsondiff.Write(c.compose(b, tree.(map[string]any), price))
	after, err := c.read(b.Key, value)
	if err != nil {
		return Edited{}, err
	}
	changes := jsondiff.Diff(before, after)
	if locked := b.lockedIn(changes); len(locked) > 0 {
		return Edited{}, &LockedError{locked}
	}
	return Edited{value, changes}, nil
}

// read validates a new version, and returns its document.
func (c *checker) read(key, value []byte) ([]byte, error) {
	if len(value) > wire.MaxEdit {
		c.add("", fmt.Sprintf("must have at most %d bytes", wire.MaxEdit))
	}
	_, err := wire.ReadOrder(&kgo.Record{Key: key, Value: value})
	if invalid, ok := errors.AsType[*wire.InvalidError](err); ok {
		for _, f := range invalid.Faults {
			c.add(f.Pointer, f.Detail)
		}
		err = nil
	}
	if len(c.found) > 0 {
		return nil, &InvalidError{c.found}
	}
	if err != nil {
		return nil, ErrNotEditable
	}
	return Document(key, value)
}

// lockedIn returns the pointers of the changes that are locked.
func (b Base) lockedIn(changes []jsondiff.Change) (all []string) {
	for _, c := range changes {
		for _, l := range b.Locked {
			if within(c.Pointer, l) || within(l, c.Pointer) {
				all = append(all, c.Pointer)
				break
			}
		}
	}
	return all
}

// within reports whether a pointer is another one, or points into its value.
func within(pointer, other string) bool {
	return pointer == other || strings.HasPrefix(pointer, other+"/")
}

// checker collects the faults of an edited document.
type checker struct{ found []order.Invalid }

// twice are the faults of fields that appear twice.
func twice(pointers []string) (all []order.Invalid) {
	for _, at := range pointers {
		all = append(all, order.Invalid{Pointer: at, Detail: "appears twice"})
	}
	return all
}

// maxFaults limits the number of faults that are collected.
const maxFaults = 100

// add adds a fault. Of several faults of a field the first one counts.
func (c *checker) add(at, detail string) {
	if len(c.found) < maxFaults && !slices.ContainsFunc(c.found, func(f order.Invalid) bool { return f.Pointer == at }) {
		c.found = append(c.found, order.Invalid{Pointer: at, Detail: detail})
	}
}

// compose puts the values of a document into the newest version. Fields that are missing in the
// document are removed, those that no document has stay.
func (c *checker) compose(b Base, doc map[string]any, price Price) map[string]any {
	record, _ := jsondiff.Value(b.newest()).(map[string]any)
	composed := overwrite(record, doc, documentShape)
	c.places(composed, record, price)
	if items, ok := doc["items"].([]any); ok {
		composed["items"] = c.lines(items, versions(b), ofPrices(record["prices"], price))
	}
	return composed
}

// overwrite returns an object with the fields that a shape has replaced by those of another object.
func overwrite(object, by map[string]any, s fields) map[string]any {
	result := maps.Clone(object)
	if result == nil {
		result = map[string]any{}
	}
	for name, of := range s {
		given, has := by[name]
		if inner, ok := of.(fields); ok && has {
			was, _ := object[name].(map[string]any)
			is, _ := given.(map[string]any)
			given = overwrite(was, is, inner)
		}
		delete(result, name)
		if has {
			result[name] = given
		}
	}
	return result
}

// places checks the postal codes that an edit changes or removes, or whose country it changes, and writes them in
// one form. What another program wrote, and stays as it is, can have any form, or be missing.
func (c *checker) places(composed, before map[string]any, price Price) {
	o := order.Order{BillTo: &order.BillTo{}}
	for name, a := range map[string]*order.Address{"ship_to": &o.ShipTo, "bill_to": &o.BillTo.Address} {
		if is := placeOf(composed[name]); is != placeOf(before[name]) {
			*a = is
		}
	}
	for _, f := range price(&o) {
		c.add(f.Pointer, f.Detail)
	}
	for name, a := range map[string]order.Address{"ship_to": o.ShipTo, "bill_to": o.BillTo.Address} {
		if is, ok := composed[name].(map[string]any); ok && a.PostalCode != "" {
			is["postal_code"] = a.PostalCode
		}
	}
}

// placeOf is the postal code and the country of an address in JSON. One that is missing is empty.
func placeOf(value any) (a order.Address) {
	object, _ := value.(map[string]any)
	a.PostalCode, _ = object["postal_code"].(string)
	a.Country, _ = object["country"].(string)
	return a
}

// versions are the lines of the newest version, then those of the original.
func versions(b Base) (lines []any) {
	for _, version := range [][]byte{b.newest(), b.Original} {
		record, _ := jsondiff.Value(version).(map[string]any)
		items, _ := record["items"].([]any)
		lines = append(lines, items...)
	}
	return lines
}

// lines makes the lines of a record from those of a document: each is the line of its SKU before, or
// one of the catalogue, with the quantity of the document.
func (c *checker) lines(items, before []any, price Price) []any {
	all := []any{}
	for i, item := range items {
		given, _ := item.(map[string]any)
		line := lineOf(given["sku"], before)
		if line == nil {
			var faults []order.Invalid
			line, faults = priced(given["sku"], price)
			for _, f := range faults {
				c.add("/items/"+strconv.Itoa(i)+"/sku", f.Detail)
			}
			line["sku"] = given["sku"]
		}
		delete(line, "quantity")
		if n, has := given["quantity"]; has {
			line["quantity"] = n
		}
		all = append(all, line)
	}
	return all
}

func lineOf(sku any, before []any) map[string]any {
	for _, element := range before {
		if line, _ := element.(map[string]any); sku != nil && line["sku"] == sku {
			return maps.Clone(line)
		}
	}
	return nil
}

// ofPrices refuses a catalogue with other prices than those of the order: net or gross.
func ofPrices(prices any, price Price) Price {
	word, _ := prices.(string)
	gross, _ := order.ParsePrices(word)
	return func(o *order.Order) []order.Invalid {
		if faults := price(o); len(faults) > 0 || o.Gross == gross {
			return faults
		}
		return []order.Invalid{{Detail: "has a " + order.Prices(o.Gross) + " price in the catalogue, and the order has " + order.Prices(gross) + " prices"}}
	}
}

// priced is a line of a SKU with the data of the catalogue, and the faults of the catalogue.
func priced(sku any, price Price) (map[string]any, []order.Invalid) {
	name, _ := sku.(string)
	o := order.Order{Lines: []order.Line{{SKU: name, Quantity: 1, UnitPrice: order.EUR.Cents(0)}}}
	faults := price(&o)
	record, _ := jsondiff.Value(wire.Order(o).Value).(map[string]any)
	items, _ := record["items"].([]any)
	line, _ := items[0].(map[string]any)
	return line, faults
}

// shape says which values a part of a document may have: fields, a list or a scalar.
type shape any

type (
	fields map[string]shape
	list   struct{ of shape }
	scalar struct {
		want string
		fits func(any) bool
	}
)

var (
	text  = scalar{"must be a string", func(v any) bool { _, ok := v.(string); return ok }}
	whole = scalar{fmt.Sprintf("must be a whole number from 1 to %d", order.MaxQuantity), func(v any) bool {
		n, _ := v.(json.Number)
		_, err := strconv.Atoi(string(n))
		return err == nil
	}}
)

// documentShape is the shape of a new order.
var documentShape = fields{
	"customer": fields{"name": text, "company": text, "email": text, "vat_id": text},
	"ship_to":  fields{"line1": text, "line2": text, "city": text, "region": text, "postal_code": text, "country": text},
	"bill_to": fields{
		"name": text, "company": text, "vat_id": text,
		"line1": text, "line2": text, "city": text, "region": text, "postal_code": text, "country": text,
	},
	"service": text,
	"items":   list{fields{"sku": text, "quantity": whole}},
	"note":    text,

	"reference": text, "buyer_reference": text, "purchase_order": text,
}

// InDocument reports whether a JSON pointer into a record points at what a document has, too.
func InDocument(pointer string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	_, has := documentShape[first]
	return has
}

// check compares a value with a shape. Fields may be missing: the order is validated afterwards.
func (c *checker) check(at string, value any, s shape) {
	switch s := s.(type) {
	case fields:
		object, ok := value.(map[string]any)
		if !ok {
			c.add(at, "must be an object")
			return
		}
		for _, name := range jsondiff.Sorted(object) {
			if of, known := s[name]; known {
				c.check(at+"/"+name, object[name], of)
			} else {
				c.add(at+"/"+jsondiff.Escape(name), "is an unknown field")
			}
		}
	case list:
		elements, ok := value.([]any)
		if !ok {
			c.add(at, "must be an array")
			return
		}
		for i, e := range elements[:min(len(elements), order.MaxLines+1)] { // validation refuses the last one
			c.check(at+"/"+strconv.Itoa(i), e, s.of)
		}
	case scalar:
		if !s.fits(value) {
			c.add(at, s.want)
		}
	}
}
