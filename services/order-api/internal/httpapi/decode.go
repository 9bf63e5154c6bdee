package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/shared/order"
)

// decodeOrder reads the JSON of a new order. Fields that are unknown, repeated or of the wrong type
// are returned as invalid; the order contains the others. It does not check values. Text that is
// not JSON is an error.
func decodeOrder(body []byte) (order.Order, []order.Invalid, error) {
	d, err := newDecoder(body)
	if err != nil {
		return order.Order{}, nil, err
	}
	var o order.Order
	d.object("", fields{
		"customer": d.in(fields{
			"name": d.text(&o.Customer.Name), "company": d.text(&o.Customer.Company),
			"email": d.text(&o.Customer.Email), "vat_id": d.text(&o.Customer.VATID),
		}),
		"payment":         func(at string) { o.Payment = new(order.Payment); d.payment(o.Payment)(at) },
		"ship_to":         d.in(d.address(&o.ShipTo)),
		"bill_to":         d.billTo(&o.BillTo),
		"service":         d.text(&o.Service),
		"items":           d.lines(&o.Lines),
		"note":            d.text(&o.Note),
		"reference":       d.text(&o.Reference),
		"buyer_reference": d.text(&o.BuyerReference),
		"purchase_order":  d.text(&o.PurchaseOrder),
	})
	return o, d.wrong, nil
}

func (d *decoder) address(a *order.Address) fields {
	return fields{
		"line1": d.text(&a.Line1), "line2": d.text(&a.Line2), "city": d.text(&a.City),
		"region": d.text(&a.Region), "postal_code": d.text(&a.PostalCode), "country": d.text(&a.Country),
	}
}

func (d *decoder) billTo(into **order.BillTo) func(at string) {
	return func(at string) {
		b := &order.BillTo{}
		known := d.address(&b.Address)
		known["name"], known["company"], known["vat_id"] = d.text(&b.Name), d.text(&b.Company), d.text(&b.VATID)
		d.object(at, known)
		*into = b
	}
}

// decodeRefund reads the JSON of a new refund like decodeOrder. An empty body refunds everything.
// An empty list of items is invalid: the client may have meant that nothing is refunded.
func decodeRefund(body []byte) (intake.Want, []order.Invalid, error) {
	var w intake.Want
	if len(bytes.TrimSpace(body)) == 0 {
		return w, nil, nil
	}
	d, err := newDecoder(body)
	if err != nil {
		return w, nil, err
	}
	d.object("", fields{
		"items": func(at string) {
			before := len(d.wrong)
			if d.lines(&w.Items)(at); w.Items == nil && len(d.wrong) == before {
				d.add(at, "must not be empty: omit it instead")
			}
		},
		"shipping": d.flag(&w.Shipping),
		"reason":   d.text(&w.Reason),
	})
	return w, d.wrong, nil
}

// newDecoder checks that a body is JSON in UTF-8. Its error is a problem.
func newDecoder(body []byte) (*decoder, error) {
	if !utf8.Valid(body) {
		return nil, newProblem(malformed, "the body is not UTF-8")
	}
	if !json.Valid(body) {
		return nil, syntaxProblem(body)
	}
	if at := loneSurrogate(body); at >= 0 {
		return nil, newProblem(malformed, fmt.Sprintf("the body is not Unicode: unpaired surrogate at byte %d", at))
	}
	return &decoder{scanner: scanner{body: string(body)}}, nil
}

func syntaxProblem(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return newProblem(malformed, "the body is empty")
	}
	err := json.Unmarshal(body, new(json.RawMessage))
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return newProblem(malformed, fmt.Sprintf("the body is not JSON: %s at byte %d", s, s.Offset))
	}
	return newProblem(malformed, "the body is not JSON")
}

// loneSurrogate is the offset of an escape such as \ud83d without the other half of its pair in
// valid JSON, or -1. encoding/json would replace it with U+FFFD.
func loneSurrogate(body []byte) int {
	if bytes.IndexByte(body, '\\') < 0 { // most bodies
		return -1
	}
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		first := escape(body[i:])
		switch {
		case utf16.DecodeRune(first, escape(body[min(i+6, len(body)):])) != unicode.ReplacementChar:
			i += 11 // a pair
		case utf16.IsSurrogate(first):
			return i
		default:
			i++ // skip the escaped character: it may be a backslash
		}
	}
	return -1
}

