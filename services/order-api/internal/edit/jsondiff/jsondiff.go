// Package jsondiff reads JSON without losses, and finds the differences of two values.
//
// A parsed value is made of map[string]any, []any, string, bool, nil and json.Number, which keeps a
// number as it is written.
package jsondiff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxTwice limits the number of pointers that Parse returns.
const maxTwice = 100

// Parse parses a JSON text. It returns the pointers of fields that appear twice, of which the last one
// counts. The error is that of a text that is not JSON.
func Parse(text []byte) (any, []string, error) {
	if err := json.Unmarshal(text, new(json.RawMessage)); err != nil {
		return nil, nil, err
	}
	p := parser{json.NewDecoder(bytes.NewReader(text)), nil}
	p.UseNumber()
	value := p.value("")
	return value, p.twice, nil
}

type parser struct {
	*json.Decoder
	twice []string
}

// token returns the next token. There always is one, because the JSON is valid.
func (p *parser) token() json.Token {
	t, err := p.Token()
	if err != nil {
		panic("jsondiff: " + err.Error())
	}
	return t
}

func (p *parser) value(at string) any {
	switch t := p.token(); t {
	case json.Delim('['):
		list := []any{}
		for p.More() {
			list = append(list, p.value(at+"/"+strconv.Itoa(len(list))))
		}
		p.token()
		return list
	case json.Delim('{'):
		object := map[string]any{}
		for p.More() {
			name, _ := p.token().(string)
			field := at + "/" + Escape(name)
			if _, twice := object[name]; twice && len(p.twice) < maxTwice {
				p.twice = append(p.twice, field)
			}
			object[name] = p.value(field)
		}
		p.token()
		return object
	default:
		return t
	}
}

// Write returns the JSON of a parsed value, with the fields of objects in alphabetical order.
func Write(value any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(fmt.Sprintf("jsondiff: %v", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Escape makes a name a token of a JSON pointer (RFC 6901).
func Escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

// Change is a difference between two values, at the smallest part that differs.
type Change struct {
	Pointer string          // JSON pointer (RFC 6901) to the part: in the new value, or in the old one if it was removed
	Before  json.RawMessage // nil: the part was added
	After   json.RawMessage // nil: the part was removed
}

// Diff returns the differences of two values, in alphabetical order of fields. Differences in space
// and in the order of fields are none. A value that is not JSON is taken for a text, in which bytes
// that are not UTF-8 are replaced.
func Diff(before, after []byte) []Change {
	return compare(nil, "", Value(before), Value(after))
}

// Value is a parsed value, or a text that is not JSON.
func Value(text []byte) any {
	parsed, _, err := Parse(text)
	if err != nil {
		return strings.ToValidUTF8(string(text), "\ufffd")
	}
	return parsed
}

func compare(all []Change, at string, before, after any) []Change {
	if reflect.DeepEqual(before, after) {
		return all
	}
	switch was := before.(type) {
	case map[string]any:
		if is, ok := after.(map[string]any); ok {
			return compareObjects(all, at, was, is)
		}
	case []any:
		if is, ok := after.([]any); ok {
			return compareLists(all, at, was, is)
		}
	}
	return append(all, Change{at, Write(before), Write(after)})
}

func compareObjects(all []Change, at string, before, after map[string]any) []Change {
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range Sorted(names) {
		was, had := before[name]
		is, has := after[name]
		field := at + "/" + Escape(name)
		switch {
		case !had:
			all = append(all, Change{Pointer: field, After: Write(is)})
		case !has:
			all = append(all, Change{Pointer: field, Before: Write(was)})
		default:
			all = compare(all, field, was, is)
		}
	}
	return all
}

// compareLists leaves out what both lists begin and end with, compares the elements between one by
// one, and takes what one list has more of for added or removed.
func compareLists(all []Change, at string, before, after []any) []Change {
	first := 0
	for first < min(len(before), len(after)) && reflect.DeepEqual(before[first], after[first]) {
		first++
	}
	last := 0
	for last < min(len(before), len(after))-first && reflect.DeepEqual(before[len(before)-1-last], after[len(after)-1-last]) {
		last++
	}
	was, is := before[first:len(before)-last], after[first:len(after)-last]
	for i := range max(len(was), len(is)) {
		element := at + "/" + strconv.Itoa(first+i)
		switch {
		case i >= len(was):
			all = append(all, Change{Pointer: element, After: Write(is[i])})
		case i >= len(is):
			all = append(all, Change{Pointer: element, Before: Write(was[i])})
		default:
			all = compare(all, element, was[i], is[i])
		}
	}
	return all
}

// Sorted returns the names of the fields of an object, in alphabetical order.
func Sorted(fields map[string]any) []string { return slices.Sorted(maps.Keys(fields)) }
