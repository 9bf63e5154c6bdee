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

// FuzzParse compares parse with encoding/json.
func FuzzParse(f *testing.F) {
	const amount = `{"amount":"1.05","currency":"EUR"}`
	for _, value := range []string{
		amount, `{"amount":"0.00","currency":""}`, `{"amount":"1","currency":"EUR","currency":"USD"}`, `{"amount":"2","currency":"USD","currency":"EUR"}`,
		"null", `{"AMOUNT":"1.00","currency":"EUR"}`, `{ "amount" : "1.00", "currency" : "EUR" }`, `[]`, `{"amount":"-1.00","currency":"EUR"}`,
	} {
		f.Add([]byte(`{"schema":1,"id":"a","items":[{"sku":"é","unit_price":` + value + `,"size_mm":[1,2,3]}],"order":{"a":1},"timeline":[{"rev":1}]}`))
	}
	f.Add([]byte(`{"id":"\ud800\xff","placed_at":"2026-02-29T00:00:00Z","items":[{"size_mm":[1]},null],"bill_to":{"line1":"a","LINE1":"b"},"payment":null}`))
	f.Add([]byte(`{"ſchema":1,"SCHEMA":2,"id":"a","id":"b","customer":{"name":"a"},"customer":{"email":"b"},"items":[{"sku":"a"}],"items":[{"name":"b"}]} `))
	f.Add([]byte(`{"schema":1e0,"origin":1.5,"rev":"1","timeline":{},"placed_at":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, into := range []func() any{
			func() any { return new(orderValue) }, func() any { return new(stateValue) }, func() any { return new(progressValue) }, func() any { return new(money) },
		} {
			got, want := into(), into()
			err, like := parse(data, got), json.Unmarshal(data, want)
			if (err == nil) != (like == nil) || err == nil && !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v; want those of encoding/json: %+v, %v", got, err, want, like)
			}
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
