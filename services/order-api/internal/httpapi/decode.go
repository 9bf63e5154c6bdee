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

// decodeOrder reads an order as a customer asks for it. What is no JSON at all is an error. What has the wrong form, or is
// not known, or appears twice, is among the wrong fields; the order holds what else could be read. Whether that makes
// sense is for others to say.
func decodeOrder(body []byte) (order.Order, []order.Invalid, error) {
	d, err := newDecoder(body)
	if err != nil {
		return order.Order{}, nil, err
	}
	var o order.Order
	d.object("", fields{
		"customer": d.in(fields{"name": d.text(&o.Customer.Name), "email": d.text(&o.Customer.Email), "vat_id": d.text(&o.Customer.VATID)}),
		"ship_to": d.in(fields{
			"line1": d.text(&o.ShipTo.Line1), "line2": d.text(&o.ShipTo.Line2), "city": d.text(&o.ShipTo.City),
			"region": d.text(&o.ShipTo.Region), "postal_code": d.text(&o.ShipTo.PostalCode), "country": d.text(&o.ShipTo.Country),
		}),
		"service": d.text(&o.Service),
		"items":   d.lines(&o.Lines),
		"note":    d.text(&o.Note),
	})
	return o, d.wrong, nil
}

// decodeRefund reads what is to be refunded, as decodeOrder reads an order. Nothing at all is everything. A list of no lines
// is wrong: whoever sends it may mean nothing.
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
				d.add(at, "must have lines, or be left out")
			}
		},
		"shipping": d.flag(&w.Shipping),
		"reason":   d.text(&w.Reason),
	})
	return w, d.wrong, nil
}

// newDecoder returns what reads a body. Its error is a problem: the body is no JSON at all.
func newDecoder(body []byte) (*decoder, error) {
	var whole json.RawMessage
	if !utf8.Valid(body) {
		return nil, newProblem(malformed, "the body is not UTF-8")
	}
	if err := json.Unmarshal(body, &whole); err != nil {
		return nil, notJSON(body, err)
	}
	if at := loneSurrogate(body); at >= 0 {
		return nil, newProblem(malformed, fmt.Sprintf("the body is not Unicode: half of a surrogate pair at byte %d", at))
	}
	d := &decoder{Decoder: json.NewDecoder(bytes.NewReader(body))}
	d.UseNumber()
	return d, nil
}

func notJSON(body []byte, err error) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return newProblem(malformed, "the body is empty")
	}
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return newProblem(malformed, fmt.Sprintf("the body is not JSON: %s at byte %d", s, s.Offset))
	}
	return newProblem(malformed, "the body is not JSON")
}

// loneSurrogate is where an escape such as \ud83d stands without its other half in JSON that is well formed, or -1. encoding/json
// reads another character instead.
func loneSurrogate(body []byte) int {
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
			i++ // what is escaped may be a backslash
		}
	}
	return -1
}

// escape is the UTF-16 code unit of the escape \uXXXX that a text begins with, or -1.
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

// decoder walks through JSON that is known to be well formed. encoding/json alone takes the last of two fields of one
// name, and any mix of upper and lower case.
type decoder struct {
	*json.Decoder
	wrong []order.Invalid
}

// fields has, for each field of an object, what reads its value at a pointer. It must read the whole value.
type fields map[string]func(at string)

// maxWrong bounds the answer to a body that is nothing but wrong.
const maxWrong = 100

func (d *decoder) add(at, detail string) {
	if len(d.wrong) < maxWrong {
		d.wrong = append(d.wrong, order.Invalid{Pointer: at, Detail: detail})
	}
}

// token returns the next token. There is one: the text is well formed.
func (d *decoder) token() json.Token {
	t, err := d.Token()
	if err != nil {
		panic("httpapi: " + err.Error())
	}
	return t
}

// skip reads on to the end of the value that begins with t, however deep it is.
func (d *decoder) skip(t json.Token) {
	for depth := nesting(t); depth > 0; {
		depth += nesting(d.token())
	}
}

// nesting is 1 for the beginning of an object or an array, -1 for its end, else 0.
func nesting(t json.Token) int {
	switch t {
	case json.Delim('{'), json.Delim('['):
		return 1
	case json.Delim('}'), json.Delim(']'):
		return -1
	}
	return 0
}

// object reads an object's known fields, each once.
func (d *decoder) object(at string, known fields) {
	if t := d.token(); t != json.Delim('{') {
		d.add(at, "must be an object")
		d.skip(t)
		return
	}
	seen := map[string]bool{}
	for d.More() {
		name, _ := d.token().(string)
		read, ok := known[name]
		if ok && !seen[name] {
			seen[name] = true
			read(at + "/" + name)
			continue
		}
		if ok {
			d.add(at+"/"+name, "is given twice")
		} else {
			d.add(unknownField(at, name))
		}
		d.skip(d.token())
	}
	d.token()
}

// unknownField points at a field of any name. A long one is not repeated to whoever sent it.
func unknownField(at, name string) (pointer, detail string) {
	const longest = 64
	if len(name) > longest {
		return at, "has a field that is not known, with a name of more than " + strconv.Itoa(longest) + " bytes"
	}
	return at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name), "is not a field that is known here"
}

func (d *decoder) in(known fields) func(at string) {
	return func(at string) { d.object(at, known) }
}

func (d *decoder) text(into *string) func(at string) {
	return func(at string) {
		t := d.token()
		text, ok := t.(string)
		if !ok {
			d.add(at, "must be text")
			d.skip(t)
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

// whole reads a whole number, written as one. What is far out of range is as wrong as what is no number.
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

// lines reads the lines of an order. One too many is kept to be seen, and no more.
func (d *decoder) lines(into *[]order.Line) func(at string) {
	return func(at string) {
		if t := d.token(); t != json.Delim('[') {
			d.add(at, "must be a list")
			d.skip(t)
			return
		}
		for n := 0; d.More(); n++ {
			if n > order.MaxLines {
				d.skip(d.token())
				continue
			}
			var l order.Line
			d.object(at+"/"+strconv.Itoa(n), fields{"sku": d.text(&l.SKU), "quantity": d.whole(&l.Quantity)})
			*into = append(*into, l)
		}
		d.token()
	}
}
