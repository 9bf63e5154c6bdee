package address

import (
	"regexp/syntax"
	"slices"
	"testing"

	"example.com/orders/shared/order"
)

func TestSignsOfAnExpression(t *testing.T) {
	t.Parallel()
	for form, want := range map[string][]string{
		`abc`: {"abc"}, `\b(abc|de) \d`: {"abc", "de"}, `a?bc`: {"bc"}, `p ?o ?box`: {"box"}, `(ab|\d)`: nil, `(ab|)c`: {"c"}, `[ab]*`: nil, `(ab)?`: nil,
	} {
		parsed, err := syntax.Parse(form, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if got := signs(parsed); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", form, got, want)
		}
	}
	for _, b := range boxes {
		if b.signs == nil {
			t.Errorf("%s has no signs: it is matched with every line", b.form)
		}
	}
}

func BenchmarkBox(b *testing.B) {
	for b.Loop() {
		if got := Box(order.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"}); got != "" {
			b.Fatal(got)
		}
	}
}
