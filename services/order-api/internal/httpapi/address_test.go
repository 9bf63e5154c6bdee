package httpapi_test

import (
	"errors"
	"net/http"
	"testing"

	"example.com/orders/services/order-api/client"
)

// TestPostalCodesHaveOneForm places an order with a code as people write it. A repeat with another form of it is the same order.
func TestPostalCodesHaveOneForm(t *testing.T) {
	t.Parallel()
	s := setup(t)
	o := wanted()
	var ids []string
	for i, code := range []string{"D-10115", "１０１１５", "10115\u00a0", "10115"} {
		o.ShipTo.PostalCode = code
		got, err := s.client.Place(t.Context(), o, "k1", 0)
		must(t, err)
		if got.ShipTo.PostalCode != "10115" || got.Replayed != (i > 0) {
			t.Errorf("%q: got %q, replayed %t; want 10115, and every order after the first replayed", code, got.ShipTo.PostalCode, got.Replayed)
		}
		if ids = append(ids, got.ID); got.ID != ids[0] {
			t.Errorf("%q: got another order", code)
		}
	}
	for code, want := range map[string]string{
		"1067":  "must be a postal code of Germany, such as 26133: DE has five digits, not four; a spreadsheet may have dropped a zero",
		"ABCDE": "must be a postal code of Germany, such as 26133",
		"":      "must be a postal code of Germany, such as 26133",
	} {
		o.ShipTo.PostalCode = code
		_, err := s.client.Place(t.Context(), o, "", 0)
		refused(t, err, "/ship_to/postal_code", want)
	}
	o.ShipTo.PostalCode, o.ShipTo.Country = "", "IE"
	if _, err := s.client.Place(t.Context(), o, "", 0); err != nil {
		t.Errorf("to Ireland without a postal code: %v", err)
	}
}

// refused checks that a problem has one error.
func refused(t *testing.T, err error, pointer, detail string) {
	t.Helper()
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Status != http.StatusUnprocessableEntity || len(p.Errors) != 1 || p.Errors[0].Pointer != pointer || p.Errors[0].Detail != detail {
		t.Errorf("got %+v, want an error at %s: %s", err, pointer, detail)
	}
}

func TestPackingStationsGetNoExpress(t *testing.T) {
	t.Parallel()
	s := setup(t)
	o := wanted()
	o.ShipTo.Line1, o.ShipTo.Line2 = "Packstation 123", "Postnummer 12345678"
	q, err := s.client.Quote(t.Context(), o)
	must(t, err)
	if len(q.Services) != 1 || q.Services[0].Service != "standard" {
		t.Errorf("got services %+v, want standard alone", q.Services)
	}
	if _, err := s.client.Place(t.Context(), o, "", 0); err != nil {
		t.Errorf("standard: %v", err)
	}
	const detail = "must be standard: express is not delivered to a packing station or a PO box; for express, give a street and a house number"
	o.Service = "express"
	_, err = s.client.Quote(t.Context(), o)
	refused(t, err, "/service", detail)
	_, err = s.client.Place(t.Context(), o, "", 0)
	refused(t, err, "/service", detail)
	o.ShipTo.Line1, o.ShipTo.Line2 = "Packstationsweg 3", "neben der Packstation 12"
	if _, err := s.client.Place(t.Context(), o, "", 0); err != nil {
		t.Errorf("a street near a packing station: %v", err)
	}
}
