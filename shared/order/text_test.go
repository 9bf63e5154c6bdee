package order_test

import (
	"testing"

	"example.com/orders/shared/order"
)

func TestATextIsPlainAndVisible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Becher Größe 1": "", "أحمد \u200fبن": "", "Zoë\u200dX": "", "": "must not be empty", "\u2800\u2800": "must not be empty",
		"\u200b\u00ad": "must not be empty", "eleven char": "", "more than twenty characters": "must have at most 20 characters",
		"a\u2028b": order.NotPlain, "a\u2029b": order.NotPlain, "a\nb": order.NotPlain, "a\x00b": order.NotPlain, "a\u0085b": order.NotPlain,
		"a\u202eb": order.NotPlain, "a\u2067b": order.NotPlain, "a\ufffeb": order.NotPlain, "a\ufdd0b": order.NotPlain, "a\U0001ffffb": order.NotPlain,
		"a\xed\xa0\x80": order.NotPlain, "a\xff": order.NotPlain, // a lone surrogate, and no UTF-8 at all
	} {
		if got := order.TextFault(text, 1, 20); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := order.TextFault("", 0, 20); got != "" {
		t.Errorf("got %q of a text that may be missing, want nothing", got)
	}
}
