package order_test

import (
	"testing"

	"example.com/orders/shared/order"
)

func TestAVATIDTellsItsMemberState(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"": "", "DE123456789": "DE", "ATU12345678": "AT", "EL123456789": "GR", "GR123456789": "GR", "XI123456789": "XI", "XIGD123": "XI",
		"IE1234567WA": "IE", "IE1234567FI": "IE", "IE1234567T": "IE", "IE1+23456W": "IE", "NL123456789B01": "NL", "SE123456789002": "SE",
		"de 123.456-789": "DE", "\u00a0ie\u202f1234567 fa\u200b": "IE", "ＤＥ１２３４５６７８９": "DE", "FR–12–123456789": "FR", "lt/123456789012": "LT",
		"DE12345678": "", "DE1234567890": "", "CHE123456789": "", "GB123456789": "", "DE12345678٣": "", "123456789": "", "XDE123456789X": "",
	} {
		if got := (order.Customer{VATID: id}).VATState(); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}

func TestVATIDsAreWrittenAsTheirStateDoes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		" de 123.456-789 ": "DE123456789", "gr 123 456 789": "EL123456789", "nl.123456789.b01": "NL123456789B01", "ie1+23456w": "IE1+23456W",
		" CHE-123.456.789 MWST ": "CHE-123.456.789 MWST", "12-3456789": "12-3456789", "": "",
	} {
		if got := (order.Customer{VATID: text}).VATNumber(); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
