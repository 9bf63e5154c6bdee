package edit

import (
	"maps"
	"slices"
	"strconv"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// checker collects the faults of an edited document.
type checker struct{ found []order.Invalid }

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
	record, _ := value(b.newest()).(map[string]any)
	composed := overwrite(record, doc, documentShape)
	if items, ok := doc["items"].([]any); ok {
		composed["items"] = c.lines(items, versions(b), price)
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

// versions are the lines of the newest version, then those of the original.
func versions(b Base) (lines []any) {
	for _, version := range [][]byte{b.newest(), b.Original} {
		record, _ := value(version).(map[string]any)
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
			line = priced(given["sku"], price)
		}
		if line == nil {
			c.add("/items/"+strconv.Itoa(i)+"/sku", "is not in the catalogue")
			line = priced(nil, func(*order.Order) []order.Invalid { return nil })
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

// priced is a line of a SKU with the data of the catalogue, or nil.
func priced(sku any, price Price) map[string]any {
	name, _ := sku.(string)
	o := order.Order{Lines: []order.Line{{SKU: name, Quantity: 1, UnitPrice: order.EUR.Cents(0)}}}
	if len(price(&o)) > 0 {
		return nil
	}
	record, _ := value(wire.Order(o).Value).(map[string]any)
	items, _ := record["items"].([]any)
	line, _ := items[0].(map[string]any)
	return line
}
