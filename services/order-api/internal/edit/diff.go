package edit

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

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
	return compare(nil, "", value(before), value(after))
}

// value is a parsed value, or a text that is not JSON.
func value(text []byte) any {
	parsed, _, err := parse(text)
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
	return append(all, Change{at, write(before), write(after)})
}

func compareObjects(all []Change, at string, before, after map[string]any) []Change {
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range sorted(names) {
		was, had := before[name]
		is, has := after[name]
		field := at + "/" + escape(name)
		switch {
		case !had:
			all = append(all, Change{Pointer: field, After: write(is)})
		case !has:
			all = append(all, Change{Pointer: field, Before: write(was)})
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
			all = append(all, Change{Pointer: element, After: write(is[i])})
		case i >= len(is):
			all = append(all, Change{Pointer: element, Before: write(was[i])})
		default:
			all = compare(all, element, was[i], is[i])
		}
	}
	return all
}

func sorted(fields map[string]any) []string { return slices.Sorted(maps.Keys(fields)) }
