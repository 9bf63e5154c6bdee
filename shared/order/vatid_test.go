package order_test

import (
	"testing"

	"example.com/orders/shared/order"
)

func TestAVATIDTellsItsMemberState(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"": "", "DE123456789": "DE", "ATU12345678": "AT", "EL123456789": "GR", "GR123456789": "", "IE1234567WA": "IE", "IE1+23456W": "IE",
		"DE12345678": "", "DE1234567890": "", "XI123456789": "", "CHE123456789": "", "ＤＥ123456789": "", "DE12345678٣": "",
	} {
		if got := (order.Customer{VATID: id}).VATState(); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}
