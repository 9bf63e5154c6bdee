package spoken_test

import (
	"testing"

	"example.com/orders/services/order-worker/internal/spoken"
)

func TestACountryHasALanguage(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{"DE": "de", "AT": "de", "GR": "el", "UA": "uk", "BE": "nl", "": "en", "x": "en"} {
		if got := spoken.In(code); got != want {
			t.Errorf("spoken in %q: got %q, want %q", code, got, want)
		}
	}
}
