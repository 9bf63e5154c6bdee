// Package batch reads files of orders: JSON with one order, NDJSON with an order on each line, and
// CSV with a row for each line of an order.
//
// It checks the format only; the API validates the orders. The body of an order is passed on as
// written, and an invalid order does not affect others. CSV is read as spreadsheets write it: separated
// by commas, semicolons or tabs, in UTF-8, UTF-16 or Windows-1252, with any line ends and blank rows. A
// row that cannot be read refuses its order alone, and so does a key that a spreadsheet has changed. An
// error that affects the whole file (a wrong header, an unknown encoding) is returned by Read, without
// orders. All errors name the line.
package batch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Order is one order of a file.
type Order struct {
	Line int    // in the file, from 1
	Key  string // idempotency key, or empty if the file has none
	Body []byte // JSON for the API; nil if Err is set
	Err  error  // why the order cannot be placed, or nil
}

// maxBytes is the maximum size of a file. It is read into memory, because the rows of an order may
// be anywhere.
const maxBytes = 256 << 20

// Read reads the orders of a file, in file order. said is a sentence for the user about the encoding,
// or empty. The extension of the name determines the format
// (.json, .ndjson, .jsonl, .csv); for any other name, the first characters do.
func Read(name string, r io.Reader) (orders []Order, said string, err error) {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, "", fmt.Errorf("reading %s: %w", name, err)
	}
	if len(text) > maxBytes {
		return nil, "", fmt.Errorf("%s: is larger than %d MiB: split it into several files", name, maxBytes>>20)
	}
	text, said, err = decoded(text)
	if err == nil {
		orders, err = parse(filepath.Ext(name), text)
	}
	if w, ok := errors.AsType[*wrong](err); ok && w.line > 0 {
		return nil, "", fmt.Errorf("%s:%d: %s", name, w.line, w.what)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	if said != "" {
		said = name + " " + said
	}
	return orders, said, nil
}

// wrong is a fault at a line of a file; line 0 is the whole file.
type wrong struct {
	line int
	what string
}

func (w *wrong) Error() string { return w.what }

func parse(ending string, text []byte) ([]Order, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, &wrong{0, "is empty"}
	}
	switch strings.ToLower(ending) {
	case ".csv":
		return readCSV(text)
	case ".ndjson", ".jsonl":
		return readLines(text), nil
	case ".json":
		return readObject(text)
	}
	first, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	switch {
	case first[0] != '{':
		return readCSV(text)
	case json.Valid(first):
		return readLines(text), nil
	default:
		return readObject(text)
	}
}

// firstInvalid is the offset of the first byte that is not UTF-8, or -1.
func firstInvalid(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// readObject reads a JSON file with one order.
func readObject(text []byte) ([]Order, error) {
	key, body, err := object(text)
	if err != nil {
		return nil, err
	}
	return []Order{{Line: 1, Key: key, Body: body}}, nil
}

// readLines reads an order from each line that is not blank.
func readLines(text []byte) []Order {
	var orders []Order
	line := 0
	for one := range bytes.Lines(text) {
		line++
		if len(bytes.TrimSpace(one)) == 0 {
			continue
		}
		o := Order{Line: line}
		o.Key, o.Body, o.Err = object(one)
		orders = append(orders, o)
	}
	return orders
}

// object removes the field "order", the idempotency key, from a JSON object. As in a CSV file it is also
// the reference, unless the object has another one. The other fields stay as they are.
func object(text []byte) (key string, body []byte, err error) {
	if err := json.Unmarshal(text, new(json.RawMessage)); err != nil {
		return "", nil, syntax(text, err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if t := must(d.Token()); t != json.Delim('{') {
		return "", nil, &wrong{1, "is not a JSON object (" + several + ")"}
	}
	var rest []byte
	referenced := false
	for d.More() {
		name := must(json.Marshal(must(d.Token())))
		at := d.InputOffset()
		var value json.RawMessage
		must(0, d.Decode(&value))
		if string(name) != `"order"` {
			referenced = referenced || string(name) == `"reference"`
			rest = fmt.Appendf(rest, ",%s:%s", name, value)
			continue
		}
		// Count lines only here: for each field it would be quadratic.
		line := 1 + bytes.Count(text[:at], []byte("\n"))
		if key != "" {
			return "", nil, &wrong{line, `"order" appears twice`}
		}
		if err := json.Unmarshal(value, &key); err != nil || key == "" {
			return "", nil, &wrong{line, `"order" must be a string: it is the idempotency key`}
		}
	}
	if key != "" && !referenced {
		rest = fmt.Appendf(rest, `,"reference":%s`, must(json.Marshal(key)))
	}
	return key, fmt.Appendf(nil, "{%s}", bytes.TrimPrefix(rest, []byte(","))), nil
}

const several = "for several orders, write one on each line of a file that ends in .ndjson"

func syntax(text []byte, err error) error {
	s, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return err
	}
	line := 1 + bytes.Count(bytes.TrimRight(text[:s.Offset], "\n"), []byte("\n"))
	return &wrong{line, fmt.Sprintf("is not a JSON object: %v (%s)", s, several)}
}

// must unwraps results for JSON that is known to be valid.
func must[T any](v T, err error) T {
	if err != nil {
		panic("batch: " + err.Error())
	}
	return v
}
