package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	fast "github.com/go-json-experiment/json"
	v1 "github.com/go-json-experiment/json/v1"
)

// maxNesting is how deep JSON of other programs may be nested. encoding/json reads and writes 10,000
// levels at most, so an order at that limit would not fit into a state.
const maxNesting = 100

// foreign returns an error for JSON of another program that can be read but not written again.
func foreign(data []byte) error {
	if !utf8.Valid(data) {
		return fmt.Errorf("%w: not UTF-8", ErrUndecodable)
	}
	if nesting(data) > maxNesting {
		return fmt.Errorf("%w: nested deeper than %d", ErrUndecodable, maxNesting)
	}
	return nil
}

// nesting is how deep valid JSON is nested.
func nesting(data []byte) int {
	depth, most, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}

// parse decodes JSON as encoding/json does, in less time: it takes names in another case, names that are repeated, and
// text that is not UTF-8. The text of its error is bounded, because it can quote the input.
func parse(data []byte, into any) error {
	if err := fast.Unmarshal(data, into, v1.DefaultOptionsV1()); err != nil {
		return fmt.Errorf("%w: %.200v", ErrUndecodable, err)
	}
	return nil
}

// mustJSON is for values of this package, which always marshal.
func mustJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	// With escapes, an order full of "<" would grow sixfold in a state, and no longer fit.
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("wire: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// unknown returns the fields of a JSON object that a struct has no tag for, or nil.
func unknown[K ~string](data []byte, known reflect.Type) map[K]json.RawMessage {
	var all map[K]json.RawMessage
	if familiar(data, known) || json.Unmarshal(data, &all) != nil {
		return nil
	}
	for _, tag := range tagsOf(known) {
		for name := range all {
			// encoding/json has read a field of this name, whatever its case.
			if strings.EqualFold(string(name), tag) {
				delete(all, name)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// familiar reports whether a struct has a tag for each field of valid JSON, as it is written. Without it, each
// state would be decoded three times.
func familiar(data []byte, known reflect.Type) bool {
	names, ok := tags()[known]
	if !ok {
		names = tagsOf(known)
	}
	for name := range fields(data) {
		if !slices.Contains(names, string(name)) {
			return false
		}
	}
	return true
}

// tags are the results of tagsOf for the structs of which unknown fields are kept: each state asks for them five times.
var tags = sync.OnceValue(func() map[reflect.Type][]string {
	all := map[reflect.Type][]string{}
	for _, known := range []reflect.Type{
		reflect.TypeFor[stateValue](), reflect.TypeFor[progressValue](), reflect.TypeFor[shippingValue](), reflect.TypeFor[invoiceValue](),
		reflect.TypeFor[emailValue](),
	} {
		all[known] = tagsOf(known)
	}
	return all
})

// tagsOf returns the names of the fields of a struct in JSON.
func tagsOf(known reflect.Type) []string {
	all := make([]string, 0, known.NumField())
	for f := range known.Fields() {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, tag)
	}
	return all
}

// fields are the names, with the escapes as they are written, and the values of the fields of an object in valid
// JSON. Another value has none.
func fields(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		depth, value := 0, 0 // value is where the value of the field begins, or 0
		var name []byte
		for i := 0; i < len(object); i++ {
			switch c := object[i]; c {
			case '"':
				end := quoteEnd(object, i)
				if depth == 1 && value == 0 {
					name = object[i+1 : end]
				}
				i = end
			case '{', '[':
				depth++
			case ':':
				if depth == 1 {
					value = i + 1
				}
			case ',', '}', ']':
				if c != ',' {
					depth--
				}
				if value > 0 && (depth == 0 || depth == 1 && c == ',') {
					if !yield(name, object[value:i]) {
						return
					}
					value = 0
				}
			}
		}
	}
}

// quoteEnd is the index of the quote that ends the string which begins at an index of valid JSON.
func quoteEnd(data []byte, begin int) int {
	for i := begin + 1; ; i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
}

// with adds a field to a JSON object that has fields. Its value is JSON.
func with(object []byte, name string, value []byte) []byte {
	all := slices.Grow(bytes.TrimSuffix(object, []byte("}")), len(name)+len(value)+len(`,"":}`))
	return append(append(append(all, `,"`+name+`":`...), value...), '}')
}

// merge adds fields to a JSON object. If both have a field, objects are merged, and any other value stays as it is.
func merge[K ~string](object []byte, extra map[K]json.RawMessage) []byte {
	var all map[K]json.RawMessage
	if len(extra) == 0 || json.Unmarshal(object, &all) != nil {
		return object
	}
	for name, value := range extra {
		have, twice := all[name]
		if twice {
			var within map[string]json.RawMessage
			_ = json.Unmarshal(value, &within) // a value that is not an object adds nothing
			value = merge(have, within)
		}
		all[name] = value
	}
	return mustJSON(all)
}
