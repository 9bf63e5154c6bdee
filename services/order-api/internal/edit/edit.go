// Package edit checks edited records of dead letters, and compares their versions. It is pure: it
// reads and writes nothing.
//
// An edited order is what the customer could have ordered instead. It keeps what identifies the
// order (its ID, time, owner, link token and refund), and is validated as a new order is. The data
// that the catalogue adds to a line stays as it was, or is that of the catalogue. Once an invoice is
// stored, what it prints is locked.
package edit

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// Hidden is the link token in a value that is shown to an editor. In an edited value it means that
// the link token stays as it was.
const Hidden = "••"

// Base is what an edited value is compared with.
type Base struct {
	Key      []byte // of the record, which an edit does not change
	Original []byte // value of the record
	Newest   []byte // value of the newest edit; or nil: there is none
	Invoiced bool   // an invoice is stored
}

// value is the newest version.
func (b Base) value() []byte {
	if b.Newest != nil {
		return b.Newest
	}
	return b.Original
}

// Diff returns the differences between the newest version and an edited value.
func (b Base) Diff(edited []byte) []Change { return Diff(b.value(), edited) }

// Check returns an edited order as it is to be stored, and its faults; with any, the value is nil.
// price is that of the catalogue: it sets what is known about the lines of an order.
func Check(b Base, edited []byte, price func(*order.Order) []order.Invalid) ([]byte, []order.Invalid) {
	if len(edited) > topic.MaxOrder {
		return nil, []order.Invalid{{Detail: fmt.Sprintf("must have at most %d bytes", topic.MaxOrder)}}
	}
	tree, faults, err := parse(edited)
	if err != nil {
		return nil, []order.Invalid{{Detail: "must be JSON"}}
	}
	c := checker{tree: tree, known: map[string]bool{}, found: faults}
	for _, version := range [][]byte{b.Original, b.Newest} {
		if t, _, err := parse(version); err == nil {
			c.versions = append(c.versions, t)
			c.learn("", t)
		}
	}
	if c.check("", "", tree, orderShape); len(c.found) > 0 {
		return nil, c.found
	}
	c.keep(b)
	c.lines(price)
	checked := write(tree)
	_, err = wire.ReadOrder(&kgo.Record{Key: b.Key, Value: checked})
	c.invalid(err)
	if len(c.found) > 0 {
		return nil, c.found
	}
	return checked, nil
}

// checker collects the faults of an edited order.
type checker struct {
	tree     any
	versions []any           // the original, and the newest edit, as far as they are JSON
	known    map[string]bool // pointers of their fields, with "*" for the number of an element
	found    []order.Invalid
}

// maxFaults limits the number of faults that an answer lists.
const maxFaults = 100

// add adds a fault. Of several faults of a field the first one counts.
func (c *checker) add(at, detail string) {
	if len(c.found) < maxFaults && !slices.ContainsFunc(c.found, func(f order.Invalid) bool { return f.Pointer == at }) {
		c.found = append(c.found, order.Invalid{Pointer: at, Detail: detail})
	}
}

func (c *checker) invalid(err error) {
	if e, ok := errors.AsType[*wire.InvalidError](err); ok {
		for _, f := range e.Faults {
			c.add(f.Pointer, f.Detail)
		}
		return
	}
	if err != nil {
		c.add("", strings.TrimPrefix(err.Error(), wire.ErrUndecodable.Error()+": "))
	}
}

// learn adds the pointers of the fields of a version.
func (c *checker) learn(at string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, field := range v {
			c.known[at+"/"+escape(name)] = true
			c.learn(at+"/"+escape(name), field)
		}
	case []any:
		for _, element := range v {
			c.learn(at+"/*", element)
		}
	}
}

// The fields that identify an order. A refund has what was computed for its lines, too.
var (
	identity = []string{"schema", "id", "placed_at", "owner", "link_token", "refund"}
	ofRefund = []string{"items", "service"}
)

// keep compares the fields that identify the order, and shows the link token again. What a record
// that is no order has of them may be corrected, but for its owner, its link token and its refund.
func (c *checker) keep(b Base) {
	edited, ok := c.tree.(map[string]any)
	if !ok || len(c.versions) == 0 {
		return
	}
	was, _ := c.versions[0].(map[string]any)
	if edited["link_token"] == Hidden && was["link_token"] != nil {
		edited["link_token"] = was["link_token"]
	}
	fields := identity
	if _, err := wire.ReadOrder(&kgo.Record{Key: b.Key, Value: b.Original}); err != nil {
		fields = identity[3:]
	}
	if was["refund"] != nil {
		fields = slices.Concat(fields, ofRefund)
	}
	for _, name := range fields {
		if !reflect.DeepEqual(was[name], edited[name]) {
			c.add("/"+name, "must stay as it is: it identifies the order")
		}
	}
}

// catalogueData are the fields of a line that a customer does not send.
var catalogueData = []string{"name", "unit_price", "weight_g", "size_mm"}

// lines compares the catalogue's data of each line with that of a line of this SKU before, and with
// the catalogue. It adds data that is missing: that of the line before, else that of the catalogue.
func (c *checker) lines(price func(*order.Order) []order.Invalid) {
	for i, element := range elements(c.tree) {
		line, _ := element.(map[string]any)
		sku, _ := line["sku"].(string)
		allowed := c.linesOf(sku)
		if sold := priced(sku, price); sold != nil {
			allowed = append(allowed, sold)
		}
		at := "/items/" + strconv.Itoa(i)
		if len(allowed) == 0 {
			c.add(at+"/sku", "is not in the catalogue")
			continue
		}
		for _, name := range catalogueData {
			value, has := line[name]
			if !has {
				line[name] = allowed[0][name]
			} else if !slices.ContainsFunc(allowed, func(l map[string]any) bool { return reflect.DeepEqual(l[name], value) }) {
				c.add(at+"/"+name, "must stay as it is, or be as in the catalogue: omit it to have it filled in")
			}
		}
	}
}

// linesOf returns the lines of a SKU in the versions before that are complete.
func (c *checker) linesOf(sku string) (all []map[string]any) {
	for _, version := range c.versions {
		for _, element := range elements(version) {
			line, _ := element.(map[string]any)
			complete := !slices.ContainsFunc(catalogueData, func(name string) bool { return line[name] == nil })
			if complete && line["sku"] == sku {
				all = append(all, line)
			}
		}
	}
	return all
}

// elements returns the lines of a parsed order.
func elements(tree any) []any {
	object, _ := tree.(map[string]any)
	list, _ := object["items"].([]any)
	return list
}

// priced is the line of a SKU with the data of the catalogue, or nil.
func priced(sku string, price func(*order.Order) []order.Invalid) map[string]any {
	o := order.Order{Lines: []order.Line{{SKU: sku, Quantity: 1}}}
	if len(price(&o)) > 0 {
		return nil
	}
	tree, _, err := parse(wire.Order(o).Value)
	if err != nil {
		return nil
	}
	line, _ := elements(tree)[0].(map[string]any)
	return line
}
