package edit

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"example.com/orders/shared/order"
)

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
	"customer": fields{"name": text, "email": text, "vat_id": text},
	"ship_to":  fields{"line1": text, "line2": text, "city": text, "region": text, "postal_code": text, "country": text},
	"service":  text,
	"items":    list{fields{"sku": text, "quantity": whole}},
	"note":     text,
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
		for _, name := range sorted(object) {
			if of, known := s[name]; known {
				c.check(at+"/"+name, object[name], of)
			} else {
				c.add(at+"/"+escape(name), "is an unknown field")
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
