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
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
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

// Price sets what the catalogue knows about the lines of an order, and returns its faults.
type Price func(*order.Order) []order.Invalid

// Edited is a new version.
type Edited struct {
	Value   []byte   // of the record
	Changes []Change // of the document; none: nothing has changed
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
func (b Base) Document() ([]byte, error) { return document(b.Key, b.newest()) }

func document(key, value []byte) ([]byte, error) {
	o, err := wire.ReadOrder(&kgo.Record{Key: key, Value: value})
	if errors.Is(err, wire.ErrUndecodable) || errors.Is(err, wire.ErrNewer) || err == nil && o.Refund != nil {
		return nil, ErrNotEditable
	}
	if err != nil {
		return nil, err
	}
	n := client.NewOrder{Customer: client.Customer(o.Customer), ShipTo: client.Address(o.ShipTo), Service: o.Service, Note: o.Note}
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
	tree, faults, err := parse(edited)
	if err != nil {
		return Edited{}, &InvalidError{[]order.Invalid{{Detail: "must be JSON"}}}
	}
	c := checker{found: faults}
	if c.check("", tree, documentShape); len(c.found) > 0 {
		return Edited{}, &InvalidError{c.found}
	}
	value := write(c.compose(b, tree.(map[string]any), price))
	after, err := c.read(b.Key, value)
	if err != nil {
		return Edited{}, err
	}
	changes := Diff(before, after)
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
	return document(key, value)
}

// lockedIn returns the pointers of the changes that are locked.
func (b Base) lockedIn(changes []Change) (all []string) {
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
