package edit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/edit"
)

func TestPatchIsAppliedToTheDocument(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		patch string
		want  []string // changes, or faults, or the error
	}{
		{`[{"op":"test","path":"/ship_to/country","value":"AQ"},{"op":"replace","path":"/ship_to/country","value":"DE"}]`, []string{`/ship_to/country "AQ" "DE"`}},
		{`[{"op":"test","path":"/ship_to/country","value":"UK"},{"op":"replace","path":"/ship_to/country","value":"GB"}]`, []string{edit.ErrNotMatched.Error()}},
		{`[{"op":"test","path":"/no/such","value":"UK"}]`, []string{edit.ErrNotMatched.Error()}},
		{`[{"op":"replace","path":"/ship_to/country","value":"AQ"}]`, nil},
		{`[{"op":"remove","path":"/note"}]`, []string{`/note "Ring twice" `}},
		{`[{"op":"move","from":"/ship_to/line2","path":"/ship_to/region"}]`, []string{`/ship_to/line2 "Hut 7" `, `/ship_to/region "South" "Hut 7"`}},
		{`[{"op":"copy","from":"/ship_to/line2","path":"/note"}]`, []string{`/note "Ring twice" "Hut 7"`}},
		{`[{"op":"add","path":"/items/-","value":{"sku":"BOTTLE-750","quantity":1}}]`, []string{`/items/1  {"quantity":1,"sku":"BOTTLE-750"}`}},
		{`[{"op":"add","path":"/items/-","value":{"sku":"FLYING-CARPET","quantity":1}}]`, []string{"/items/1/sku is not in the catalogue"}},
		{`[{"op":"add","path":"/unit_price","value":1}]`, []string{"/unit_price is an unknown field"}},
		{`[{"op":"replace","path":"/no","value":1}]`, []string{"/no operation 1 (replace) does not apply"}},
		{`[{"op":"remove","path":"/items/-1"}]`, []string{"/items/-1 operation 1 (remove) does not apply"}},
		{`[{"op":"replace","path":"","value":[]}]`, []string{"must be an object"}},
		{`[{"op":"replace","path":"/note","value":null}]`, []string{"/note must be a string"}},
	} {
		p, wrong := edit.ParsePatch([]byte(row.patch))
		if len(wrong) > 0 {
			t.Errorf("%s: got %v", row.patch, wrong)
			continue
		}
		edited, err := base().Patch(p, price(t))
		got := append(told(edited.Changes), faults(err)...)
		if errors.Is(err, edit.ErrNotMatched) {
			got = append(got, err.Error())
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", row.patch, err, diff)
		}
	}
}

func TestFaultsOfAPatchAreNamed(t *testing.T) {
	t.Parallel()
	for patch, want := range map[string]string{
		"": " must be JSON", "null": " must be an array of 1 to 100 operations", "[]": " must be an array of 1 to 100 operations", "{}": " must be an array of 1 to 100 operations",
		"[7]": "/0 must be an object", `[{"op":"test"}]`: "/0/path is missing", `[{"op":"add","path":"/a"}]`: "/0/value is missing",
		`[{"op":"merge","path":"/a"}]`: "/0/op must be add, remove, replace, move, copy or test", `[{"op":"remove","path":"a"}]`: "/0/path must be a JSON pointer, such as /ship_to/country",
		`[{"op":"remove","path":7}]`: "/0/path must be a JSON pointer, such as /ship_to/country", `[{"op":"move","path":"/a"}]`: "/0/from is missing",
		`[{"op":"remove","path":"/a","path":"/b"}]`: "/0/path appears twice", "[" + strings.Repeat(`{},`, 100) + "{}]": " must be an array of 1 to 100 operations",
		`["` + strings.Repeat("x", 64<<10) + `"]`: " must have at most 65536 bytes",
	} {
		_, wrong := edit.ParsePatch([]byte(patch))
		if len(wrong) == 0 || wrong[0].Pointer+" "+wrong[0].Detail != want {
			t.Errorf("%.60s: got %v, want %s", patch, wrong, want)
		}
	}
}

// FuzzPatch looks for patches that a document does not survive as an order, or that do not end.
func FuzzPatch(f *testing.F) {
	for _, patch := range []string{
		`[{"op":"copy","from":"","path":"/items/0"},{"op":"copy","from":"","path":"/items/0"}]`, `[{"op":"move","from":"/ship_to","path":"/ship_to/a"}]`,
		`[{"op":"add","path":"/items/99999999999999999999","value":1}]`, `[{"op":"replace","path":"","value":"x"},{"op":"add","path":"/a","value":1}]`,
		`[{"op":"replace","path":"/items","value":null},{"op":"add","path":"/items/-","value":1}]`, `[{"op":"test","path":"/~2","value":"\ud800"}]`,
	} {
		f.Add(patch)
	}
	f.Fuzz(func(t *testing.T, patch string) {
		p, wrong := edit.ParsePatch([]byte(patch))
		if len(wrong) > 0 {
			return
		}
		b := base()
		edited, err := b.Patch(p, price(t))
		if err != nil {
			return
		}
		b.Newest = edited.Value
		if _, err := b.Document(); err != nil {
			t.Errorf("%s: got %v of %s, want an order", patch, err, edited.Value)
		}
	})
}