// escape is the UTF-16 code unit of the escape \uXXXX at the start of a text, or -1.
func escape(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
}

// decoder reads valid JSON strictly. json.Unmarshal would accept repeated fields and names in any
// mix of upper and lower case.
type decoder struct {
	scanner
	wrong []order.Invalid
}

// fields maps the known fields of an object to functions that read their values. A function gets
// the JSON pointer of the value and must read the whole value.
type fields map[string]func(at string)

// maxWrong limits the number of faults that a response lists.
const maxWrong = 100

func (d *decoder) add(at, detail string) {
	if len(d.wrong) < maxWrong {
		d.wrong = append(d.wrong, order.Invalid{Pointer: at, Detail: detail})
	}
}

// skip reads the rest of the value that begins with t.
func (d *decoder) skip(t json.Token) {
	for depth := nesting(t); depth > 0; {
		depth += nesting(d.token())
	}
}

// nesting is 1 for the start of an object or an array, -1 for its end, else 0.
func nesting(t json.Token) int {
	switch t {
	case json.Delim('{'), json.Delim('['):
		return 1
	case json.Delim('}'), json.Delim(']'):
		return -1
	}
	return 0
}

// object reads the known fields of an object, each once.
func (d *decoder) object(at string, known fields) {
	if t := d.token(); t != json.Delim('{') {
		d.add(at, "must be an object")
		d.skip(t)
		return
	}
	seen := map[string]bool{}
	for d.more() {
		name, _ := d.scanner.text()
		read, ok := known[name]
		if ok && !seen[name] {
			seen[name] = true
			read(at + "/" + name)
			continue
		}
		if ok {
			d.add(at+"/"+name, "appears twice")
		} else {
			d.add(unknownField(at, name))
		}
		d.skip(d.token())
	}
	d.token()
}

// unknownField describes an unknown field. It does not repeat a long name.
func unknownField(at, name string) (pointer, detail string) {
	const longest = 64
	if len(name) > longest {
		return at, "has an unknown field with a name of more than " + strconv.Itoa(longest) + " bytes"
	}
	return at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name), "is an unknown field"
}

func (d *decoder) in(known fields) func(at string) {
	return func(at string) { d.object(at, known) }
}

func (d *decoder) text(into *string) func(at string) {
	return func(at string) {
		text, ok := d.scanner.text()
		if !ok {
			d.add(at, "must be a string")
			d.skip(d.token())
		}
		*into = text
	}
}

func (d *decoder) flag(into *bool) func(at string) {
	return func(at string) {
		t := d.token()
		yes, ok := t.(bool)
		if !ok {
			d.add(at, "must be true or false")
			d.skip(t)
		}
		*into = yes
	}
}

// whole reads an integer. 1.0 and 1e0 are none, and neither is one that overflows int.
func (d *decoder) whole(into *int) func(at string) {
	return func(at string) {
		t := d.token()
		number, _ := t.(json.Number)
		n, err := strconv.Atoi(string(number))
		if err != nil {
			d.add(at, fmt.Sprintf("must be a whole number from 1 to %d", order.MaxQuantity))
			d.skip(t)
		}
		*into = n
	}
}

// lines reads the lines of an order, at most one more than allowed: validation refuses that one.
func (d *decoder) lines(into *[]order.Line) func(at string) {
	return func(at string) {
		if t := d.token(); t != json.Delim('[') {
			d.add(at, "must be an array")
			d.skip(t)
			return
		}
		var l order.Line
		known := fields{"sku": d.text(&l.SKU), "quantity": d.whole(&l.Quantity)}
		for n := 0; d.more(); n++ {
			if n > order.MaxLines {
				d.skip(d.token())
				continue
			}
			l = order.Line{}
			d.object(at+"/"+strconv.Itoa(n), known)
			*into = append(*into, l)
		}
		d.token()
	}
}
