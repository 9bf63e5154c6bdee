//go:build synctests

package wire

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestFieldsAreThoseOfEncodingJSON draws objects, also nested ones, with names and texts that look
// like JSON.
func TestFieldsAreThoseOfEncodingJSON(t *testing.T) {
	t.Parallel()
	text := rapid.StringMatching(`[a-c"{}\[\]:,\\ é]{0,6}`)
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		all := []*rapid.Generator[any]{rapid.Just[any](nil), rapid.Just[any](true), text.AsAny(), rapid.IntRange(-9, 9).AsAny()}
		if depth > 0 {
			all = append(all, rapid.SliceOfN(value(depth-1), 0, 3).AsAny(), rapid.MapOfN(text, value(depth-1), 0, 3).AsAny())
		}
		return rapid.OneOf(all...)
	}
	rapid.Check(t, func(t *rapid.T) {
		write := rapid.SampledFrom([]func(any) ([]byte, error){json.Marshal, func(v any) ([]byte, error) { return json.MarshalIndent(v, "", " ") }}).Draw(t, "write")
		data, err := write(rapid.MapOfN(text, value(2), 0, 4).Draw(t, "object"))
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		got := map[string]json.RawMessage{}
		for name, v := range fields(data) {
			var plain string
			if err := json.Unmarshal([]byte(`"`+string(name)+`"`), &plain); err != nil {
				t.Fatalf("%s: name %s: %v", data, name, err)
			}
			got[plain] = compact(v)
		}
		for name, v := range want {
			want[name] = compact(v)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %s, want those of %s", got, data)
		}
	})
}

func TestUnknownFieldsAreFoundHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	known := reflect.TypeFor[struct {
		A int `json:"a,omitempty"`
		B any `json:"b"`
	}]()
	for data, want := range map[string]int{
		`{}`: 0, `{"a":1}`: 0, `{"a":1,"b":{"c":1}}`: 0, `{"A":1}`: 0, `{"\u0061":1}`: 0, `{"a":1,"c":2}`: 1, `{ "c" : "}" , "d":[]}`: 2, `null`: 0, `{"b":"\"c\":1"}`: 0,
	} {
		if got := unknown[string]([]byte(data), known); len(got) != want {
			t.Errorf("%s: got %s, want %d", data, got, want)
		}
	}
}
