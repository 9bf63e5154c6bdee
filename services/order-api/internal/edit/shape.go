package edit

import (
	"encoding/json"
	"strconv"
	"time"
)

// shape says which values a part of an order may have. It is an object, a list, a scalar, or nil for
// any value.
type shape any

type (
	object map[string]shape
	list   struct{ of shape }
	scalar struct {
		want string
		fits func(any) bool
	}
)

var (
	text  = scalar{"must be a string", func(v any) bool { _, ok := v.(string); return ok }}
	whole = scalar{"must be a whole number", func(v any) bool {
		n, _ := v.(json.Number)
		_, err := strconv.Atoi(string(n))
		return err == nil
	}}
	moment = scalar{"must be a time such as 2026-03-01T12:00:00Z", func(v any) bool {
		s, _ := v.(string)
		_, err := time.Parse(time.RFC3339, s)
		return err == nil
	}}
)

// orderShape is the shape of an order in its record. A refund is compared as a whole.
var orderShape = object{
	"schema": whole, "id": text, "placed_at": moment, "service": text, "note": text, "owner": text, "link_token": text, "refund": nil,
	"customer": object{"name": text, "email": text, "vat_id": text},
	"ship_to":  object{"line1": text, "line2": text, "city": text, "region": text, "postal_code": text, "country": text},
	"items": list{object{
		"sku": text, "quantity": whole, "name": text, "unit_price": object{"amount": text, "currency": text}, "weight_g": whole, "size_mm": list{whole},
	}},
}

// check compares a value with a shape. Fields that this version does not know must be fields of a
// version before. everywhere is the pointer with "*" for the number of an element.
func (c *checker) check(at, everywhere string, value any, s shape) {
	switch s := s.(type) {
	case object:
		fields, ok := value.(map[string]any)
		if !ok {
			c.add(at, "must be an object")
			return
		}
		for _, name := range sorted(fields) {
			field := "/" + escape(name)
			of, known := s[name]
			if !known && !c.known[everywhere+field] {
				c.add(at+field, "is an unknown field")
				continue
			}
			c.check(at+field, everywhere+field, fields[name], of)
		}
	case list:
		elements, ok := value.([]any)
		if !ok {
			c.add(at, "must be an array")
			return
		}
		for i, e := range elements {
			c.check(at+"/"+strconv.Itoa(i), everywhere+"/*", e, s.of)
		}
	case scalar:
		if !s.fits(value) {
			c.add(at, s.want)
		}
	}
}
