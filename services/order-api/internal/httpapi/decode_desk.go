package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// decodeBody reads a JSON object with known fields, which known makes for the decoder. An empty body is
// allowed if optional is true. Its error is a problem; faults are of a kind.
func decodeBody(r *http.Request, k kind, optional bool, known func(*decoder) fields) error {
	body, err := readJSON(r)
	if err != nil || optional && len(bytes.TrimSpace(body)) == 0 {
		return err
	}
	return decode(body, k, known)
}

// decode is decodeBody for a body that was read.
func decode(body []byte, k kind, known func(*decoder) fields) error {
	d, err := newDecoder(body)
	if err != nil {
		return err
	}
	d.object("", known(d))
	if len(d.wrong) > 0 {
		return invalidProblem(k, d.wrong)
	}
	return nil
}

// givenReason reads the optional JSON body of an act. Its error is a problem.
func givenReason(r *http.Request) (reason string, err error) {
	err = decodeBody(r, invalidReason, true, func(d *decoder) fields { return fields{"reason": d.line(&reason, 0)} })
	return reason, err
}

// neededReason is givenReason for an act that needs a reason.
func neededReason(r *http.Request) (reason string, err error) {
	err = decodeBody(r, invalidReason, false, func(d *decoder) fields { return fields{"reason": d.line(&reason, 1)} })
	if err == nil {
		err = checkReason(reason, 1) // the field may be absent
	}
	return reason, err
}

// checkReason is nil for a reason of at least so many characters, or a problem.
func checkReason(reason string, least int) error {
	if fault := order.TextFault(reason, least, wire.MaxReason); fault != "" {
		return invalidProblem(invalidReason, []order.Invalid{{Pointer: "/reason", Detail: fault}})
	}
	return nil
}

// line reads a reason: one line of text.
func (d *decoder) line(into *string, least int) func(at string) {
	return d.checkedText(into, func(text string) string { return order.TextFault(text, least, wire.MaxReason) })
}

// checkedText reads a text and adds its fault, unless that is "".
func (d *decoder) checkedText(into *string, fault func(string) string) func(at string) {
	return func(at string) {
		before := len(d.wrong)
		d.text(into)(at)
		if f := fault(*into); f != "" && len(d.wrong) == before {
			d.add(at, f)
		}
	}
}

// note reads the text of a note, which may have line breaks.
func (d *decoder) note(into *string) func(at string) {
	return d.checkedText(into, noteFault)
}

func noteFault(text string) string {
	return order.TextFault(strings.ReplaceAll(text, "\n", " "), 1, wire.MaxNote)
}

// raw reads any value as it is written.
func (d *decoder) raw(into *json.RawMessage) func(at string) {
	return func(string) {
		d.space()
		from := d.at
		d.skip(d.token())
		*into = json.RawMessage(d.body[from:d.at])
	}
}

// integer reads a whole number in a range.
func (d *decoder) integer(into *int, least, most int) func(at string) {
	return func(at string) {
		t := d.token()
		number, _ := t.(json.Number)
		n, err := strconv.Atoi(string(number))
		if err != nil || n < least || n > most {
			d.add(at, fmt.Sprintf("must be a whole number from %d to %d", least, most))
			d.skip(t)
			return
		}
		*into = n
	}
}

// number reads a number from 0 to a limit.
func (d *decoder) number(into *float64, most float64) func(at string) {
	return func(at string) {
		t := d.token()
		number, ok := t.(json.Number)
		n, err := strconv.ParseFloat(string(number), 64)
		if !ok || err != nil || n < 0 || n > most || math.IsNaN(n) {
			d.add(at, "must be a number from 0 to "+strconv.FormatFloat(most, 'f', -1, 64))
			d.skip(t)
			return
		}
		*into = n
	}
}

// each reads an array of at most a number of elements.
func (d *decoder) each(most int, element func(at string)) func(at string) {
	return func(at string) {
		if t := d.token(); t != json.Delim('[') {
			d.add(at, "must be an array")
			d.skip(t)
			return
		}
		n := 0
		for ; d.more(); n++ {
			if n < most {
				element(at + "/" + strconv.Itoa(n))
			} else {
				d.skip(d.token())
			}
		}
		d.token()
		if n < 1 || n > most {
			d.add(at, fmt.Sprintf("must have 1 to %d elements", most))
		}
	}
}

// texts reads an array of texts, each of 1 to a number of characters and none twice.
func (d *decoder) texts(into *[]string, most, length int) func(at string) {
	seen := map[string]bool{}
	return d.each(most, func(at string) {
		var text string
		d.checkedText(&text, func(text string) string { return order.TextFault(text, 1, length) })(at)
		if seen[text] {
			d.add(at, "appears twice")
		}
		seen[text] = true
		*into = append(*into, text)
	})
}

// moment reads a time.
func (d *decoder) moment(into *time.Time) func(at string) {
	return func(at string) {
		var text string
		before := len(d.wrong)
		d.text(&text)(at)
		t, err := time.Parse(time.RFC3339, text)
		if err != nil && len(d.wrong) == before {
			d.add(at, "must be a time such as 2026-03-01T12:00:00Z")
		}
		*into = t
	}
}
